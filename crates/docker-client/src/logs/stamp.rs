//! The time that stands before a message: RFC 3339 with nanoseconds, and a space.

/// The longest: `2026-11-21T10:00:00.123456789+01:00 `.
pub(crate) const LONGEST: usize = 36;

/// Nanoseconds, and how many bytes they take with the space.
pub(crate) fn parse(bytes: &[u8]) -> Option<(i64, usize)> {
    let window = &bytes[..bytes.len().min(LONGEST)];
    let end = memchr::memchr(b' ', window)?;
    Some((time(&window[..end])?, end + 1))
}

/// Whether more bytes could make a time of these.
pub(crate) fn may_become(bytes: &[u8]) -> bool {
    bytes.len() < LONGEST
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            10 => *byte == b'T',
            13 | 16 => *byte == b':',
            0..19 => byte.is_ascii_digit(),
            _ => byte.is_ascii_digit() || b".Z+-:".contains(byte),
        })
}

fn time(text: &[u8]) -> Option<i64> {
    if text.len() < 20
        || ![(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')]
            .iter()
            .all(|(at, byte)| text[*at] == *byte)
    {
        return None;
    }
    let (year, month, day) = (
        number(&text[..4])?,
        number(&text[5..7])?,
        number(&text[8..10])?,
    );
    let (hour, minute, second) = (
        number(&text[11..13])?,
        number(&text[14..16])?,
        number(&text[17..19])?,
    );
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut rest = &text[19..];
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if !(1..=9).contains(&digits) {
            return None;
        }
        nanos = number(&fraction[..digits])? * 10_i64.pow(9 - digits as u32);
        rest = &fraction[digits..];
    }
    let offset = match rest {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] if rest.len() == 5 && rest[2] == b':' => {
            let seconds = number(&rest[..2])? * 3600 + number(&rest[3..])? * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + i64::from(digit - b'0'))
    })
}

/// Days from 1970-01-01 in the Gregorian calendar, after Howard Hinnant's `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::timestamp::Timestamp;

    proptest! {
        #[test]
        fn times_are_read_as_they_were_written(nanos in any::<i64>(), rest in "[a-z ]{0,10}") {
            let time = Timestamp::from_nanos(nanos);
            let text = format!("{time} {rest}");
            prop_assert_eq!(parse(text.as_bytes()), Some((nanos, text.len() - rest.len())));
            for end in 0..31 {
                prop_assert!(may_become(&text.as_bytes()[..end]));
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let _ = (parse(&bytes), may_become(&bytes));
        }

        #[test]
        fn no_text_like_a_time_panics(text in "[0-9]{3,4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.Z+0-9:-]{0,16} ") {
            let _ = parse(text.as_bytes());
        }
    }

    #[test]
    fn times_of_other_zones_are_read() {
        let utc = parse(b"2026-11-21T10:00:00.5Z x").unwrap();
        assert_eq!(utc.1, 23);
        assert_eq!(
            parse(b"2026-11-21T11:30:00.500000000+01:30 x").unwrap().0,
            utc.0
        );
        assert_eq!(parse(b"2026-11-21T05:00:00.5-05:00 ").unwrap().0, utc.0);
        assert_eq!(
            parse(b"1970-01-01T00:00:01Z ").unwrap(),
            (1_000_000_000, 21)
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            " ",
            "hello world",
            "2026-11-21 10:00:00Z ",
            "2026-13-21T10:00:00Z ",
            "2026-11-21T10:00:00.Z ",
            "2026-11-21T10:00:00Z",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert!(!may_become(b"hello") && !may_become(b"2026/"));
    }
}
