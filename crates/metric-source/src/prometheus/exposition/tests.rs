use std::fmt::Write;

use proptest::prelude::*;
use test_support::cases;

use super::*;

/// Every sample as `name{label=value,...} number @timestamp (Kind suffix)`.
fn shown(text: &str, format: Format) -> Result<Vec<String>, ExpositionError> {
    let line = |sample: Sample<'_>| {
        let mut line = sample.name.to_string();
        if !sample.labels.is_empty() {
            let labels: Vec<_> = sample
                .labels
                .iter()
                .map(|(n, v)| format!("{n}={}", v.escape_debug()))
                .collect();
            let _ = write!(line, "{{{}}}", labels.join(","));
        }
        let _ = write!(line, " {}", sample.value);
        if let Some(timestamp) = sample.timestamp {
            let _ = write!(line, " @{timestamp}");
        }
        let _ = write!(line, " ({:?} {})", sample.kind, sample.suffix);
        line
    };
    Exposition::new(text, format).map(|s| s.map(line)).collect()
}

fn text(text: &str) -> Vec<String> {
    shown(text, Format::Text).unwrap()
}

fn open(text: &str) -> Vec<String> {
    shown(&format!("{text}# EOF\n"), Format::OpenMetrics).unwrap()
}

#[test]
fn format_is_told_by_the_content_type() {
    for (content_type, format) in [
        ("", Format::Text),
        ("text/plain; version=0.0.4; charset=utf-8", Format::Text),
        (
            "application/openmetrics-text; version=1.0.0",
            Format::OpenMetrics,
        ),
        ("Application/OpenMetrics-Text", Format::OpenMetrics),
    ] {
        assert_eq!(Format::of(content_type), format, "{content_type}");
    }
}

#[test]
fn samples_of_the_text_format_are_read() {
    let page = include_str!("../../../tests/fixtures/prometheus/text.prom");
    let expected = include_str!("../../../tests/fixtures/prometheus/text.expected");
    assert_eq!(text(page), expected.lines().collect::<Vec<_>>());
}

#[test]
fn samples_of_openmetrics_are_read() {
    let page = include_str!("../../../tests/fixtures/prometheus/openmetrics.om");
    let expected = include_str!("../../../tests/fixtures/prometheus/openmetrics.expected");
    let samples = shown(page, Format::OpenMetrics).unwrap();
    assert_eq!(samples, expected.lines().collect::<Vec<_>>());
}

#[test]
fn counter_is_named_as_its_family_in_one_format_and_with_a_suffix_in_the_other() {
    let page = "# TYPE a counter\na 1\na_total 2\na_created 3\n";
    assert_eq!(
        text(page),
        [
            "a 1 (Counter )",
            "a_total 2 (Unknown )",
            "a_created 3 (Unknown )"
        ]
    );
    assert_eq!(
        open(page),
        [
            "a 1 (Counter )",
            "a_total 2 (Counter _total)",
            "a_created 3 (Counter _created)"
        ]
    );
}

#[test]
fn exemplar_may_hold_what_elsewhere_ends_a_line() {
    let line = "a_total 1 # {t=\"\\\"} # {\"} 2 3\n";
    assert_eq!(open(line), ["a_total 1 (Unknown )"]);
}

#[test]
fn type_holds_for_samples_that_do_not_follow_it_at_once() {
    let page = "# TYPE a counter\n# TYPE b gauge\na 1\nb 2\na{x=\"y\"} 3\n";
    assert_eq!(
        text(page),
        ["a 1 (Counter )", "b 2 (Gauge )", "a{x=y} 3 (Counter )"]
    );
}

#[test]
fn text_without_its_end_mark_is_refused_in_openmetrics_only() {
    assert_eq!(text("a 1"), ["a 1 (Unknown )"]);
    assert_eq!(text("a 1\n# EOF\nb 2\n").len(), 2);
    let cut = shown("a 1\n", Format::OpenMetrics);
    assert_eq!(cut, Err(ExpositionError::CutOff));
    let behind = shown("# EOF\na 1\n", Format::OpenMetrics);
    assert_eq!(behind, Err(ExpositionError::BehindEnd { line: 2 }));
    assert_eq!(shown("# EOF", Format::OpenMetrics), Ok(vec![]));
    assert_eq!(text(""), [""; 0]);
}

#[test]
fn malformed_lines_are_refused_with_their_number() {
    for (line, expected) in [
        ("a", "a number"),
        ("a b", "a number"),
        ("a 1_000", "a number"),
        ("a 1 2 3", "the end of the line"),
        ("a 1 x", "a number"),
        ("é 1", "the name of a metric"),
        ("9a 1", "the name of a metric"),
        ("{} 1", "the name of a metric"),
        ("a{\"b\"} 1", "one name only"),
        ("a{b} 1", "'=' and a label value"),
        ("a{b=c} 1", "a label value in quotes"),
        ("a{b=\"c} 1", "a closing quote"),
        ("a{b=\"c\"", "',' or '}'"),
        ("a{b=\"c\" d=\"e\"} 1", "',' or '}'"),
        ("a{b=\"c\",b=\"d\"} 1", "each label once"),
        ("a{b:c=\"d\"} 1", "a label name without ':'"),
        ("a{,} 1", "the name of a label"),
        ("# TYPE a", "a type such as counter or gauge"),
        ("# TYPE a apple", "a type such as counter or gauge"),
        ("a 1 # 2", "an exemplar such as {trace_id=\"a\"} 1"),
        ("a 1 # {b=\"c\"}", "a number"),
        ("a 1 # {b=\"c\"} 1 2 3", "the end of the line"),
    ] {
        let error = shown(&format!("ok 1\n\n{line}\n"), Format::Text).unwrap_err();
        let read = line.to_owned();
        let malformed = ExpositionError::Malformed {
            line: 3,
            expected,
            read,
        };
        assert_eq!(error, malformed, "{line}");
    }
}

#[test]
fn nothing_is_read_behind_an_error() {
    let mut samples = Exposition::new("a\nb 1\n", Format::Text);
    assert!(samples.next().unwrap().is_err());
    assert_eq!(samples.next(), None);
}

#[test]
fn labels_have_a_bound_and_each_stands_once() {
    let page = |names: &[String]| {
        let labels: Vec<_> = names.iter().map(|name| format!("{name}=\"\"")).collect();
        format!("m{{{}}} 1", labels.join(","))
    };
    let mut names: Vec<_> = (0..256).map(|i| format!("l{i}")).collect();
    assert_eq!(shown(&page(&names), Format::Text).unwrap().len(), 1);
    names.push("l256".to_owned());
    let error = shown(&page(&names), Format::Text).unwrap_err().to_string();
    assert!(error.contains("expected up to 256 labels"), "{error}");
    names.truncate(255);
    names.push("l0".to_owned());
    let error = shown(&page(&names), Format::Text).unwrap_err().to_string();
    assert!(error.contains("each label once"), "{error}");
}

/// Pieces of expositions, and now and then any character.
fn token() -> impl Strategy<Value = String> {
    const TOKENS: &[&str] = &[
        "#",
        " ",
        "TYPE",
        "HELP",
        "EOF",
        "counter",
        "summary",
        "a",
        "_sum",
        "_total",
        "{",
        "}",
        "=",
        "\"",
        "\\",
        ",",
        "\n",
        "\t",
        "\r",
        "1",
        "-",
        ".5e3",
        "NaN",
        "+Inf",
        "# TYPE a counter\n",
        "a{b=\"c\"} 1\n",
        "# EOF\n",
    ];
    prop_oneof![
        9 => prop::sample::select(TOKENS).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(cases(10_000))]

    #[test]
    fn any_text_is_read_or_refused(
        tokens in prop::collection::vec(token(), 0..40),
        is_open: bool,
    ) {
        let text = tokens.concat();
        let format = if is_open { Format::OpenMetrics } else { Format::Text };
        for sample in Exposition::new(&text, format) {
            let Ok(sample) = sample else { break };
            prop_assert!(!sample.name.is_empty());
            prop_assert!(sample.name.starts_with(sample.family()));
        }
    }

    #[test]
    fn sample_that_is_written_is_the_sample_that_is_read(
        name in "[a-z_:][a-z0-9_:]{0,8}",
        labels in prop::collection::vec(("[a-c]{1,2}", "[ab\\\\\"\n {}#,=\u{e9}]{0,6}"), 0..5),
        value in any::<f64>(),
        stamp in prop::option::of(-1_000_000_000_000_i64..1_000_000_000_000),
    ) {
        let mut line = name.clone();
        if !labels.is_empty() {
            let escaped = |text: &str| {
                text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
            };
            let written: Vec<_> = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let _ = write!(line, "{{{}}}", written.join(","));
        }
        let _ = write!(line, " {value}");
        if let Some(stamp) = stamp {
            let _ = write!(line, " {stamp}");
        }
        let names: std::collections::HashSet<_> = labels.iter().map(|(name, _)| name).collect();
        let read: Result<Vec<_>, _> = Exposition::new(&line, Format::Text).collect();
        if names.len() < labels.len() {
            prop_assert!(read.unwrap_err().to_string().contains("each label once"));
            return Ok(());
        }
        let [sample] = &read.unwrap()[..] else { panic!("no sample in {line}") };
        prop_assert_eq!(&sample.name, &name);
        prop_assert_eq!(sample.value.to_bits(), value.to_bits());
        prop_assert_eq!(sample.timestamp, stamp.map(|stamp| stamp as f64 / 1000.0));
        let read = sample.labels.iter().map(|(n, v)| (n.to_string(), v.to_string()));
        prop_assert_eq!(read.collect::<Vec<_>>(), labels);
    }
}
