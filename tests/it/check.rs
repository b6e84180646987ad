//! `check`, as a program.

use std::process::{Command, Output};

fn check(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cw-publisher"))
        .arg("check")
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn good_configuration_is_listed_without_the_network_and_without_secrets() {
    let variables = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDSECRET"),
        ("AWS_SECRET_ACCESS_KEY", "SECRET"),
        // Nothing listens there; whoever asks it fails.
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("METRIC_VALUE", "http://me:SECRET@127.0.0.1:1/"),
        ("HTTPS_PROXY", "http://me:SECRET@127.0.0.1:1"),
    ];
    for arguments in [&[][..], &["--json"]] {
        let output = check(arguments, &variables);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{err}");
        assert_eq!(err, "");
        assert!(out.contains("TestMetric"), "{out}");
        assert!(!out.contains("SECRET@"), "{out}");
        assert!(!out.contains("AKID"), "{out}");
    }
}

#[test]
fn bad_configuration_is_refused_with_every_problem() {
    let variables = [
        ("METRIC_UNIT", "count"),
        ("SCHEDULE", "61 * * * *"),
        // A file that the environment of the test may have must not be read.
        ("AWS_CONFIG_FILE", "/dev/null"),
    ];
    let output = check(&[], &variables);
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(text(&output.stdout), "");
    let err = text(&output.stderr);
    for setting in ["AWS_REGION: ", "METRIC_UNIT: ", "SCHEDULE: "] {
        assert!(err.lines().any(|line| line.starts_with(setting)), "{err}");
    }

    let output = check(&["--json"], &variables);
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(text(&output.stderr), "");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["valid"], false);
    assert_eq!(document["problems"].as_array().unwrap().len(), 3);
}

#[test]
fn spool_folder_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let touched = || dir.path().metadata().unwrap().modified().unwrap();
    let before = touched();
    let spool_dir = dir.path().to_str().unwrap();
    let variables = [("AWS_REGION", "us-east-1"), ("SPOOL_DIR", spool_dir)];
    let output = check(&[], &variables);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains(spool_dir));
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    assert_eq!(touched(), before);
}
