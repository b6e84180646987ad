//! The form of a request that is hashed, and the key that signs the hash.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::authorization::Scope;
use super::{TERMINATOR, Wire};

/// The parts of a request in the one order and writing that both sides agree on.
pub(super) fn canonical_request(wire: Wire<'_>, signed_headers: &str, payload: &str) -> String {
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

/// A key that is only good for one day, region and service.
pub(super) fn signing_key(secret: &str, scope: &Scope<'_>, service: &str) -> Hmac<Sha256> {
    let mac =
        |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    [scope.day, scope.region, service, TERMINATOR]
        .iter()
        .fold(mac(format!("AWS4{secret}").as_bytes()), |key, part| {
            mac(&key.chain_update(part).finalize().into_bytes())
        })
}
