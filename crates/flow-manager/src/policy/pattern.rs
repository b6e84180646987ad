//! Which images are allowed: `flow:*`, `registry.example/team/**`.

use std::str::FromStr;

/// A pattern of an image's reference. `*` stands for any text without `/` and `@`, `**` for
/// any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Byte(u8),
    Within,
    Any,
}

/// Text that is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write image references with * and **, at most 255 characters, parted by commas: flow:*,registry.example/team/**"
)]
pub struct PatternError;

/// References have no more either.
const LONGEST: usize = 255;

impl FromStr for ImagePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@*".contains(&byte);
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(allowed) {
            return Err(PatternError);
        }
        let mut parts = Vec::new();
        for byte in with_tag(text).bytes() {
            match (byte, parts.last()) {
                (b'*', Some(Part::Within)) => {
                    parts.pop();
                    parts.push(Part::Any);
                }
                (b'*', Some(Part::Any)) => {}
                (b'*', _) => parts.push(Part::Within),
                (byte, _) => parts.push(Part::Byte(byte)),
            }
        }
        Ok(Self(parts))
    }
}

impl ImagePattern {
    /// Whether it allows an image. Takes time by the product of the two lengths, which are
    /// bounded.
    #[must_use]
    pub fn matches(&self, image: &str) -> bool {
        if image.is_empty() || image.len() > 2 * LONGEST {
            return false;
        }
        let image = with_tag(image);
        // Which beginnings of the image the parts so far match.
        let mut matched = vec![false; image.len() + 1];
        matched[0] = true;
        for part in &self.0 {
            let mut next = vec![false; image.len() + 1];
            if !matches!(part, Part::Byte(_)) {
                next[0] = matched[0];
            }
            for (at, byte) in image.bytes().enumerate() {
                next[at + 1] = match part {
                    Part::Byte(wanted) => matched[at] && *wanted == byte,
                    Part::Any => matched[at + 1] || next[at],
                    Part::Within => matched[at + 1] || (next[at] && !matches!(byte, b'/' | b'@')),
                };
            }
            matched = next;
        }
        matched[image.len()]
    }
}

/// An image without tag and digest is its `latest`, for Docker and so for who allows it.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.contains([':', '@']) || last.ends_with('*') {
        true => image.to_owned(),
        false => format!("{image}:latest"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allows(pattern: &str, image: &str) -> bool {
        pattern.parse::<ImagePattern>().unwrap().matches(image)
    }

    #[test]
    fn pattern_allows_what_it_says_and_no_more() {
        for (pattern, image, allowed) in [
            ("**", "registry.example:5000/a/b:1", true),
            ("flow:*", "flow:1", true),
            ("flow:*", "flow", true),
            ("flow", "flow:latest", true),
            ("flow", "flow:1", false),
            ("flow:1", "flow:1", true),
            ("flow:*", "flower:1", false),
            ("flow:*", "evil/flow:1", false),
            ("flow:*", "flow:1/../evil", false),
            ("flow:*", "flow:1@sha256:0123", false),
            ("flow*", "flow-a:1", true),
            ("r.example/*", "r.example/a:1", true),
            ("r.example/*", "r.example/a/b:1", false),
            ("r.example/**", "r.example/a/b:1@sha256:0123", true),
            ("*", "a/b", false),
            ("flow:*", "", false),
        ] {
            assert_eq!(allows(pattern, image), allowed, "{pattern} {image}");
        }
        for bad in ["", "a b", "a\n", "{a}"] {
            assert!(bad.parse::<ImagePattern>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn image_without_stars_allows_itself_alone(a in "[a-z./:]{1,20}", b in "[a-z./:]{1,20}") {
            prop_assert!(allows(&a, &a));
            prop_assert_eq!(allows(&a, &b), with_tag(&a) == with_tag(&b));
        }

        #[test]
        fn no_text_panics(pattern in "[a-z*/@:]{0,30}", image in ".{0,30}") {
            if let Ok(pattern) = pattern.parse::<ImagePattern>() {
                let _ = pattern.matches(&image);
            }
        }
    }
}
