use proptest::prelude::*;
use test_support::cases;

use super::super::exposition::Exposition;
use super::super::sample::Format;
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
    let selected = samples.filter(|sample| selector.matches(sample, &Wanted::default()).unwrap());
    let shown: Vec<_> = selected
        .map(|sample| format!("{}={}", sample.name, sample.value))
        .collect();
    shown.join(" ")
}

#[test]
fn expressions_share_the_size_that_a_selector_may_have() {
    let of = |count: usize, expression: &str| {
        let matchers: Vec<_> = (0..count)
            .map(|i| format!("a{i}=~'{expression}'"))
            .collect();
        format!("m{{{}}}", matchers.join(",")).parse::<Selector>()
    };
    for (count, expression, is_taken) in [
        (1, "([a-z]{1,300})*x", true),
        (100, "([a-z]{1,300})*x", false),
        (100, "prod-.*", true),
    ] {
        assert_eq!(
            of(count, expression).is_ok(),
            is_taken,
            "{count} {expression}"
        );
    }
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
        ("up{a=x}", "expected a value in quotes at character 6 of"),
        ("up{a=\"x}", "expected a closing quote"),
        ("up{a=\"x\" b=\"y\"}", "expected ',' or '}'"),
        ("up{\"down\"}", "expected one name only"),
        ("up{a=\"x\"} offset", "at character 11 of"),
        ("9up", "expected the name of a metric"),
        ("up{a=~\"(\"}", "a regular expression"),
        ("up{a=~\"x)|(y\"}", "a regular expression"),
        ("up{a=~\"\\\\pL\"}", "Unicode classes"),
    ] {
        let error = text.parse::<Selector>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn selector_and_its_expressions_have_a_bound() {
    let refused = |text: &str| text.parse::<Selector>().unwrap_err().to_string();
    let of_length = |length: usize| format!("m{{a=\"{}\"}}", "x".repeat(length - 7));
    of_length(4096).parse::<Selector>().unwrap();
    assert!(refused(&of_length(4097)).contains("4097 bytes long"));
    // What is written out fits.
    let names: Vec<_> = (0..180)
        .map(|i| format!("pod-of-some-name-{i:04}"))
        .collect();
    let names = format!("m{{a=~\"{}\"}}", names.join("|"));
    names.parse::<Selector>().unwrap();
    for large in [
        "([a-z]{1,300}){300}",
        "((a{100}){100}){100}",
        "(x{1000}){1000}",
    ] {
        let error = refused(&format!("m{{a=~\"{large}\"}}"));
        assert!(
            error.contains("repetitions must not make it large"),
            "{error}"
        );
    }
}

#[test]
fn long_value_is_compared_with_no_expression() {
    let text = |length: usize| format!("m{{a=\"{}\"}} 1", "a".repeat(length));
    let matches = |selector: &str, text: &str| {
        let sample = Exposition::new(text, Format::Text).next().unwrap().unwrap();
        let selector: Selector = selector.parse().unwrap();
        selector.matches(&sample, &Wanted::default())
    };
    let (longest, longer) = (text(4096), text(4097));
    assert_eq!(matches("m{a=~'a*'}", &longest), Ok(true));
    let error = matches("m{a=~'a*'}", &longer).unwrap_err().to_string();
    assert!(error.contains("the label a has 4097 bytes"), "{error}");
    assert_eq!(matches("m{a!='b'}", &longer), Ok(true));
    assert_eq!(matches("n{a=~'a*'}", &longer), Ok(false));
}

/// As long as it is wanted, that is: each of these comparisons takes 0.1 s.
#[test]
fn comparison_that_is_not_wanted_any_more_ends() {
    let page = format!("m{{a=\"{}\"}} 1", "a".repeat(4096));
    let sample = Exposition::new(&page, Format::Text)
        .next()
        .unwrap()
        .unwrap();
    let selector: Selector = "m{a=~'([a-z]{1,300})*x'}".parse().unwrap();
    let stopped = selector.matches(&sample, &Wanted::stopped());
    assert_eq!(stopped, Err(MatchError::Stopped(Stopped)));
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
    #![proptest_config(cases(10_000))]

    #[test]
    fn any_text_is_read_or_refused(tokens in prop::collection::vec(token(), 0..20)) {
        let text = tokens.concat();
        if let Ok(selector) = text.parse::<Selector>() {
            prop_assert!(!selector.name().is_empty());
            for sample in Exposition::new(PAGE, Format::OpenMetrics) {
                selector.matches(&sample.unwrap(), &Wanted::default()).unwrap();
            }
        }
    }

    #[test]
    fn selector_that_is_shown_is_the_selector(
        name in "[a-z]{1,4}",
        matchers in prop::collection::vec(
            ("[ab]", prop::sample::select(vec!["=", "!=", "=~", "!~"]), "[a-c|.*]{0,6}"),
            0..4,
        ),
        values in prop::array::uniform2("[a-c]{0,4}"),
    ) {
        let written: Vec<_> = matchers
            .iter()
            .map(|(label, operator, value)| format!("{label}{operator}\"{value}\""))
            .collect();
        let text = format!("{name}{{{}}}", written.join(","));
        let Ok(selector) = text.parse::<Selector>() else { return Ok(()) };
        let again: Selector = selector.to_string().parse().unwrap();
        prop_assert_eq!(again.to_string(), selector.to_string());
        let page = format!("{name}{{a=\"{}\",b=\"{}\"}} 1", values[0], values[1]);
        let sample = Exposition::new(&page, Format::Text).next().unwrap().unwrap();
        let matches = selector.matches(&sample, &Wanted::default()).unwrap();
        // Alternatives of letters are compared one by one; other expressions are not told.
        let expected = matchers.iter().map(|(label, operator, value)| {
            let found = &values[usize::from(label == "b")];
            let is_match = if operator.ends_with('~') {
                if value.contains(['.', '*']) {
                    return None;
                }
                value.split('|').any(|value| value == found)
            } else {
                value == found
            };
            Some(is_match != operator.starts_with('!'))
        });
        if let Some(expected) = expected.collect::<Option<Vec<_>>>() {
            prop_assert_eq!(matches, expected.into_iter().all(|holds| holds));
        }
    }
}
