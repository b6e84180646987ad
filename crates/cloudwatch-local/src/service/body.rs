//! The bytes of a request, and who sent them.

use std::borrow::Cow;
use std::io::Read;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use tokio::time::{Instant, timeout};

use super::Arrival;
use crate::pace::Pace;
use crate::refusal::Refusal;
use crate::signature::{Claim, Wire};

/// For a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(20);
/// The same where the endpoint is told to read slowly.
const SLOW_BODY_TIME: Duration = Duration::from_secs(600);

/// Why there is no body.
pub(super) enum NoBody {
    /// The client went away.
    Cut,
    Refused(Refusal),
}

/// The body, up to the size that is allowed.
pub(super) async fn body(body: Incoming, max: usize, pace: &Pace) -> Result<Bytes, NoBody> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > max {
        return Err(NoBody::Refused(too_large(announced, max)));
    }
    let time = if pace.is_slow() {
        SLOW_BODY_TIME
    } else {
        BODY_TIME
    };
    match timeout(time, Limited::new(body, max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(NoBody::Refused(too_large(max + 1, max)))
        }
        Ok(Err(_)) => Err(NoBody::Cut),
        Err(_) => Err(NoBody::Refused(Refusal::new(
            408,
            "RequestTimeout",
            format!("The body did not arrive within {time:?}."),
        ))),
    }
}

/// Whose request it is, and how it came.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) now: DateTime<Utc>,
    pub(crate) instant: Instant,
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) body_bytes: usize,
    pub(crate) gzip: bool,
    pub(crate) user_agent: String,
}

/// Who signed the request, or why it is refused.
pub(super) fn origin(
    head: &Parts,
    claim: &Claim<'_>,
    body: &[u8],
    arrival: Arrival,
    regions: &[String],
) -> Result<Origin, Refusal> {
    let header = |name| head.headers.get(name).and_then(|v| v.to_str().ok());
    let signer = claim.verify(Wire {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
        body,
    })?;
    if !regions.is_empty() && !regions.contains(&signer.region) {
        return Err(Refusal::new(
            403,
            "SignatureDoesNotMatch",
            "Credential should be scoped to a valid region.",
        ));
    }
    let gzip = match header("content-encoding") {
        None => false,
        Some("gzip") => true,
        Some(other) => {
            return Err(Refusal::unreadable(format!(
                "the content encoding {other:?} is not gzip"
            )));
        }
    };
    Ok(Origin {
        now: arrival.now,
        instant: arrival.instant,
        access_key: signer.access_key,
        region: signer.region,
        body_bytes: body.len(),
        gzip,
        user_agent: header("user-agent").unwrap_or_default().to_owned(),
    })
}

impl Origin {
    pub(crate) fn at(&self) -> SystemTime {
        self.now.into()
    }

    /// The body as it was before it was compressed.
    pub(super) fn plain<'a>(&self, body: &'a [u8], max: usize) -> Result<Cow<'a, [u8]>, Refusal> {
        if !self.gzip {
            return Ok(body.into());
        }
        let mut plain = Vec::new();
        let limit = max as u64 + 1;
        GzDecoder::new(body)
            .take(limit)
            .read_to_end(&mut plain)
            .map_err(|error| Refusal::unreadable(format!("the body is not gzip: {error}")))?;
        if plain.len() > max {
            return Err(too_large(plain.len(), max));
        }
        Ok(plain.into())
    }
}

fn too_large(size: usize, max: usize) -> Refusal {
    Refusal::new(
        413,
        "RequestEntityTooLarge",
        format!("Request size {size} exceeded {max} bytes"),
    )
}
