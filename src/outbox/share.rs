//! Which of the held points go next.

use chrono::{DateTime, Utc};
use cloudwatch_metric::Namespace;

use super::Outbox;
use super::batch::Batch;

/// What a batch is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// The newest tick.
    Tick,
    /// What is older.
    Backlog,
    /// What the service refused for an unknown reason, once its next try has come.
    Parked,
}

impl Outbox {
    /// What to send next: of the newest tick unless it is the backlog's turn, of the
    /// backlog, or of what is parked. The points stay held until they are accepted or refused.
    #[must_use]
    pub fn next_share(
        &self,
        namespace: &Namespace,
        now: DateTime<Utc>,
        backlog_first: bool,
    ) -> Option<(Batch, Share)> {
        let backlog = || Some((self.backlog_batch(namespace)?, Share::Backlog));
        let first = backlog_first.then(backlog).flatten();
        if first.is_none() && self.has_tick(namespace) {
            return Some((self.next_batch(namespace)?, Share::Tick));
        }
        let parked = || Some((self.parked_batch(namespace, now)?, Share::Parked));
        first.or_else(backlog).or_else(parked)
    }
}
