use std::ffi::OsString;

use proptest::prelude::*;
use test_support::cases;

use super::*;
use crate::job::{Pull, Target, Which};

mod every;

fn parse_with(words: &[&str], variables: &[(&str, &str)]) -> Result<Request, BadArguments> {
    let words = ["cw-run"].iter().chain(words).map(OsString::from);
    let environment = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    parse_arguments(words.collect::<Vec<_>>(), &environment)
}

fn job(words: &[&str], variables: &[(&str, &str)]) -> Job {
    match parse_with(words, variables) {
        Ok(Request::Do(job)) => *job,
        other => panic!("{other:?}"),
    }
}

fn problems(words: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let bad = parse_with(words, variables).expect_err("a problem");
    bad.problems.iter().map(ToString::to_string).collect()
}

fn container(job: &Job) -> &docker_client::CreateContainer {
    match &job.target {
        Target::Run(run) => &run.container,
        Target::Attach(_) => panic!("attached"),
    }
}

#[test]
fn both_spellings_mean_the_same() {
    let long = [
        "--docker-image",
        "python",
        "--bash-command",
        "echo hello",
        "--aws-cloudwatch-group",
        "jobs",
        "--aws-cloudwatch-stream",
        "today",
        "--aws-region",
        "us-east-1",
    ];
    let short = [
        "--group",
        "jobs",
        "--stream",
        "today",
        "--region",
        "us-east-1",
        "--",
        "python",
        "bash",
        "-c",
        "echo hello",
    ];
    let (long, short) = (job(&long, &[]), job(&short, &[]));
    assert_eq!(long.destination, short.destination);
    assert_eq!(container(&long).image, container(&short).image);
    assert_eq!(
        container(&long).entrypoint.as_ref().unwrap(),
        &["bash", "-c", "echo hello"]
    );
    assert_eq!(container(&long).cmd.as_ref().unwrap().len(), 0);
    assert_eq!(
        container(&short).cmd.as_ref().unwrap(),
        &["bash", "-c", "echo hello"]
    );
    assert_eq!(container(&short).entrypoint, None);
}

#[test]
fn every_option_is_also_a_variable_and_an_option_wins() {
    let variables = [
        ("CW_RUN_DOCKER_IMAGE", "alpine"),
        ("CW_RUN_GROUP", "g"),
        ("CW_RUN_ENV", "A=1\nB=2"),
        ("CW_RUN_RM", "true"),
        ("CW_RUN_PULL", "never"),
        ("AWS_REGION", "eu-central-1"),
        ("CW_RUN_DRAIN_TIMEOUT", "2m"),
    ];
    let job = job(&["--group", "h", "--", "echo", "x"], &variables);
    assert_eq!(job.destination.group.to_string(), "h");
    assert_eq!(
        container(&job).env,
        [
            ("A".to_owned(), "1".to_owned()),
            ("B".to_owned(), "2".to_owned())
        ]
    );
    assert_eq!(container(&job).cmd.as_ref().unwrap(), &["echo", "x"]);
    let Target::Run(run) = &job.target else {
        panic!()
    };
    assert!(run.remove && run.pull == Pull::Never);
    assert_eq!(job.aws.region.as_deref(), Some("eu-central-1"));
    assert_eq!(job.delivery.drain_timeout.as_secs(), 120);
}

#[test]
fn attach_takes_a_name_or_labels() {
    let attached =
        |words: &[&str]| match job(words, &[("CW_RUN_DOCKER_IMAGE", "passed over")]).target {
            Target::Attach(attach) => attach.which,
            Target::Run(_) => panic!("run"),
        };
    let named = Which::Named {
        name: "web".to_owned(),
        follow_restarts: false,
    };
    assert_eq!(attached(&["attach", "web", "--group", "g"]), named);
    let labels = Which::Labelled(vec!["ship=yes".to_owned()]);
    assert_eq!(
        attached(&["attach", "--label", "ship=yes", "--group", "{label:app}"]),
        labels
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let problems = problems(
        &["--retention-days", "13", "--memory", "x"],
        &[("CW_RUN_STREAM", "a:b"), ("AWS_REGION", "nowhere")],
    );
    let begin = |text: &str| problems.iter().any(|problem| problem.starts_with(text));
    for place in [
        "--docker-image: ",
        "--aws-cloudwatch-group: ",
        "--retention-days: ",
        "--memory: ",
        "CW_RUN_STREAM: ",
        "AWS_REGION: ",
    ] {
        assert!(begin(place), "{place} is not among {problems:?}");
    }
    assert!(problems.iter().all(|problem| !problem.contains('\n')));
}

#[test]
fn secrets_are_not_shown_and_keys_of_ours_stay_outside() {
    let base = ["--group", "g", "--docker-image", "i"];
    let with = |more: &[&'static str]| [&base[..], more].concat();
    let told = problems(
        &with(&[
            "--aws-secret-access-key",
            "hunter2",
            "--env",
            "AWS_SECRET_ACCESS_KEY",
            "--env",
            "=hunter2",
            "--endpoint-url",
            "http://u:hunter2@h",
        ]),
        &[],
    );
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(!told.concat().contains("hunter2"), "{told:?}");
    let keys = [
        "--aws-access-key-id",
        "AKIA",
        "--aws-secret-access-key",
        "hunter2",
    ];
    let job = job(&with(&keys), &[]);
    assert!(job.aws.shown);
    assert!(!format!("{job:?}").contains("hunter2"));
}

#[test]
fn variables_come_from_files_and_from_ours() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env");
    std::fs::write(&file, "# no\nA=1\nHOME_OF_OURS\nNOT_SET\n").unwrap();
    let words = [
        "--group",
        "g",
        "--env-file",
        file.to_str().unwrap(),
        "-e",
        "A=2",
        "--",
        "alpine",
    ];
    let job = job(&words, &[("HOME_OF_OURS", "/h")]);
    let expected = [("A", "1"), ("HOME_OF_OURS", "/h"), ("A", "2")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(container(&job).env, expected);
    let missing = problems(
        &[
            "--group",
            "g",
            "--env-file",
            "/nowhere/at all",
            "--",
            "alpine",
        ],
        &[],
    );
    assert!(missing[0].contains("cannot be read"), "{missing:?}");
}

#[test]
fn fingerprint_is_of_what_runs_and_where_it_goes() {
    let base = ["--group", "g", "--", "alpine", "true"];
    let of = |words: &[&str], variables: &[(&str, &str)]| job(words, variables).fingerprint;
    let same = of(&base, &[]);
    assert_eq!(
        same,
        of(
            &[
                "--group",
                "g",
                "--drain-timeout",
                "1s",
                "--tee",
                "--",
                "alpine",
                "true"
            ],
            &[]
        )
    );
    assert_eq!(
        same,
        of(&["--", "alpine", "true"], &[("CW_RUN_GROUP", "g")])
    );
    for other in [
        &["--group", "h", "--", "alpine", "true"][..],
        &["--group", "g", "--", "alpine", "false"],
        &["--group", "g", "--env", "A=1", "--", "alpine", "true"],
        &["--group", "g", "--", "alpinet", "rue"],
        &[
            "--group",
            "g",
            "--endpoint-url",
            "http://h",
            "--",
            "alpine",
            "true",
        ],
        &[
            "--group",
            "g",
            "--docker-host",
            "unix:///x",
            "--",
            "alpine",
            "true",
        ],
    ] {
        assert_ne!(same, of(other, &[]), "{other:?}");
    }
    for variable in ["AWS_ENDPOINT_URL", "DOCKER_HOST"] {
        assert_ne!(same, of(&base, &[(variable, "http://h")]), "{variable}");
    }
}

#[test]
fn misspelt_variable_is_told() {
    let job = job(&["--group", "g", "--", "alpine"], &[("CW_RUN_STREEM", "s")]);
    assert!(
        job.warnings[0].contains("CW_RUN_STREAM"),
        "{:?}",
        job.warnings
    );
}

#[test]
fn help_and_version_need_nothing_else() {
    for (words, part) in [
        (&["--help"][..], "Examples"),
        (&["--help", "delivery"], "--checkpoint"),
        (&["help"], "Examples"),
        (&["attach", "--help"], "Examples"),
        (&["--version"], "cw-run "),
    ] {
        match parse_with(words, &[]) {
            Ok(Request::Print(text)) => assert!(text.contains(part), "{words:?}"),
            other => panic!("{words:?}: {other:?}"),
        }
    }
    assert!(problems(&["--help", "deliveries"], &[])[0].contains("delivery"));
}

proptest! {
    #![proptest_config(cases(256))]
    #[test]
    fn no_command_line_panics(words in prop::collection::vec("(--(group|stream|env|memory|label|cpus|pull|tail|stop-timeout|volume|datetime-format))?=?\\PC{0,8}", 0..6)) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Err(bad) = parse_with(&words, &[]) {
            prop_assert!(!bad.problems.is_empty());
            prop_assert!(bad.problems.iter().all(|problem| !problem.to_string().contains('\n')));
        }
    }
}
