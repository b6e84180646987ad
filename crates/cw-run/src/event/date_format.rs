//! `strftime` formats as regular expressions, with the conversions of Docker's `awslogs` driver.

use super::line_start::LineStartError;

const CONVERSIONS: &[(char, &str)] = &[
    ('a', "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"),
    (
        'A',
        "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)",
    ),
    ('w', "[0-6]"),
    ('d', "(?:0[1-9]|[12][0-9]|3[01])"),
    ('b', "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"),
    (
        'B',
        "(?:January|February|March|April|May|June|July|August|September|October|November|December)",
    ),
    ('m', "(?:0[1-9]|1[0-2])"),
    ('Y', "[0-9]{4}"),
    ('y', "[0-9]{2}"),
    ('H', "(?:[01][0-9]|2[0-3])"),
    ('I', "(?:0[0-9]|1[0-2])"),
    ('p', "[AP]M"),
    ('M', "[0-5][0-9]"),
    ('S', "[0-5][0-9]"),
    ('f', "[0-9]{6}"),
    ('L', "\\.[0-9]{3}"),
    ('z', "[+-][0-9]{4}"),
    ('Z', "[A-Z]{1,4}T"),
    (
        'j',
        "(?:0[0-9][1-9]|0[1-9]0|[12][0-9][0-9]|3[0-5][0-9]|36[0-6])",
    ),
    ('%', "%"),
];

/// The conversions, for a message.
pub(super) fn known() -> String {
    let known: Vec<_> = CONVERSIONS
        .iter()
        .map(|(letter, _)| format!("%{letter}"))
        .collect();
    known.join(" ")
}

/// Text between conversions means itself.
pub(super) fn to_regex(format: &str) -> Result<String, LineStartError> {
    let mut regex = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            regex.push_str(&regex_lite::escape(character.encode_utf8(&mut [0; 4])));
            continue;
        }
        let letter = characters.next().ok_or(LineStartError::Open)?;
        let found = CONVERSIONS.iter().find(|(known, _)| *known == letter);
        let (_, conversion) = found.ok_or(LineStartError::Conversion(letter))?;
        regex.push_str(conversion);
    }
    Ok(regex)
}
