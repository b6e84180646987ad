//! The way to AWS, and who we are there.

use super::Origin;
use super::reader::Reader;
use crate::job::Aws;

/// Keys may be given as arguments, for that is how the original takes them; they are the SDK's
/// to find all the same, so they are only looked at here.
pub(super) fn aws(reader: &mut Reader<'_>) -> Aws {
    let id = reader.value("aws-access-key-id");
    let secret = reader.value("aws-secret-access-key");
    let token = reader.value("aws-session-token");
    match (&id, &secret) {
        (Some(id), None) => reader.refuse_hidden(
            id,
            "the key has no secret, give AWS_SECRET_ACCESS_KEY too, or neither",
        ),
        (None, Some(secret)) => reader.refuse_hidden(
            secret,
            "the secret has no key, give AWS_ACCESS_KEY_ID too, or neither",
        ),
        (None, None) => {
            if let Some(token) = &token {
                reader.refuse_hidden(
                    token,
                    "a token goes with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                );
            }
        }
        _ => {}
    }
    let mut hidden = [&secret, &token].into_iter().flatten();
    let shown = hidden.any(|value| value.origin == Origin::Argument);
    let region = reader.parsed("aws-region", |text| {
        aws_connection::Region::parse(text).map(|region| region.as_str().to_owned())
    });
    let endpoint_url = reader.value("endpoint-url").and_then(|url| {
        let rest = url
            .text
            .strip_prefix("https://")
            .or_else(|| url.text.strip_prefix("http://"));
        if rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['?', '#', '@', ' '])) {
            return Some(url.text);
        }
        reader.refuse_hidden(
            &url,
            "an endpoint looks like https://host or http://host:port, without user and query",
        );
        None
    });
    Aws {
        region,
        endpoint_url,
        shown,
    }
}
