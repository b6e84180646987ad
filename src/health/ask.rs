//! The question of `healthcheck`.

use std::io;

use diagnostics::redacted_prefix;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::endpoint::{HealthEndpoint, Owner};

/// Longest answer that is read; the publisher's own takes half a kilobyte.
const ANSWER_MAX: u64 = 64 * 1024;

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Why health cannot be claimed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum AskError {
    #[error("no publisher answers at {place}{}", if_local(.place))]
    Connect {
        place: HealthEndpoint,
        source: io::Error,
    },
    #[error(
        "what answers at {place} runs as user {owner}, it is not believed as this is user {asker}: \
         ask as user {owner} or as root if that is the publisher, else another user took its name"
    )]
    OtherUser {
        place: HealthEndpoint,
        owner: Owner,
        asker: Owner,
    },
    #[error("the publisher at {place} broke off its answer")]
    Exchange {
        place: HealthEndpoint,
        source: io::Error,
    },
    #[error("what answers at {place} is no publisher: {answer:?}")]
    Stranger {
        place: HealthEndpoint,
        answer: String,
    },
    #[error("unhealthy: {reason}")]
    Unhealthy { reason: String },
}

/// Who asks from outside would look for the publisher in vain.
fn if_local(place: &HealthEndpoint) -> &'static str {
    match place {
        HealthEndpoint::Local(_) => ", the local socket of this container (by its mount namespace)",
        HealthEndpoint::Http(_) => "",
    }
}

/// Asks the publisher at a place; the answer is what there is to say of a healthy one.
pub async fn ask(place: &HealthEndpoint) -> Result<String, AskError> {
    let broken = |source| AskError::Exchange {
        place: place.clone(),
        source,
    };
    let connected = place.connect().await;
    let (mut stream, owner) = connected.map_err(|source| AskError::Connect {
        place: place.clone(),
        source,
    })?;
    let asker = Owner::current();
    if let Some(owner) = owner.filter(|owner| !owner.counts_for(asker)) {
        let place = place.clone();
        return Err(AskError::OtherUser {
            place,
            owner,
            asker,
        });
    }
    stream.write_all(REQUEST).await.map_err(broken)?;
    let mut answer = Vec::new();
    let mut limited = stream.take(ANSWER_MAX);
    limited.read_to_end(&mut answer).await.map_err(broken)?;
    understand(&String::from_utf8_lossy(&answer)).unwrap_or_else(|| {
        Err(AskError::Stranger {
            place: place.clone(),
            answer: redacted_prefix(&answer.escape_ascii().to_string()),
        })
    })
}

/// `None` if the answer is not a publisher's.
fn understand(answer: &str) -> Option<Result<String, AskError>> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let code = head.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let facts: Value = serde_json::from_str(body).ok()?;
    let text = |name: &str| facts.get(name).and_then(Value::as_str);
    match (code, text("status")?) {
        ("200", status @ ("healthy" | "starting")) => Some(Ok(format!(
            "{status}: last success {}, {} points held, next tick {}",
            text("last_success").unwrap_or("not yet"),
            facts.get("points_held")?,
            text("next_tick").unwrap_or("none")
        ))),
        ("503", "unhealthy") => Some(Err(AskError::Unhealthy {
            reason: text("reason")?.to_owned(),
        })),
        _ => None,
    }
}
