//! Lines of bounded length from a stream of bytes.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Most bytes of a line with its line feed. A flow's event may hold a page of text, and a
/// hundred flows that all send the longest line fit into memory.
pub const LINE_MAX: usize = 1_048_576;
/// What is asked of the kernel at a time.
const CHUNK: usize = 16 * 1024;

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum LineError {
    #[error("a line is longer than {LINE_MAX} bytes")]
    TooLong,
    #[error("read from the flow")]
    Read { source: io::Error },
}

/// Reads lines. A call that is dropped in the middle loses nothing.
#[derive(Debug)]
pub struct LineReader<R> {
    stream: R,
    buffer: BytesMut,
    /// So many bytes at the beginning of the buffer are known to have no line feed.
    searched: usize,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Nothing is read yet.
    pub fn new(stream: R) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            searched: 0,
        }
    }

    /// The next line without its line feed, or `None` at the end. What stands behind the last
    /// line feed is no line.
    ///
    /// # Errors
    ///
    /// [`LineError`]; there is nothing to read behind one.
    pub async fn next(&mut self) -> Result<Option<BytesMut>, LineError> {
        loop {
            if let Some(line) = self.take()? {
                return Ok(Some(line));
            }
            self.buffer.reserve(CHUNK);
            let read = self.stream.read_buf(&mut self.buffer).await;
            if read.map_err(|source| LineError::Read { source })? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads on to the end and keeps nothing.
    pub async fn discard(&mut self) {
        self.buffer = BytesMut::new();
        self.buffer.reserve(CHUNK);
        while matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..)) {
            self.buffer.clear();
        }
    }

    /// A line that is there already.
    ///
    /// # Errors
    ///
    /// [`LineError::TooLong`].
    pub fn take(&mut self) -> Result<Option<BytesMut>, LineError> {
        let found = self.buffer[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n');
        match found.map(|at| self.searched + at) {
            Some(end) if end < LINE_MAX => {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                self.searched = 0;
                if self.buffer.is_empty() {
                    // The memory of a long line is not kept by a quiet flow.
                    self.buffer = BytesMut::new();
                }
                Ok(Some(line))
            }
            None if self.buffer.len() < LINE_MAX => {
                self.searched = self.buffer.len();
                Ok(None)
            }
            _ => Err(LineError::TooLong),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio_test_reader::Pieces;

    use super::*;

    /// A stream that gives its bytes in given pieces.
    mod tokio_test_reader {
        use std::collections::VecDeque;
        use std::io;
        use std::pin::Pin;
        use std::task::{Context, Poll};

        use tokio::io::{AsyncRead, ReadBuf};

        pub(super) struct Pieces(pub(super) VecDeque<Vec<u8>>);

        impl AsyncRead for Pieces {
            fn poll_read(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                if let Some(mut piece) = self.0.pop_front() {
                    let rest = piece.split_off(piece.len().min(buffer.remaining()));
                    buffer.put_slice(&piece);
                    if !rest.is_empty() {
                        self.0.push_front(rest);
                    }
                }
                Poll::Ready(Ok(()))
            }
        }
    }

    fn read(pieces: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, LineError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
            let mut reader = LineReader::new(Pieces(pieces.collect()));
            let mut lines = Vec::new();
            while let Some(line) = reader.next().await? {
                lines.push(line.to_vec());
            }
            Ok(lines)
        })
    }

    #[test]
    fn longest_line_passes_and_one_byte_more_does_not() {
        let line = |length: usize| [vec![b'x'; length], vec![b'\n']].concat();
        assert_eq!(
            read(vec![line(LINE_MAX - 1)]).unwrap()[0].len(),
            LINE_MAX - 1
        );
        assert!(matches!(
            read(vec![line(LINE_MAX)]),
            Err(LineError::TooLong)
        ));
        // It does not wait for the end of what is too long.
        assert!(matches!(
            read(vec![vec![b'x'; LINE_MAX]]),
            Err(LineError::TooLong)
        ));
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn lines_are_the_same_however_they_come(
            pieces in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..40), 0..20)
        ) {
            let all = pieces.concat();
            let mut expected: Vec<_> = all.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            expected.pop();
            prop_assert_eq!(read(pieces).unwrap(), expected);
        }
    }
}
