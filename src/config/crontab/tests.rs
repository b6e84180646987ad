use cloudwatch_metric::{Resolution, Unit};

use super::limits::LINE_MAX;
use super::line_error::PROBLEMS_MAX;
use super::*;

mod properties;

fn read_text(text: &str) -> (Vec<Entry>, Vec<String>) {
    let (entries, found) = read("crontab".as_ref(), text, &Defaults::default());
    (
        entries,
        found.problems.iter().map(ToString::to_string).collect(),
    )
}

fn entries(text: &str) -> Vec<Entry> {
    let (entries, problems) = read_text(text);
    assert_eq!(problems, [""; 0]);
    entries
}

#[test]
fn lines_take_the_defaults_above_them() {
    let entries = entries(
        "# comment\n\n* * * * * name=A value=1\nMETRIC_NAMESPACE = \"Shop Floor\"\nMETRIC_UNIT=Percent\nMETRIC_DIMENSIONS=Stage=prod\nMETRIC_RESOLUTION=1\nCRON_TZ=Europe/Berlin\n*/5 * * * * name=B value=2\n@hourly name=C value=3 unit=Bytes namespace=N dimensions=X=1,Y=2 resolution=60\n",
    );
    let [a, b, c] = &entries[..] else {
        panic!("{entries:?}")
    };
    assert_eq!(a.metric.to_string(), "CustomMetrics/A");
    assert_eq!(b.metric.to_string(), "Shop Floor/B{Stage=prod}");
    assert_eq!(
        (b.metric.unit, b.metric.resolution),
        (Unit::Percent, Resolution::High)
    );
    assert_eq!(b.schedule.zone().to_string(), "Europe/Berlin");
    assert_eq!(c.metric.to_string(), "N/C{X=1,Y=2}");
    assert_eq!(
        (c.metric.unit, c.metric.resolution),
        (Unit::Bytes, Resolution::Standard)
    );
    assert_eq!(c.line, Some(10));
}

#[test]
fn six_fields_begin_with_seconds() {
    assert!(
        entries("*/10 * * * * * name=A value=1")[0]
            .schedule
            .has_seconds()
    );
    assert!(
        !entries("*/10 * * * * name=A value=1")[0]
            .schedule
            .has_seconds()
    );
}

#[test]
fn every_bad_line_is_told_with_line_and_column() {
    for (text, place, part) in [
        ("* * * * name=A value=1", "1:1", "4 fields are given"),
        ("* * * * * * * name=A value=1", "1:13", "expected key=value"),
        ("@hourly x name=A value=1", "1:9", "expected key=value"),
        (
            "61 * * * * name=A value=1",
            "1:1",
            "minute 61 is out of range",
        ),
        ("\n  * * * * * value=1", "2:3", "name is missing"),
        ("* * * * * name=A", "1:1", "value is missing"),
        (
            "* * * * * name=A value=1 nmae=B",
            "1:26",
            "did you mean name?",
        ),
        (
            "* * * * * name=A value=1 unit=count",
            "1:31",
            "did you mean Count?",
        ),
        (
            "* * * * * name=A value=1 name=B",
            "1:26",
            "name is given twice",
        ),
        (
            "* * * * * name=A value=1 oops",
            "1:26",
            "expected key=value",
        ),
        ("* * * * * name=A value=file:x", "1:24", "not absolute"),
        ("* * * * * name=A value=\"1", "1:24", "is not closed"),
        ("* * * * * name=A value=1 \\", "1:26", "nothing follows"),
        (
            "* * * * * name=A value=1 namespace=AWS/X",
            "1:36",
            "reserved",
        ),
        (
            "* * * * * name=A value=1 dimensions=X",
            "1:37",
            "write Name=Value",
        ),
        ("* * * * * name=A value=1 resolution=5", "1:37", "use 60"),
        ("name=A value=1", "1:1", "begin the line with five fields"),
        ("CRON_TZ=Europe/Berln", "1:9", "Europe/Berlin"),
        ("METRIC_UNIT=Counts", "1:13", "did you mean Count?"),
        ("MAILTO=me", "1:1", "here; a crontab may set CRON_TZ"),
        ("FOO=1", "1:1", "here; a crontab may set CRON_TZ"),
        ("METRIC_NAMSPACE=A", "1:1", "did you mean METRIC_NAMESPACE?"),
        (
            "* * * * * name=A value=host:load1 keep=a",
            "1:40",
            "keep has no effect here, it is for prometheus sources;",
        ),
        ("* * * * * name=A value=1 drop=", "1:31", "drop has no"),
        (
            "* * * * * name=A value=http://h/ max_series=9",
            "1:45",
            "max_series has no",
        ),
        (
            "* * * * * name=A value=up:tcp://h:80 headers_file=/x",
            "1:51",
            "headers_file has no",
        ),
        (
            "* * * * * name=A value=prometheus:http://h/#a{b=\"c\"}",
            "1:24",
            "put the whole value in single quotes",
        ),
        ("30 2 30 2 * name=A value=1", "1:1", "never fires"),
        ("# nothing", "1:1", "has no metric line"),
    ] {
        let (_, problems) = read_text(text);
        let [problem] = &problems[..] else {
            panic!("{text:?}: {problems:?}")
        };
        assert!(
            problem.starts_with(&format!("crontab:{place}: ")),
            "{text:?}: {problem}"
        );
        assert!(problem.contains(part), "{text:?}: {problem}");
    }
}

#[test]
fn sources_that_use_a_setting_take_it() {
    let text = "* * * * * name=A value=prometheus:http://h/#a keep=a drop=b max_series=1 headers_file=/x\n\
        * * * * * name=A value=https://h/ headers_file=/x\n\
        * * * * * name=A value=latency:http://h/ headers_file=/x\n";
    assert_eq!(entries(text).len(), 3);
}

#[test]
fn series_are_told_which_dimensions_are_taken() {
    let text = "METRIC_DIMENSIONS=X=1,Y=2\n\
        * * * * * name=A value=prometheus:http://h/#a\n\
        * * * * * name=A value=prometheus:http://h/#a dimensions=Z=1\n\
        * * * * * name=A value=prometheus:http://h/#a dimensions=\n";
    let entries = entries(text);
    let taken = entries
        .iter()
        .map(|entry| entry.options.own_dimensions.join(","));
    assert_eq!(taken.collect::<Vec<_>>(), ["X,Y", "Z", ""]);
    assert!(entries[2].metric.dimensions.is_empty());
}

#[test]
fn all_problems_of_a_file_are_told_at_once_and_not_without_end() {
    let (entries, problems) = read_text("x\n* * * * * name=A value=1\n99 * * * * name= value=x\n");
    assert_eq!((entries.len(), problems.len()), (1, 4), "{problems:?}");
    let cut_off = |problems: &[String]| {
        problems[problems.len() - 1].contains("problems, which are not shown")
    };
    let (_, problems) = read_text(&"x\n".repeat(PROBLEMS_MAX));
    assert_eq!(problems.len(), PROBLEMS_MAX);
    assert!(!cut_off(&problems), "{problems:?}");
    // The last line that is read has two.
    let two = "99 * * * * name=A value=x\n";
    for end in ["x\n", two, "x\nx\n"] {
        let (_, problems) = read_text(&("x\n".repeat(PROBLEMS_MAX - 1) + two + end));
        assert_eq!(problems.len(), PROBLEMS_MAX + 1);
        assert!(cut_off(&problems), "{problems:?}");
    }
}

#[test]
fn credentials_in_a_refused_line_are_not_shown() {
    let (_, found) = read(
        "crontab".as_ref(),
        "* * * * * name= value=http://me:secret@host/",
        &Defaults::default(),
    );
    let shown = format!("{found:?}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn what_is_beyond_a_bound_is_refused_and_the_bound_itself_is_not() {
    let fill = |length: usize| format!("* * * * * name=A value=1 # {}", "x".repeat(length - 27));
    assert_eq!(entries(&fill(LINE_MAX)).len(), 1);
    let line = "* * * * * name=A value=1\n";
    let comments = "#\n".repeat(LINES_MAX - 1);
    let lines = line.to_owned() + &comments;
    assert_eq!(entries(&lines).len(), 1);
    let metrics = line.repeat(ENTRIES_MAX);
    assert_eq!(entries(&metrics).len(), ENTRIES_MAX);
    for (text, place, part) in [
        (
            fill(LINE_MAX + 1),
            "1:1",
            "the line has more than 65536 bytes",
        ),
        (lines + "#", "100001:1", "more than 100000 lines"),
        (metrics + line, "10001:1", "more than 10000 metrics"),
    ] {
        let (_, problems) = read_text(&text);
        let [problem] = &problems[..] else {
            panic!("{problems:?}")
        };
        let expected = format!("crontab:{place}: ");
        assert!(
            problem.starts_with(&expected) && problem.contains(part),
            "{problem}"
        );
    }
}

#[test]
fn problems_that_are_not_shown_are_counted() {
    let (_, problems) = read_text(&"x\n".repeat(1000));
    let last = &problems[PROBLEMS_MAX];
    assert_eq!(
        last,
        "crontab:101:1: and 900 more problems, which are not shown"
    );
}

#[test]
fn lines_of_one_schedule_share_it() {
    let text = "*/5 * * * * name=A value=1\n*/5  * * * * name=B value=1\nCRON_TZ=Asia/Tokyo\n*/5 * * * * name=C value=1\n";
    let entries = entries(text);
    let zones = entries
        .iter()
        .map(|entry| entry.schedule.zone().to_string());
    assert_eq!(zones.collect::<Vec<_>>(), ["UTC", "UTC", "Asia/Tokyo"]);
    assert_eq!(entries[0].schedule, entries[1].schedule);
}
