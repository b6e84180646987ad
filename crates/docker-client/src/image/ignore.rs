//! `.dockerignore`, as the `docker` command reads it.

/// The patterns of a `.dockerignore`.
#[derive(Debug, Default)]
pub(super) struct Ignore(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    /// `!`: what matches is taken after all.
    taken: bool,
    /// The pattern's parts, between slashes.
    parts: Vec<String>,
}

impl Ignore {
    pub(super) fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self(text.lines().filter_map(Pattern::parse).collect())
    }

    /// Whether this path, relative to the folder, is left out. The last pattern that matches it,
    /// or a folder above it, decides.
    pub(super) fn matches(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let mut ignored = false;
        for pattern in &self.0 {
            if ignored == pattern.taken
                && (1..=parts.len()).any(|above| pattern.matches(&parts[..above]))
            {
                ignored = !pattern.taken;
            }
        }
        ignored
    }
}

impl Pattern {
    fn parse(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let line = line.trim();
        let (taken, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, line),
        };
        let mut parts: Vec<String> = Vec::new();
        for part in line.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part.to_owned()),
            }
        }
        (!parts.is_empty()).then_some(Self { taken, parts })
    }

    /// Whether the pattern as a whole matches the path as a whole. A table of which parts match
    /// up to where: linear in their product, however many `**` there are.
    fn matches(&self, path: &[&str]) -> bool {
        let mut reached = vec![false; path.len() + 1];
        reached[0] = true;
        for part in &self.parts {
            let mut next = vec![false; path.len() + 1];
            if part == "**" {
                let mut any = false;
                for (at, before) in reached.iter().enumerate() {
                    any |= *before;
                    next[at] = any;
                }
            } else {
                for (at, name) in path.iter().enumerate() {
                    next[at + 1] = reached[at] && glob(part, name);
                }
            }
            reached = next;
        }
        reached[path.len()]
    }
}

/// Go's `filepath.Match` for one part: `*`, `?`, `[a-z]`, `[^a]`, `\x`. A pattern that is wrong
/// matches nothing. `**` inside a part is as `*`.
fn glob(pattern: &str, name: &str) -> bool {
    let Some(tokens) = tokens(pattern) else {
        return false;
    };
    let name: Vec<char> = name.chars().collect();
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for token in &tokens {
        let mut next = vec![false; name.len() + 1];
        match token {
            Token::Any => {
                let mut any = false;
                for (at, before) in reached.iter().enumerate() {
                    any |= *before;
                    next[at] = any;
                }
            }
            token => {
                for (at, c) in name.iter().enumerate() {
                    next[at + 1] = reached[at] && token.takes(*c);
                }
            }
        }
        reached = next;
    }
    reached[name.len()]
}

#[derive(Debug)]
enum Token {
    Any,
    One,
    Char(char),
    Class {
        except: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Char(wanted) => *wanted == c,
            Self::Class { except, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *except
            }
        }
    }
}

fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut chars = pattern.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::Char(chars.next()?),
            '[' => {
                let except = chars.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                loop {
                    let low = match chars.next()? {
                        ']' if !ranges.is_empty() => break,
                        '\\' => chars.next()?,
                        ']' | '-' => return None,
                        low => low,
                    };
                    let high = match chars.next_if_eq(&'-') {
                        None => low,
                        Some(_) => match chars.next()? {
                            '\\' => chars.next()?,
                            ']' | '-' => return None,
                            high => high,
                        },
                    };
                    ranges.push((low, high));
                }
                Token::Class { except, ranges }
            }
            c => Token::Char(c),
        });
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ignored(text: &str, path: &str) -> bool {
        Ignore::parse(text).matches(path)
    }

    #[test]
    fn patterns_match_as_docker_s_documentation_has_them() {
        for (pattern, yes, no) in [
            ("*/temp*", "a/temporary.txt", "a/b/temporary.txt"),
            ("*/*/temp*", "a/b/temporary.txt", "a/temporary.txt"),
            ("temp?", "tempa", "temp"),
            ("**/*.go", "a/b/c.go", "a/b/c.goo"),
            ("**/*.go", "c.go", "c"),
            ("/foo/bar/", "foo/bar/x", "foo/baz"),
            ("a/**/z", "a/z", "z"),
            ("a/**/z", "a/b/c/z", "a/b/c"),
            ("[a-c]x", "bx", "dx"),
            ("[^a-c]x", "dx", "bx"),
            (r"\*", "*", "a"),
            ("./a/../b", "b", "a"),
            ("  c  ", "c", "d"),
        ] {
            assert!(ignored(pattern, yes), "{pattern} {yes}");
            assert!(!ignored(pattern, no), "{pattern} {no}");
        }
    }

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let text = "*.md\n!README*.md\nREADME-secret.md\n";
        assert!(ignored(text, "notes.md") && ignored(text, "README-secret.md"));
        assert!(!ignored(text, "README.md") && !ignored(text, "src/notes.md"));
        assert!(ignored("*\n!src", "target") && !ignored("*\n!src", "src/lib.rs"));
    }

    #[test]
    fn comments_blank_lines_and_broken_patterns_match_nothing() {
        for text in ["# a", "", "\n\n", "!", ".", "[", "[a", "[]a]", "a\\"] {
            assert!(!ignored(text, "a"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r"[a-z*?!\[\]\\/.#^ \n-]{0,30}", path in "[a-z/.]{0,20}") {
            let _ = ignored(&text, &path);
        }
    }
}
