//! Streams that are sent to, and how they come to be.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use diagnostics::chain;
use tracing::{info, warn};

use super::Shipping;
use crate::cloudwatch_manager::{
    LogsService, Refused, StreamName, create_cloudwatch_log_group, create_cloudwatch_log_stream,
};
use crate::verdict::Verdict;

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
    /// Groups whose retention was set, or could not be.
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

    /// Whether the retention of this group is still to be set; once.
    fn is_to_retain(&self, group: &str) -> bool {
        self.retained
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(group.to_owned())
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
        if let Some(days) = shipping.group.retention_days
            && shipping.destinations.is_to_retain(group)
            && let Err(failure) = service.put_retention(group, days).await
        {
            let error = chain(&failure);
            warn!(
                group,
                error, "cannot set the group's retention, its events are kept as before"
            );
        }
        Ok(())
    }
}
