//! How the endpoint says no: a status, a code and a message, as the service words them.

use std::borrow::Cow;

/// One refused request, as it is answered and logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code that an SDK reads, for example `InvalidParameterValue`.
    pub code: Cow<'static, str>,
    /// What is wrong, naming the member where one is to blame.
    pub message: String,
    /// What the service adds to the two errors about sequence tokens.
    pub expected_sequence_token: Option<String>,
}

impl Refusal {
    pub(crate) fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            expected_sequence_token: None,
        }
    }

    /// A request that is well signed but that the service cannot read.
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(400, "SerializationException", message)
    }

    /// The shape that the body names. The service gives its errors a legacy code, in a
    /// header, beside this one; they differ for the errors of its own model.
    pub(crate) fn shape(&self) -> String {
        let shape = match &*self.code {
            "InvalidParameterValue" => "InvalidParameterValueException",
            "InvalidParameterCombination" => "InvalidParameterCombinationException",
            "MissingParameter" => "MissingRequiredParameterException",
            "InternalServiceError" => "InternalServiceFault",
            code => return format!("com.amazon.coral.service#{code}"),
        };
        format!("com.amazonaws.cloudwatch#{shape}")
    }

    /// The same as CloudWatch Logs says it. The errors that are common to all services have
    /// other codes in its protocol, and the status 400 (API Reference, "Common Errors").
    pub(crate) fn for_logs(mut self) -> Self {
        let code = match &*self.code {
            "InvalidClientTokenId" => "UnrecognizedClientException",
            "SignatureDoesNotMatch" => "InvalidSignatureException",
            "IncompleteSignature" => "IncompleteSignatureException",
            "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
            "ExpiredToken" => "ExpiredTokenException",
            "Throttling" => "ThrottlingException",
            _ => return self,
        };
        self.code = code.into();
        self.status = 400;
        self
    }
}
