//! An independent check of AWS Signature Version 4, written from the public description
//! ("Create a signed AWS API request", IAM User Guide) and without the SDK's own signer:
//! two programs that share a mistake would agree on it.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::Mac;
use hyper::HeaderMap;
use sha2::{Digest, Sha256};

use crate::credentials::{Credentials, Keyring};
use crate::refusal::Refusal;

mod authorization;
mod canonical;

use authorization::Authorization;
use canonical::{canonical_request, signing_key};

/// How far the request's time may be from the endpoint's (IAM User Guide, "Elements of a request signature").
const WINDOW_MINUTES: i64 = 5;
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// What is signed of a request, as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Whose request it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signer {
    pub(crate) access_key: String,
    pub(crate) region: String,
}

/// What the headers say of the signer. They are in order, so that it is worth reading what
/// was signed.
pub(crate) struct Claim<'a> {
    authorization: Authorization<'a>,
    date: DateTime<Utc>,
    secret_key: String,
    service: &'static str,
}

impl<'a> Claim<'a> {
    /// The claim, or why the request is refused whatever its body is.
    pub(crate) fn read(
        headers: &'a HeaderMap,
        keyring: &Keyring,
        service: &'static str,
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        let authorization = Authorization::read(headers)?;
        let date = request_date(headers)?;
        authorization.check_signed_headers(headers)?;
        let credentials = keyring
            .find(authorization.scope.access_key)
            .ok_or_else(|| {
                unknown_token("The security token included in the request is invalid.")
            })?;
        check_token(credentials, headers, now)?;
        authorization.scope.check(service, date)?;
        check_age(date, now)?;
        Ok(Self {
            authorization,
            date,
            secret_key: credentials.secret_key.clone(),
            service,
        })
    }

    /// Who signed the request, or why it is refused.
    pub(crate) fn verify(&self, wire: Wire<'_>) -> Result<Signer, Refusal> {
        let payload = hex::encode(Sha256::digest(wire.body));
        if let Some(claimed) = header(wire.headers, "x-amz-content-sha256")
            && claimed != payload
        {
            return Err(mismatch(
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ));
        }
        let canonical = canonical_request(wire, self.authorization.signed_headers, &payload);
        let scope = &self.authorization.scope;
        let to_sign = format!(
            "{ALGORITHM}\n{date}\n{day}/{region}/{service}/{TERMINATOR}\n{hash}",
            date = self.date.format(DATE_FORMAT),
            day = scope.day,
            region = scope.region,
            service = self.service,
            hash = hex::encode(Sha256::digest(&canonical)),
        );
        let given = hex::decode(self.authorization.signature).unwrap_or_default();
        signing_key(&self.secret_key, scope, self.service)
            .chain_update(&to_sign)
            .verify_slice(&given)
            .map_err(|_| {
                mismatch(
                    "The request signature we calculated does not match the signature you provided. \
                     Check your AWS Secret Access Key and signing method. \
                     Consult the service documentation for details.",
                )
            })?;
        Ok(Signer {
            access_key: scope.access_key.to_owned(),
            region: scope.region.to_owned(),
        })
    }
}

fn request_date(headers: &HeaderMap) -> Result<DateTime<Utc>, Refusal> {
    let text = header(headers, "x-amz-date").ok_or_else(|| {
        incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                .to_owned(),
        )
    })?;
    NaiveDateTime::parse_from_str(text, DATE_FORMAT)
        .map(|date| date.and_utc())
        .map_err(|_| {
            incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{text}'. \
                 See http://en.wikipedia.org/wiki/ISO_8601"
            ))
        })
}

fn check_token(
    credentials: &Credentials,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    if header(headers, "x-amz-security-token") != credentials.session_token.as_deref() {
        return Err(unknown_token(
            "The security token included in the request is invalid.",
        ));
    }
    if credentials
        .end
        .is_some_and(|end| now >= DateTime::<Utc>::from(end))
    {
        return Err(Refusal::new(
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
        ));
    }
    Ok(())
}

fn check_age(date: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Refusal> {
    let window = TimeDelta::minutes(WINDOW_MINUTES);
    let show = |at: DateTime<Utc>| at.format(DATE_FORMAT).to_string();
    if date < now - window {
        return Err(mismatch(&format!(
            "Signature expired: {} is now earlier than {} ({} - {WINDOW_MINUTES} min.)",
            show(date),
            show(now - window),
            show(now)
        )));
    }
    if date > now + window {
        return Err(mismatch(&format!(
            "Signature not yet current: {} is still later than {} ({} + {WINDOW_MINUTES} min.)",
            show(date),
            show(now + window),
            show(now)
        )));
    }
    Ok(())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn incomplete(message: String) -> Refusal {
    Refusal::new(403, "IncompleteSignature", message)
}

fn unknown_token(message: &str) -> Refusal {
    Refusal::new(403, "InvalidClientTokenId", message)
}

fn mismatch(message: &str) -> Refusal {
    Refusal::new(403, "SignatureDoesNotMatch", message)
}

#[cfg(test)]
mod tests;
