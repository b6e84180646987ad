//! Who may do what: roles, and the tokens that give them.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use settings::{Place, Problem};

mod limit;

pub use limit::RateLimit;
pub(crate) use limit::network;

/// What a client may do; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look at containers.
    Read,
    /// Start and stop them, talk to them, read their logs.
    Operate,
    /// Create, update and delete them, and see their environment.
    Admin,
}

impl Role {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

/// The shortest token: 32 random characters cannot be guessed.
const TOKEN_MIN: usize = 32;
const TOKEN_MAX: usize = 512;
const NAME_MAX: usize = 64;
/// Most tokens: each attempt is compared with all of them.
const TOKENS_MAX: usize = 256;
const FILE_MAX: u64 = 256 * 1024;

/// The tokens that are known.
#[derive(Clone, Default)]
pub struct Tokens(Vec<Token>);

#[derive(Clone)]
struct Token {
    role: Role,
    name: String,
    text: String,
}

impl std::fmt::Debug for Tokens {
    /// How many; not which.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("count", &self.0.len())
            .finish()
    }
}

/// Why tokens cannot be had from a file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TokensError {
    #[error("read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is longer than {FILE_MAX} bytes, or no UTF-8 text", .path.display())]
    Text { path: PathBuf },
}

impl Tokens {
    /// Reads a file. Works on the disk.
    ///
    /// # Errors
    ///
    /// [`TokensError`]; what is wrong with a line is a problem, told without its text.
    pub fn read(path: &Path) -> Result<(Self, Vec<Problem>, bool), TokensError> {
        let failed = |source| TokensError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::other("it is no regular file")));
        }
        let mut bytes = Vec::new();
        file.take(FILE_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let text = String::from_utf8(bytes)
            .ok()
            .filter(|text| text.len() as u64 <= FILE_MAX);
        let text = text.ok_or_else(|| TokensError::Text {
            path: path.to_owned(),
        })?;
        let (tokens, problems) = Self::parse(&text, path);
        Ok((tokens, problems, metadata.mode() & 0o077 != 0))
    }

    /// Reads lines `role name token`. Empty ones and those that begin with `#` are none.
    #[must_use]
    pub fn parse(text: &str, path: &Path) -> (Self, Vec<Problem>) {
        let (mut tokens, mut problems) = (Vec::<Token>::new(), Vec::new());
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let known = |token: &Token| tokens.iter().any(|other| other.text == token.text);
            match token(line) {
                Ok(token) if known(&token) => {
                    problems.push(at(path, number, "the token is there already"))
                }
                Ok(_) if tokens.len() >= TOKENS_MAX => {
                    problems.push(at(path, number, "there are more than 256 tokens"));
                    break;
                }
                Ok(token) => tokens.push(token),
                Err(message) => problems.push(at(path, number, message)),
            }
        }
        (Self(tokens), problems)
    }

    /// One token for everything.
    #[must_use]
    pub fn admin(text: &str) -> Self {
        Self(vec![Token {
            role: Role::Admin,
            name: "admin".to_owned(),
            text: text.to_owned(),
        }])
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The role and name of each token that these others do not have as it is here.
    pub(crate) fn withdrawn_by(&self, others: &Self) -> Vec<(Role, String)> {
        let is_kept = |token: &&Token| {
            let other = others.find(&token.text);
            other == Some((token.role, &*token.name))
        };
        let withdrawn = self.0.iter().filter(|token| !is_kept(token));
        withdrawn
            .map(|token| (token.role, token.name.clone()))
            .collect()
    }

    /// The role and the name of a token. All are compared, each to its end.
    #[must_use]
    pub fn find(&self, given: &str) -> Option<(Role, &str)> {
        let mut found = None;
        for token in &self.0 {
            if is_equal(token.text.as_bytes(), given.as_bytes()) {
                found = Some((token.role, &*token.name));
            }
        }
        found
    }
}

fn at(path: &Path, number: usize, message: &str) -> Problem {
    let file = path.to_owned();
    let place = Place::Line {
        file,
        line: number + 1,
        column: 1,
    };
    Problem::new(place, message)
}

fn token(line: &str) -> Result<Token, &'static str> {
    let mut words = line.split_whitespace();
    let (Some(role), Some(name), Some(text), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("write: role name token");
    };
    let role = match role {
        "read" => Role::Read,
        "operate" => Role::Operate,
        "admin" => Role::Admin,
        _ => return Err("the role is none of read, operate and admin"),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-@".contains(&byte);
    if name.len() > NAME_MAX || !name.bytes().all(is_name) {
        return Err("the name has letters, digits, `_`, `.`, `-` and `@`, 64 at most");
    }
    if !(TOKEN_MIN..=TOKEN_MAX).contains(&text.len()) {
        return Err("the token has 32 to 512 bytes");
    }
    Ok(Token {
        role,
        name: name.to_owned(),
        text: text.to_owned(),
    })
}

/// Whether two texts are equal, in a time that tells no more than their lengths.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let differ = a
        .iter()
        .zip(b)
        .fold(0, |differ, (a, b)| black_box(differ | (a ^ b)));
    black_box(differ) == 0 && a.len() == b.len()
}

/// A new token: 256 random bits.
#[must_use]
pub fn new_token() -> String {
    let parts: [u64; 4] = rand::random();
    parts.iter().map(|part| format!("{part:016x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> (Tokens, Vec<String>) {
        let (tokens, problems) = Tokens::parse(text, Path::new("t"));
        (tokens, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn lines_give_roles_and_problems_never_the_token() {
        let (a, b) = ("a".repeat(32), "b".repeat(32));
        let (tokens, problems) = parse(&format!("# who\nadmin me {a}\n\n  read you\t{b}\n"));
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(tokens.find(&a), Some((Role::Admin, "me")));
        assert_eq!(tokens.find(&b), Some((Role::Read, "you")));
        for wrong in ["", &a[1..], &format!("{a}a"), "\0"] {
            assert_eq!(tokens.find(wrong), None);
        }
        let secret = "s3cret".repeat(6);
        let bad = format!(
            "root me {secret}\nadmin {secret}\nadmin me s3cret\nread a;b {secret}\nread a {secret}\nread b {secret}"
        );
        let (tokens, problems) = parse(&bad);
        assert_eq!(problems.len(), 5, "{problems:?}");
        assert!(problems[0].starts_with("t:1:1: "));
        assert!(problems.iter().all(|problem| !problem.contains("s3cret")));
        assert!(!format!("{tokens:?}").contains("s3cret"));
    }

    #[test]
    fn token_is_withdrawn_if_its_text_role_or_name_is_another() {
        let (a, b, c) = ("a".repeat(32), "b".repeat(32), "c".repeat(32));
        let (old, _) = parse(&format!("admin x {a}\nread y {b}\nread z {c}"));
        let (new, _) = parse(&format!("read x {a}\nread y {b}\nread w {c}"));
        let withdrawn = [(Role::Admin, "x".to_owned()), (Role::Read, "z".to_owned())];
        assert_eq!(old.withdrawn_by(&new), withdrawn);
        assert!(old.withdrawn_by(&old).is_empty());
    }

    #[test]
    fn roles_contain_those_before_them() {
        assert!(Role::Read < Role::Operate && Role::Operate < Role::Admin);
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn equal_is_what_is_equal(a in "[ab]{0,6}", b in "[ab]{0,6}") {
            prop_assert_eq!(is_equal(a.as_bytes(), b.as_bytes()), a == b);
        }

        #[test]
        fn no_text_panics(text in "(admin|read|#| |\n|[a-z]{30,34}){0,20}") {
            let _ = parse(&text);
        }

        #[test]
        fn new_tokens_are_long_enough_and_differ(_ in 0..4) {
            let token = new_token();
            prop_assert_eq!(token.len(), 64);
            prop_assert_ne!(token, new_token());
        }
    }
}
