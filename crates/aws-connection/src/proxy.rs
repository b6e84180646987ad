//! The proxies that the environment names.

use http::Uri;
use settings::{Diagnostics, Environment};

/// In upper case; they count in lower case, too.
const VARIABLES: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// Warns of each that no request can go through. Other programs read the same variables and
/// may take what this one cannot, so it is no reason not to start.
pub(crate) fn check(environment: &Environment, findings: &mut Diagnostics) {
    for name in VARIABLES {
        if let Some(text) = environment.either_case(name)
            && !is_proxy(text)
        {
            // What it says may hold a password.
            let message = "names no proxy of a kind that is known here, write http://HOST:PORT or https://HOST:PORT";
            findings.warning(name, message);
        }
    }
}

/// A host alone stands for `http`.
fn is_proxy(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        uri.authority().is_some() && matches!(uri.scheme_str(), None | Some("http" | "https"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_that_no_request_can_go_through_draws_a_warning_without_its_password() {
        for good in [
            "garbage",
            "127.0.0.1:3128",
            "me:secret@proxy:3128",
            "http://proxy",
            "https://me:secret@[::1]:3128/",
        ] {
            assert!(is_proxy(good), "{good}");
        }
        let bad = [
            ("HTTP_PROXY", "ftp://me:secret@x:1"),
            ("https_proxy", "http://"),
            ("ALL_PROXY", "socks5://x:1"),
            ("NO_PROXY", "ftp://x"),
        ];
        let bad = bad.map(|(name, value)| (name.into(), value.into()));
        let mut findings = Diagnostics::default();
        check(&bad.into_iter().collect(), &mut findings);
        assert!(findings.problems.is_empty());
        let names = findings
            .warnings
            .iter()
            .map(|warning| warning.place.to_string());
        assert_eq!(names.collect::<Vec<_>>(), VARIABLES);
        assert!(!format!("{findings:?}").contains("secret"));
    }
}
