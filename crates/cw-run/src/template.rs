//! Names of groups and streams, made for each container from what is known of it.

use std::collections::BTreeMap;
use std::fmt;

/// The longest name of a group or a stream (CloudWatch Logs API Reference, `CreateLogGroup`,
/// `CreateLogStream`), in characters.
const NAME_MAX: usize = 512;
/// What stands for a label that a container does not have.
const NO_LABEL: &str = "none";
/// Ids are shown by so many digits, as Docker shows them.
const SHORT_ID: usize = 12;

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A log group.
    Group,
    /// A log stream.
    Stream,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Nothing.
    #[error("it is empty")]
    Empty,
    /// Too long.
    #[error("it is longer than {NAME_MAX} characters")]
    TooLong,
    /// A brace without its other one.
    #[error(
        "a brace is left open, write {{name}}, {{id}}, {{full_id}}, {{image}}, {{label:NAME}} or {{date}}"
    )]
    Open,
    /// Something else between braces.
    #[error(
        "{{{0}}} is not known, write {{name}}, {{id}}, {{full_id}}, {{image}}, {{label:NAME}} or {{date}}"
    )]
    Unknown(String),
    /// A character that a group's name cannot have.
    #[error("{0:?} cannot be in a group's name, which takes letters, digits and _ - / . #")]
    GroupCharacter(char),
    /// A character that a stream's name cannot have.
    #[error("{0:?} cannot be in a stream's name")]
    StreamCharacter(char),
    /// The beginning that AWS keeps for itself.
    #[error("a group's name cannot begin with aws/")]
    Reserved,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name,
    Id,
    FullId,
    Image,
    Label(String),
    Date,
}

/// A name with places for what is known of a container.
///
/// ```
/// use cw_run::{Kind, Subject, Template};
///
/// let template = Template::parse(Kind::Group, "jobs/{label:app}").unwrap();
/// let mut subject = Subject::default();
/// subject.labels.insert("app".to_owned(), "web shop".to_owned());
/// assert_eq!(template.name_of(&subject), "jobs/web_shop");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    kind: Kind,
    parts: Vec<Part>,
}

/// What is known of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its image, as it was asked for.
    pub image: String,
    /// Its labels, those of the image included.
    pub labels: BTreeMap<String, String>,
    /// The day that it was taken up on, `2026-11-21`, UTC.
    pub date: String,
}

impl Template {
    /// Reads a template; what is text in it must be fit for a name.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, TemplateError> {
        if text.is_empty() {
            return Err(TemplateError::Empty);
        }
        if text.chars().nth(NAME_MAX).is_some() {
            return Err(TemplateError::TooLong);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            push_text(&mut parts, before);
            let inner = from.strip_prefix('{').ok_or(TemplateError::Open)?;
            let (field, behind) = inner.split_once('}').ok_or(TemplateError::Open)?;
            parts.push(Part::field(field)?);
            rest = behind;
        }
        push_text(&mut parts, rest);
        let template = Self { kind, parts };
        template.check()?;
        Ok(template)
    }

    fn check(&self) -> Result<(), TemplateError> {
        for part in &self.parts {
            let Part::Text(text) = part else { continue };
            if let Some(bad) = text.chars().find(|character| !fits(self.kind, *character)) {
                return Err(match self.kind {
                    Kind::Group => TemplateError::GroupCharacter(bad),
                    Kind::Stream => TemplateError::StreamCharacter(bad),
                });
            }
        }
        match self.parts.first() {
            Some(Part::Text(text)) if self.kind == Kind::Group && text.starts_with("aws/") => {
                Err(TemplateError::Reserved)
            }
            _ => Ok(()),
        }
    }

    /// The name for a container. Characters that a name cannot have become `_`, a missing label
    /// `none`, and what is longer than 512 characters is cut there.
    #[must_use]
    pub fn name_of(&self, subject: &Subject) -> String {
        let mut name = String::new();
        for part in &self.parts {
            let value = part.value(subject);
            name.extend(value.chars().map(|character| {
                if fits(self.kind, character) {
                    character
                } else {
                    '_'
                }
            }));
        }
        if self.kind == Kind::Group && name.starts_with("aws/") {
            name.replace_range(3..4, "_");
        }
        if name.is_empty() {
            name.push_str(NO_LABEL);
        }
        name.chars().take(NAME_MAX).collect()
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// `CreateLogGroup`: `[\.\-_/#A-Za-z0-9]+`; `CreateLogStream`: `[^:*]*`. Control characters pass
/// there, but nobody could write such a name.
fn fits(kind: Kind, character: char) -> bool {
    match kind {
        Kind::Group => character.is_ascii_alphanumeric() || "_-/.#".contains(character),
        Kind::Stream => !character.is_control() && !":*".contains(character),
    }
}

impl Part {
    fn field(text: &str) -> Result<Self, TemplateError> {
        Ok(match text {
            "name" => Self::Name,
            "id" => Self::Id,
            "full_id" => Self::FullId,
            "image" => Self::Image,
            "date" => Self::Date,
            _ => match text.strip_prefix("label:") {
                Some(label) if !label.is_empty() => Self::Label(label.to_owned()),
                _ => return Err(TemplateError::Unknown(diagnostics::redacted_prefix(text))),
            },
        })
    }

    fn value<'a>(&'a self, subject: &'a Subject) -> &'a str {
        match self {
            Self::Text(text) => text,
            Self::Name => &subject.name,
            Self::Id => subject.id.get(..SHORT_ID).unwrap_or(&subject.id),
            Self::FullId => &subject.id,
            Self::Image => &subject.image,
            Self::Date => &subject.date,
            Self::Label(label) => match subject.labels.get(label).map(String::as_str) {
                None | Some("") => NO_LABEL,
                Some(value) => value,
            },
        }
    }
}

/// As it was written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => f.write_str(text)?,
                Part::Name => f.write_str("{name}")?,
                Part::Id => f.write_str("{id}")?,
                Part::FullId => f.write_str("{full_id}")?,
                Part::Image => f.write_str("{image}")?,
                Part::Date => f.write_str("{date}")?,
                Part::Label(label) => write!(f, "{{label:{label}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;

    fn subject() -> Subject {
        Subject {
            name: "web".to_owned(),
            id: "0123456789abcdef".repeat(4),
            image: "registry:5000/shop:1".to_owned(),
            labels: [("app", "shop"), ("bad", "a:b*c d"), ("empty", "")]
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .into(),
            date: "2026-11-21".to_owned(),
        }
    }

    #[test]
    fn places_are_filled() {
        for (kind, text, name) in [
            (Kind::Group, "jobs", "jobs"),
            (Kind::Stream, "{name}/{id}", "web/0123456789ab"),
            (Kind::Stream, "{full_id}", &*"0123456789abcdef".repeat(4)),
            (Kind::Group, "{image}", "registry_5000/shop_1"),
            (Kind::Stream, "{label:bad}", "a_b_c d"),
            (Kind::Group, "{label:bad}", "a_b_c_d"),
            (Kind::Group, "{label:no}-{label:empty}", "none-none"),
            (Kind::Stream, "{date}", "2026-11-21"),
        ] {
            assert_eq!(
                Template::parse(kind, text).unwrap().name_of(&subject()),
                name,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (kind, text) in [
            (Kind::Group, ""),
            (Kind::Group, "a b"),
            (Kind::Group, "a:b"),
            (Kind::Group, "aws/x"),
            (Kind::Stream, "a:b"),
            (Kind::Stream, "a*"),
            (Kind::Stream, "a\n"),
            (Kind::Stream, "{name"),
            (Kind::Stream, "name}"),
            (Kind::Stream, "{nmae}"),
            (Kind::Stream, "{label:}"),
            (Kind::Stream, &"x".repeat(513)),
        ] {
            assert!(Template::parse(kind, text).is_err(), "{text}");
        }
        assert!(Template::parse(Kind::Stream, &"x".repeat(512)).is_ok());
    }

    #[test]
    fn reserved_beginning_that_a_label_brings_is_replaced() {
        let mut subject = subject();
        subject
            .labels
            .insert("app".to_owned(), "aws/lambda".to_owned());
        let template = Template::parse(Kind::Group, "{label:app}").unwrap();
        assert_eq!(template.name_of(&subject), "aws_lambda");
    }

    proptest! {
        #![proptest_config(cases(256))]
        #[test]
        fn every_name_is_one_that_the_service_takes(text in "[a-z/{}:*]{1,20}|\\{label:x\\}", label in ".{0,600}") {
            for kind in [Kind::Group, Kind::Stream] {
                let Ok(template) = Template::parse(kind, &text) else { continue };
                prop_assert_eq!(Template::parse(kind, &template.to_string()).unwrap(), template.clone());
                let mut subject = subject();
                subject.labels.insert("x".to_owned(), label.clone());
                let name = template.name_of(&subject);
                prop_assert!((1..=NAME_MAX).contains(&name.chars().count()));
                prop_assert!(name.chars().all(|c| fits(kind, c)));
                prop_assert!(kind == Kind::Stream || !name.starts_with("aws/"));
            }
        }
    }
}
