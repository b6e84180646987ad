//! The frames in which the engine sends two streams over one connection: a byte for the
//! stream, three zeros, the length in four bytes, the payload.

use bytes::{Buf, Bytes};

use crate::logs::Source;

const HEADER: usize = 8;
/// Errors of the engine are cut here.
const LONGEST_ERROR: usize = 8 * 1024;

/// A frame's payload, or a piece of it: a frame may be longer than what has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FramePiece {
    pub(crate) source: Source,
    pub(crate) bytes: Bytes,
    /// The frame begins here.
    pub(crate) begins: bool,
    /// The frame ends here.
    pub(crate) ends: bool,
}

/// What is no frame of output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("bytes that are no frame: {0:02x?}")]
    Malformed([u8; HEADER]),
    /// Frame type 3: the engine's own words in the middle of the output.
    #[error("{0}")]
    Engine(String),
}

/// The connection ended, as it should, where it should not.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection ended within a frame")]
pub(crate) struct CutOff;

#[derive(Debug)]
enum State {
    Header {
        bytes: [u8; HEADER],
        have: usize,
    },
    Payload {
        source: Source,
        left: usize,
        begins: bool,
    },
    Error {
        left: usize,
        words: Vec<u8>,
    },
}

/// Decodes frames from chunks of any size, without copying payloads.
#[derive(Debug)]
pub(crate) struct FrameDecoder(State);

impl FrameDecoder {
    pub(crate) fn new() -> Self {
        Self(State::Header {
            bytes: [0; HEADER],
            have: 0,
        })
    }

    /// Takes the next piece out of the front of `chunk`; `None` if all of it is taken.
    pub(crate) fn next(&mut self, chunk: &mut Bytes) -> Result<Option<FramePiece>, FrameError> {
        loop {
            match &mut self.0 {
                State::Header { bytes, have } => {
                    let taken = chunk.len().min(HEADER - *have);
                    chunk.copy_to_slice(&mut bytes[*have..*have + taken]);
                    *have += taken;
                    if *have < HEADER {
                        return Ok(None);
                    }
                    self.0 = payload(*bytes)?;
                    if let State::Payload {
                        source, left: 0, ..
                    } = self.0
                    {
                        *self = Self::new();
                        let bytes = Bytes::new();
                        return Ok(Some(FramePiece {
                            source,
                            bytes,
                            begins: true,
                            ends: true,
                        }));
                    }
                }
                State::Payload {
                    source,
                    left,
                    begins,
                } => {
                    if chunk.is_empty() {
                        return Ok(None);
                    }
                    let bytes = chunk.split_to(chunk.len().min(*left));
                    let (source, begins, ends) = (*source, *begins, bytes.len() == *left);
                    self.0 = match ends {
                        true => Self::new().0,
                        false => State::Payload {
                            source,
                            left: *left - bytes.len(),
                            begins: false,
                        },
                    };
                    return Ok(Some(FramePiece {
                        source,
                        bytes,
                        begins,
                        ends,
                    }));
                }
                State::Error { left, words } => {
                    let bytes = chunk.split_to(chunk.len().min(*left));
                    *left -= bytes.len();
                    words.extend(bytes.iter().take(LONGEST_ERROR.saturating_sub(words.len())));
                    if *left > 0 && words.len() < LONGEST_ERROR {
                        return Ok(None);
                    }
                    return Err(FrameError::Engine(
                        String::from_utf8_lossy(words).into_owned(),
                    ));
                }
            }
        }
    }

    /// Whether the last frame is whole.
    pub(crate) fn is_between_frames(&self) -> bool {
        matches!(self.0, State::Header { have: 0, .. })
    }
}

fn payload(header: [u8; HEADER]) -> Result<State, FrameError> {
    let [kind, 0, 0, 0, a, b, c, d] = header else {
        return Err(FrameError::Malformed(header));
    };
    let left = u32::from_be_bytes([a, b, c, d]) as usize;
    let source = match kind {
        // What was typed, echoed: the engine's own client prints it too.
        0 | 1 => Source::Stdout,
        2 => Source::Stderr,
        3 => {
            return Ok(State::Error {
                left,
                words: Vec::new(),
            });
        }
        _ => return Err(FrameError::Malformed(header)),
    };
    Ok(State::Payload {
        source,
        left,
        begins: true,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![kind, 0, 0, 0];
        frame.extend((payload.len() as u32).to_be_bytes());
        frame.extend(payload);
        frame
    }

    /// Cuts `bytes` at `cuts`, each a share of what is left.
    pub(crate) fn chunks(bytes: &[u8], cuts: &[prop::sample::Index]) -> Vec<Bytes> {
        let mut rest = Bytes::copy_from_slice(bytes);
        let mut chunks: Vec<Bytes> = cuts
            .iter()
            .map(|cut| rest.split_to(cut.index(rest.len() + 1)))
            .collect();
        chunks.push(rest);
        chunks
    }

    fn decode(chunks: Vec<Bytes>) -> Result<Vec<(Source, Vec<u8>)>, FrameError> {
        let mut decoder = FrameDecoder::new();
        let mut frames = Vec::new();
        for mut chunk in chunks {
            while let Some(piece) = decoder.next(&mut chunk)? {
                if piece.begins {
                    frames.push((piece.source, Vec::new()));
                }
                let (source, payload) = frames.last_mut().expect("a frame began");
                assert_eq!(*source, piece.source);
                payload.extend(&piece.bytes);
            }
            assert!(chunk.is_empty());
        }
        Ok(frames)
    }

    proptest! {
        // 10,000 of them unless PROPTEST_CASES says otherwise.
        #![proptest_config(ProptestConfig {
            cases: std::cmp::max(ProptestConfig::default().cases, 10_000),
            ..ProptestConfig::default()
        })]

        #[test]
        fn frames_come_out_as_they_went_in(
            frames in prop::collection::vec(
                (any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let source = |stderr| if stderr { Source::Stderr } else { Source::Stdout };
            let bytes: Vec<u8> = frames
                .iter()
                .flat_map(|(stderr, payload)| frame(1 + u8::from(*stderr), payload))
                .collect();
            let sent: Vec<_> =
                frames.into_iter().map(|(stderr, payload)| (source(stderr), payload)).collect();
            prop_assert_eq!(decode(chunks(&bytes, &cuts)).unwrap(), sent);
        }

        #[test]
        fn no_bytes_panic(
            bytes in prop::collection::vec(prop_oneof![3 => 0u8..4, 1 => any::<u8>()], 0..200),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let _ = decode(chunks(&bytes, &cuts));
        }
    }

    #[test]
    fn output_that_looks_like_a_header_is_output() {
        let frames = decode(vec![frame(1, b"\x01\0\0\0\0\0\0\x05hello").into()]).unwrap();
        assert_eq!(
            frames,
            [(Source::Stdout, b"\x01\0\0\0\0\0\0\x05hello".to_vec())]
        );
    }

    #[test]
    fn the_engine_s_own_error_is_an_error() {
        let mut bytes = frame(1, b"a\n");
        bytes.extend(frame(3, b"error grabbing logs"));
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let error = decode(vec![head.to_vec().into(), tail.to_vec().into()]).unwrap_err();
            assert_eq!(error.to_string(), "error grabbing logs");
        }
    }

    #[test]
    fn an_error_without_end_is_cut() {
        let mut bytes = vec![3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        bytes.extend(vec![b'x'; 100_000]);
        let error = decode(vec![bytes.into()]).unwrap_err();
        assert_eq!(error.to_string().len(), LONGEST_ERROR);
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        assert!(matches!(
            decode(vec![b"plain text".to_vec().into()]),
            Err(FrameError::Malformed(_))
        ));
        assert!(decode(vec![b"\x01\0\0\x01\0\0\0\0".to_vec().into()]).is_err());
    }
}
