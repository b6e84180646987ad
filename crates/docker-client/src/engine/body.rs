//! Bodies of answers: collected up to a limit, or read piece by piece.

use std::time::Duration;

use crate::transport::answer::AnswerBody;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::engine::Engine;
use crate::engine::call::Call;
use crate::error::DockerClientError;

/// The longest line of a stream of JSON: an event has a container's labels.
const LONGEST_LINE: usize = 8 * 1024 * 1024;

/// The whole body, of at most `limit` bytes, which comes within `deadline`.
pub(crate) async fn collect(
    mut body: AnswerBody,
    call: Call<'_>,
    limit: u64,
    deadline: Duration,
    engine: &Engine,
) -> Result<Bytes, DockerClientError> {
    let all = async {
        let mut collected = BytesMut::new();
        while let Some(bytes) = next(&mut body, call, engine).await? {
            if (collected.len() + bytes.len()) as u64 > limit {
                return Err(DockerClientError::TooLarge {
                    what: call.to_string(),
                    limit,
                });
            }
            collected.extend_from_slice(&bytes);
        }
        Ok(collected.freeze())
    };
    tokio::time::timeout(deadline, all)
        .await
        .unwrap_or_else(|_| {
            Err(DockerClientError::Timeout {
                operation: call.to_string(),
                after: deadline,
            })
        })
}

/// The next bytes; `None` at the end.
pub(crate) async fn next(
    body: &mut AnswerBody,
    call: Call<'_>,
    engine: &Engine,
) -> Result<Option<Bytes>, DockerClientError> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Some(Err(error)) => return Err(engine.lost(call, error).await),
        }
    }
}

/// The next bytes, which come within `idle`.
pub(crate) async fn next_within(
    body: &mut AnswerBody,
    call: Call<'_>,
    idle: Duration,
    engine: &Engine,
) -> Result<Option<Bytes>, DockerClientError> {
    tokio::time::timeout(idle, next(body, call, engine))
        .await
        .unwrap_or_else(|_| {
            Err(DockerClientError::Timeout {
                operation: call.to_string(),
                after: idle,
            })
        })
}

/// Parts bytes into the lines of a stream of JSON.
#[derive(Debug, Default)]
pub(crate) struct JsonLines {
    buffer: BytesMut,
    /// Bytes of the buffer that hold no newline.
    searched: usize,
}

impl JsonLines {
    /// Takes bytes in; `false` if the line that has not ended is too long already.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        self.buffer.extend_from_slice(bytes);
        self.searched <= LONGEST_LINE
    }

    /// The next whole line that is not blank.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        while let Some(at) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
            let line = self.buffer.split_to(self.searched + at + 1).freeze();
            self.searched = 0;
            let line = line.slice(..line.len() - 1);
            if !line.trim_ascii().is_empty() {
                return Some(line);
            }
        }
        self.searched = self.buffer.len();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_however_they_were_cut() {
        let text = b"{\"a\":1}\r\n\n{\"b\":2}\n{\"c\":3}\n{";
        for size in 1..=text.len() {
            let mut lines = JsonLines::default();
            let mut seen = Vec::new();
            for chunk in text.chunks(size) {
                assert!(lines.push(chunk));
                seen.extend(std::iter::from_fn(|| lines.next()));
            }
            assert_eq!(seen, [&b"{\"a\":1}\r"[..], b"{\"b\":2}", b"{\"c\":3}"]);
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = JsonLines::default();
        let chunk = vec![b'x'; 1024 * 1024];
        let mut taken = 0;
        while lines.push(&chunk) {
            assert!(lines.next().is_none());
            taken += 1;
        }
        assert_eq!(taken, 9);
    }
}
