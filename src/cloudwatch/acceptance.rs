//! What counts as an acceptance. A portal or a proxy that answers in the place of the
//! service must not swallow points, and the SDK takes any 2xx answer for success.

use aws_sdk_cloudwatch::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_cloudwatch::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_cbor::Decoder;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// The service gives each request an id in one of these headers.
const REQUEST_IDS: &[&str] = &["x-amzn-requestid", "x-amz-request-id"];
/// The header of every answer in the protocol that the SDK speaks (Smithy RPC v2 CBOR,
/// "Responses").
const PROTOCOL: (&str, &str) = ("smithy-protocol", "rpc-v2-cbor");

/// Fails a request that was answered with success by something else.
#[derive(Debug)]
pub(super) struct OnlyTheService;

/// Something else than CloudWatch answered.
#[derive(Debug, thiserror::Error)]
#[error(
    "the answer has neither a request id nor the protocol of CloudWatch, something else gave it"
)]
pub(super) struct NotTheService;

#[dyn_dispatch_hint]
impl Intercept for OnlyTheService {
    fn name(&self) -> &'static str {
        "OnlyTheService"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        if answer.status().is_success() && !is_of_the_service(answer) {
            return Err(NotTheService.into());
        }
        Ok(())
    }
}

fn is_of_the_service(answer: &HttpResponse) -> bool {
    let headers = answer.headers();
    let has_id = |name: &str| headers.get(name).is_some_and(|id| !id.trim().is_empty());
    let (protocol, spoken) = PROTOCOL;
    REQUEST_IDS.iter().any(|name| has_id(name))
        || (headers.get(protocol) == Some(spoken) && answer.body().bytes().is_some_and(decodes))
}

/// Whether a body is one value. That of an operation without output may also be empty.
fn decodes(body: &[u8]) -> bool {
    let mut decoder = Decoder::new(body);
    body.is_empty() || (decoder.skip().is_ok() && decoder.position() == body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_one_whole_value_or_nothing() {
        for good in [&b""[..], b"\xa0", b"\xbf\xff", b"\xa1\x61a\x01"] {
            assert!(decodes(good), "{good:?}");
        }
        for bad in [
            &b"<html>"[..],
            b"\xa0\xa0",
            b"\xbf",
            b"\xa1\x61a",
            b"\x5b\xff\xff\xff\xff",
        ] {
            assert!(!decodes(bad), "{bad:?}");
        }
    }

    #[test]
    fn deepest_body_of_an_answer_is_looked_at_without_recursion() {
        for nesting in [b"\x81", b"\x9f", b"\xc1"] {
            assert!(!decodes(&nesting.repeat(64 * 1024)));
        }
    }
}
