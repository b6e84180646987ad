//! What counts as an acceptance. A portal or a proxy that answers in the place of the
//! service must not swallow points, and the SDK takes any 2xx answer for success.

use std::error::Error;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// The service gives each request an id in one of these headers.
const REQUEST_IDS: &[&str] = &["x-amzn-requestid", "x-amz-request-id"];
/// Fails a request that was answered with success by something else.
/// An answer with the service's request id is one of its own, and so is one that the
/// program knows by its protocol.
#[derive(Debug)]
pub struct OnlyTheService {
    service: &'static str,
    speaks_protocol: fn(&HttpResponse) -> bool,
}

impl OnlyTheService {
    /// `service` is its name for people; the other tells whether an answer is in its protocol,
    /// body included.
    #[must_use]
    pub fn new(service: &'static str, speaks_protocol: fn(&HttpResponse) -> bool) -> Self {
        Self {
            service,
            speaks_protocol,
        }
    }

    fn is_of_the_service(&self, answer: &HttpResponse) -> bool {
        let headers = answer.headers();
        let has_id = |name: &str| headers.get(name).is_some_and(|id| !id.trim().is_empty());
        REQUEST_IDS.iter().any(|name| has_id(name)) || (self.speaks_protocol)(answer)
    }
}

/// Something else than the service answered.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "the answer has neither a request id nor the protocol of {service}, something else gave it"
)]
pub(crate) struct NotTheService {
    service: &'static str,
}

/// What an error of the SDK says of it, if it was that.
pub(crate) fn not_the_service(error: &(dyn Error + 'static)) -> Option<NotTheService> {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.find_map(|cause| cause.downcast_ref().copied())
}

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
        if answer.status().is_success() && !self.is_of_the_service(answer) {
            let service = self.service;
            return Err(NotTheService { service }.into());
        }
        Ok(())
    }
}
