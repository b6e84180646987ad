//! The containers that are ours, and what is known of them.

use std::collections::HashMap;
use std::time::Duration;

use docker_client::{ContainerState as EngineState, Timestamp};
use tokio::time::Instant;

use super::store::{CreatedRecord, Record, Wish};
use crate::failure::Failure;
use crate::model::{ContainerConfig, ContainerHealth, ContainerState, ResourceUsage};
use crate::time::Moment;

/// How old statistics may be.
pub(crate) const USAGE_AGE_MAX: Duration = Duration::from_secs(5);
/// The shortest beginning of an id that names a container, as `docker ps` shows it.
const PREFIX_MIN: usize = 12;

/// What is known of one container.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: String,
    /// The queue of its operations, which it keeps: the one that its creation waited in.
    pub(crate) queue: String,
    /// The name of its folder.
    pub(crate) folder: String,
    pub(crate) name: String,
    pub(crate) created: Moment,
    pub(crate) wish: Wish,
    pub(crate) config: ContainerConfig,
    pub(crate) state: EngineState,
    pub(crate) health: ContainerHealth,
    pub(crate) started: Option<Timestamp>,
    /// The instant that the state is of; what happened before is known.
    pub(crate) as_of: Timestamp,
    pub(crate) usage: Option<(Instant, ResourceUsage)>,
    /// Whether its flow is connected, as it was told last.
    pub(crate) connected: bool,
    /// How often it was started while this flow-manager watched.
    pub(crate) starts: u64,
}

impl Entry {
    pub(crate) fn new(
        folder: String,
        id: String,
        name: String,
        created: Moment,
        wish: Wish,
        config: ContainerConfig,
    ) -> Self {
        Self {
            id,
            queue: name.clone(),
            folder,
            name,
            created,
            wish,
            config,
            state: EngineState::Created,
            health: ContainerHealth::None,
            started: None,
            as_of: Timestamp::from_nanos(i64::MIN),
            usage: None,
            connected: false,
            starts: 0,
        }
    }

    pub(crate) fn state(&self) -> ContainerState {
        ContainerState::of(self.state, self.wish == Wish::Stop)
    }

    /// What the disk has of it.
    pub(crate) fn record(&self) -> Record {
        Record::Created(Box::new(CreatedRecord {
            id: self.id.clone(),
            name: self.name.clone(),
            created: self.created,
            wish: self.wish,
            config: self.config.clone(),
        }))
    }

    pub(crate) fn fresh_usage(&self) -> Option<ResourceUsage> {
        let (read, usage) = self.usage?;
        (self.state().has_process() && read.elapsed() <= USAGE_AGE_MAX).then_some(usage)
    }
}

/// All containers that are ours.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    entries: HashMap<String, Entry>,
    by_name: HashMap<String, String>,
}

impl Registry {
    pub(crate) fn insert(&mut self, entry: Entry) {
        self.by_name.insert(entry.name.clone(), entry.id.clone());
        self.entries.insert(entry.id.clone(), entry);
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        if self
            .by_name
            .get(&entry.name)
            .is_some_and(|named| named == id)
        {
            self.by_name.remove(&entry.name);
        }
        Some(entry)
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Entry> {
        self.entries.get_mut(id)
    }

    /// It was renamed by somebody else.
    pub(crate) fn rename(&mut self, id: &str, name: &str) {
        if let Some(mut entry) = self.remove(id) {
            name.clone_into(&mut entry.name);
            self.insert(entry);
        }
    }

    /// All of them, in the order of their creation.
    pub(crate) fn all(&self) -> Vec<&Entry> {
        let mut all: Vec<_> = self.entries.values().collect();
        all.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    /// The queue of the operations on a container. What is called by a name that none has waits
    /// for the one that may be created with it.
    pub(crate) fn queue(&self, name: &str) -> String {
        let id = self.resolve(name).ok();
        let entry = id.and_then(|id| self.get(&id));
        entry.map_or_else(|| name.to_owned(), |entry| entry.queue.clone())
    }

    /// The id of the container with this id, unique beginning of an id, or name. An id goes
    /// before a name, as with Docker.
    pub(crate) fn resolve(&self, name: &str) -> Result<String, Failure> {
        if self.entries.contains_key(name) {
            return Ok(name.to_owned());
        }
        if let Some(id) = self.by_name.get(name) {
            return Ok(id.clone());
        }
        if name.len() >= PREFIX_MIN && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let mut begun = self.entries.keys().filter(|id| id.starts_with(name));
            if let (Some(id), None) = (begun.next(), begun.next()) {
                return Ok(id.clone());
            }
        }
        Err(Failure::no_container(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, name: &str) -> Entry {
        let (id, name) = (id.to_owned(), name.to_owned());
        Entry::new(
            "f".to_owned(),
            id,
            name,
            Moment::default(),
            Wish::Create,
            ContainerConfig::default(),
        )
    }

    #[test]
    fn container_is_found_by_id_by_enough_of_it_and_by_name() {
        let (a, b) = ("ab".repeat(32), format!("{}cd", "ab".repeat(31)));
        let mut registry = Registry::default();
        registry.insert(entry(&a, "one"));
        assert_eq!(registry.resolve(&a[..12]).unwrap(), a);
        registry.insert(entry(&b, "two"));
        for (name, id) in [
            (&*a, Some(&a)),
            ("two", Some(&b)),
            (&a[..12], None),
            (&a[..64], Some(&a)),
            (&a[..11], None),
            ("", None),
            ("tw", None),
        ] {
            assert_eq!(registry.resolve(name).ok().as_ref(), id, "{name}");
        }
        registry.rename(&b, "three");
        assert!(registry.resolve("two").is_err());
        assert_eq!(registry.resolve("three").unwrap(), b);
        assert_eq!(
            (registry.queue("three"), registry.queue("four")),
            ("two".to_owned(), "four".to_owned())
        );
        registry.remove(&b);
        assert!(registry.resolve("three").is_err());
    }
}
