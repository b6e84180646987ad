//! A line as words, quoted as in a shell, each with the column it begins at.

use super::line_error::{LineError, LineErrorKind};

/// One word, its quotes taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// In characters, counted from 1.
    pub(super) column: usize,
}

impl Word {
    /// Whether it looks like `key=value`; no cron field does.
    pub(super) fn is_pair(&self) -> bool {
        self.text.contains('=')
    }

    /// The key and the value of `key=value`.
    pub(super) fn pair(&self) -> Option<(&str, Word)> {
        let (key, value) = self.text.split_once('=')?;
        let value = Word {
            text: value.to_owned(),
            column: self.column + key.chars().count() + 1,
        };
        Some((key, value))
    }
}

/// Splits a line at white space. A `#` that begins a word begins a comment.
pub(super) fn split(line: &str) -> Result<Vec<Word>, LineError> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut characters = (1..).zip(line.chars()).peekable();
    while let Some((column, character)) = characters.next() {
        if character.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        if character == '#' && word.is_none() {
            break;
        }
        let text = &mut word
            .get_or_insert_with(|| Word {
                text: String::new(),
                column,
            })
            .text;
        match character {
            '\'' | '"' => quoted(text, character, column, &mut characters)?,
            '\\' => match characters.next() {
                Some((_, escaped)) => text.push(escaped),
                None => return Err(LineError::new(column, LineErrorKind::OpenEscape)),
            },
            _ => text.push(character),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The name and the value of a line `NAME=value`, white space around both aside. The
/// name is one word of letters, digits and underscores, as cron has it.
pub(super) fn assignment(line: &str) -> Option<(Word, Result<Word, LineError>)> {
    let (name, value) = line.split_once('=')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let text = name.trim();
    if text.is_empty() || !text.chars().all(is_name) {
        return None;
    }
    let column_at = |offset: usize| line[..offset].chars().count() + 1;
    let name_at = name.len() - name.trim_start().len();
    let value_at = line.len() - value.trim_start().len();
    let name = Word {
        text: text.to_owned(),
        column: column_at(name_at),
    };
    let (value, column) = (value.trim(), column_at(value_at));
    let unquoted = unquote(value, column).map(|text| Word { text, column });
    Some((name, unquoted))
}

/// A value in one pair of quotes loses them; any other stands as it is.
fn unquote(value: &str, column: usize) -> Result<String, LineError> {
    let mut characters = (column..).zip(value.chars()).peekable();
    match characters.next() {
        Some((column, quote @ ('\'' | '"'))) => {
            let mut text = String::new();
            quoted(&mut text, quote, column, &mut characters)?;
            text.extend(characters.map(|(_, character)| character));
            Ok(text)
        }
        _ => Ok(value.to_owned()),
    }
}

/// Reads up to the closing quote. Between double quotes a backslash escapes a quote
/// and itself, between single quotes nothing is special.
fn quoted(
    text: &mut String,
    quote: char,
    opened: usize,
    characters: &mut std::iter::Peekable<impl Iterator<Item = (usize, char)>>,
) -> Result<(), LineError> {
    while let Some((_, character)) = characters.next() {
        if character == quote {
            return Ok(());
        }
        let escaped = (character == '\\' && quote == '"')
            .then(|| characters.next_if(|(_, c)| matches!(c, '"' | '\\')))
            .flatten();
        text.push(escaped.map_or(character, |(_, escaped)| escaped));
    }
    Err(LineError::new(opened, LineErrorKind::OpenQuote { quote }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        match split(line) {
            Ok(words) => words.into_iter().map(|word| word.text).collect(),
            Err(fault) => panic!("{} at {}", fault.error, fault.column),
        }
    }

    #[test]
    fn words_are_quoted_as_in_a_shell() {
        assert_eq!(
            texts(r#"a  b="c d"\ e 'f"g' "h\"i\\\n" #j"#),
            ["a", "b=c d e", "f\"g", "h\"i\\\\n"]
        );
        assert_eq!(texts("file:/x#/y # z"), ["file:/x#/y"]);
        assert_eq!(texts(""), [""; 0]);
    }

    #[test]
    fn open_quotes_and_escapes_are_told_with_their_column() {
        for (line, column) in [("a 'b", 3), ("ab=\"c", 4), ("é \\", 3)] {
            assert_eq!(split(line).unwrap_err().column, column, "{line}");
        }
    }

    #[test]
    fn assignments_keep_white_space_only_in_quotes() {
        for (line, value, column) in [
            ("A=b c ", "b c", 3),
            (" A = \"b c \" ", "b c ", 6),
            ("A=", "", 3),
        ] {
            let (name, word) = assignment(line).unwrap();
            assert_eq!(name.text, "A");
            let word = word.unwrap();
            assert_eq!(
                (word.text.as_str(), word.column),
                (value, column),
                "{line:?}"
            );
        }
        assert!(assignment("* * * * * name=x").is_none());
    }
}
