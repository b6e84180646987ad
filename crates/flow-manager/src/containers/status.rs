//! How a container is, and what it uses.

use tokio::time::Instant;

use super::{ContainerManager, Inner};
use crate::failure::{ErrorCode, Failure};
use crate::model::{ContainerStatus, ResourceUsage};

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
    /// for the same reading.
    async fn read_usage(&self, id: &str) -> Result<(), Failure> {
        let needed = || {
            let registry = self.lock();
            let entry = registry.get(id);
            entry.is_some_and(|entry| entry.state().has_process() && entry.fresh_usage().is_none())
        };
        if !needed() {
            return Ok(());
        }
        let mut turn = self.readings.take(id)?;
        turn.come().await;
        if !needed() {
            return Ok(());
        }
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
                Ok(())
            }
            Err(failure) if failure.code == ErrorCode::EngineUnavailable => Err(failure),
            // The state is known without.
            Err(_) => Ok(()),
        }
    }
}
