//! From the bytes of a request to its points, or to the reason why it is refused.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use tokio::time::timeout;

use super::Arrival;
use crate::protocol::read_input;
use crate::refusal::Refusal;
use crate::rules;
use crate::signature::{Claim, Wire};
use crate::store::ReceivedRequest;

/// Largest request, compressed or not (API Reference, `PutMetricData`: 1 MB).
const BODY_MAX: usize = 1024 * 1024;
/// For a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(20);
const OPERATION: &str = "/service/GraniteServiceVersion20100801/operation/PutMetricData";

/// Why there is no body.
pub(super) enum NoBody {
    /// The client went away.
    Cut,
    Refused(Refusal),
}

/// The body, up to the size that is allowed.
pub(super) async fn body(body: Incoming) -> Result<Bytes, NoBody> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > BODY_MAX {
        return Err(NoBody::Refused(too_large(announced)));
    }
    match timeout(BODY_TIME, Limited::new(body, BODY_MAX).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(NoBody::Refused(too_large(BODY_MAX + 1)))
        }
        Ok(Err(_)) => Err(NoBody::Cut),
        Err(_) => Err(NoBody::Refused(Refusal::new(
            408,
            "RequestTimeout",
            format!("The body did not arrive within {BODY_TIME:?}."),
        ))),
    }
}

/// The request as it is kept, or why it is refused.
pub(super) fn read(
    head: &Parts,
    claim: &Claim<'_>,
    body: &[u8],
    arrival: Arrival,
    regions: &[String],
) -> Result<ReceivedRequest, Refusal> {
    let header = |name| head.headers.get(name).and_then(|v| v.to_str().ok());
    let wire = Wire {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
        body,
    };
    let signer = claim.verify(wire)?;
    if !regions.is_empty() && !regions.contains(&signer.region) {
        return Err(Refusal::new(
            403,
            "SignatureDoesNotMatch",
            "Credential should be scoped to a valid region.",
        ));
    }
    let protocol = (head.method.as_str(), header("smithy-protocol"));
    if head.uri.path() != OPERATION || protocol != ("POST", Some("rpc-v2-cbor")) {
        return Err(Refusal::new(
            404,
            "UnknownOperationException",
            "only PutMetricData by Smithy RPC v2 CBOR is known here",
        ));
    }
    if header("content-type") != Some("application/cbor") {
        return Err(Refusal::new(
            415,
            "UnsupportedMediaTypeException",
            "the content type must be application/cbor",
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
    let input = if gzip {
        read_input(&decompress(body)?)?
    } else {
        read_input(body)?
    };
    let points = rules::check(input, arrival.now)?;
    Ok(ReceivedRequest {
        at: arrival.now.into(),
        instant: arrival.instant,
        namespace: points[0].namespace.clone(),
        points,
        access_key: signer.access_key,
        region: signer.region,
        body_bytes: body.len(),
        gzip,
        user_agent: header("user-agent").unwrap_or_default().to_owned(),
    })
}

fn decompress(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut plain = Vec::new();
    let limit = BODY_MAX as u64 + 1;
    GzDecoder::new(body)
        .take(limit)
        .read_to_end(&mut plain)
        .map_err(|error| Refusal::unreadable(format!("the body is not gzip: {error}")))?;
    if plain.len() > BODY_MAX {
        return Err(too_large(plain.len()));
    }
    Ok(plain)
}

fn too_large(size: usize) -> Refusal {
    Refusal::new(
        413,
        "RequestEntityTooLarge",
        format!("Request size {size} exceeded {BODY_MAX} bytes"),
    )
}
