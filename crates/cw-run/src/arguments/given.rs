//! What stands on the command line, not yet understood.

use std::collections::BTreeMap;

/// The command line in its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// Only say what would be done.
    pub(super) check: bool,
    /// Containers that are there, in the place of a new one.
    pub(super) attach: bool,
    /// The topic that help was asked on; empty for all.
    pub(super) help: Option<String>,
    /// Words that belong to no option.
    pub(super) words: Vec<String>,
    /// The words behind `--`.
    pub(super) command: Vec<String>,
    /// By an option's name: its values, and the name that it was given by.
    pub(super) values: BTreeMap<&'static str, (String, Vec<String>)>,
    pub(super) switches: Vec<&'static str>,
}

impl Given {
    /// Whether a switch is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.switches.contains(&name)
    }
}
