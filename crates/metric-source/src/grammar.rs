//! The grammar of a value: which source a text means.

use std::sync::Arc;

use cloudwatch_metric::MetricError;
use diagnostics::{Hidden, did_you_mean, nearest};

use crate::{
    Options, Source, constant, ecs, exec, file, host, http, probe, prometheus, random, timestamp,
};

/// The forms of a value, each with the example that error messages show.
const FORMS: &[(&str, &str)] = &[
    ("random", "random:1-100"),
    ("timestamp", "timestamp"),
    ("file", "file:/run/queue/depth"),
    ("http", "http://127.0.0.1:8080/stats#/queue/depth"),
    ("https", "https://example.com/stats"),
    ("up", "up:tcp://127.0.0.1:5432"),
    ("latency", "latency:https://example.com/health"),
    (
        "prometheus",
        "prometheus:http://127.0.0.1:9100/metrics#node_load1",
    ),
    ("exec", "exec:/usr/bin/count 'a b'"),
    ("host", "host:disk:/data"),
    ("ecs", "ecs:memory_percent"),
];

/// Why a text is not a source.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseSourceError {
    #[error("no value is given, write a number or a source such as {}", examples())]
    Empty,
    #[error("{}neither a number nor a source{} sources are {}", shown_kind(.given.as_str()), did_you_mean(nearest_kind(.given.as_str())), examples())]
    Unknown { given: Hidden },
    #[error(
        "no source with what its variables stand for, look at their values; sources are {}",
        examples()
    )]
    Variables,
    #[error("the number begins with a plus sign, write it without")]
    Plus,
    #[error(transparent)]
    Value(#[from] MetricError),
    #[error(transparent)]
    Random(#[from] random::ParseRandomError),
    #[error(transparent)]
    File(#[from] file::ParseFileError),
    #[error(transparent)]
    Http(#[from] http::ParseHttpError),
    #[error(transparent)]
    Prometheus(#[from] prometheus::ParsePrometheusError),
    #[error(transparent)]
    Exec(#[from] exec::ParseExecError),
    #[error(transparent)]
    Host(#[from] host::ParseHostError),
    #[error(transparent)]
    Ecs(#[from] ecs::ParseEcsError),
    #[error(transparent)]
    Probe(#[from] probe::ParseProbeError),
}

/// Reads one value of the grammar.
pub fn parse(text: &str, options: &Options) -> Result<Arc<dyn Source>, ParseSourceError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ParseSourceError::Empty);
    }
    if let Ok(number) = text.parse::<f64>() {
        if text.starts_with('+') {
            return Err(ParseSourceError::Plus);
        }
        return Ok(Arc::new(constant::Constant::new(number)?));
    }
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    match kind {
        "timestamp" if text == kind => Ok(Arc::new(timestamp::Timestamp)),
        "random" => Ok(Arc::new(rest.parse::<random::Random>()?)),
        "file" => Ok(Arc::new(rest.parse::<file::File>()?)),
        "prometheus" => Ok(Arc::new(prometheus::Prometheus::new(rest, options)?)),
        "up" => Ok(Arc::new(probe::Up::new(rest, options)?)),
        "latency" => Ok(Arc::new(probe::Latency::new(rest, options)?)),
        "http" | "https" => Ok(Arc::new(http::Http::new(text, options)?)),
        "exec" => Ok(Arc::new(rest.parse::<exec::Exec>()?)),
        "host" => Ok(Arc::new(rest.parse::<host::Host>()?)),
        "ecs" => Ok(Arc::new(ecs::Ecs::new(rest, options)?)),
        _ => Err(ParseSourceError::Unknown {
            given: Hidden::new(text),
        }),
    }
}

/// The word that each form begins with.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|(kind, _)| *kind)
}

fn examples() -> String {
    let examples: Vec<_> = FORMS.iter().map(|(_, example)| *example).collect();
    examples.join(", ")
}

/// The word before the colon, if it can be a kind of source: what stands behind it, and
/// anything else in its place, may hold a secret.
fn shown_kind(given: &str) -> String {
    const LENGTH_MAX: usize = 12;
    match given.split_once(':') {
        Some((kind, _))
            if (1..=LENGTH_MAX).contains(&kind.len())
                && kind.bytes().all(|b| b.is_ascii_alphabetic()) =>
        {
            format!("{kind}: begins ")
        }
        _ => String::new(),
    }
}

/// The kind that was meant by the word before the colon.
fn nearest_kind(given: &str) -> Option<&'static str> {
    let kind = given.split(':').next().unwrap_or(given);
    nearest(kind, FORMS.iter().map(|(name, _)| *name))
}

#[cfg(test)]
mod tests {
    use cloudwatch_metric::Value;
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;
    use crate::Tick;

    #[test]
    fn unknown_source_is_answered_with_the_nearest_and_the_forms() {
        let error = parse("fiel:/x", &Options::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("did you mean file? sources are random:1-100"),
            "{error}"
        );
        let error = parse("ftp://host/x", &Options::default());
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("nor a source; sources are random:1-100"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn every_form_is_told_from_the_others() {
        let source = parse(" 4.5 ", &Options::default()).unwrap();
        let readings = source.sample(&Tick::for_test()).await.unwrap().readings;
        assert_eq!(readings, [Value::try_from(4.5).unwrap().into()]);
        let options = Options {
            ecs_metadata_uri: Some("http://169.254.170.2/v4/1".to_owned()),
            ..Options::default()
        };
        for (_, example) in FORMS {
            parse(example, &options).unwrap();
        }
    }

    #[test]
    fn number_has_no_plus_sign_and_its_exponent_may_have_one() {
        let options = Options::default();
        for good in ["42", "-0.5", "1e3", "1e+3"] {
            parse(good, &options).unwrap();
        }
        let error = parse("+5", &options).unwrap_err().to_string();
        assert!(error.contains("without"), "{error}");
        assert!(parse("up:http://host:+80/", &options).is_err());
    }

    proptest! {
        #![proptest_config(cases(10_000))]

        #[test]
        fn no_text_makes_the_parser_panic(
            kind in prop::sample::select(vec![
                "", "random:", "timestamp", "file:", "http://", "https://", "prometheus:http://",
                "up:", "latency:tcp://", "exec:", "ecs:", "host:",
            ]),
            rest in prop_oneof![any::<String>(), "[a-z0-9.:/@#~?%{}\"'=,\\\\ \\[\\]-]{0,60}"],
        ) {
            let _ = parse(&format!("{kind}{rest}"), &Options::default());
        }
    }
}
