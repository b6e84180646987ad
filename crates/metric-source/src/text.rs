//! A source as it was written and as it is shown: what is shown is put together from what
//! was read of it, so that no secret slips out with a text that looks odd.

use std::fmt;

use super::exec::Exec;
use super::http::HttpUrl;
use super::json::split_pointer;
use super::probe::Target;
use super::prometheus::Selector;
use super::variables::{FromVariable, StandIns, with_names};
use super::{Options, parse};

/// The text of a source, as it was written. It may hold secrets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SourceText {
    text: Box<str>,
    variables: Box<[FromVariable]>,
}

impl SourceText {
    /// Keeps a text that [`parse`] took.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self::with(text, &[])
    }

    /// Keeps a text that [`super::parse_with`] took.
    #[must_use]
    pub fn with(text: &str, variables: &[FromVariable]) -> Self {
        Self {
            text: text.into(),
            variables: variables.into(),
        }
    }

    /// The text, secrets included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = shown_with(&self.text, &self.variables);
        f.write_str(shown.as_deref().unwrap_or("…"))
    }
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceText({self})")
    }
}

/// What can be shown of a source: of a URL no user information and no query, of a program
/// no arguments. Nothing of a text that names no source.
#[must_use]
pub fn shown(text: &str) -> Option<String> {
    let text = text.trim();
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    match kind {
        "http" | "https" => {
            let (url, pointer) = split_pointer(text).ok()?;
            let url: HttpUrl = url.parse().ok()?;
            let pointer = pointer.map(|pointer| format!("#{pointer}"));
            Some(format!("{url}{}", pointer.unwrap_or_default()))
        }
        "prometheus" => {
            let (url, selector) = rest.split_once('#')?;
            let (url, selector): (HttpUrl, Selector) = (url.parse().ok()?, selector.parse().ok()?);
            Some(format!("{kind}:{url}#{selector}"))
        }
        "up" | "latency" => {
            let target: Target = rest.parse().ok()?;
            Some(format!("{kind}:{target}"))
        }
        "exec" => Some(rest.parse::<Exec>().ok()?.to_string()),
        // What remains has no place for a secret: numbers, paths and names of figures.
        _ => {
            let options = Options {
                ecs_metadata_uri: Some("http://localhost".to_owned()),
                ..Options::default()
            };
            parse(text, &options).ok()?;
            Some(text.to_owned())
        }
    }
}

/// What can be shown of a source, as of one without variables.
pub(crate) fn shown_with(text: &str, variables: &[FromVariable]) -> Option<String> {
    if variables.is_empty() {
        return shown(text);
    }
    let stand_ins = StandIns::new(text, variables);
    if let Some(shown) = shown(&stand_ins.text) {
        return Some(stand_ins.named(shown));
    }
    let of_variables: usize = variables.iter().map(|of| of.range.len()).sum();
    // No part that was written out may hold a secret then.
    (of_variables == text.len()).then(|| with_names(text, variables))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_shown_without_user_query_and_arguments() {
        for (text, expected) in [
            (" 4.5 ", "4.5"),
            ("random:1-100", "random:1-100"),
            ("file:/run/a b#/c", "file:/run/a b#/c"),
            ("host:disk:/data", "host:disk:/data"),
            ("ecs:cpu", "ecs:cpu"),
            (
                "http://h:8080/stats#/queue/0",
                "http://h:8080/stats#/queue/0",
            ),
            ("http://u:it's@h/a?t=x#/b", "http://h/a?…#/b"),
            ("http:/u:p@h/", "http://h/"),
            ("http://u:1/p@h/", "http://u:1/…"),
            ("http://u:1#/p@h/", "http://u:1/#…"),
            (
                "prometheus:https://u:p@h/m#a{b=\"c\"}",
                "prometheus:https://h/m#a{b=\"c\"}",
            ),
            ("up:tcp://h:1", "up:tcp://h:1/"),
            ("latency:http://u:p@h/?t", "latency:http://h/?…"),
            ("exec:/bin/x", "exec:/bin/x"),
            ("exec:'/bin/x' --pw s", "exec:/bin/x …"),
            ("exec:'/bin/x --pw s'", "exec:/bin/x…"),
            ("exec:/bin/x\\ --pw\\ s a", "exec:/bin/x… …"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "x",
            "http://u:p/s@h/",
            "exec:/x 's",
            "prometheus:http://h/",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
