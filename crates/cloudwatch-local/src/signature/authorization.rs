//! The `Authorization` header: its shape, the scope of the key, and which headers are signed.

use chrono::{DateTime, Utc};
use hyper::HeaderMap;

use super::{ALGORITHM, DATE_FORMAT, TERMINATOR, header, incomplete, mismatch};
use crate::refusal::Refusal;

/// The three parts of the `Authorization` header.
pub(super) struct Authorization<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) signed_headers: &'a str,
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let text = header(headers, "authorization").ok_or_else(|| {
            Refusal::new(
                403,
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            )
        })?;
        let parameters = text
            .strip_prefix(ALGORITHM)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or_else(|| {
                incomplete(format!(
                    "Authorization header requires '{ALGORITHM}' algorithm."
                ))
            })?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for parameter in parameters.split(',') {
            match parameter.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => signed_headers = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                _ => {
                    return Err(incomplete(format!(
                        "{parameter:?} not a valid key=value pair in Authorization header."
                    )));
                }
            }
        }
        let needed = |name: &str, value: Option<&'a str>| {
            value.filter(|v| !v.is_empty()).ok_or_else(|| {
                incomplete(format!("Authorization header requires '{name}' parameter."))
            })
        };
        Ok(Self {
            scope: Scope::read(needed("Credential", credential)?)?,
            signed_headers: needed("SignedHeaders", signed_headers)?,
            signature: needed("Signature", signature)?,
        })
    }

    /// The host and every `x-amz-` header must be signed, or they could be swapped on the way.
    pub(super) fn check_signed_headers(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let names: Vec<_> = self.signed_headers.split(';').collect();
        if !names.is_sorted() || names.iter().any(|n| *n != n.to_ascii_lowercase()) {
            return Err(mismatch("SignedHeaders must be in lower case and sorted."));
        }
        let needed = headers.keys().map(hyper::header::HeaderName::as_str);
        for name in needed.filter(|name| *name == "host" || name.starts_with("x-amz-")) {
            if !names.contains(&name) {
                return Err(mismatch(&format!(
                    "'{name}' must be a 'SignedHeader' in the AWS Authorization."
                )));
            }
        }
        if let Some(absent) = names.iter().find(|name| !headers.contains_key(**name)) {
            return Err(mismatch(&format!(
                "'{absent}' is a 'SignedHeader' that the request does not have."
            )));
        }
        Ok(())
    }
}

/// `access-key/day/region/service/aws4_request`.
pub(super) struct Scope<'a> {
    pub(super) access_key: &'a str,
    pub(super) day: &'a str,
    pub(super) region: &'a str,
    service: &'a str,
    terminator: &'a str,
}

impl<'a> Scope<'a> {
    fn read(text: &'a str) -> Result<Self, Refusal> {
        let parts: Vec<_> = text.split('/').collect();
        let [access_key, day, region, service, terminator] = parts[..] else {
            return Err(incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{text}'"
            )));
        };
        Ok(Self {
            access_key,
            day,
            region,
            service,
            terminator,
        })
    }

    pub(super) fn check(&self, service: &str, date: DateTime<Utc>) -> Result<(), Refusal> {
        let day = date.format("%Y%m%d").to_string();
        if self.day != day {
            return Err(mismatch(&format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{}' != '{day}', from '{}'.",
                self.day,
                date.format(DATE_FORMAT)
            )));
        }
        if self.region.is_empty() {
            return Err(mismatch("Credential should be scoped to a valid region."));
        }
        if self.service != service {
            return Err(mismatch(&format!(
                "Credential should be scoped to correct service: '{service}'."
            )));
        }
        if self.terminator != TERMINATOR {
            return Err(mismatch(&format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{}'.",
                self.terminator
            )));
        }
        Ok(())
    }
}
