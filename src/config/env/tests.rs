//! What holds for every environment.

use proptest::prelude::*;
use settings::{count, duration};
use test_support::cases;

use super::*;

fn read(variables: impl IntoIterator<Item = (String, String)>) -> (Option<Config>, Diagnostics) {
    let pair = |(name, value): (String, String)| (name.into(), value.into());
    Config::read(&Inputs {
        environment: variables.into_iter().map(pair).collect(),
        crontab: None,
        profile_region: None,
        ca_bundle: None,
        task: Task::Unasked,
        spool_dir: None,
    })
}

#[test]
fn two_settings_that_do_not_go_together_are_told_beside_a_third() {
    let variables = [
        ("AWS_REGION", "us-east-1"),
        ("RETRY_MAX", "many"),
        ("RETRY_BASE", "30s"),
    ];
    let (_, findings) = read(variables.map(|(name, value)| (name.into(), value.into())));
    let places = findings.problems.iter().map(|p| p.place.to_string());
    assert_eq!(places.collect::<Vec<_>>(), ["RETRY_MAX", "RETRY_BASE"]);
}

#[test]
fn series_are_told_which_dimensions_are_taken() {
    let variables = [
        ("AWS_REGION", "us-east-1"),
        ("METRIC_VALUE", "prometheus:http://h/#a"),
        ("METRIC_DIMENSIONS", "X=1"),
    ];
    let (config, _) = read(variables.map(|(name, value)| (name.into(), value.into())));
    assert_eq!(config.unwrap().entries[0].options.own_dimensions, ["X"]);
}

#[test]
fn unknown_variable_that_resembles_none_is_told_where_all_are_listed() {
    let variables = [("METRIC_NAM", "x"), ("METRIC_BAR", "x")];
    let (_, findings) = read(variables.map(|(name, value)| (name.into(), value.into())));
    let told: Vec<_> = findings.warnings.iter().map(ToString::to_string).collect();
    let expected = [
        "METRIC_BAR: is not known, --help lists the variables",
        "METRIC_NAM: is not known, did you mean METRIC_NAME?",
    ];
    assert_eq!(told, expected);
}

#[test]
fn misspelt_variable_without_a_prefix_is_told_and_those_of_others_are_not() {
    let variables = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_REGOIN", "x"),
        ("BUFER_LIMIT", "5"),
        ("COMON_DIMENSIONS", "A=1"),
        ("SCHEDUL", "x"),
        ("AWS_ENDPOINT_URL_CLOUDWACH", "http://x"),
        ("LOGLEVEL", "x"),
        ("RETRY_MXA", ""),
        ("https_proxy", ""),
        ("http_proxy", "http://h:1"),
        ("no_proxy", "h"),
        ("ftp_proxy", "http://h:1"),
        ("FTP_PROXY", "http://h:1"),
        ("AWS_ENDPOINT_URL_S3", "http://h:1"),
        ("AWS_ENDPOINT_URL_SNS", "http://h:1"),
        ("AWS_EC2_METADATA_V1_DISABLED", "true"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "regional"),
        ("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE"),
        ("AWS_DEFAULT_OUTPUT", "json"),
        ("ECS_CONTAINER_METADATA_URI", "http://h"),
        ("ECS_AGENT_URI", "http://h"),
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
        ("REDIS_PORT", "tcp://10.0.0.1:6379"),
        ("HOSTNAME", "web-1"),
        ("HOME", "/"),
        ("PATH", "/bin"),
        ("PWD", "/"),
        ("SHLVL", "1"),
        ("TERM", "xterm"),
        ("TZ", "UTC"),
        ("LANG", "C"),
        ("USER", "x"),
        ("LOGNAME", "x"),
        ("PORT", "80"),
        ("DEBUG", "1"),
        ("RUST_LOG", "debug"),
    ];
    let (_, findings) = read(variables.map(|(name, value)| (name.into(), value.into())));
    let told: Vec<_> = findings.warnings.iter().map(ToString::to_string).collect();
    let expected = [
        "AWS_ENDPOINT_URL_CLOUDWACH: is not known, did you mean AWS_ENDPOINT_URL_CLOUDWATCH?",
        "AWS_REGOIN: is not known, did you mean AWS_REGION?",
        "BUFER_LIMIT: is not known, did you mean BUFFER_LIMIT?",
        "COMON_DIMENSIONS: is not known, did you mean COMMON_DIMENSIONS?",
        "LOGLEVEL: is not known, did you mean LOG_LEVEL?",
        "SCHEDUL: is not known, did you mean SCHEDULE?",
    ];
    assert_eq!(told, expected);
}

fn a_name() -> impl Strategy<Value = String> {
    let known: Vec<_> = setting::ALL.iter().map(|s| s.name.to_owned()).collect();
    prop_oneof![4 => prop::sample::select(known), 1 => "METRIC_[A-Z]{0,8}"]
}

fn a_value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9.]{0,30}(ms|s|m|h| s|d)?",
        "[a-z0-9:@/*,=#. -]{0,40}",
        "(error|info|debug)?,?[a-z_:\\[\\]{}=]{0,20}=(info|off)",
        "[a-z]{2}-[a-z]{4,8}-[0-9]{1,3}",
    ]
}

proptest! {
    #![proptest_config(cases(10_000))]

    /// Those of this module; metrics, schedules and sources have their own.
    #[test]
    fn no_text_makes_a_parser_panic_and_what_is_taken_is_in_bounds(text in a_value()) {
        if let Ok(duration) = duration(&text, INSTANT, HOUR) {
            prop_assert!((INSTANT..=HOUR).contains(&duration));
        }
        if let Ok(count) = count(&text, 1, RETRY_MAX_LIMIT) {
            prop_assert!((1..=RETRY_MAX_LIMIT).contains(&count));
        }
        if let Ok(HealthAddr::Http(addr)) = HealthAddr::parse(&text) {
            prop_assert!(!addr.ends_with(":0") && addr.is_ascii());
        }
        let _ = (Region::parse(&text), switch(&text));
        let _ = (telemetry::filter(&text), telemetry::format(&text));
    }

    #[test]
    fn no_environment_makes_the_reader_panic_and_each_is_taken_or_refused_with_a_reason(
        variables in prop::collection::vec((a_name(), a_value()), 1..4),
    ) {
        let (config, findings) = read(variables);
        prop_assert_eq!(config.is_none(), !findings.problems.is_empty());
        prop_assert!(findings.problems.iter().all(|problem| !problem.message.is_empty()));
    }
}
