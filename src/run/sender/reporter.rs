//! What a sender reports of its work: log lines, the status, and the account of an outage.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloudwatch_metric::Namespace;
use diagnostics::chain;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::super::shared::Shared;
use crate::clock::Clock;
use crate::format::{millis, rfc3339};
use crate::health::brief;
use crate::outbox::{Batch, PARKED_RETRY, Share};
use crate::publish::{RequestError, Sink, hint};

/// Reports for one namespace, and books what became of its points.
pub(super) struct Reporter<S, C> {
    pub(super) namespace: Namespace,
    pub(super) shared: Arc<Shared<S, C>>,
    pub(super) outage: Option<Outage>,
    /// The last tick that was reported to have failed; it may come in parts.
    failed_tick: Option<DateTime<Utc>>,
    /// The unknown refusal that a point was last parked for, and when.
    last_parked: Option<(Arc<str>, DateTime<Utc>)>,
}

/// How the delivery of one batch ended.
pub(super) enum Ending {
    /// Every point of it was accepted, rejected or parked.
    Done,
    /// Its retries are spent, or somebody must act first.
    Failed(RequestError),
    /// It made room: a newer tick is there, or the run ends.
    Interrupted,
}

/// What one batch came to.
pub(super) struct Delivered {
    pub(super) ending: Ending,
    pub(super) accepted: usize,
    pub(super) attempts: u32,
}

/// A time in which points had to wait.
pub(super) struct Outage {
    pub(super) since: DateTime<Utc>,
    pub(super) lost_before: u64,
    pub(super) replayed: usize,
}

/// What was accepted since the last log line about it.
pub(super) struct Account {
    pub(super) points: usize,
    pub(super) requests: u32,
    pub(super) since: Instant,
}

impl<S: Sink, C: Clock> Reporter<S, C> {
    pub(super) fn new(namespace: Namespace, shared: Arc<Shared<S, C>>) -> Self {
        Self {
            namespace,
            shared,
            outage: None,
            failed_tick: None,
            last_parked: None,
        }
    }

    /// The refusal that a point was parked for lately, or at the last try of one: it lasts.
    pub(super) fn lately_parked(&self, now: DateTime<Utc>) -> Option<Arc<str>> {
        let (reason, at) = self.last_parked.as_ref()?;
        (now - *at < PARKED_RETRY * 2).then(|| reason.clone())
    }

    /// Tells the status how a tick went once all of it was tried. What is tried again
    /// between ticks may end a row of failures, but is no further one.
    pub(super) fn report(&mut self, batch: &Batch, delivered: &Delivered, share: Share) {
        let is_tick = share == Share::Tick;
        let status = &self.shared.status;
        match &delivered.ending {
            Ending::Failed(failure) if is_tick => {
                let tick = batch.points().map(|point| point.at).max();
                if self.failed_tick != tick {
                    status.failed(&self.namespace, brief(failure));
                }
                self.failed_tick = tick;
            }
            Ending::Done if self.shared.outbox.lock().has_tick(&self.namespace) => {}
            Ending::Done if delivered.accepted > 0 => {
                let now = self.shared.clock.now();
                if is_tick {
                    status.succeeded(&self.namespace, now);
                } else {
                    status.caught_up(&self.namespace, now);
                }
            }
            Ending::Done if is_tick => {
                status.failed(&self.namespace, "all of its points were refused");
            }
            _ => {}
        }
    }

    /// One line for the points that were accepted since the last one.
    pub(super) fn account_for(&self, account: &mut Account) {
        if account.points > 0 && !self.shared.sink.is_dry() {
            info!(
                namespace = %self.namespace,
                points = account.points,
                requests = account.requests,
                duration_ms = millis(account.since.elapsed()),
                "published"
            );
        }
        *account = Account::new();
    }

    pub(super) fn recovered(&mut self) {
        let Some(outage) = self.outage.take() else {
            return;
        };
        self.shared.status.recovered(&self.namespace);
        let dropped = self.shared.outbox.lock().dropped_of(&self.namespace);
        let lost = dropped.total().saturating_sub(outage.lost_before);
        let seconds = (self.shared.clock.now() - outage.since).num_seconds();
        info!(
            namespace = %self.namespace,
            outage_seconds = seconds,
            points_replayed = outage.replayed,
            points_lost = lost,
            "recovered"
        );
    }

    pub(super) fn failed(
        &mut self,
        batch: &Batch,
        failure: &RequestError,
        attempts: u32,
        is_news: bool,
    ) {
        let (held, lost_before) = self.shared.outbox.reorder(|outbox| {
            outbox.demote(batch);
            let lost = outbox.dropped_of(&self.namespace).total();
            (outbox.len_of(&self.namespace), lost)
        });
        self.outage.get_or_insert_with(|| Outage {
            since: self.shared.clock.now(),
            lost_before,
            replayed: 0,
        });
        if !is_news {
            return;
        }
        error!(
            namespace = %self.namespace,
            attempts,
            points_held = held,
            error = chain(failure),
            hint = hint(failure),
            "publish failed"
        );
    }

    pub(super) fn rejected(&self, batch: &Batch, failure: &RequestError) {
        self.shared.outbox.change(|outbox| outbox.refuse(batch));
        for point in batch.points() {
            warn!(
                metric = %point.metric,
                value = point.value.get(),
                point_timestamp = rfc3339(point.at),
                error = chain(failure),
                "point rejected and dropped"
            );
        }
    }

    /// Puts points behind all others. What is known to be refused is tried quietly.
    pub(super) fn parked(&mut self, batch: &Batch, failure: &RequestError) {
        let reason: Arc<str> = failure.reason().into();
        let now = self.shared.clock.now();
        let (next_try, news) = self
            .shared
            .outbox
            .reorder(|outbox| outbox.park(batch, &reason, now));
        for held in news {
            warn!(
                metric = %held.point.metric,
                value = held.point.value.get(),
                point_timestamp = rfc3339(held.point.at),
                code = &*reason,
                next_try = rfc3339(next_try),
                error = chain(failure),
                "point parked"
            );
        }
        self.last_parked = Some((reason, now));
    }

    pub(super) fn retrying(&self, attempt: u32, failure: &RequestError, delay: Duration) {
        warn!(
            namespace = %self.namespace,
            attempt,
            delay_ms = millis(delay),
            error = chain(failure),
            "publish attempt failed, retrying"
        );
    }
}

impl Account {
    pub(super) fn new() -> Self {
        Self {
            points: 0,
            requests: 0,
            since: Instant::now(),
        }
    }
}
