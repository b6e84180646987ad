//! What is asked of JSON before it is read: how deep it nests.

use serde_json::value::RawValue;

/// Most levels of objects and arrays in a message: parsers of other languages recurse.
pub const DEPTH_MAX: usize = 64;

/// How deep objects and arrays nest in a JSON text. It is one pass without recursion; of what
/// is no JSON it says something, and the parser the rest.
#[must_use]
pub fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// How many bytes a text has in JSON, with its quotes.
#[must_use]
pub fn text_length(text: &str) -> usize {
    let length = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(length).sum::<usize>() + 2
}

/// `{}`, for data that was not given.
#[must_use]
pub fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("it is JSON")
}

/// The text of something that is always JSON.
#[must_use]
pub fn raw(value: &impl serde::Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("our types have text keys and fail nowhere")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn brackets_in_strings_do_not_nest() {
        for (text, expected) in [
            ("1", 0),
            ("{}", 1),
            (r#"{"a":[{"b":"[[[\"[[["}]}"#, 3),
            (r#""\\\"[[""#, 0),
            ("]]][[", 2),
        ] {
            assert_eq!(depth(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(depth("[".repeat(10_000).as_bytes()), 10_000);
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn length_of_a_text_is_that_of_its_json(text in "(?s)([\\x00-\\x7f]|.){0,40}") {
            prop_assert_eq!(text_length(&text), raw(&text).get().len());
        }

        #[test]
        fn nesting_is_counted_whatever_stands_in_strings(levels in 0usize..40, text in ".{0,20}") {
            let mut value = serde_json::Value::String(text);
            for _ in 0..levels {
                value = serde_json::json!([value]);
            }
            prop_assert_eq!(depth(value.to_string().as_bytes()), levels);
        }
    }
}
