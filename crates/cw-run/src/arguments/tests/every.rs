//! What holds for every option: its variable, its limits, its examples.

use super::*;

/// A value of each option, beside the image and the group.
const VALUES: &[(&str, &str)] = &[
    ("bash-command", "echo hello"),
    ("shell", "sh"),
    ("name", "job"),
    ("env", "A=1"),
    ("volume", "/a:/b"),
    ("workdir", "/w"),
    ("user", "1000"),
    ("network", "host"),
    ("memory", "64m"),
    ("cpus", "1.5"),
    ("entrypoint", "run"),
    ("platform", "linux"),
    ("stop-timeout", "3"),
    ("pull", "never"),
    ("label", "a=b"),
    ("tail", "5"),
    ("aws-cloudwatch-stream", "s"),
    ("stderr-stream", "e"),
    ("retention-days", "7"),
    ("kms-key-id", "arn:aws:kms:us-east-1:123456789012:key/k"),
    ("log-group-class", "STANDARD"),
    ("tag", "a=b"),
    ("multiline-pattern", "^x"),
    ("datetime-format", "%Y"),
    ("checkpoint", "/c"),
    ("on-failure", "stop"),
    ("failure-after", "7s"),
    ("drain-timeout", "7s"),
    ("flush-interval", "7s"),
    ("buffer-bytes", "7MiB"),
    ("request-timeout", "7s"),
    ("aws-region", "eu-west-1"),
    ("endpoint-url", "http://h"),
    ("docker-host", "unix:///x"),
    ("log-level", "debug"),
    ("log-format", "json"),
];

/// What an option needs beside it.
fn beside(option: &Opt) -> (Vec<&'static str>, Vec<&'static str>) {
    let last = match option.name {
        "bash-command" | "shell" => vec![],
        _ => vec!["--", "alpine", "true"],
    };
    match (option.goes, option.name) {
        (Goes::Attach, _) => (vec!["attach", "web", "--group", "g"], vec![]),
        (_, "bash-command") => (vec!["--group", "g", "--image", "i"], last),
        (_, "shell") => (
            vec!["--group", "g", "--image", "i", "--bash-command", "x"],
            last,
        ),
        (_, "failure-after") => (vec!["--group", "g", "--on-failure", "stop"], last),
        _ => (vec!["--group", "g"], last),
    }
}

#[test]
fn every_option_means_the_same_as_its_variable_and_something_else_than_nothing() {
    // Keys are the SDK's to find; files are read elsewhere; the first two are in each of these.
    let elsewhere = [
        "aws-access-key-id",
        "aws-secret-access-key",
        "aws-session-token",
        "env-file",
        "docker-image",
        "aws-cloudwatch-group",
    ];
    for option in ALL
        .iter()
        .filter(|option| !elsewhere.contains(&option.name))
    {
        let value = VALUES.iter().find(|(name, _)| *name == option.name);
        let value = value.map_or("true", |(_, value)| value);
        let (before, after) = beside(option);
        let argument = match option.is_switch() {
            true => format!("--{}", option.name),
            false => format!("--{}={value}", option.name),
        };
        let told =
            |words: &[&str], variables: &[(&str, &str)]| format!("{:?}", job(words, variables));
        let as_option = told(&[&before, &[&*argument][..], &after].concat(), &[]);
        let without = [before, after].concat();
        assert_eq!(
            as_option,
            told(&without, &[(option.variable, value)]),
            "{}",
            option.name
        );
        assert_ne!(as_option, told(&without, &[]), "{}", option.name);
    }
}

#[test]
fn limits_hold_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let file = |length: usize| {
        let path = folder.path().join(length.to_string());
        let comment = format!("#{}\n", "x".repeat(length - 2));
        std::fs::write(&path, comment).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let long = |head: &str, length: usize| format!("{head}{}", "x".repeat(length - head.len()));
    let both = |name: &str, fits: &str, does_not: &str| {
        let given = |value: &str| {
            let option = format!("--{name}={value}");
            let group = [("CW_RUN_GROUP", "g")];
            parse_with(&[&option, "--", "alpine"], &group).is_ok()
        };
        assert!(given(fits), "{name}");
        assert!(!given(does_not), "{name}");
    };
    both("env-file", &file(1 << 20), &file((1 << 20) + 1));
    both("env", &long("A=", 128 << 10), &long("A=", (128 << 10) + 1));
    both("tag", &(long("", 128) + "=v"), &(long("", 129) + "=v"));
    both("tag", &long("n=", 258), &long("n=", 259));
    both(
        "kms-key-id",
        &long("arn:aws:kms:", 256),
        &long("arn:aws:kms:", 257),
    );
    both("aws-cloudwatch-group", &long("", 512), &long("", 513));
    both("aws-cloudwatch-stream", &long("", 512), &long("", 513));
    for (name, low, below, high, above) in [
        ("buffer-bytes", "4MiB", "4095KiB", "1GiB", "1025MiB"),
        ("flush-interval", "100ms", "99ms", "1h", "61m"),
        ("request-timeout", "100ms", "99ms", "1h", "61m"),
        ("failure-after", "1s", "999ms", "24h", "25h"),
        ("drain-timeout", "0s", "-1s", "24h", "25h"),
        ("stop-timeout", "0", "-1", "86400", "86401"),
        ("memory", "6m", "5.9m", "7p", "8192p"),
        ("cpus", "0.01", "0.009", "4096", "4096.1"),
        ("retention-days", "1", "0", "3653", "3654"),
    ] {
        both(name, low, below);
        both(name, high, above);
    }
}

#[test]
fn number_of_tags_and_labels_is_bounded() {
    let tags = |count: usize| {
        let tags = (0..count).map(|number| format!("--tag=t{number}=v"));
        let words: Vec<_> = tags
            .chain(["--group=g".to_owned(), "--image=i".to_owned()])
            .collect();
        parse_with(&words.iter().map(String::as_str).collect::<Vec<_>>(), &[]).is_ok()
    };
    assert!(tags(50) && !tags(51));
    let labels = |count: usize| {
        let labels = (0..count).map(|number| format!("--label=l{number}=v"));
        let words: Vec<_> = ["attach".to_owned(), "--group=g".to_owned()]
            .into_iter()
            .chain(labels)
            .collect();
        parse_with(&words.iter().map(String::as_str).collect::<Vec<_>>(), &[]).is_ok()
    };
    assert!(labels(100) && !labels(101));
}

#[test]
fn every_example_of_the_help_is_a_command_line_that_is_taken() {
    let mut count = 0;
    let topics = Topic::ALL.iter().map(|topic| help::of(*topic));
    let texts = topics.chain([help::overview()]);
    for text in texts {
        let joined = text.replace("\\\n", " ");
        let (_, examples) = joined.split_once("Examples:").expect("there are examples");
        let examples = examples.split("\n\n").next().unwrap_or_default();
        for line in examples.lines().filter(|line| line.contains("cw-run ")) {
            let words = words(line.split_once("cw-run ").unwrap().1);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let taken = parse_with(&words, &[]);
            assert!(taken.is_ok(), "{line}: {taken:?}");
            count += 1;
        }
    }
    assert!(count > 12, "{count}");
}

/// As a shell parts a line that has quotes, and says where the output goes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in line.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words.retain(|word| !word.starts_with('>'));
    words
}
