//! How a container is, and what it uses.

use std::sync::{Arc, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::time::Instant;

use super::{ContainerManager, Inner};
use crate::failure::{ErrorCode, Failure};
use crate::model::{ContainerStatus, ResourceUsage};

/// A reading of statistics that many wait for.
type Reading = Shared<BoxFuture<'static, bool>>;
pub(super) type WeakReading = WeakShared<BoxFuture<'static, bool>>;

impl ContainerManager {
    /// How a container is. Statistics that are older than five seconds are read anew, which
    /// takes the engine one to two seconds.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::ContainerNotFound`], [`ErrorCode::EngineUnavailable`].
    pub async fn get_container_status(&self, name: &str) -> Result<ContainerStatus, Failure> {
        let inner = &self.inner;
        inner.engine.client()?;
        let id = self.resolve(name)?;
        inner.read_usage(&id).await?;
        let registry = inner.lock();
        let entry = registry
            .get(&id)
            .ok_or_else(|| Failure::no_container(name))?;
        Ok(inner.status(entry))
    }
}

impl Inner {
    /// Reads the statistics of a container unless they are fresh. Who comes meanwhile waits
    /// for the same reading, however many they are.
    async fn read_usage(self: &Arc<Self>, id: &str) -> Result<(), Failure> {
        let is_needed = {
            let registry = self.lock();
            let entry = registry.get(id);
            entry.is_some_and(|entry| entry.state().has_process() && entry.fresh_usage().is_none())
        };
        if is_needed && !self.reading(id).await {
            let message = "Docker does not answer";
            return Err(Failure::new(ErrorCode::EngineUnavailable, message));
        }
        Ok(())
    }

    /// The reading that is under way, or a new one. It goes on as long as somebody waits for it.
    fn reading(self: &Arc<Self>, id: &str) -> Reading {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = readings.get(id).and_then(WeakReading::upgrade) {
            return reading;
        }
        readings.retain(|_, reading| reading.upgrade().is_some());
        let (inner, owned) = (self.clone(), id.to_owned());
        let reading = async move { inner.read(&owned).await }.boxed().shared();
        if let Some(weak) = reading.downgrade() {
            readings.insert(id.to_owned(), weak);
        }
        reading
    }

    /// Reads the statistics; false if the engine is away.
    async fn read(&self, id: &str) -> bool {
        let read = self
            .engine
            .ask(|docker| async move { docker.stats(id).await })
            .await;
        match read {
            Ok(stats) => {
                // It ended while it was looked at.
                let usage = stats.read.is_some().then(|| ResourceUsage::from(stats));
                if let Some(entry) = self.lock().get_mut(id) {
                    entry.usage = usage.map(|usage| (Instant::now(), usage));
                }
                true
            }
            // The state is known without.
            Err(failure) => failure.code != ErrorCode::EngineUnavailable,
        }
    }
}
