//! A file of request headers, read at each request so that a rotated token is taken up.

use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::source::{Options, threads};

/// The file, if one is set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HeadersFile(Option<PathBuf>);

/// Why a file gave no headers. What stands in it is never shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadersError {
    #[error("read the request headers in {path}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}, line {line}: expected a header such as Authorization: Bearer TOKEN")]
    Line { path: PathBuf, line: usize },
}

impl HeadersFile {
    pub(crate) fn new(options: &Options) -> Self {
        Self(options.headers_file.clone())
    }

    /// The headers; empty if no file is set.
    pub(crate) async fn read(&self) -> Result<HeaderMap, HeadersError> {
        let Some(path) = &self.0 else {
            return Ok(HeaderMap::new());
        };
        let file = path.clone();
        let content = threads::run(move || std::fs::read_to_string(file)).await;
        let content = content
            .map_err(std::io::Error::from)
            .flatten()
            .map_err(|source| HeadersError::Read {
                path: path.clone(),
                source,
            })?;
        parse(&content).map_err(|line| HeadersError::Line {
            path: path.clone(),
            line,
        })
    }
}

/// The headers of a text, or the number of the first line that is none. Blank lines and
/// lines that begin with `#` are passed over.
fn parse(content: &str) -> Result<HeaderMap, usize> {
    let mut headers = HeaderMap::new();
    for (number, line) in (1_usize..).zip(content.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = header(line).ok_or(number)?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_line_by_line() {
        let headers = parse("# token\n\nAuthorization: Bearer a:b\r\nX-Team:  me \n").unwrap();
        assert_eq!(headers["authorization"], "Bearer a:b");
        assert_eq!(headers["x-team"], "me");
        assert!(!format!("{headers:?}").contains("Bearer"));
    }

    #[tokio::test]
    async fn error_names_the_line_and_hides_its_content() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "A: b\nBearer secret\n").unwrap();
        let error = HeadersFile(Some(file.path().into())).read().await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[tokio::test]
    async fn missing_file_is_an_error() {
        let error = HeadersFile(Some("/nowhere/headers".into())).read().await;
        assert!(matches!(error, Err(HeadersError::Read { .. })));
        assert!(HeadersFile(None).read().await.unwrap().is_empty());
    }
}
