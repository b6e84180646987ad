use proptest::prelude::*;

use super::super::exposition::{Exposition, Format};
use super::*;

const PAGE: &str = concat!(
    "# TYPE hits counter\nhits_total{a=\"x\"} 1\nhits_created{a=\"x\"} 9\n",
    "# TYPE time histogram\ntime_bucket{le=\"1\"} 2\ntime_bucket{le=\"+Inf\"} 3\n",
    "time_sum 4\ntime_count 3\n",
    "# TYPE wait summary\nwait{quantile=\"0.5\"} 5\nwait_sum 6\nwait_count 7\n",
    "# TYPE size gaugehistogram\nsize_bucket{le=\"+Inf\"} 1\nsize_gsum 1\nsize_gcount 1\n",
    "# TYPE temp gauge\ntemp{a=\"one\"} 1\ntemp{a=\"two\",b=\"x\\ny\"} 2\ntemp 3\n",
    "# TYPE build info\nbuild_info{v=\"1\"} 1\n# EOF\n",
);

fn selected(selector: &str) -> String {
    let selector: Selector = selector.parse().unwrap();
    let samples = Exposition::new(PAGE, Format::OpenMetrics).map(Result::unwrap);
    let selected = samples.filter(|sample| selector.matches(sample));
    let shown: Vec<_> = selected
        .map(|sample| format!("{}={}", sample.name, sample.value))
        .collect();
    shown.join(" ")
}

#[test]
fn name_means_a_sample_or_the_numbers_of_its_family() {
    for (selector, samples) in [
        ("hits_total", "hits_total=1"),
        ("hits", "hits_total=1"),
        ("hits_created", "hits_created=9"),
        ("time", "time_sum=4 time_count=3"),
        ("time_count", "time_count=3"),
        ("time_bucket{le='1'}", "time_bucket=2"),
        ("wait", "wait_sum=6 wait_count=7"),
        ("wait{quantile='0.5'}", "wait=5"),
        ("size", "size_gsum=1 size_gcount=1"),
        ("temp", "temp=1 temp=2 temp=3"),
        ("{\"temp\"}", "temp=1 temp=2 temp=3"),
        ("{__name__=\"temp\",a=\"one\"}", "temp=1"),
        ("build", "build_info=1"),
        ("absent", ""),
    ] {
        assert_eq!(selected(selector), samples, "{selector}");
    }
}

#[test]
fn labels_are_compared_as_prometheus_does() {
    for (selector, samples) in [
        ("temp{a=\"one\"}", "temp=1"),
        ("temp { a = 'one' , }", "temp=1"),
        ("temp{a!=\"one\"}", "temp=2 temp=3"),
        ("temp{a=\"\"}", "temp=3"),
        ("temp{a!=\"\",b=\"\"}", "temp=1"),
        ("temp{a=~\"on|tw\"}", ""),
        ("temp{a=~\"one|tw.\"}", "temp=1 temp=2"),
        ("temp{a!~\"t.*\"}", "temp=1 temp=3"),
        ("temp{a=~`t\\w+`}", "temp=2"),
        ("temp{a=~\"t\\w+\"}", "temp=2"),
        ("temp{b=~\"x.y\"}", "temp=2"),
        ("temp{b=\"x\\ny\"}", "temp=2"),
    ] {
        assert_eq!(selected(selector), samples, "{selector}");
    }
}

#[test]
fn what_is_no_selector_is_refused_with_the_place() {
    for (text, part) in [
        ("", "needs the name"),
        ("{}", "needs the name"),
        ("{a=\"x\"}", "needs the name"),
        ("{__name__=~\"a.*\"}", "needs the name"),
        ("up{", "expected the name of a label"),
        ("up{a}", "expected =, !=, =~ or !~"),
        ("up{a=x}", "expected a value in quotes at \"x}\""),
        ("up{a=\"x}", "expected a closing quote"),
        ("up{a=\"x\" b=\"y\"}", "expected ',' or '}'"),
        ("up{\"down\"}", "expected one name only"),
        ("up{a=\"x\"} offset", "at \"offset\""),
        ("9up", "expected the name of a metric"),
        ("up{a=~\"(\"}", "the regular expression \"(\""),
        ("up{a=~\"x)|(y\"}", "the regular expression"),
        ("up{a=~\"\\\\pL\"}", "Unicode classes"),
    ] {
        let error = text.parse::<Selector>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// Pieces of selectors, and now and then any character.
fn token() -> impl Strategy<Value = String> {
    const TOKENS: &[&str] = &[
        "a",
        "__name__",
        "{",
        "}",
        "=",
        "=~",
        "!=",
        "!~",
        "\"",
        "'",
        "`",
        "\\",
        ",",
        " ",
        "(",
        "*",
        "a=\"b\"",
        "a=~\"b.*\"",
    ];
    prop_oneof![
        9 => prop::sample::select(TOKENS).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(tokens in prop::collection::vec(token(), 0..20)) {
        let text = tokens.concat();
        if let Ok(selector) = text.parse::<Selector>() {
            prop_assert!(!selector.name().is_empty());
        }
    }
}
