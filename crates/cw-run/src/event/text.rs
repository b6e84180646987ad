//! Bytes to text, and text to pieces that the service takes.

use std::str;

/// Repairs the text of one stream. A piece of a line may end within a character; what is there of
/// it waits for the next piece.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    rest: Vec<u8>,
}

impl Decoder {
    /// The text of a line or of a piece; what is no UTF-8 becomes U+FFFD.
    pub fn decode(&mut self, bytes: &[u8], partial: bool) -> String {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        if partial {
            self.rest = all.split_off(all.len() - unfinished(&all));
        }
        match String::from_utf8(all) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }
    }

    /// How many bytes wait for the next piece.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.rest.len()
    }

    /// What waited in vain.
    pub fn finish(&mut self) -> String {
        self.decode(&[], false)
    }
}

/// How many bytes at the end may become a character.
fn unfinished(bytes: &[u8]) -> usize {
    (1..=bytes.len().min(3))
        .find(|length| {
            let end = &bytes[bytes.len() - length..];
            // A first byte with too few behind it is the only error that more bytes mend.
            end[0] >= 0xc0
                && str::from_utf8(end)
                    .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .unwrap_or(0)
}

/// Pieces of up to `max` bytes, cut between characters, in order. Nothing of an empty text.
pub fn split(text: String, max: usize) -> Vec<String> {
    if text.len() <= max {
        return if text.is_empty() {
            Vec::new()
        } else {
            vec![text]
        };
    }
    let mut pieces = Vec::new();
    let mut rest = &*text;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.floor_char_boundary(max));
        // A character wider than `max` leaves nothing to cut; no limit here is so small.
        let (piece, behind) = if piece.is_empty() {
            (rest, "")
        } else {
            (piece, behind)
        };
        pieces.push(piece.to_owned());
        rest = behind;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;

    #[test]
    fn character_that_is_cut_in_two_is_whole_again() {
        let mut decoder = Decoder::default();
        let bytes = "aé€😀".as_bytes();
        for at in 1..bytes.len() {
            let (first, second) = bytes.split_at(at);
            let text = decoder.decode(first, true) + &decoder.decode(second, false);
            assert_eq!(text, "aé€😀", "{at}");
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_and_holds_nothing_up() {
        let mut decoder = Decoder::default();
        assert_eq!(
            decoder.decode(b"a\xffb\xf0\x9f", false),
            "a\u{fffd}b\u{fffd}"
        );
        assert_eq!(decoder.decode(b"x\xf0\x9f", true), "x");
        assert_eq!(decoder.waiting(), 2);
        assert_eq!(decoder.finish(), "\u{fffd}");
        assert_eq!(decoder.decode(b"\x80\x80", true), "\u{fffd}\u{fffd}");
        assert_eq!(decoder.waiting(), 0);
    }

    proptest! {
        #![proptest_config(cases(256))]
        #[test]
        fn pieces_give_the_text_of_the_whole(text in "\\PC{0,40}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            cuts.push(bytes.len());
            let mut decoder = Decoder::default();
            let (mut decoded, mut from) = (String::new(), 0);
            for (number, cut) in cuts.iter().enumerate() {
                decoded += &decoder.decode(&bytes[from..*cut], number + 1 < cuts.len());
                from = *cut;
            }
            prop_assert_eq!(decoded, text);
        }

        #[test]
        fn any_bytes_become_text(bytes in prop::collection::vec(any::<u8>(), 0..60), partial: bool) {
            let mut decoder = Decoder::default();
            let text = decoder.decode(&bytes, partial) + &decoder.finish();
            prop_assert!(decoder.waiting() == 0);
            if let Ok(clean) = str::from_utf8(&bytes) {
                prop_assert_eq!(text, clean);
            }
        }

        #[test]
        fn split_text_is_whole_and_in_order(text in "\\PC{0,60}", max in 4usize..20) {
            let pieces = split(text.clone(), max);
            prop_assert!(pieces.iter().all(|piece| (1..=max).contains(&piece.len())));
            prop_assert_eq!(pieces.concat(), text);
        }
    }
}
