//! Requests of AWS's own signing test suite, then what makes a good request bad.

use hyper::header::{HeaderName, HeaderValue};

use super::*;

/// Signed requests of the suite that AWS publishes with its SDKs (`aws-signing-test-suite`,
/// v4), all signed at 2015-08-30 12:36 UTC for us-east-1 and the service `service`.
const SUITE: &[(&str, &str)] = &[
    (
        "get-vanilla",
        "GET / HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31
",
    ),
    (
        "get-vanilla-query-order-key-case",
        "GET /?Param2=value2&Param1=value1 HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500
",
    ),
    (
        "get-vanilla-query-order-encoded",
        "GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1 HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac
",
    ),
    (
        "get-header-key-duplicate",
        "GET / HTTP/1.1
Host:example.amazonaws.com
My-Header1:value2
My-Header1:value2
My-Header1:value1
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;x-amz-date, Signature=c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea
",
    ),
    (
        "get-header-value-trim",
        "GET / HTTP/1.1
Host:example.amazonaws.com
My-Header1: value1
My-Header2: \"a   b   c\"
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;my-header2;x-amz-date, Signature=acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736
",
    ),
    (
        "get-unreserved",
        "GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f
",
    ),
    (
        "post-vanilla-query",
        "POST /?Param1=value1 HTTP/1.1
Host:example.amazonaws.com
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11
",
    ),
    ("post-x-www-form-urlencoded", WITH_BODY),
    ("get-vanilla-with-session-token", WITH_TOKEN),
];
const WITH_BODY: &str = "POST / HTTP/1.1
Content-Type:application/x-www-form-urlencoded
Host:example.amazonaws.com
Content-Length:13
X-Amz-Date:20150830T123600Z
x-amz-content-sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date, Signature=d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b

Param1=value1";
const WITH_TOKEN: &str = "GET / HTTP/1.1
Host:example.amazonaws.com
X-Amz-Security-Token:6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267
X-Amz-Date:20150830T123600Z
Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8
";
const TOKEN: &str = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
const SIGNED_AT: &str = "2015-08-30T12:36:00Z";

/// Verifies a request given as text, at a time given as text.
fn verify_at(request: &str, now: &str) -> Result<Signer, Refusal> {
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let mut lines = head.lines();
    let mut line = lines.next().unwrap().split(' ');
    let (method, uri) = (line.next().unwrap(), line.next().unwrap());
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value.trim()).unwrap(),
        );
    }
    let wire = Wire {
        method,
        path,
        query,
        headers: &headers,
        body: body.as_bytes(),
    };
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    let mut credentials = Credentials::new("AKIDEXAMPLE", secret);
    if request.contains("X-Amz-Security-Token") {
        credentials = credentials.with_session_token(TOKEN);
    }
    let mut keyring = Keyring::default();
    keyring.add(credentials);
    Claim::read(&headers, &keyring, "service", now.parse().unwrap())?.verify(wire)
}

fn code(request: &str) -> String {
    let refusal = verify_at(request, SIGNED_AT).unwrap_err();
    refusal.code.into_owned()
}

#[test]
fn requests_of_the_public_suite_are_taken() {
    for (name, request) in SUITE {
        let signer = verify_at(request, SIGNED_AT);
        let signer = signer.unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        assert_eq!(signer.access_key, "AKIDEXAMPLE", "{name}");
        assert_eq!(signer.region, "us-east-1", "{name}");
    }
}

#[test]
fn whatever_is_changed_behind_the_signer_is_found() {
    let changes = [
        ("POST", "PUT"),
        ("POST / ", "POST /other "),
        ("POST / ", "POST /?Param=1 "),
        ("Param1=value1", "Param1=value2"),
        ("Host:example", "Host:elsewhere"),
        ("Length:13", "Length:14"),
        ("20150830/us-east-1", "20150830/us-east-2"),
        ("Signature=d3", "Signature=d4"),
        ("Signature=d3", "Signature=xy"),
        ("x-amz-content-sha256:90", "x-amz-content-sha256:91"),
    ];
    for (from, to) in changes {
        let changed = WITH_BODY.replace(from, to);
        assert_ne!(changed, WITH_BODY);
        assert_eq!(code(&changed), "SignatureDoesNotMatch", "{from} -> {to}");
    }
}

#[test]
fn header_that_must_be_signed_and_is_not_is_named() {
    let extra = "X-Amz-Date:20150830T123600Z\nX-Amz-Other:1";
    let changed = WITH_BODY.replace("X-Amz-Date:20150830T123600Z", extra);
    let refusal = verify_at(&changed, SIGNED_AT).unwrap_err();
    assert!(refusal.message.contains("'x-amz-other'"), "{refusal:?}");
    let changed = WITH_TOKEN.replace(";x-amz-security-token", "");
    let refusal = verify_at(&changed, SIGNED_AT).unwrap_err();
    assert!(
        refusal.message.contains("x-amz-security-token"),
        "{refusal:?}"
    );
}

#[test]
fn authorization_out_of_shape_is_incomplete() {
    let incomplete = [
        ("AWS4-HMAC-SHA256 ", "AWS4-ECDSA-P256-SHA256 "),
        ("Credential=", "Credentials="),
        (
            "Signature=d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
            "Signature=",
        ),
        ("SignedHeaders=", ""),
        ("/service/aws4_request", "/aws4_request"),
        ("X-Amz-Date", "X-Date"),
        ("20150830T123600Z", "2015-08-30T12:36:00Z"),
    ];
    for (from, to) in incomplete {
        let changed = WITH_BODY.replace(from, to);
        assert_ne!(changed, WITH_BODY);
        assert_eq!(code(&changed), "IncompleteSignature", "{from} -> {to}");
    }
    let unsigned = WITH_BODY.replace("Authorization", "Other");
    assert_eq!(code(&unsigned), "MissingAuthenticationToken");
}

#[test]
fn scope_must_be_that_of_the_request() {
    let scopes = [
        ("20150830/us", "20150831/us", "Date in Credential scope"),
        ("/us-east-1/", "//", "valid region"),
        ("/service/", "/other/", "correct service: 'service'"),
        ("aws4_request", "aws5_request", "valid terminator"),
    ];
    for (from, to, message) in scopes {
        let refusal = verify_at(&WITH_BODY.replace(from, to), SIGNED_AT).unwrap_err();
        assert_eq!(refusal.code, "SignatureDoesNotMatch");
        assert!(refusal.message.contains(message), "{refusal:?}");
    }
}

#[test]
fn token_must_be_that_of_the_credentials() {
    let other = WITH_TOKEN.replace(TOKEN, "another");
    assert_eq!(code(&other), "InvalidClientTokenId");
}

#[test]
fn five_minutes_either_way_are_tolerated() {
    for now in ["2015-08-30T12:31:00Z", "2015-08-30T12:41:00Z"] {
        verify_at(WITH_BODY, now).unwrap();
    }
    for (now, message) in [
        (
            "2015-08-30T12:41:01Z",
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)",
        ),
        (
            "2015-08-30T12:30:59Z",
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)",
        ),
    ] {
        let refusal = verify_at(WITH_BODY, now).unwrap_err();
        assert_eq!(
            (&*refusal.code, &*refusal.message),
            ("SignatureDoesNotMatch", message)
        );
    }
}
