//! The text of a schedule, checked field by field so that an error says what would
//! be right, and written anew in the form that `croner` reads without surprises.

use diagnostics::redacted_prefix;

use crate::error::ScheduleError;

/// The nicknames of crontab(5), and `@reboot`'s refusal in [`expand`].
const NICKNAMES: &[(&str, &str)] = &[
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// One field of an expression: its name, its values, and what else may stand in it.
struct Field {
    name: &'static str,
    min: u16,
    max: u16,
    /// How many different values there are; Sunday is both 0 and 7.
    count: u16,
    names: &'static [&'static str],
    specials: Specials,
}

/// What a field takes beside numbers and names.
#[derive(PartialEq, Eq)]
enum Specials {
    None,
    /// `?`, `L` and `15W`.
    Day,
    /// `?`, `5L` and `5#2`.
    Weekday,
}

const SECOND: Field = Field {
    name: "second",
    min: 0,
    max: 59,
    count: 60,
    names: &[],
    specials: Specials::None,
};
const MINUTE: Field = Field {
    name: "minute",
    ..SECOND
};
const HOUR: Field = Field {
    name: "hour",
    min: 0,
    max: 23,
    count: 24,
    names: &[],
    specials: Specials::None,
};
const DAY: Field = Field {
    name: "day",
    min: 1,
    max: 31,
    count: 31,
    names: &[],
    specials: Specials::Day,
};
const MONTH: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    count: 12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
    specials: Specials::None,
};
const WEEKDAY: Field = Field {
    name: "weekday",
    min: 0,
    max: 7,
    count: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    specials: Specials::Weekday,
};

/// An expression that passed the checks.
pub(super) struct Expression {
    /// Six fields, numbers only, without `?`.
    pub(super) normal: String,
    /// Whether minute or hour begins with `*`.
    pub(super) runs_by_real_time: bool,
    /// Whether day and weekday must both match.
    pub(super) both_days: bool,
}

/// Checks an expression or nickname.
pub(super) fn parse(text: &str) -> Result<Expression, ScheduleError> {
    let text = expand(text.trim())?;
    let mut given: Vec<&str> = text.split_whitespace().collect();
    match given.len() {
        0 => return Err(ScheduleError::Empty),
        5 => given.insert(0, "0"),
        6 => {}
        count => return Err(ScheduleError::FieldCount { count }),
    }
    let fields = [&SECOND, &MINUTE, &HOUR, &DAY, &MONTH, &WEEKDAY];
    let mut normal = Vec::with_capacity(fields.len());
    for (field, text) in fields.into_iter().zip(&given) {
        normal.push(field.normal(text)?);
    }
    let star = |index: usize| normal[index].starts_with('*');
    Ok(Expression {
        runs_by_real_time: star(1) || star(2),
        both_days: star(3) || star(5),
        normal: normal.join(" "),
    })
}

fn expand(text: &str) -> Result<&str, ScheduleError> {
    if !text.starts_with('@') {
        return Ok(text);
    }
    if text.eq_ignore_ascii_case("@reboot") {
        return Err(ScheduleError::Reboot);
    }
    NICKNAMES
        .iter()
        .find(|(name, _)| text.eq_ignore_ascii_case(name))
        .map(|(_, expression)| *expression)
        .ok_or_else(|| ScheduleError::Nickname { known: nicknames() })
}

fn nicknames() -> String {
    let names: Vec<_> = NICKNAMES.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

impl Field {
    fn normal(&self, text: &str) -> Result<String, ScheduleError> {
        if text == "?" && self.specials != Specials::None {
            return Ok("*".to_owned());
        }
        let items: Result<Vec<_>, _> = text.split(',').map(|item| self.item(item)).collect();
        let items = items?;
        // croner takes `*` on its own only. In a list it matches everything too, yet is a
        // star to cron only at the beginning.
        if items.iter().any(|item| item == "*") && !text.starts_with('*') {
            return Ok(format!("{}-{}", self.min, self.max));
        }
        if items.iter().any(|item| item == "*") {
            return Ok("*".to_owned());
        }
        Ok(items.join(","))
    }

    fn item(&self, item: &str) -> Result<String, ScheduleError> {
        if item.is_empty() {
            return Err(ScheduleError::EmptyItem { field: self.name });
        }
        if let Some(special) = self.special(item)? {
            return Ok(special);
        }
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (item, None),
        };
        Ok(match (range.split_once('-'), step) {
            _ if range == "*" => with_step("*", step),
            (Some((start, end)), _) if !start.is_empty() => {
                with_step(&self.range(start, end)?, step)
            }
            (_, None) => self.value(range)?.to_string(),
            // To croner `1/3` would reach Sunday twice, as 0 and as 7.
            (_, Some(_)) => {
                let first = self.value(range)?;
                with_step(&format!("{first}-{}", first.max(self.last())), step)
            }
        })
    }

    /// The largest value that is no other's second name.
    fn last(&self) -> u16 {
        self.min + self.count - 1
    }

    fn range(&self, start: &str, end: &str) -> Result<String, ScheduleError> {
        let (first, mut last) = (self.value(start)?, self.value(end)?);
        // As an end, the name of Sunday means the day behind Saturday.
        if self.specials == Specials::Weekday && end.eq_ignore_ascii_case("SUN") && first > 0 {
            last = self.max;
        }
        if first > last {
            return Err(ScheduleError::Backwards {
                field: self.name,
                start: redacted_prefix(start),
                end: redacted_prefix(end),
                min: self.min,
                max: self.last(),
            });
        }
        Ok(format!("{first}-{last}"))
    }

    fn step(&self, text: &str) -> Result<u16, ScheduleError> {
        match number(text) {
            Some(step) if (1..=self.count).contains(&step) => Ok(step),
            _ => Err(ScheduleError::Step {
                field: self.name,
                max: self.count,
            }),
        }
    }

    fn value(&self, text: &str) -> Result<u16, ScheduleError> {
        let name = |known: &&str| text.eq_ignore_ascii_case(known);
        if let Some(index) = self.names.iter().position(name) {
            return Ok(self.min + u16::try_from(index).expect("a field has at most 12 names"));
        }
        match number(text) {
            Some(value) if (self.min..=self.max).contains(&value) => Ok(value),
            Some(_) => Err(ScheduleError::OutOfRange {
                field: self.name,
                given: redacted_prefix(text),
                min: self.min,
                max: self.max,
            }),
            None => Err(ScheduleError::NotAValue {
                field: self.name,
                right: self.forms(),
            }),
        }
    }

    /// What croner takes from Quartz: the last day `L`, the weekday nearest to a day
    /// `15W`, the last Friday of a month `5L` and the second Friday `5#2`.
    fn special(&self, item: &str) -> Result<Option<String>, ScheduleError> {
        match self.specials {
            Specials::None => Ok(None),
            Specials::Day if item.eq_ignore_ascii_case("L") => Ok(Some("L".to_owned())),
            Specials::Day => match item.strip_suffix(['W', 'w']) {
                Some(day) => Ok(Some(format!("{}W", self.value(day)?))),
                None => Ok(None),
            },
            Specials::Weekday => {
                let (day, which) = match (item.split_once('#'), item.strip_suffix(['L', 'l'])) {
                    (Some(parts), _) => parts,
                    (None, Some(day)) => (day, "L"),
                    (None, None) => return Ok(None),
                };
                // croner does not take the last 7th weekday for the last 0th.
                let day = self.value(day)? % self.count;
                match which {
                    "1" | "2" | "3" | "4" | "5" => Ok(Some(format!("{day}#{which}"))),
                    "L" | "l" => Ok(Some(format!("{day}#L"))),
                    _ => Err(ScheduleError::Which),
                }
            }
        }
    }

    fn forms(&self) -> String {
        let (min, max) = (self.min, self.max);
        match self.names {
            [first, .., last] => format!("{min} to {max} or {first} to {last}"),
            _ => format!("{min} to {max}"),
        }
    }
}

fn with_step(range: &str, step: Option<u16>) -> String {
    match step {
        Some(step) => format!("{range}/{step}"),
        None => range.to_owned(),
    }
}

/// Digits only: `u16`'s own parser would also take a sign.
fn number(text: &str) -> Option<u16> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // More digits than fit are a number still, only out of every range.
    Some(text.parse().unwrap_or(u16::MAX))
}
