//! The page's files, which are part of the program.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, header};

/// One file.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageFile {
    kind: &'static str,
    bytes: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

macro_rules! files {
    ($($path:literal = $name:literal, $kind:ident;)+) => {
        /// Each with its path.
        pub(super) const FILES: &[(&str, PageFile)] = &[$((
            $path,
            PageFile { kind: $kind, bytes: include_bytes!(concat!("../../page/", $name)) },
        ),)+];
    };
}

files! {
    "/" = "index.html", HTML;
    "/page.css" = "page.css", STYLE;
    "/page.js" = "page.js", SCRIPT;
    "/connection.js" = "connection.js", SCRIPT;
    "/containers.js" = "containers.js", SCRIPT;
    "/detail.js" = "detail.js", SCRIPT;
    "/dom.js" = "dom.js", SCRIPT;
    "/form.js" = "form.js", SCRIPT;
    "/log.js" = "log.js", SCRIPT;
    "/socket.io.min.js" = "socket.io.min.js", SCRIPT;
    "/icon.svg" = "icon.svg", IMAGE;
}

/// Nothing of others is loaded, and no other page may show this one in a frame of its own.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-cache"),
];

pub(super) fn answer(file: &'static PageFile) -> Response {
    let mut response = Response::new(Body::from(file.bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
