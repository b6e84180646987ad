//! Streams that are sent to, and how they come to be.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diagnostics::chain;
use tracing::{info, warn};

use super::Shipping;
use crate::cloudwatch_manager::{
    LogsService, Refused, StreamName, create_cloudwatch_log_group, create_cloudwatch_log_stream,
};
use crate::verdict::{Operation, Verdict, verdict};

/// A stream that is sent to, whoever does.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: StreamName,
    /// One request at a time; and whether the stream is known to be there.
    pub(super) turn: tokio::sync::Mutex<bool>,
}

/// Streams by name: several containers may go to one, and several streams are in one group.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    targets: Mutex<HashMap<StreamName, Arc<Target>>>,
    /// Groups whose retention was set, or cannot be.
    retained: Mutex<HashSet<String>>,
}

impl Destinations {
    pub(super) fn target(&self, name: &StreamName) -> Arc<Target> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody sends to any more need not be known.
        targets.retain(|_, target| Arc::strong_count(target) > 1);
        let target = targets.entry(name.clone()).or_insert_with(|| {
            Arc::new(Target {
                name: name.clone(),
                turn: tokio::sync::Mutex::new(false),
            })
        });
        target.clone()
    }

    fn retained(&self) -> MutexGuard<'_, HashSet<String>> {
        self.retained.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    /// Creates the stream, and the group if that is missing.
    pub(super) async fn create<S: LogsService>(
        &self,
        shipping: &Shipping<S>,
    ) -> Result<(), Refused> {
        let StreamName { group, stream } = &self.name;
        let service = &*shipping.service;
        let mut is_there = self.turn.lock().await;
        match create_cloudwatch_log_stream(service, group, stream).await {
            Err(refused) if refused.verdict() == Verdict::Missing => {
                create_cloudwatch_log_group(service, group, &shipping.group).await?;
                info!(group, "log group created");
                create_cloudwatch_log_stream(service, group, stream).await?;
            }
            result => result?,
        }
        *is_there = true;
        drop(is_there);
        self.retain(shipping).await;
        Ok(())
    }

    /// Sets the group's retention, unless that was done. What may pass is tried again when the next
    /// batch was sent.
    pub(super) async fn retain<S: LogsService>(&self, shipping: &Shipping<S>) {
        let group = &self.name.group;
        let Some(days) = shipping.group.retention_days else {
            return;
        };
        if shipping.destinations.retained().contains(group) {
            return;
        }
        let Err(failure) = shipping.service.put_retention(group, days).await else {
            shipping.destinations.retained().insert(group.clone());
            return;
        };
        let error = chain(&failure);
        match verdict(Operation::PutRetention, &failure) {
            Verdict::Retry { .. } | Verdict::Throttled { .. } => {
                warn!(group, error, "the group's retention is not set yet");
            }
            _ => {
                shipping.destinations.retained().insert(group.clone());
                warn!(
                    group,
                    error, "cannot set the group's retention, its events are kept as before"
                );
            }
        }
    }
}
