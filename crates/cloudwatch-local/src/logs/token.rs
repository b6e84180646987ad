//! Tokens that say where a reading goes on. To clients they are opaque, as the service's.

use std::fmt;
use std::str::FromStr;

use super::problems::invalid;
use super::store::Key;
use crate::refusal::Refusal;

/// A place between two events, and the direction in which to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) forward: bool,
    /// The event behind the place.
    pub(super) at: Key,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.forward { 'f' } else { 'b' };
        write!(f, "{direction}/{:019}{:020}", self.at.0, self.at.1)
    }
}

impl FromStr for Token {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let read = || {
            let forward = match text.get(..2)? {
                "f/" => true,
                "b/" => false,
                _ => return None,
            };
            let (at, number) = (text.get(2..21)?, text.get(21..41)?);
            let is_good = text.len() == 41 && text[2..].bytes().all(|b| b.is_ascii_digit());
            is_good.then_some(())?;
            let at = (at.parse().ok()?, number.parse().ok()?);
            Some(Self { forward, at })
        };
        read().ok_or_else(|| invalid("The specified nextToken is invalid."))
    }
}

/// A place in a list that is sorted by a number and a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) rank: i64,
    pub(super) name: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(format!("{}/{}", self.rank, self.name)))
    }
}

impl FromStr for Place {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let read = || {
            let text = String::from_utf8(hex::decode(text).ok()?).ok()?;
            let (rank, name) = text.split_once('/')?;
            let (rank, name) = (rank.parse().ok()?, name.to_owned());
            Some(Self { rank, name })
        };
        read().ok_or_else(|| invalid("The specified nextToken is invalid."))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn token_is_read_as_it_was_written(forward: bool, at in 0..=i64::MAX, number: u64) {
            let token = Token { forward, at: (at, number) };
            prop_assert_eq!(token.to_string().parse::<Token>(), Ok(token));
        }

        #[test]
        fn place_is_read_as_it_was_written(rank: i64, name: String) {
            let place = Place { rank, name };
            prop_assert_eq!(place.to_string().parse::<Place>(), Ok(place));
        }

        #[test]
        fn no_text_makes_it_panic(text in "([fb]/)?\\PC{0,45}") {
            let _ = (text.parse::<Token>(), text.parse::<Place>());
        }
    }
}
