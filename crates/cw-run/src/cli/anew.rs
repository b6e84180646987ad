//! Starts the program anew with the environment that its arguments ask for.
//!
//! The SDK reads the environment of the process, which can only be changed safely by the start of
//! a program: this one starts anew in its own place, with the same process id. What was given as
//! an argument and is a secret is not seen in `ps` from then on.

use std::ffi::{OsStr, OsString};

use aws_connection::{Reexec, empty_sdk_vars};

use crate::arguments::{ALL, Opt};

/// Options that the SDK only reads as variables.
const OF_THE_SDK: &[&str] = &[
    "aws-region",
    "aws-access-key-id",
    "aws-secret-access-key",
    "aws-session-token",
    "endpoint-url",
];

/// What is to be different; nothing if all is well. The arguments have been found to be sound.
pub(super) fn needed(arguments: &[OsString], variables: &[(OsString, OsString)]) -> Option<Reexec> {
    let mut change = Reexec {
        arguments: Vec::new(),
        set: Vec::new(),
        unset: empty_sdk_vars(variables),
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            change.arguments.push(word.clone());
            change.arguments.extend(words.by_ref().cloned());
            break;
        }
        match option(word) {
            Some((option, Some(value))) => change.set.push((option.variable, value.into())),
            Some((option, None)) => change
                .set
                .extend(words.next().map(|value| (option.variable, value.clone()))),
            None => change.arguments.push(word.clone()),
        }
    }
    let is_given = |name: &OsString| change.set.iter().any(|(set, _)| name == *set);
    change.unset.retain(|name| !is_given(name));
    (!change.set.is_empty() || !change.unset.is_empty()).then_some(change)
}

/// The option of the SDK that a word is, with its value if that stands in the same word.
fn option(word: &OsStr) -> Option<(&'static Opt, Option<&str>)> {
    let (name, value) = match word.to_str()?.strip_prefix("--")?.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word.to_str()?.strip_prefix("--")?, None),
    };
    let of_the_sdk = ALL
        .iter()
        .filter(|option| OF_THE_SDK.contains(&option.name));
    let mut named = of_the_sdk.filter(|option| option.name == name || option.also.contains(&name));
    Some((named.next()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(words: &[&str], variables: &[(&str, &str)]) -> Option<Reexec> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        needed(&words, &variables)
    }

    #[test]
    fn options_of_the_sdk_become_variables_and_leave_the_arguments() {
        let words = [
            "cw-run",
            "--group",
            "g",
            "--region",
            "us-east-1",
            "--aws-secret-access-key=x=y",
            "--",
            "alpine",
            "--region",
            "z",
        ];
        let change = change(&words, &[("AWS_PROFILE", ""), ("AWS_REGION", "")]).unwrap();
        assert_eq!(
            change.set,
            [
                ("AWS_REGION", "us-east-1".into()),
                ("AWS_SECRET_ACCESS_KEY", "x=y".into())
            ]
        );
        assert_eq!(
            change.arguments,
            ["cw-run", "--group", "g", "--", "alpine", "--region", "z"].map(OsString::from)
        );
        assert_eq!(change.unset, ["AWS_PROFILE"].map(OsString::from));
    }

    #[test]
    fn nothing_changes_without_a_reason() {
        assert_eq!(
            change(
                &["cw-run", "--group", "g", "--", "alpine"],
                &[("AWS_REGION", "us-east-1")]
            ),
            None
        );
    }
}
