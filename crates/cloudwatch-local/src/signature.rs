//! An independent check of AWS Signature Version 4, written from the public description
//! ("Create a signed AWS API request", IAM User Guide) and without the SDK's own signer:
//! two programs that share a mistake would agree on it.

use std::fmt::Write;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use sha2::{Digest, Sha256};

use crate::credentials::{Credentials, Keyring};
use crate::refusal::Refusal;

/// The name that CloudWatch's requests are signed for.
pub(crate) const SERVICE: &str = "monitoring";
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

/// Who signed the request, or why it is refused.
pub(crate) fn verify(
    wire: Wire<'_>,
    keyring: &Keyring,
    service: &str,
    now: DateTime<Utc>,
) -> Result<Signer, Refusal> {
    let authorization = Authorization::read(wire.headers)?;
    let date = request_date(wire.headers)?;
    authorization.check_signed_headers(wire.headers)?;
    let credentials = keyring
        .find(authorization.scope.access_key)
        .ok_or_else(|| unknown_token("The security token included in the request is invalid."))?;
    check_token(credentials, wire.headers)?;
    authorization.scope.check(service, date)?;
    check_age(date, now)?;

    let payload = hex::encode(Sha256::digest(wire.body));
    if let Some(claimed) = header(wire.headers, "x-amz-content-sha256")
        && claimed != payload
    {
        return Err(mismatch(
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ));
    }
    let canonical = canonical_request(wire, authorization.signed_headers, &payload);
    let scope = &authorization.scope;
    let to_sign = format!(
        "{ALGORITHM}\n{date}\n{day}/{region}/{service}/{TERMINATOR}\n{hash}",
        date = date.format(DATE_FORMAT),
        day = scope.day,
        region = scope.region,
        hash = hex::encode(Sha256::digest(&canonical)),
    );
    let given = hex::decode(authorization.signature).unwrap_or_default();
    signing_key(&credentials.secret_key, scope, service)
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

/// The three parts of the `Authorization` header.
struct Authorization<'a> {
    scope: Scope<'a>,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn read(headers: &'a HeaderMap) -> Result<Self, Refusal> {
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
    fn check_signed_headers(&self, headers: &HeaderMap) -> Result<(), Refusal> {
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
struct Scope<'a> {
    access_key: &'a str,
    day: &'a str,
    region: &'a str,
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

    fn check(&self, service: &str, date: DateTime<Utc>) -> Result<(), Refusal> {
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

fn check_token(credentials: &Credentials, headers: &HeaderMap) -> Result<(), Refusal> {
    if header(headers, "x-amz-security-token") != credentials.session_token.as_deref() {
        return Err(unknown_token(
            "The security token included in the request is invalid.",
        ));
    }
    if credentials.expired {
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

fn canonical_request(wire: Wire<'_>, signed_headers: &str, payload: &str) -> String {
    let mut pairs: Vec<_> = wire
        .query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    let query: Vec<_> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();

    let mut text = format!(
        "{}\n{}\n{}\n",
        wire.method,
        encode_path(wire.path),
        query.join("&")
    );
    for name in signed_headers.split(';') {
        let values: Vec<_> = wire
            .headers
            .get_all(name)
            .iter()
            .map(|value| {
                let value = String::from_utf8_lossy(value.as_bytes());
                value.split_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect();
        writeln!(text, "{name}:{}", values.join(",")).expect("a String takes any text");
    }
    write!(text, "\n{signed_headers}\n{payload}").expect("a String takes any text");
    text
}

/// The path is encoded once more than it is on the wire, by every service but S3.
fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => write!(encoded, "%{byte:02X}").expect("a String takes any text"),
        }
    }
    encoded
}

fn signing_key(secret: &str, scope: &Scope<'_>, service: &str) -> Hmac<Sha256> {
    let mac =
        |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    [scope.day, scope.region, service, TERMINATOR]
        .iter()
        .fold(mac(format!("AWS4{secret}").as_bytes()), |key, part| {
            mac(&key.chain_update(part).finalize().into_bytes())
        })
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
