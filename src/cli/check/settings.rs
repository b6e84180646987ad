//! The variables that are set to something else than their default, fit to be shown.

use std::path::Path;

use diagnostics::{redacted_prefix, shown_path};
use metric_source::shown;
use settings::{Environment, Setting};

use crate::config::setting::{
    ALL, ASSUME_ROLE_ARN, ASSUME_ROLE_EXTERNAL_ID, CRONTAB, CRONTAB_CONTENT, FOREIGN,
    METRIC_HTTP_HEADERS_FILE, METRIC_VALUE, SPOOL_DIR,
};

/// Those that name a file or a folder.
const PATHS: &[Setting] = &[CRONTAB, METRIC_HTTP_HEADERS_FILE, SPOOL_DIR];

/// How the names of others' variables end that name a file or a folder.
const FILES: &[&str] = &["_FILE", "_BUNDLE", "_DIR"];

/// What is shown in the place of a value that may hold a secret.
const HIDDEN: &str = "set";

/// The variables of others that hold no secret. All else is hidden, so that one that is
/// added later cannot slip out.
const SHOWN: &[&str] = &[
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_CLOUDWATCH",
    "AWS_ENDPOINT_URL_STS",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// Name and value of each, in the order of `--help`.
pub(super) fn given(environment: &Environment) -> Vec<(String, String)> {
    let own = ALL.iter().filter_map(|setting| {
        let value = environment.get(*setting)?;
        (value != setting.default).then(|| (setting.name.to_owned(), own_shown(*setting, value)))
    });
    let names = FOREIGN.iter().flat_map(|setting| setting.name.split(", "));
    let foreign = names.filter_map(|name| {
        let value = if name.ends_with("_PROXY") {
            environment.either_case(name)
        } else {
            environment.variable(name)
        }?;
        let shown = if SHOWN.contains(&name) {
            foreign_shown(name, value)
        } else {
            None
        };
        Some((name.to_owned(), shown.unwrap_or_else(|| HIDDEN.into())))
    });
    own.chain(foreign).collect()
}

/// A crontab makes this program ignore some settings, and then nobody has read them.
fn own_shown(setting: Setting, value: &str) -> String {
    if setting == METRIC_VALUE {
        return shown(value).unwrap_or_else(|| HIDDEN.into());
    }
    // Any line of a crontab may hold a secret, some take an external id for one, and a role
    // is shown where it was read.
    if [CRONTAB_CONTENT, ASSUME_ROLE_ARN, ASSUME_ROLE_EXTERNAL_ID].contains(&setting) {
        return HIDDEN.into();
    }
    if PATHS.contains(&setting) {
        return shown_path(Path::new(value));
    }
    if diagnostics::given(value).is_empty() {
        return HIDDEN.into();
    }
    redacted_prefix(value)
}

fn foreign_shown(name: &str, value: &str) -> Option<String> {
    if name.contains("ENDPOINT") {
        // Built from what was read of it: no user, no query.
        return shown(value).filter(|_| value.starts_with("http"));
    }
    let names_file = FILES.iter().any(|ending| name.ends_with(ending));
    let is_shown = match names_file {
        // What stands in the place of a path may be what stands in the file.
        true => value.starts_with(['/', '~']),
        false => !diagnostics::given(value).is_empty(),
    };
    is_shown.then(|| redacted_prefix(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_path_in_the_place_of_one_is_not_shown() {
        for (value, expected) in [("/run/token", "/run/token"), ("eyJsecret", HIDDEN)] {
            let environment = [("AWS_WEB_IDENTITY_TOKEN_FILE".into(), value.into())];
            let given = given(&environment.into_iter().collect());
            assert_eq!(given[0].1, expected);
        }
    }

    #[test]
    fn what_differs_is_shown_and_secrets_are_not() {
        let environment = [
            ("METRIC_VALUE", "http://me:secret@host/x"),
            ("METRIC_UNIT", "Count"),
            ("SCHEDULE", "*/5 * * * *"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", "http://me:secret@host"),
            ("https_proxy", "http://me:secret@proxy"),
            ("PATH", "/bin"),
        ];
        let environment = environment.map(|(n, v)| (n.into(), v.into()));
        let given = given(&environment.into_iter().collect());
        let given: Vec<_> = given.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        assert_eq!(
            given,
            [
                ("METRIC_VALUE", "http://host/x"),
                ("SCHEDULE", "*/5 * * * *"),
                ("AWS_SECRET_ACCESS_KEY", "set"),
                ("AWS_ENDPOINT_URL", "http://host/"),
                ("HTTPS_PROXY", "set"),
            ]
        );
    }

    #[test]
    fn every_variable_that_is_shown_is_known() {
        let known: Vec<_> = FOREIGN.iter().flat_map(|s| s.name.split(", ")).collect();
        for name in SHOWN {
            assert!(known.contains(name), "{name}");
        }
    }
}
