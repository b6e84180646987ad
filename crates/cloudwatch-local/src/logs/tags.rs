//! Tags of groups.

use super::input::{Input, TAGS_MAX};
use super::names;
use super::problems::{Problems, invalid};
use super::store::LogStore;
use crate::refusal::Refusal;

/// `TagResource`, and `TagLogGroup`, which came before it.
pub(super) struct TagGroup {
    group: String,
    tags: Vec<(String, String)>,
    /// What one is answered whose group would have too many tags.
    too_many: Refusal,
}

impl TagGroup {
    pub(super) fn read_by_name(input: Input) -> Result<Self, Refusal> {
        let mut problems = Problems::default();
        let group = names::group(&mut problems, "logGroupName", input.log_group_name);
        let tags = names::tags(&mut problems, input.tags);
        problems.end()?;
        let too_many = invalid(format!("A log group can have up to {TAGS_MAX} tags."));
        Self::of(group, tags, too_many)
    }

    pub(super) fn read_by_arn(input: Input) -> Result<Self, Refusal> {
        let mut problems = Problems::default();
        let group = names::group_of_arn(&mut problems, input.resource_arn)?;
        let tags = names::tags(&mut problems, input.tags);
        problems.end()?;
        let message = format!("A resource can have no more than {TAGS_MAX} tags.");
        Self::of(
            group,
            tags,
            Refusal::new(400, "TooManyTagsException", message),
        )
    }

    fn of(group: String, tags: Vec<(String, String)>, too_many: Refusal) -> Result<Self, Refusal> {
        names::no_reserved_key(&tags)?;
        Ok(Self {
            group,
            tags,
            too_many,
        })
    }

    pub(super) fn perform(self, store: &mut LogStore) -> Result<(), Refusal> {
        let group = store.group_mut(&self.group)?;
        let mut tags = group.tags.clone();
        tags.extend(self.tags);
        if tags.len() > TAGS_MAX {
            return Err(self.too_many);
        }
        group.tags = tags;
        Ok(())
    }
}

/// `UntagResource`.
pub(super) struct UntagGroup {
    group: String,
    keys: Vec<String>,
}

impl UntagGroup {
    pub(super) fn read(input: Input) -> Result<Self, Refusal> {
        let mut problems = Problems::default();
        let group = names::group_of_arn(&mut problems, input.resource_arn)?;
        let keys = match input.tag_keys {
            Some(keys) => keys.0,
            None => {
                problems.missing("tagKeys");
                Vec::new()
            }
        };
        problems.length("tagKeys", "[...]", keys.len(), &(0..=TAGS_MAX));
        for key in &keys {
            names::tag_key(&mut problems, "tagKeys", key);
        }
        problems.end()?;
        Ok(Self { group, keys })
    }

    pub(super) fn perform(self, store: &mut LogStore) -> Result<(), Refusal> {
        let group = store.group_mut(&self.group)?;
        for key in &self.keys {
            group.tags.remove(key);
        }
        Ok(())
    }
}
