//! The region that requests go to.

use std::fmt;

use settings::{Diagnostics, Environment, digits};

/// The variables that name it, the first that is set counts.
const VARIABLES: &[&str] = &["AWS_REGION", "AWS_DEFAULT_REGION"];

/// Why a text names no region, and what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no region name, use one such as us-east-1, eu-central-1 or ap-southeast-2")]
pub struct RegionError;

/// The name of a region, for example `ap-southeast-2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region(String);

impl Region {
    /// Whether the environment names one, so that no profile has to.
    #[must_use]
    pub fn is_named(environment: &Environment) -> bool {
        let is_set = |name: &&str| environment.variable(name).is_some();
        VARIABLES.iter().any(is_set)
    }

    /// Reads it from the environment or, where that names none, takes that of the profile.
    pub fn read(
        environment: &Environment,
        of_profile: Option<&str>,
        findings: &mut Diagnostics,
    ) -> Option<Self> {
        let named = VARIABLES
            .iter()
            .find_map(|name| Some((*name, environment.variable(name)?)))
            .or_else(|| Some(("the region of the AWS profile", of_profile?)));
        let Some((name, text)) = named else {
            findings.problem(
                VARIABLES[0],
                "no region is set, give one such as AWS_REGION=us-east-1",
            );
            return None;
        };
        match Self::parse(text) {
            Ok(region) => Some(region),
            Err(error) => {
                findings.refused(name, text, error);
                None
            }
        }
    }

    /// The name as AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks the shape alone: new regions appear without notice. All names so far are
    /// two or more words and a number.
    pub fn parse(text: &str) -> Result<Self, RegionError> {
        let parts: Vec<&str> = text.split('-').collect();
        let is_word = |part: &&str| {
            (2..=12).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase())
        };
        let is_number = |part: &str| part.len() <= 2 && digits(part).is_some_and(|n| n > 0);
        match parts.split_last() {
            Some((number, words))
                if (2..=4).contains(&words.len())
                    && words.iter().all(is_word)
                    && is_number(number) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(RegionError),
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_every_partition_are_known_by_their_shape() {
        for good in [
            "us-east-1",
            "ap-southeast-2",
            "us-gov-west-1",
            "us-isob-east-1",
            "cn-northwest-1",
            "eusc-de-east-1",
            "mx-central-1",
        ] {
            assert!(Region::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "invalid-region",
            "us-east",
            "US-EAST-1",
            "us-east-1a",
            "us_east_1",
            "us-east-0",
            "us-east-+1",
            "1",
            "us-east-1 ",
            "",
        ] {
            assert!(Region::parse(bad).is_err(), "{bad:?}");
        }
    }
}
