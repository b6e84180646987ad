//! Which requests are meant: a method and a path with wildcards.

/// `GET /containers/*/logs`: a method, or `*`, and a path without the version, in which `*`
/// stands for any text.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    method: String,
    path: String,
}

impl Pattern {
    /// # Panics
    /// If the text is not of that form.
    pub(crate) fn parse(text: &str) -> Self {
        let parts = text.split_once(' ');
        let (method, path) = parts
            .filter(|(_, path)| path.starts_with(['/', '*']))
            .unwrap_or_else(|| panic!("{text:?} is no pattern, write for example \"GET /info\""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
        }
    }

    pub(crate) fn matches(&self, method: &str, path: &str) -> bool {
        (self.method == "*" || self.method == method) && glob(&self.path, path)
    }
}

/// Whether the text is the pattern's, each `*` standing for any text. It goes back to the last
/// `*` only, so it takes at most the product of the lengths.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    let mut star = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(byte) if *byte == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((behind, from)) = star else {
                    return false;
                };
                star = Some((behind, from + 1));
                at = behind + 1;
                seen = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_stands_for_any_text() {
        let cases = [
            ("GET /info", "GET", "/info", true),
            ("GET /info", "POST", "/info", false),
            ("* /info", "POST", "/info", true),
            ("GET *", "GET", "/a/b", true),
            ("GET /containers/*/logs", "GET", "/containers/a/logs", true),
            ("GET /containers/*/logs", "GET", "/containers/a/json", false),
            ("GET /containers/*/logs", "GET", "/containers/logs", false),
            ("GET /images/*/json", "GET", "/images/a/b/c/json", true),
            ("GET /a*b*c", "GET", "/a-b-b-c", true),
            ("GET /a*b*c", "GET", "/a-b-b-d", false),
        ];
        for (pattern, method, path, expected) in cases {
            let matches = Pattern::parse(pattern).matches(method, path);
            assert_eq!(matches, expected, "{pattern} {method} {path}");
        }
    }

    #[test]
    #[should_panic = "is no pattern"]
    fn pattern_without_a_method_is_refused() {
        Pattern::parse("/info");
    }
}
