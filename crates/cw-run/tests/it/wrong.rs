use crate::support::{World, end, program};

/// Words, variables, exit code, and a part of what is right.
type Case = (
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
    i32,
    &'static str,
);

const GOOD: &[(&str, &str)] = &[("CW_RUN_GROUP", "g"), ("CW_RUN_DOCKER_IMAGE", "alpine")];

const CASES: &[Case] = &[
    (&["--grup", "g"], &[], 2, "--group"),
    (&["--group"], &[], 2, "a value is required"),
    (&["--docker-image", "a"], &[], 2, "--group GROUP"),
    (&["--group", "g"], &[], 2, "--docker-image IMAGE"),
    (&["atach", "web"], GOOD, 2, "did you mean attach?"),
    (&["alpine", "true"], GOOD, 2, "behind --"),
    (&["attach", "--group", "g"], &[], 2, "cw-run attach NAME"),
    (&["attach", "a", "b", "--group", "g"], &[], 2, "--label"),
    (
        &["attach", "a", "--label", "x=y", "--group", "g"],
        &[],
        2,
        "not both",
    ),
    (
        &["attach", "a/../b", "--group", "g"],
        &[],
        2,
        "letters, digits",
    ),
    (
        &["attach", "web", "--group", "g", "--rm"],
        &[],
        2,
        "leave it out",
    ),
    (
        &["attach", "web", "--group", "g", "--", "sh"],
        &[],
        2,
        "leave out the words",
    ),
    (
        &["attach", "--label", "a", "--follow-restarts"],
        GOOD,
        2,
        "leave it out",
    ),
    (&["attach", "web", "--tail", "-1"], GOOD, 2, "cw-run --help"),
    (&["--tail", "5"], GOOD, 2, "cw-run attach"),
    (&["--stream", "a:b"], GOOD, 2, "':' cannot be"),
    (&["--group", "a b"], GOOD, 2, "letters, digits and"),
    (&["--group", "aws/x"], GOOD, 2, "cannot begin with aws/"),
    (&["--stream", "{nmae}"], GOOD, 2, "{name}"),
    (&["--stream", "{name"], GOOD, 2, "a brace is left open"),
    (&["--retention-days", "13"], GOOD, 2, "1, 3, 5, 7, 14"),
    (&["--kms-key-id", "alias/x"], GOOD, 2, "arn:aws:kms"),
    (
        &["--log-group-class", "CHEAP"],
        GOOD,
        2,
        "INFREQUENT_ACCESS",
    ),
    (&["--tag", "owner"], GOOD, 2, "NAME=VALUE"),
    (
        &["--no-create", "--tag", "a=b"],
        GOOD,
        2,
        "leave out one or the other",
    ),
    (&["--memory", "lots"], GOOD, 2, "512m or 1.5g"),
    (&["--tee=yes"], GOOD, 2, "takes no value"),
    (&["--cpus", "0"], GOOD, 2, "as 0.5 or 2"),
    (&["--env", "=x"], GOOD, 2, "NAME=VALUE or NAME"),
    (
        &["--env", "AWS_SECRET_ACCESS_KEY"],
        GOOD,
        2,
        "stays outside",
    ),
    (&["--env-file", "/nowhere"], GOOD, 2, "lines NAME=VALUE"),
    (&["--volume", "a"], GOOD, 2, "/host:/container"),
    (&["--volume", "/a:/"], GOOD, 2, "container's root"),
    (&["--volume", "/a:/b:fast"], GOOD, 2, "ro or rw"),
    (&["--workdir", "tmp"], GOOD, 2, "an absolute path"),
    (&["--platform", "linux//arm"], GOOD, 2, "linux/arm64"),
    (
        &["--pull", "sometimes"],
        GOOD,
        2,
        "always, missing or never",
    ),
    (
        &["--name", "_x"],
        GOOD,
        2,
        "begins with a letter or a digit",
    ),
    (&["--stop-timeout", "10s"], GOOD, 2, "no whole number"),
    (&["--shell", "sh"], GOOD, 2, "--bash-command"),
    (&["--bash-command", " "], GOOD, 2, "it is empty"),
    (&["--bash-command", "x", "--", "y"], GOOD, 2, "not both"),
    (
        &["--bash-command", "x", "--entrypoint", "y"],
        GOOD,
        2,
        "leave one of them out",
    ),
    (
        &["--multiline-pattern", "("],
        GOOD,
        2,
        "no regular expression",
    ),
    (&["--datetime-format", "%Q"], GOOD, 2, "%Y"),
    (
        &["--datetime-format", "%Y", "--multiline-pattern", "x"],
        GOOD,
        2,
        "not both",
    ),
    (&["--drain-timeout", "30"], GOOD, 2, "write 30s"),
    (&["--flush-interval", "1ms"], GOOD, 2, "use 100ms"),
    (&["--buffer-bytes", "1KiB"], GOOD, 2, "from 4MiB to 1GiB"),
    (&["--on-failure", "panic"], GOOD, 2, "continue or stop"),
    (&["--aws-region", "mars"], GOOD, 2, "us-east-1"),
    (
        &["--aws-access-key-id", "AKIA"],
        GOOD,
        2,
        "AWS_SECRET_ACCESS_KEY too",
    ),
    (
        &["--endpoint-url", "localhost:4566"],
        GOOD,
        2,
        "https://host",
    ),
    (&["--log-level", "loud"], GOOD, 2, "error, warn, info"),
    (&["--log-format", "xml"], GOOD, 2, "json, text or auto"),
    (&["--json"], GOOD, 2, "cw-run check --json"),
    (&["--help", "me"], GOOD, 2, "container, destination"),
    (
        &[],
        &[("CW_RUN_GROUP", "a b"), ("CW_RUN_DOCKER_IMAGE", "i")],
        78,
        "CW_RUN_GROUP",
    ),
    (
        &[],
        &[
            ("CW_RUN_GROUP", "g"),
            ("CW_RUN_DOCKER_IMAGE", "i"),
            ("CW_RUN_RM", "perhaps"),
        ],
        78,
        "neither true nor false",
    ),
    (
        &[],
        &[
            ("CW_RUN_GROUP", "g"),
            ("CW_RUN_DOCKER_IMAGE", "i"),
            ("AWS_REGION", "x"),
        ],
        78,
        "us-east-1",
    ),
    (&[], GOOD, 78, "AWS_REGION=us-east-1"),
];

#[tokio::test]
async fn every_wrong_command_line_is_one_line_that_says_what_would_be_right() {
    for (words, variables, code, part) in CASES {
        let ended = end(program(words)
            .envs(variables.iter().copied())
            .spawn()
            .unwrap())
        .await;
        let context = format!("{words:?} {variables:?}: {ended:?}");
        assert_eq!(ended.code, Some(*code), "{context}");
        assert_eq!(ended.text().len(), 1, "{context}");
        assert!(
            ended.text()[0].starts_with("cw-run: ") && ended.text()[0].contains(part),
            "{context}"
        );
        assert_eq!(ended.stdout, "", "{context}");
    }
}

#[tokio::test]
async fn several_problems_are_told_at_once() {
    let words = ["--memory", "x", "--cpus", "y", "--pull", "z"];
    let ended = end(program(&words).spawn().unwrap()).await;
    assert_eq!((ended.code, ended.text().len()), (Some(2), 5), "{ended:?}");
}

#[tokio::test]
async fn credentials_that_are_nowhere_are_told_before_anything_is_made() {
    let world = World::new().await;
    let mut command = world.command(&["--", "fixture:1"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    let ended = end(command.spawn().unwrap()).await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.text()[0].contains("AWS_PROFILE"), "{ended:?}");
    assert!(
        world
            .engine
            .requests_to("POST /containers/create")
            .is_empty()
    );
}

#[tokio::test]
async fn engine_that_is_not_there_is_told_in_one_line() {
    let world = World::new().await;
    let mut command = world.command(&["--", "fixture:1"]);
    command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let ended = end(command.spawn().unwrap()).await;
    assert_eq!(
        (ended.code, ended.text().len()),
        (Some(125), 1),
        "{ended:?}"
    );
    assert!(ended.text()[0].contains("DOCKER_HOST"), "{ended:?}");
}
