//! The endpoints that the SDK is sent to by the environment.

use settings::{Diagnostics, Environment};
use url::{Host, Url};

/// The variables that the requests of this program go by. The SDK takes any text there: it
/// ignores what is no URL, and then sends to AWS what was meant for somewhere else. It also
/// logs what it takes.
const VARIABLES: &[&str] = &[
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_STS",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// The path at the address of ECS, for credentials.
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";

/// Finds out whether each of them is a URL, and that of the service too, which a variable of
/// this name tells.
pub(crate) fn check(service: &str, environment: &Environment, findings: &mut Diagnostics) {
    for name in VARIABLES.iter().copied().chain([service]) {
        if let Some(text) = environment.variable(name)
            && !is_endpoint(text)
        {
            // What it says may hold a password.
            let message = "is no URL of an endpoint, write for example http://127.0.0.1:4580, without a query";
            findings.problem(name, message);
        }
    }
    if let Some(text) = environment.variable(RELATIVE)
        && !is_path(text)
    {
        let message = "is no path of an endpoint, write for example /v2/credentials/ID";
        findings.problem(RELATIVE, message);
    }
}

fn is_endpoint(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    let names_a_host = match url.host() {
        Some(Host::Domain(name)) => !name.is_empty(),
        Some(_) => true,
        None => false,
    };
    // The SDK would log a query, and what stands beside the URL.
    let is_bare = url.query().is_none() && !text.contains(char::is_whitespace);
    matches!(url.scheme(), "http" | "https") && names_a_host && is_bare
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains(|c: char| c.is_whitespace() || c == '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_has_a_scheme_and_a_host() {
        for good in [
            "http://127.0.0.1:4580",
            "https://[::1]:4580/",
            "https://vpce-1.monitoring.us-east-1.vpce.amazonaws.com",
        ] {
            assert!(is_endpoint(good), "{good}");
        }
        for bad in [
            "localhost:4580",
            "127.0.0.1:4580",
            "http://",
            "ftp://host",
            "/x",
            "x",
            "http://host/?token=secret",
            "http://host/ secret",
        ] {
            assert!(!is_endpoint(bad), "{bad}");
        }
    }

    #[test]
    fn each_bad_endpoint_is_named_without_its_password() {
        let environment = [
            ("AWS_ENDPOINT_URL", "localhost:4580"),
            ("AWS_ENDPOINT_URL_STS", "ftp://me:secret@host"),
            ("AWS_ENDPOINT_URL_CLOUDWATCH", " "),
        ];
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        let mut findings = Diagnostics::default();
        check(
            "AWS_ENDPOINT_URL_CLOUDWATCH",
            &environment.into_iter().collect(),
            &mut findings,
        );
        let places = findings
            .problems
            .iter()
            .map(|problem| problem.place.to_string());
        let expected = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"];
        assert_eq!(places.collect::<Vec<_>>(), expected);
        assert!(!format!("{findings:?}").contains("secret"));
    }
}
