//! A file of request headers, read at each request so that a rotated token is taken up.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use blocking_io::Files;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Options;

/// The longest file that is read. Servers take a few KiB of headers, hyper no more than this.
const SIZE_MAX: usize = 64 * 1024;

/// The file, if one is set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HeadersFile(Option<PathBuf>);

/// Why a file gave no headers. What stands in it is never shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadersError {
    #[error("read the request headers in {path}")]
    Read {
        path: PathBuf,
        source: Arc<io::Error>,
    },
    #[error("{path} is not UTF-8 text")]
    NotText { path: PathBuf },
    #[error("{path}, line {line}: expected a header such as Authorization: Bearer TOKEN")]
    Line { path: PathBuf, line: usize },
}

impl HeadersFile {
    pub(crate) fn new(options: &Options) -> Self {
        Self(options.headers_file.clone())
    }

    /// The headers; empty if no file is set.
    pub(crate) async fn read(&self, files: &Files) -> Result<HeaderMap, HeadersError> {
        let Some(path) = &self.0 else {
            return Ok(HeaderMap::new());
        };
        let content = files.read(path, SIZE_MAX).await;
        let content = content.map_err(|source| HeadersError::Read {
            path: path.clone(),
            source,
        })?;
        let content =
            str::from_utf8(&content).map_err(|_| HeadersError::NotText { path: path.clone() })?;
        parse(content).map_err(|line| HeadersError::Line {
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
    use proptest::prelude::*;
    use test_support::cases;

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
        let error = HeadersFile(Some(file.path().into()))
            .read(&Files::default())
            .await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[tokio::test]
    async fn missing_file_is_an_error() {
        let files = Files::default();
        let absent = HeadersFile(Some("/nowhere/headers".into()));
        let error = absent.read(&files).await;
        assert!(matches!(error, Err(HeadersError::Read { .. })));
        assert!(HeadersFile(None).read(&files).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_has_no_end_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(SIZE_MAX as u64 + 1).unwrap();
        for path in ["/dev/zero".into(), file.path().to_owned()] {
            let error = HeadersFile(Some(path)).read(&Files::default()).await;
            assert!(matches!(error, Err(HeadersError::Read { .. })), "{error:?}");
        }
    }

    proptest! {
        #![proptest_config(cases(10_000))]

        #[test]
        fn any_text_is_read_or_refused_at_one_of_its_lines(
            text in prop_oneof![any::<String>(), "[A-Za-z:# \n\r\t\u{e9}-]{0,60}"],
        ) {
            match parse(&text) {
                Ok(headers) => prop_assert!(headers.len() <= text.lines().count()),
                Err(line) => prop_assert!((1..=text.lines().count()).contains(&line)),
            }
        }

        #[test]
        fn headers_that_are_written_are_those_that_are_read(
            written in prop::collection::vec(("[A-Za-z-]{1,6}", "([!-~]([ -~]{0,8}[!-~])?)?"), 0..6),
            end in prop::sample::select(vec!["\n", "\r\n", "\n\n", "\n # x\n"]),
        ) {
            let lines = written.iter().map(|(name, value)| format!("{name} : {value} {end}"));
            let read = parse(&lines.collect::<String>()).unwrap();
            for (name, _) in &written {
                let expected = written.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
                let expected: Vec<_> = expected.map(|(_, value)| value.as_str()).collect();
                let values = read.get_all(name).iter().map(|value| value.to_str().unwrap());
                prop_assert_eq!(values.collect::<Vec<_>>(), expected);
            }
            prop_assert_eq!(read.len(), written.len());
        }
    }
}
