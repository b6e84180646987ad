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

/// What is wrong with a JSON text: the field, the kind and the place, but no value, which may be a
/// secret that stands in a wrong field.
#[must_use]
pub fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    // What was expected is ours, and stands last.
    let expected = text.rfind(", expected ").map_or("", |at| &text[at..]);
    let quotes = ['"', '`', '\''];
    let shown = if text.starts_with("invalid ") {
        let kind = text.split(quotes).next().unwrap_or_default();
        let kind = kind.split(", expected ").next().unwrap_or_default();
        format!("{}{expected}", kind.trim_end())
    } else if let Some(rest) = text.strip_prefix("unknown field `") {
        // Names of fields are plain, and are what is mistyped most.
        let name = rest.split('`').next().filter(|name| is_plain(name));
        format!("unknown field `{}`{expected}", name.unwrap_or("…"))
    } else if text.starts_with("unknown ") {
        format!("unknown name{expected}")
    } else {
        text.to_owned()
    };
    diagnostics::redacted_prefix(&format!("{shown}{place}"))
}

fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    name.len() <= 32 && name.bytes().all(plain)
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

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Asked {
        number: u8,
        kind: Kind,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        One,
        Two,
    }

    #[test]
    fn problem_names_field_kind_and_place_but_no_value() {
        for (text, expected) in [
            (
                r#"{"number":"hunter2, expected x"}"#,
                "invalid type: string, expected u8 at line 1 column 31",
            ),
            (
                r#"{"number":4711}"#,
                "invalid value: integer, expected u8 at line 1 column 14",
            ),
            (
                r#"{"number":[]}"#,
                "invalid type: sequence, expected u8 at line 1 column 10",
            ),
            (
                r#"{"kind":"hunter2"}"#,
                "unknown name, expected `one` or `two` at line 1 column 17",
            ),
            (
                r#"{"numbr":1}"#,
                "unknown field `numbr`, expected `number` or `kind` at line 1 column 8",
            ),
            (
                r#"{"hunter2`, expected ":1}"#,
                "unknown field `…`, expected `number` or `kind` at line 1 column 22",
            ),
            ("{}", "missing field `number` at line 1 column 2"),
            ("[", "EOF while parsing a list at line 1 column 1"),
        ] {
            let error = serde_json::from_str::<Asked>(text).unwrap_err();
            assert_eq!(problem(&error), expected, "{text}");
        }
    }

    proptest! {
        #![proptest_config(test_support::cases(256))]

        #[test]
        fn no_value_is_repeated(secret in "hunter[`'\", a-z]{1,30}", field in "number|kind|hunter2") {
            let text = serde_json::json!({field: secret}).to_string();
            let error = serde_json::from_str::<Asked>(&text).unwrap_err();
            prop_assert!(!problem(&error).contains("hunter"));
        }

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
