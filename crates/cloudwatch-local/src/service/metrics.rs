//! From the bytes of a `PutMetricData` request to its points, or to the reason why it is
//! refused.

use hyper::http::request::Parts;

use super::body::Origin;
use crate::protocol::read_input;
use crate::refusal::Refusal;
use crate::rules;
use crate::store::ReceivedRequest;

pub(super) const OPERATION: &str = "PutMetricData";
const PATH: &str = "/service/GraniteServiceVersion20100801/operation/PutMetricData";

/// The request as it is kept, or why it is refused.
pub(super) fn read(head: &Parts, origin: Origin, body: &[u8]) -> Result<ReceivedRequest, Refusal> {
    let header = |name| head.headers.get(name).and_then(|v| v.to_str().ok());
    let protocol = (head.method.as_str(), header("smithy-protocol"));
    if head.uri.path() != PATH || protocol != ("POST", Some("rpc-v2-cbor")) {
        return Err(Refusal::new(
            404,
            "UnknownOperationException",
            "only PutMetricData by Smithy RPC v2 CBOR is known here, and requests about logs by AWS JSON 1.1",
        ));
    }
    if header("content-type") != Some("application/cbor") {
        return Err(Refusal::new(
            415,
            "UnsupportedMediaTypeException",
            "the content type must be application/cbor",
        ));
    }
    let input = read_input(&origin.plain(body, super::api::METRICS_BODY_MAX)?)?;
    let points = rules::check(input, origin.now)?;
    Ok(ReceivedRequest {
        at: origin.at(),
        instant: origin.instant,
        namespace: points[0].namespace.clone(),
        points,
        access_key: origin.access_key,
        region: origin.region,
        body_bytes: origin.body_bytes,
        gzip: origin.gzip,
        user_agent: origin.user_agent,
    })
}
