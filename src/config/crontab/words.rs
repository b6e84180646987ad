//! A line as words, quoted as in a shell, each with the column it begins at.

use metric_source::{FromVariable, with_names};

use super::line_error::{LineError, LineErrorKind};

/// One word, its quotes taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// In characters, counted from 1.
    pub(super) column: usize,
    /// The columns of its dollars.
    pub(super) dollars: Vec<usize>,
    /// What of it came from variables, once they are put in.
    pub(super) variables: Vec<FromVariable>,
    /// Which of the dollars begins what others would take for a variable.
    pub(super) bare: Option<usize>,
    /// What could not be put in is told already.
    pub(super) is_refused: bool,
}

impl Word {
    fn at(column: usize) -> Self {
        Self {
            column,
            ..Self::default()
        }
    }

    /// The word as it is written, with the names of its variables.
    pub(super) fn written(&self) -> String {
        with_names(&self.text, &self.variables)
    }

    /// The column of one of its dollars.
    pub(super) fn dollar(&self, number: usize) -> usize {
        self.dollars.get(number).copied().unwrap_or(self.column)
    }

    fn push(&mut self, column: usize, character: char) {
        if character == '$' {
            self.dollars.push(column);
        }
        self.text.push(character);
    }

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
            dollars: self.dollars[key.matches('$').count()..].to_vec(),
            ..Word::default()
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
        let word = word.get_or_insert_with(|| Word::at(column));
        match character {
            '\'' | '"' => quoted(word, character, column, &mut characters)?,
            '\\' => match characters.next() {
                Some((column, escaped)) => word.push(column, escaped),
                None => return Err(LineError::new(column, LineErrorKind::OpenEscape)),
            },
            _ => word.push(column, character),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Whether nothing stands in a line, or a comment.
pub(super) fn is_idle(line: &str) -> bool {
    let trimmed = line.trim_start();
    trimmed.is_empty() || trimmed.starts_with('#')
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
        ..Word::at(column_at(name_at))
    };
    Some((name, unquote(value.trim(), column_at(value_at))))
}

/// A value in one pair of quotes loses them; any other stands as it is.
fn unquote(value: &str, column: usize) -> Result<Word, LineError> {
    let mut word = Word::at(column);
    let mut characters = (column..).zip(value.chars()).peekable();
    if let Some((column, quote)) = characters.next_if(|(_, c)| matches!(c, '\'' | '"')) {
        quoted(&mut word, quote, column, &mut characters)?;
    }
    for (column, character) in characters {
        word.push(column, character);
    }
    Ok(word)
}

/// Reads up to the closing quote. Between double quotes a backslash escapes a quote
/// and itself, between single quotes nothing is special.
fn quoted(
    word: &mut Word,
    quote: char,
    opened: usize,
    characters: &mut std::iter::Peekable<impl Iterator<Item = (usize, char)>>,
) -> Result<(), LineError> {
    while let Some((column, character)) = characters.next() {
        if character == quote {
            return Ok(());
        }
        let escaped = (character == '\\' && quote == '"')
            .then(|| characters.next_if(|(_, c)| matches!(c, '"' | '\\')))
            .flatten();
        let (column, character) = escaped.unwrap_or((column, character));
        word.push(column, character);
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
    fn column_of_each_dollar_is_known_however_it_is_quoted() {
        let words = split(r#"$a=é"\$$"'$'\$ b=$"#).unwrap();
        assert_eq!(words[0].text, "$a=é\\$$$$");
        assert_eq!(words[0].dollars, [1, 7, 8, 11, 14]);
        let (_, value) = words[0].pair().unwrap();
        assert_eq!(value.dollars, [7, 8, 11, 14]);
        let (_, value) = assignment(" A = \"$b\"$").unwrap();
        assert_eq!(value.unwrap().dollars, [7, 10]);
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
