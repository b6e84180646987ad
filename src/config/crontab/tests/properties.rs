//! What holds for every crontab, however odd.

use std::fmt::Write;
use std::time::{Duration, Instant};

use cloudwatch_metric::{Dimensions, Unit};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use settings::{Place, Problem};
use test_support::cases;

use super::*;

/// Reads a text and checks where its problems are.
fn read_any(text: &str) -> Result<Vec<Entry>, TestCaseError> {
    let (entries, found) = read("crontab".as_ref(), text, &Defaults::default());
    let problems = found.problems;
    prop_assert!(!entries.is_empty() || !problems.is_empty());
    prop_assert!(problems.len() <= PROBLEMS_MAX + 1);
    let lines: Vec<&str> = text.lines().collect();
    for Problem { place, message } in &problems {
        let Place::Line { line, column, .. } = place else {
            panic!("{place:?}");
        };
        let there = lines.get(line - 1).copied().unwrap_or_default();
        prop_assert!(*line <= lines.len().max(1), "{place}");
        prop_assert!(
            (1..=there.chars().count() + 1).contains(column),
            "{place} in {there:?}"
        );
        prop_assert!(!message.is_empty() && message.len() < 2000, "{message}");
        prop_assert!(!message.contains(char::is_control), "{message:?}");
    }
    Ok(entries)
}

/// Words that a crontab is made of, and what breaks them.
fn part() -> impl Strategy<Value = String> {
    let known = select(vec![
        "*",
        "*/5",
        "1-5",
        "@hourly",
        "5#2",
        "L",
        " ",
        "\t",
        "name=",
        "value=",
        "\"",
        "'",
        "\\",
        "#",
        "=",
        "unit=Count",
        "dimensions=",
        "A=1",
        ",",
        "random:",
        "1-2",
        "file:/",
        "CRON_TZ=",
        "UTC",
        "METRIC_UNIT=",
        "METRIC_DIMENSIONS=",
        "\n",
        "\r\n",
        "é",
        "\u{0}",
        "\u{feff}",
        "\u{2028}",
        "http://",
        "@",
        "prometheus:",
        "exec:/x",
        "* * * * * name=A value=1",
        "keep=",
        "$",
        "${",
        "}",
        "${A}",
        "${A:-b}",
        "COMMON_DIMENSIONS=",
        "task:id",
        "headers_file=/x",
        "max_series=9",
        "{a=\"b\"}",
    ]);
    prop_oneof![8 => known.prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)]
}

/// A text of printable ASCII that a name or a value may be.
fn name() -> impl Strategy<Value = String> {
    "[!-9;-~][ -~]{0,20}[!-~]"
}

/// Names of dimensions are told from their values by the first '=', one from another by commas.
fn dimension() -> impl Strategy<Value = (String, String)> {
    (
        "[A-Za-z][A-Za-z0-9_ .'\"\\\\#-]{0,10}[a-z]",
        "[!-+.-~][ -+.-~]{0,10}[!-+.-~]",
    )
}

/// One of the ways to write a word.
fn quoted(text: &str, way: u8) -> String {
    // A dollar that stands for itself.
    let text = &text.replace('$', "$$");
    match way % 3 {
        0 if !text.contains('\'') => format!("'{text}'"),
        1 => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        _ => text.chars().fold(String::new(), |mut word, character| {
            let _ = write!(word, "\\{character}");
            word
        }),
    }
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn any_text_is_read_without_a_panic_and_problems_are_where_there_is_text(
        text in prop_oneof![
            "(?s).{0,200}",
            vec(part(), 0..60).prop_map(|parts| parts.concat()),
        ]
    ) {
        read_any(&text)?;
    }

    #[test]
    fn sound_lines_are_read_back_as_they_were_meant(
        lines in vec(
            (
                name(),
                name().prop_filter("reserved", |namespace| !namespace.starts_with("AWS/")),
                vec(dimension(), 0..4),
                select(vec!["* * * * *", "*/7 * * * * *", "0 9 1-5 * *", "@daily"]),
                select(Unit::ALL),
                any::<i32>(),
                any::<u8>(),
            ),
            1..5,
        )
    ) {
        let mut text = String::new();
        for (name, namespace, dimensions, schedule, unit, value, way) in &lines {
            let dimensions = as_text(dimensions);
            let _ = writeln!(
                text,
                "{schedule} name={} value={value} namespace={} unit={unit} dimensions={} # end",
                quoted(name, *way),
                quoted(namespace, way / 3),
                quoted(&dimensions, way / 9),
            );
        }
        let entries = read_any(&text)?;
        prop_assume!(lines.iter().all(|line| as_text(&line.2).parse::<Dimensions>().is_ok()));
        prop_assert_eq!(entries.len(), lines.len(), "{}", text);
        for (entry, (name, namespace, dimensions, schedule, unit, value, _)) in
            entries.iter().zip(&lines)
        {
            let metric = &entry.metric;
            prop_assert_eq!(metric.name.as_str(), name);
            prop_assert_eq!(metric.namespace.as_str(), namespace);
            prop_assert_eq!(metric.dimensions.to_string(), as_text(dimensions));
            prop_assert_eq!(entry.schedule.as_str(), *schedule);
            prop_assert_eq!(metric.unit, *unit);
            prop_assert_eq!(entry.source_text.to_string(), value.to_string());
        }
    }
}

fn as_text(dimensions: &[(String, String)]) -> String {
    let pairs = dimensions
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}

/// What is quadratic in any of these takes minutes.
#[test]
fn time_grows_with_the_length_alone() {
    const LENGTH: usize = 512 * 1024;
    let long_list = format!("{} * * * * name=A value=1\n", vec!["1"; 20_000].join(","));
    for (what, line) in [
        ("one metric again and again", "* * * * * name=A value=1\n"),
        ("bad zones", "CRON_TZ=Europe/Nowhere\n"),
        ("bad variables", "METRIC_NAMSPACE=x\n"),
        ("bad keys", "* * * * * nmae=A value=1\n"),
        ("bad units", "* * * * * name=A value=1 unit=count\n"),
        ("bad sources", "* * * * * name=A value=fiel:/x\n"),
        ("bad fields", "99 * * * * name=A value=1\n"),
        ("long lists", &long_list),
        (
            "bad variables in values",
            "* * * * * name=${A} value=${B}\n",
        ),
        ("dollars without a line", "name=$$$ "),
        ("defaults without a line", "${A:-b}"),
        ("words without a line", "x "),
        ("pairs without a line", "name=A "),
        ("quotes without a line", "\"' "),
        ("one long word", "x"),
        ("blank lines", "\n"),
        ("comments", "# x\n"),
    ] {
        let text = line.repeat(LENGTH / line.len());
        let began = Instant::now();
        read_any(&text).unwrap();
        let took = began.elapsed();
        assert!(took < Duration::from_secs(20), "{what}: {took:?}");
    }
}
