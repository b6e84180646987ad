//! Wrong settings, crontabs and arguments: each is refused with a word on what would be
//! right, all in one go, and no secret is shown.

use std::collections::BTreeMap;

use crate::support::{Ended, Setup, text};

mod rows;

use rows::{LINES, SETTINGS};

/// What ends by itself, whether the configuration is taken or refused.
fn dry_run() -> Setup {
    Setup::new("http://127.0.0.1:1")
        .arg("once")
        .arg("--dry-run")
}

/// What was said of each setting and line.
fn problems(ended: &Ended) -> Vec<(String, String)> {
    assert_eq!(ended.code(), Some(78), "{ended:#?}");
    let lines = ended.lines("invalid configuration");
    assert!(lines.iter().all(|line| text(line, "level") == "ERROR"));
    let pair = |line| {
        (
            text(line, "setting").to_owned(),
            text(line, "problem").to_owned(),
        )
    };
    lines.iter().map(pair).collect()
}

/// The same, of `check`.
fn of_check(ended: &Ended) -> Vec<(String, String)> {
    assert_eq!(ended.code(), Some(78), "{ended:#?}");
    let pair = |line: &str| {
        let (place, problem) = line.split_once(": ").unwrap();
        (place.to_owned(), problem.to_owned())
    };
    ended.stderr.lines().map(pair).collect()
}

#[tokio::test]
async fn every_wrong_setting_is_refused_by_name_and_with_what_would_be_right() {
    // One process for the first wrong value of each setting, one for the second, and so on.
    let mut rounds: Vec<BTreeMap<&str, (&str, &str)>> = Vec::new();
    for (setting, value, right) in SETTINGS {
        let free = rounds.iter().position(|round| !round.contains_key(setting));
        let round = free.unwrap_or_else(|| {
            rounds.push(BTreeMap::new());
            rounds.len() - 1
        });
        rounds[round].insert(setting, (value, right));
    }
    for round in rounds {
        let setup = round
            .iter()
            .fold(dry_run(), |setup, (setting, (value, _))| {
                setup.with(setting, value)
            });
        let ended = setup.finish().await;
        let problems = problems(&ended);
        for (setting, (value, right)) in &round {
            let of: Vec<_> = problems
                .iter()
                .filter(|(name, _)| name == setting)
                .collect();
            let [(_, problem)] = of[..] else {
                panic!("{setting}={value}: {problems:#?}");
            };
            assert!(problem.contains(right), "{setting}={value}: {problem}");
        }
        assert_eq!(problems.len(), round.len(), "{problems:#?}");
    }
}

#[tokio::test]
async fn every_wrong_line_is_refused_with_its_place_and_what_would_be_right() {
    let crontab = tempfile::NamedTempFile::new().unwrap();
    let lines: String = LINES.iter().map(|(line, ..)| format!("{line}\n")).collect();
    std::fs::write(crontab.path(), lines).unwrap();
    let path = crontab.path().display().to_string();
    let ended = dry_run().with("CRONTAB", &path).finish().await;
    let problems = problems(&ended);
    for (number, (line, column, right)) in (1..).zip(LINES) {
        let before = format!("{path}:{number}:");
        let of: Vec<_> = problems
            .iter()
            .filter(|(place, _)| place.starts_with(&before))
            .collect();
        let place = format!("{path}:{number}:{column}");
        let found = of
            .iter()
            .any(|(at, problem)| *at == place && problem.contains(right));
        assert!(found, "{line}: expected {right:?} at {place}, got {of:#?}");
    }
    // What stands in a line may be secret.
    let shown = ended.lines("invalid configuration");
    assert!(shown.iter().all(|line| line.get("line").is_none()));
}

#[tokio::test]
async fn settings_and_lines_are_told_in_one_go_by_every_command() {
    let crontab = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(crontab.path(), "* * * * * name=A value=x\n").unwrap();
    let places = |ended: &Ended| {
        let mut places: Vec<_> = problems(ended)
            .into_iter()
            .map(|(place, _)| place)
            .collect();
        places.sort_unstable();
        places
    };
    let line = format!("{}:1:24", crontab.path().display());
    let expected = [&line, "AWS_REGION", "LOG_FORMAT", "RETRY_MAX"];
    for command in ["run", "once", "check"] {
        let setup = Setup::bare()
            .with("AWS_REGION", "")
            .with("CRONTAB", crontab.path().display())
            .with("RETRY_MAX", "x")
            .with("LOG_FORMAT", "y")
            .arg(command);
        let ended = setup.finish().await;
        if command == "check" {
            assert_eq!(ended.code(), Some(78));
            let begins = |place| ended.stderr.lines().any(|line| line.starts_with(place));
            assert!(expected.into_iter().all(begins), "{ended:#?}");
        } else {
            assert_eq!(places(&ended), expected, "{command}");
        }
    }
}

#[tokio::test]
async fn certificates_and_the_spool_are_told_with_all_else_before_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let ca = include_str!("../../crates/test-support/tls/ca.pem");
    let bundle = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let file = bundle("file", "");
    let cases = [
        (
            "/nothing/here.pem".to_owned(),
            "/nothing/here",
            ["cannot read /nothing/here.pem", "does not exist, create it"],
        ),
        (
            dir.path().display().to_string(),
            &*file,
            ["cannot read", "is not a folder, create one"],
        ),
        // Of /proc/sys nobody can make a file, root included.
        #[cfg(target_os = "linux")]
        (
            file.clone(),
            "/proc/sys",
            ["holds no certificate", "make it writable"],
        ),
        (
            bundle("cut-off.pem", &ca[..ca.len() / 2]),
            "/nothing/here",
            ["certificate 1: its END line is missing", "create it"],
        ),
    ];
    for (ca_bundle, spool_dir, right) in cases {
        let setup = Setup::new("http://127.0.0.1:1")
            .with("RETRY_MAX", "many")
            .with("AWS_CA_BUNDLE", ca_bundle)
            .with("SPOOL_DIR", spool_dir);
        for command in ["run", "once", "check"] {
            let ended = setup.clone().arg(command).finish().await;
            let told = match command {
                "check" => of_check(&ended),
                _ => problems(&ended),
            };
            for (setting, right) in ["AWS_CA_BUNDLE", "SPOOL_DIR"].iter().zip(right) {
                let found =
                    |(name, said): &&(String, String)| name == setting && said.contains(right);
                assert_eq!(told.iter().filter(found).count(), 1, "{right}: {ended:#?}");
            }
            assert_eq!(told.len(), 3, "{ended:#?}");
            assert!(ended.lines("started").is_empty(), "{ended:#?}");
        }
        // A dry run leaves the spool alone.
        let dry = setup.arg("once").arg("--dry-run").finish().await;
        let told = problems(&dry);
        assert!(told.iter().all(|(name, _)| name != "SPOOL_DIR"), "{told:?}");
    }
}

#[tokio::test]
async fn crontab_that_is_not_there_or_is_no_crontab_is_refused() {
    let ended = dry_run().with("CRONTAB", "/nothing/here").finish().await;
    let [(setting, problem)] = &problems(&ended)[..] else {
        panic!("{ended:#?}");
    };
    assert_eq!(setting, "CRONTAB");
    assert!(problem.contains("/nothing/here"), "{problem}");

    let empty = tempfile::NamedTempFile::new().unwrap();
    let ended = dry_run()
        .with("CRONTAB", empty.path().display())
        .finish()
        .await;
    let [(_, problem)] = &problems(&ended)[..] else {
        panic!("{ended:#?}");
    };
    assert!(problem.contains("name=Heartbeat"), "{problem}");

    empty.as_file().set_len(2 * 1024 * 1024 + 1).unwrap();
    let large = empty.path().display().to_string();
    for (path, part) in [
        ("/dev/zero", "it is a device"),
        (&large, "longer than 2097152 bytes"),
    ] {
        let ended = dry_run().with("CRONTAB", path).finish().await;
        let [(_, problem)] = &problems(&ended)[..] else {
            panic!("{ended:#?}");
        };
        assert!(problem.contains(part), "{problem}");
    }

    let binary = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(binary.path(), b"# ok\n\n\xff\xfe\x00* * *").unwrap();
    let ended = dry_run()
        .with("CRONTAB", binary.path().display())
        .finish()
        .await;
    let [(_, problem)] = &problems(&ended)[..] else {
        panic!("{ended:#?}");
    };
    assert!(problem.contains("line 3 is not UTF-8"), "{problem}");
}

#[tokio::test]
async fn flood_of_problems_is_cut_off() {
    let crontab = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(crontab.path(), "nonsense\n".repeat(10_000)).unwrap();
    let ended = dry_run()
        .with("CRONTAB", crontab.path().display())
        .finish()
        .await;
    let problems = problems(&ended);
    assert_eq!(problems.len(), 101);
    assert!(
        problems
            .last()
            .unwrap()
            .1
            .contains("and 9900 more problems")
    );
}

#[tokio::test]
async fn misspelt_variable_draws_a_warning_with_the_nearest_name() {
    let setup = dry_run()
        .with("METRIC_NAMSPACE", "Shop")
        .with("METRIC_VALEU", "1");
    let ended = setup.finish().await;
    assert_eq!(ended.code(), Some(0));
    let warnings = ended.lines("configuration looks wrong");
    assert!(warnings.iter().all(|line| text(line, "level") == "WARN"));
    let said = |line| (text(line, "setting"), text(line, "problem"));
    let said: Vec<_> = warnings.iter().map(said).collect();
    let expected = [
        (
            "METRIC_NAMSPACE",
            "is not known, did you mean METRIC_NAMESPACE?",
        ),
        ("METRIC_VALEU", "is not known, did you mean METRIC_VALUE?"),
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn proxy_that_cannot_be_used_draws_a_warning_at_the_start_and_in_check() {
    let setup = Setup::new("http://127.0.0.1:1").with("HTTP_PROXY", "ftp://x:1");
    let checked = setup.clone().arg("check").finish().await;
    assert_eq!(checked.code(), Some(0), "{checked:#?}");
    let warning = "warning: HTTP_PROXY: names no proxy";
    assert!(checked.stderr.starts_with(warning), "{checked:#?}");
    let ended = setup.arg("once").arg("--dry-run").finish().await;
    let warning = ended.line("configuration looks wrong");
    assert_eq!(text(&warning, "setting"), "HTTP_PROXY");
}

#[tokio::test]
async fn empty_means_unset_and_white_space_around_a_value_is_nothing() {
    let setup = SETTINGS
        .iter()
        .filter(|(name, ..)| *name != "AWS_REGION")
        .fold(dry_run(), |setup, (name, ..)| setup.with(name, " "));
    let ended = setup.with("AWS_REGION", " us-east-1\t").finish().await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    assert!(
        ended.lines("configuration looks wrong").is_empty(),
        "{ended:#?}"
    );
}

const SECRET: &str = "Sw0rdf1sh";

fn assert_silent(ended: &Ended) {
    let output = format!("{ended:#?}");
    assert!(!output.contains(SECRET), "{output}");
}

#[tokio::test]
async fn secrets_are_never_shown() {
    let url = format!("http://me:{SECRET}@127.0.0.1:1");
    let crontab = tempfile::NamedTempFile::new().unwrap();
    let lines = format!(
        "* * * * * name=A value={url}/ unit=x\n\
         * * * * * name=B value=1 {url}\n\
         {url} name=C value=1\n"
    );
    std::fs::write(crontab.path(), lines).unwrap();
    let secrets = |setup: Setup| {
        setup
            .with("AWS_ACCESS_KEY_ID", format!("AKIA{SECRET}"))
            .with("AWS_SECRET_ACCESS_KEY", SECRET)
            .with("AWS_SESSION_TOKEN", SECRET)
            .with("SOMETHING_ELSE", SECRET)
            .with("LOG_LEVEL", "debug")
    };
    // Refused: every setting with a URL for a value, and lines with one.
    let setup = SETTINGS
        .iter()
        .fold(dry_run(), |setup, (name, ..)| setup.with(name, &url));
    let refused = secrets(setup).without("LOG_LEVEL").finish().await;
    assert!(problems(&refused).len() > 12, "{refused:#?}");
    assert_silent(&refused);
    let setup = dry_run().with("CRONTAB", crontab.path().display());
    let refused = secrets(setup).finish().await;
    assert!(problems(&refused).len() >= 3, "{refused:#?}");
    assert_silent(&refused);
    // In service: an endpoint and a source that cannot be reached.
    let setup = Setup::new(&url)
        .arg("once")
        .with("METRIC_VALUE", format!("{url}/#/a"));
    let failed = secrets(setup).finish().await;
    assert_eq!(failed.code(), Some(1));
    failed.line("source failed");
    assert_silent(&failed);
    let setup = Setup::new(&url).arg("once").with("METRIC_VALUE", "1");
    let failed = secrets(setup).finish().await;
    failed.line("publish failed");
    assert_silent(&failed);
}

/// Sources that are sound, none of which has anybody to answer.
const SOUND: &[&str] = &[
    "http:/me:S@127.0.0.1:1/",
    "http://it\\'s:S@127.0.0.1:1/?t=S#/a",
    "https://me:S@127.0.0.1:1/",
    "http://127.0.0.1:1/S@h/",
    "prometheus:http://me:S@127.0.0.1:1/?t=S#a",
    "up:http://me:S@127.0.0.1:1/",
    "latency:http://127.0.0.1:1/?t=S",
    "\"exec:'/bin/nothing' --pw S\"",
    "\"exec:'/bin/nothing --pw S'\"",
    "'exec:/bin/false S'",
];

/// The same and others, so that they are not.
const UNSOUND: &[&str] = &[
    "exec:/bin/x --pw S",
    "exec:/bin/x --pw c2VjcmV0S=",
    "'exec:/bin/x \"--pw S'",
    "'exec:/bin/x --pw S",
    "http://me:it'sS@h/",
    "http://me:pa/S@h/",
    "http://me:pa#S@h/",
    "htp://me:S@h/",
    "up:tcp://me:S@h:1",
    "http://h/ headers_file='Authorization: Bearer S'",
    "1 S",
];

#[tokio::test]
async fn secrets_around_odd_quoting_are_shown_at_no_level() {
    let crontab = tempfile::NamedTempFile::new().unwrap();
    let write = |values: &[&str]| {
        let lines = values.iter().enumerate().map(|(number, value)| {
            let value = value.replace('S', SECRET);
            format!("* * * * * name=M{number} value={value}\n")
        });
        std::fs::write(crontab.path(), lines.collect::<String>()).unwrap();
    };
    let setup = dry_run()
        .with("CRONTAB", crontab.path().display())
        .with("LOG_LEVEL", "trace")
        .with("SOURCE_TIMEOUT", "2s")
        .with("AWS_ENDPOINT_URL", format!("http:/me:{SECRET}@127.0.0.1:1"))
        .with("HTTPS_PROXY", format!("http:/me:{SECRET}@127.0.0.1:1"));
    write(SOUND);
    let failed = setup.clone().finish().await;
    // What is up counts 0.
    assert_eq!(
        failed.lines("source failed").len(),
        SOUND.len() - 1,
        "{failed:#?}"
    );
    assert_silent(&failed);
    write(UNSOUND);
    let refused = setup.clone().finish().await;
    let lines = problems(&refused);
    let told = |number: usize| {
        lines
            .iter()
            .any(|(at, _)| at.contains(&format!(":{number}:")))
    };
    assert!((1..=UNSOUND.len()).all(told), "{lines:#?}");
    assert_silent(&refused);
}

#[tokio::test]
async fn wrong_arguments_end_with_2_and_a_hint() {
    for (argument, hint) in [
        ("onec", "once"),
        ("--dryrun", "--dry-run"),
        ("--verbose", "--help"),
        ("publish", "--help"),
    ] {
        let ended = Setup::bare().arg(argument).finish().await;
        assert_eq!(ended.code(), Some(2), "{argument}");
        assert!(ended.stderr.contains(hint), "{argument}: {}", ended.stderr);
        assert!(ended.output.is_empty());
    }
}

#[tokio::test]
async fn help_names_every_variable_with_its_default_and_version_the_version() {
    let help = Setup::bare().arg("--help").finish().await;
    assert_eq!(help.code(), Some(0));
    for setting in cw_publisher::config::setting::ALL {
        let named = format!("  {}", setting.name);
        let line = help
            .output
            .iter()
            .find(|line| line.split(" [").next() == Some(&named));
        let line = line.unwrap_or_else(|| panic!("{} is not in the help", setting.name));
        if !setting.default.is_empty() {
            assert!(
                line.contains(&format!("[default: {}]", setting.default)),
                "{line}"
            );
        }
    }
    let version = Setup::bare().arg("--version").finish().await;
    let expected = format!("cw-publisher {}", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.code(), version.output), (Some(0), vec![expected]));
}
