//! Who is told what: the rooms, their members, and the numbers of their events.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::activity::UserActivityLogger;
use crate::auth::Role;
use crate::clients::{Client, Packet};
use crate::containers::WeakContainerManager;
use crate::json::raw;
use crate::model::LogText;
use crate::rooms::{Room, Told};

mod observers;

/// What the rooms remember: minutes of a busy host. Both together find room in the queue of
/// a client that resumes.
const ALL_MAX: usize = 1024 * 1024;
const OPERATE_MAX: usize = 2 * 1024 * 1024;

/// Which of the rooms that all clients of a role are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RoomName {
    All,
    Operate,
}

impl RoomName {
    fn needs(self) -> Role {
        match self {
            Self::All => Role::Read,
            Self::Operate => Role::Operate,
        }
    }
}

/// The rooms. Clients are told in the order of the numbers, for all of it is done with one
/// lock held.
pub struct Hub {
    epoch: String,
    state: Mutex<State>,
    activity: OnceLock<Arc<UserActivityLogger>>,
    /// Whom a change of a connection is passed to.
    containers: OnceLock<WeakContainerManager>,
}

struct State {
    all: Room,
    operate: Room,
    clients: HashMap<u64, Arc<Client>>,
    logs: HashMap<String, LogRoom>,
}

/// Those who follow the log of a container.
#[derive(Debug, Default)]
struct LogRoom {
    /// It goes on when the last has left and another comes.
    seq: u64,
    members: HashSet<u64>,
    /// Its container is: it is remembered as long as somebody is in it.
    is_gone: bool,
}

#[derive(Serialize)]
struct LogLines<'a> {
    epoch: &'a str,
    seq: u64,
    container_id: &'a str,
    lines: &'a [LogText],
    dropped: u64,
}

/// What a client missed.
#[derive(Debug)]
pub(crate) struct Missed {
    pub(crate) complete: bool,
    pub(crate) events: Vec<Told>,
}

impl Hub {
    /// Nobody is there, and nothing was told. The epoch is new for each process.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let state = State {
            all: Room::new(ALL_MAX),
            operate: Room::new(OPERATE_MAX),
            clients: HashMap::new(),
            logs: HashMap::new(),
        };
        let hub = Arc::new(Self {
            epoch: format!("{:016x}", rand::random::<u64>()),
            state: Mutex::new(state),
            activity: OnceLock::new(),
            containers: OnceLock::new(),
        });
        let logger = UserActivityLogger::new(hub.clone());
        // It is set once, here.
        let _ = hub.activity.set(Arc::new(logger));
        hub
    }

    /// The containers, which are made with the hub and so later than it.
    pub fn attach(&self, containers: WeakContainerManager) {
        // A second time would be a fault of `main`'s, and harmless.
        let _ = self.containers.set(containers);
    }

    /// Who writes the feed.
    pub(crate) fn activity(&self) -> Option<&UserActivityLogger> {
        self.activity.get().map(|logger| &**logger)
    }

    /// The epoch of the process.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// A client joins the rooms of its role; false if there are so many already.
    pub(crate) fn join(&self, client: Arc<Client>, clients_max: usize) -> bool {
        let mut state = self.lock();
        if state.clients.len() >= clients_max {
            return false;
        }
        state.clients.insert(client.number, client);
        true
    }

    /// A client left; the containers whose log nobody follows any more.
    pub(crate) fn leave(&self, client: u64) -> Vec<String> {
        let mut state = self.lock();
        state.clients.remove(&client);
        let mut empty = Vec::new();
        state.logs.retain(|id, room| {
            if room.members.remove(&client) && room.members.is_empty() {
                empty.push(id.clone());
            }
            !room.members.is_empty() || !room.is_gone
        });
        empty
    }

    /// How many clients are there.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.lock().clients.len()
    }

    /// Disconnects all clients.
    pub(crate) fn disconnect_all(&self) {
        for client in self.lock().clients.values() {
            client.disconnect();
        }
    }

    /// Disconnects the clients with these tokens.
    pub(crate) fn disconnect(&self, tokens: &[(Role, String)]) -> usize {
        let state = self.lock();
        let is_meant = |client: &&Arc<Client>| {
            let mut tokens = tokens.iter();
            tokens.any(|(role, name)| *role == client.role && *name == client.name)
        };
        let meant = state.clients.values().filter(is_meant);
        meant.inspect(|client| client.disconnect()).count()
    }

    /// A client follows the log of a container; true for the first.
    pub(crate) fn follow(&self, id: &str, client: u64) -> bool {
        let mut state = self.lock();
        if !state.clients.contains_key(&client) {
            return false;
        }
        let room = state.logs.entry(id.to_owned()).or_default();
        room.members.insert(client);
        room.members.len() == 1
    }

    /// A client no longer follows the log of a container; true for the last.
    pub(crate) fn unfollow(&self, id: &str, client: u64) -> bool {
        let mut state = self.lock();
        let Some(room) = state.logs.get_mut(id) else {
            return false;
        };
        let is_last = room.members.remove(&client) && room.members.is_empty();
        if room.members.is_empty() && room.is_gone {
            state.logs.remove(id);
        }
        is_last
    }

    /// The container of a log is gone, and nothing more will be told of it.
    pub(crate) fn log_is_gone(&self, id: &str) {
        let mut state = self.lock();
        if let Some(room) = state.logs.get_mut(id) {
            room.is_gone = true;
            if room.members.is_empty() {
                state.logs.remove(id);
            }
        }
    }

    /// Tells those who follow a log.
    pub(crate) fn tell_log(&self, container_id: &str, lines: &[LogText], dropped: u64) {
        let mut state = self.lock();
        let State { logs, clients, .. } = &mut *state;
        let room = logs.get_mut(container_id);
        let Some(room) = room.filter(|room| !room.members.is_empty()) else {
            return;
        };
        room.seq += 1;
        let (epoch, seq) = (&*self.epoch, room.seq);
        let data: Arc<RawValue> = raw(&LogLines {
            epoch,
            seq,
            container_id,
            lines,
            dropped,
        })
        .into();
        for client in room.members.iter().filter_map(|number| clients.get(number)) {
            client.push(Packet::Event("log_lines", data.clone()));
        }
    }

    /// What a client missed since the numbers that it had last.
    pub(crate) fn missed(
        &self,
        epoch: &str,
        role: Role,
        all: Option<u64>,
        operate: Option<u64>,
    ) -> Missed {
        let state = self.lock();
        let incomplete = Missed {
            complete: false,
            events: Vec::new(),
        };
        if epoch != self.epoch {
            return incomplete;
        }
        let rooms = [
            (RoomName::All, &state.all, all),
            (RoomName::Operate, &state.operate, operate),
        ];
        let mut events = Vec::new();
        for (name, room, last) in rooms {
            let (Some(last), true) = (last, role >= name.needs()) else {
                continue;
            };
            match room.since(last) {
                Some(told) => events.extend(told),
                None => return incomplete,
            }
        }
        Missed {
            complete: all.is_some(),
            events,
        }
    }

    fn tell(&self, name: RoomName, event: &'static str, make: impl FnOnce(u64) -> Box<RawValue>) {
        let mut state = self.lock();
        let room = match name {
            RoomName::All => &mut state.all,
            RoomName::Operate => &mut state.operate,
        };
        let told = room.tell(event, make);
        for client in state
            .clients
            .values()
            .filter(|client| client.role >= name.needs())
        {
            // One whose queue is full is disconnected, and asks for what it missed.
            client.push(Packet::Event(event, told.data.clone()));
        }
    }

    /// What is locked here is whole at any moment, and locked for moments only.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::ContainerObserver;
    use crate::flow::{FlowEvent, FlowObserver};

    fn client(hub: &Hub, number: u64, role: Role) {
        let client = Client::new(number, number.to_string(), role);
        assert!(hub.join(Arc::new(client), 10));
    }

    fn event(hub: &Hub, name: &str) {
        let data = crate::json::empty_object();
        hub.flow_event(
            "1",
            &FlowEvent::Event {
                name: name.to_owned(),
                data,
            },
        );
    }

    #[test]
    fn what_was_missed_is_told_by_room_and_role() {
        let hub = Hub::new();
        event(&hub, "a");
        hub.engine_changed(true);
        event(&hub, "b");
        let missed = |epoch: &str, role, all, operate| {
            let missed = hub.missed(epoch, role, all, operate);
            (
                missed.complete,
                missed
                    .events
                    .iter()
                    .map(|told| told.event)
                    .collect::<Vec<_>>(),
            )
        };
        let epoch = hub.epoch();
        let all = vec!["activity_log", "container_message"];
        assert_eq!(missed(epoch, Role::Operate, Some(0), Some(1)), (true, all));
        assert_eq!(
            missed(epoch, Role::Read, Some(0), Some(0)),
            (true, vec!["activity_log"])
        );
        assert_eq!(missed(epoch, Role::Read, None, None), (false, vec![]));
        assert_eq!(missed(epoch, Role::Read, Some(7), None), (false, vec![]));
        assert_eq!(
            missed("other", Role::Admin, Some(0), Some(0)),
            (false, vec![])
        );
    }

    #[test]
    fn what_an_actor_did_is_told_with_its_data() {
        let hub = Hub::new();
        let event = FlowEvent::Actor {
            actor: "loader".to_owned(),
            event: "finished".to_owned(),
            data: raw(&serde_json::json!({"rows": 7})),
        };
        hub.flow_event("1", &event);
        let missed = hub.missed(hub.epoch(), Role::Operate, Some(0), Some(0));
        let told = missed.events.iter().map(|told| {
            let told = serde_json::from_str::<serde_json::Value>(told.data.get()).unwrap();
            (told["data"].clone(), told["details"].clone())
        });
        let actor = serde_json::json!({"actor": "loader", "event": "finished"});
        let mut with_data = actor.clone();
        with_data["data"] = serde_json::json!({"rows": 7});
        let null = serde_json::Value::Null;
        assert_eq!(
            told.collect::<Vec<_>>(),
            [(null.clone(), actor), (with_data, null)]
        );
    }

    #[test]
    fn log_has_followers_as_long_as_they_are_there() {
        let hub = Hub::new();
        client(&hub, 1, Role::Operate);
        client(&hub, 2, Role::Operate);
        assert!(hub.follow("1", 1) && !hub.follow("1", 2) && !hub.follow("1", 3));
        assert!(!hub.unfollow("1", 1));
        assert_eq!(hub.leave(2), ["1"]);
        assert!(hub.follow("1", 1) && hub.unfollow("1", 1));
        assert_eq!(hub.clients(), 1);
    }

    #[test]
    fn numbers_of_a_log_go_on_as_long_as_its_container_is_there() {
        let hub = Hub::new();
        client(&hub, 1, Role::Operate);
        let seq = |hub: &Hub| hub.lock().logs.get("1").map(|room| room.seq);
        for expected in [Some(1), Some(2)] {
            assert!(hub.follow("1", 1));
            hub.tell_log("1", &[], 1);
            assert!(hub.unfollow("1", 1) && !hub.unfollow("1", 1));
            // Nobody is there to be told.
            hub.tell_log("1", &[], 1);
            assert_eq!(seq(&hub), expected);
        }
        assert!(hub.follow("1", 1));
        hub.log_is_gone("1");
        assert_eq!(seq(&hub), Some(2));
        assert_eq!((hub.leave(1), seq(&hub)), (vec!["1".to_owned()], None));
        client(&hub, 2, Role::Operate);
        assert!(hub.follow("1", 2) && hub.unfollow("1", 2));
        hub.log_is_gone("1");
        assert_eq!(seq(&hub), None);
    }
}
