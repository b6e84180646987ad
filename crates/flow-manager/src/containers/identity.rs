//! Which engine it is that answers. To another one than before none of our containers is known, and
//! it would be wrong to forget them for that.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use docker_client::{DockerApiClient, DockerClientError};
use tokio::time::timeout;
use tracing::warn;

use super::Inner;

/// How long an engine may take to say who it is.
const SAYS_WITHIN: Duration = Duration::from_secs(30);
/// Why an engine is not used.
pub(super) const OTHER_ENGINE: &str = "it is not the engine that has our containers, and has none of \
    them: set DOCKER_HOST to that one, or remove the file `engine` in STATE_DIR if they are to be forgotten";

impl Inner {
    /// The engine's id, and whether another one was remembered.
    pub(super) async fn identify(
        self: &Arc<Self>,
        docker: &DockerApiClient,
    ) -> Result<(Option<String>, bool), DockerClientError> {
        let late = |_| DockerClientError::Timeout {
            operation: "ask the engine for its id".to_owned(),
            after: SAYS_WITHIN,
        };
        let said = timeout(SAYS_WITHIN, docker.bollard().info())
            .await
            .map_err(late)?;
        // It answers all else, so it may be one that has none.
        let id = said
            .ok()
            .and_then(|said| said.id)
            .filter(|id| !id.is_empty());
        let before = match self.on_disk(|inner| inner.store.engine()).await {
            Ok(Ok(before)) => before,
            Ok(Err(error)) => {
                warn!(error = diagnostics::chain(&error), "engine's id not read");
                None
            }
            Err(_) => None,
        };
        let is_other = matches!((&id, &before), (Some(id), Some(before)) if id != before);
        Ok((id, is_other))
    }

    /// Whether we have containers, and none of them is among these.
    pub(super) fn knows_none_of(&self, listed: &HashSet<String>) -> bool {
        let known = self.lock().ids();
        (!known.is_empty() || self.has_abandoned()) && !known.iter().any(|id| listed.contains(id))
    }

    /// Remembers the engine that is used. Without that it is only not known again.
    pub(super) async fn remember(self: &Arc<Self>, id: Option<String>) {
        let Some(id) = id else {
            return;
        };
        let written = self.on_disk(move |inner| match inner.store.engine() {
            Ok(Some(before)) if before == id => Ok(()),
            _ => inner.store.set_engine(&id),
        });
        if let Ok(Err(error)) = written.await {
            warn!(
                error = diagnostics::chain(&error),
                "engine's id not written"
            );
        }
    }
}
