//! The log of the program: what is done, for who runs it.

use std::error::Error;

use diagnostics::{chain, redacted_prefix};
use tracing::{debug, error, info};

use crate::model::ContainerState;

/// Writes structured lines. Nothing that a client or a flow sent is in them but names, which
/// are cut and escaped: the rest may hold secrets.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLogger;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Direction {
    ToFlow,
    FromFlow,
}

impl SystemLogger {
    /// An operation on a container came to its end.
    pub fn log_container_operation(self, operation: &str, id: &str, details: &str) {
        info!(
            operation,
            container = redacted_prefix(id),
            details,
            "container operation"
        );
    }

    /// A client asked for something; of what it sent only the size is told.
    pub fn log_socket_event(self, event: &str, client: u64, data: &str) {
        debug!(
            event = redacted_prefix(event),
            client,
            bytes = data.len(),
            "request"
        );
    }

    /// A message passed; of it only the size is told.
    pub fn log_communication(self, id: &str, direction: Direction, message: &str) {
        let direction = match direction {
            Direction::ToFlow => "to flow",
            Direction::FromFlow => "from flow",
        };
        debug!(container = id, direction, bytes = message.len(), "message");
    }

    /// Something failed, with all its causes.
    pub fn log_error(self, failure: &(dyn Error + 'static), context: &str) {
        error!(error = chain(failure), context, "failed");
    }

    /// A container is in another state.
    pub fn log_state_change(self, id: &str, old: ContainerState, new: Option<ContainerState>) {
        let new = new.map_or("gone", ContainerState::as_str);
        info!(container = id, old = old.as_str(), new, "state changed");
    }

    /// A detail for who looks for a fault.
    pub fn log_debug(self, message: &str, context: &str) {
        debug!(detail = redacted_prefix(message), context, "detail");
    }
}
