//! `${NAME}` and `${NAME:-default}`, as Docker Compose has them: the environment's variables
//! in the values of a crontab. `$$` is a dollar, and any other dollar stands for itself, for
//! commands and the regular expressions of series have their own.

use std::fmt;
use std::sync::Arc;

use diagnostics::{Hidden, did_you_mean, nearest};
use metric_source::FromVariable;
use settings::Environment;

use super::limits::{LINE_MAX, SIZE_MAX, SUBSTITUTIONS_MAX};

/// What is put into one crontab.
pub(crate) struct Substitution {
    environment: Arc<Environment>,
    /// How many bytes may still be put in.
    room: usize,
}

/// A text with what its variables stand for.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Substituted {
    pub(crate) text: String,
    pub(crate) variables: Vec<FromVariable>,
    /// Which of the dollars begins what others would take for a variable, if one does.
    pub(crate) bare: Option<usize>,
}

/// What is wrong, and behind how many dollars.
#[derive(Debug)]
pub(crate) struct SubstitutionError {
    pub(crate) dollar: usize,
    pub(crate) kind: SubstitutionErrorKind,
}

/// Why something cannot be put in. None says what stands there: a dollar may be of a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubstitutionErrorKind {
    #[error("the brace behind the dollar is not closed, write ${{NAME}}, or $${{ for the text")]
    Open,
    #[error(
        "no name of a variable is between the braces, write ${{NAME}} with letters, digits and \
         underscores, or $${{ for the text"
    )]
    Name,
    #[error(
        "only ${{NAME}} and ${{NAME:-default}} are known; write $${{ to leave the text to a program"
    )]
    Operator,
    #[error("a default holds no variable of its own, write ${{NAME:-text}}")]
    Nested,
    #[error("the variable is not set or is empty{} set it, or write ${{NAME:-default}}", .0)]
    Unset(NearestSet),
    #[error("what the variable holds is not UTF-8 text")]
    NotText,
    #[error("with what its variables hold it is longer than {LINE_MAX} bytes, the most of a line")]
    LongText,
    #[error("more than {SUBSTITUTIONS_MAX} variables stand in one value")]
    TooMany,
    #[error(
        "the variables of this crontab hold more than {SIZE_MAX} bytes, the most that is put in"
    )]
    LongVariables,
    #[error("a variable is written ${{NAME}}; write $$ for a dollar that stands for itself")]
    Bare,
}

/// The variable that was meant, looked for only if it is told: there may be many.
#[derive(Debug)]
pub(crate) struct NearestSet {
    given: Hidden,
    environment: Arc<Environment>,
}

impl fmt::Display for NearestSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_set = |name: &&str| self.environment.variable(name).is_some();
        let names = self.environment.names().filter(is_set);
        f.write_str(&did_you_mean(nearest(self.given.as_str(), names)))
    }
}

impl Substitution {
    pub(crate) fn new(environment: Arc<Environment>) -> Self {
        Self {
            environment,
            room: SIZE_MAX,
        }
    }

    /// The text with what its variables stand for.
    pub(crate) fn apply(&mut self, text: &str) -> Result<Substituted, SubstitutionError> {
        let mut all = Substituted::default();
        let (mut rest, mut dollars) = (text, 0);
        while let Some((before, behind)) = rest.split_once('$') {
            all.text.push_str(before);
            let fail = |kind| SubstitutionError {
                dollar: dollars,
                kind,
            };
            if let Some(behind) = behind.strip_prefix('$') {
                all.text.push('$');
                rest = behind;
                dollars += 2;
            } else if let Some(behind) = behind.strip_prefix('{') {
                let (inner, behind) = behind
                    .split_once('}')
                    .ok_or_else(|| fail(SubstitutionErrorKind::Open))?;
                self.put(inner, &mut all).map_err(fail)?;
                rest = behind;
                dollars += 1 + inner.matches('$').count();
            } else {
                if behind.starts_with(begins_name) || behind.starts_with('(') {
                    all.bare.get_or_insert(dollars);
                }
                all.text.push('$');
                rest = behind;
                dollars += 1;
            }
        }
        all.text.push_str(rest);
        Ok(all)
    }

    /// Puts in what stands between the braces.
    fn put(&mut self, inner: &str, all: &mut Substituted) -> Result<(), SubstitutionErrorKind> {
        let name_end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, operator) = inner.split_at(name_end.unwrap_or(inner.len()));
        if !name.starts_with(begins_name) {
            return Err(SubstitutionErrorKind::Name);
        }
        let default = match operator.strip_prefix(":-") {
            Some(default) if default.contains("${") => return Err(SubstitutionErrorKind::Nested),
            Some(default) => Some(default.replace("$$", "$")),
            None if operator.is_empty() => None,
            None if operator.starts_with(char::is_whitespace) => {
                return Err(SubstitutionErrorKind::Name);
            }
            None => return Err(SubstitutionErrorKind::Operator),
        };
        let value = self.value(name, default)?;
        if all.variables.len() == SUBSTITUTIONS_MAX {
            return Err(SubstitutionErrorKind::TooMany);
        }
        if all.text.len() + value.len() > LINE_MAX {
            return Err(SubstitutionErrorKind::LongText);
        }
        self.room = self
            .room
            .checked_sub(value.len())
            .ok_or(SubstitutionErrorKind::LongVariables)?;
        let start = all.text.len();
        all.text.push_str(&value);
        all.variables.push(FromVariable {
            name: name.into(),
            range: start..all.text.len(),
        });
        Ok(())
    }

    fn value(&self, name: &str, default: Option<String>) -> Result<String, SubstitutionErrorKind> {
        if let Some(value) = self.environment.variable(name) {
            return Ok(value.to_owned());
        }
        if self.environment.unreadable().any(|known| known == name) {
            return Err(SubstitutionErrorKind::NotText);
        }
        default.ok_or_else(|| {
            SubstitutionErrorKind::Unset(NearestSet {
                given: Hidden::new(name),
                environment: self.environment.clone(),
            })
        })
    }
}

fn begins_name(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Arc<Environment> {
        let variables = [("HOST", "web-1"), ("EMPTY", ""), ("LONG", "x")];
        let mut variables = variables.map(|(n, v)| (n.to_owned(), v.to_owned()));
        variables[2].1 = "x".repeat(LINE_MAX);
        let pairs = variables.map(|(n, v)| (n.into(), v.into()));
        Arc::new(pairs.into_iter().collect())
    }

    #[test]
    fn variables_defaults_and_dollars_are_put_in() {
        let environment = environment();
        for (text, expected) in [
            ("a${HOST}b", "aweb-1b"),
            ("${HOST}${HOST}", "web-1web-1"),
            ("${HOST:-x}", "web-1"),
            ("${NONE:-x y}", "x y"),
            ("${NONE:-}", ""),
            ("${EMPTY:-a:-b=c,d}", "a:-b=c,d"),
            ("${NONE:-$$x$}", "$x$"),
            ("$${HOST}", "${HOST}"),
            ("$$$${HOST}", "$${HOST}"),
            ("$$${HOST}", "$web-1"),
            ("5..$\" $1 $", "5..$\" $1 $"),
            ("a$HOST", "a$HOST"),
            ("é${HOST}é", "éweb-1é"),
        ] {
            let substituted = Substitution::new(environment.clone()).apply(text).unwrap();
            assert_eq!(substituted.text, expected, "{text}");
        }
    }

    #[test]
    fn place_and_name_of_each_variable_are_kept() {
        let environment = environment();
        let made = Substitution::new(environment.clone()).apply("$$a${HOST}/${NONE:-é}b $HOST");
        let made = made.unwrap();
        let variables = made.variables.iter();
        let told: Vec<_> = variables
            .map(|of| (&*of.name, &made.text[of.range.clone()]))
            .collect();
        assert_eq!(told, [("HOST", "web-1"), ("NONE", "é")]);
        assert_eq!(made.bare, Some(4));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_dollar_and_not_by_its_text() {
        let environment = environment();
        let many = "${HOST}".repeat(SUBSTITUTIONS_MAX + 1);
        for (text, dollar, part) in [
            ("a${HOST", 0, "not closed"),
            ("$$ ${}", 2, "no name"),
            ("${1A}", 0, "no name"),
            ("${ HOST}", 0, "no name"),
            ("${HOST }", 0, "no name"),
            ("${Sécret}", 0, "only ${NAME}"),
            ("$ ${HOST-x}", 1, "only ${NAME}"),
            ("${HOST:?x}", 0, "only ${NAME}"),
            ("${HOST:=x}", 0, "only ${NAME}"),
            ("${HOST#x}", 0, "only ${NAME}"),
            ("${A:-${B}}", 0, "of its own"),
            ("${HOTS}", 0, "did you mean HOST? set it"),
            ("${EMPTY}", 0, "not set or is empty; set it"),
            ("${LONG}${HOST}", 1, "longer than 65536"),
            (&many, SUBSTITUTIONS_MAX, "more than 100"),
        ] {
            let error = Substitution::new(environment.clone())
                .apply(text)
                .unwrap_err();
            assert_eq!(error.dollar, dollar, "{text}");
            let told = error.kind.to_string();
            assert!(told.contains(part), "{text}: {told}");
            assert!(!told.contains("cret"), "{text}: {told}");
        }
    }

    #[test]
    fn no_more_is_put_into_one_crontab_than_a_crontab_may_have() {
        let environment = environment();
        let mut substitution = Substitution::new(environment.clone());
        for _ in 0..SIZE_MAX / LINE_MAX {
            substitution.apply("${LONG}").unwrap();
        }
        let error = substitution.apply("${HOST}").unwrap_err().kind.to_string();
        assert!(error.contains("more than 2097152 bytes"), "{error}");
    }
}
