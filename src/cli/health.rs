//! Both ends of the health: `run` tells it, `healthcheck` asks for it.
//!
//! Docker asks every half minute, so that reads the one setting that it needs and sets
//! up nothing else.

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::time::Duration;

use diagnostics::chain;
use diagnostics::one_line;
use settings::Environment;
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::{BAD_CONFIGURATION, FAILURE, SUCCESS};
use crate::config::HealthAddr;
use crate::health::{HealthEndpoint, Server, Status, ask};
use crate::ticker::SystemClock;

/// Two processes of one container have one local socket.
const TAKEN_HINT: &str = "another publisher of this container tells its health there, or another user took the name; \
    set HEALTH_ADDR=127.0.0.1:8080 or another HOST:PORT for this one";

/// The longest that asking may take: who answers later than this is not well, and
/// Kubernetes gives a probe a few seconds at most.
const PATIENCE: Duration = Duration::from_secs(3);

/// The health cannot be told where it must be.
pub(super) struct Unserved;

/// Tells the status where the setting says. A port that was asked for must be had; the
/// local socket is a convenience, and what keeps it from us keeps nobody from publishing.
pub(super) async fn serve(
    addr: &HealthAddr,
    status: &Arc<Status>,
) -> Result<Option<Server>, Unserved> {
    if *addr == HealthAddr::Off {
        return Ok(None);
    }
    let place = match HealthEndpoint::of(addr) {
        Ok(place) => place,
        Err(failure) => {
            info!(error = chain(&failure), "health endpoint unavailable");
            return Ok(None);
        }
    };
    match Server::start(&place, status.clone(), SystemClock).await {
        Ok(server) => {
            info!(place = %server.place(), "health endpoint listening");
            Ok(Some(server))
        }
        Err(failure) if *addr == HealthAddr::Auto => {
            let taken = failure.kind() == ErrorKind::AddrInUse;
            warn!(
                place = %place,
                error = chain(&failure),
                hint = taken.then_some(TAKEN_HINT),
                "health endpoint unavailable"
            );
            Ok(None)
        }
        Err(failure) => {
            error!(
                setting = "HEALTH_ADDR",
                place = %place,
                error = chain(&failure),
                "health endpoint unavailable"
            );
            Err(Unserved)
        }
    }
}

/// Asks, prints one line and answers with the exit code. Who cannot ask must not claim
/// health.
pub(super) async fn healthcheck(
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> u8 {
    let addr = match HealthAddr::read(environment) {
        Ok(addr) => addr,
        Err(problem) => {
            let _ = writeln!(err, "{problem}");
            return BAD_CONFIGURATION;
        }
    };
    let answer = match HealthEndpoint::of(&addr) {
        Ok(place) => match timeout(PATIENCE, ask(&place)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => Err(chain(&failure)),
            Err(_) => Err(format!(
                "the publisher at {place} gave no answer within {} s",
                PATIENCE.as_secs()
            )),
        },
        Err(failure) => Err(chain(&failure)),
    };
    // Docker and Kubernetes keep what is printed; the exit code says the same.
    let (line, code) = match answer {
        Ok(line) => (line, SUCCESS),
        Err(line) => (line, FAILURE),
    };
    let _ = writeln!(out, "{}", one_line(&line));
    code
}
