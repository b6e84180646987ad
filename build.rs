//! Packs the time zones of `chrono-tz` into tables of a tenth of its size.
//!
//! Its own tables hold names of offsets, which nobody asks for here, and changes since the
//! 19th century, 1.3 MB in all with a pointer in each line; that is a fifth of what the
//! image may weigh, and as much memory, for the pointers are written when the program starts.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

/// Schedules are asked about the present; their tests go back as far as 2008.
const FIRST_YEAR: &str = "2000-01-01T00:00:00Z";
/// `chrono-tz` knows no changes after that.
const LAST_YEAR: &str = "2100-01-01T00:00:00Z";
/// A change is one number: the minutes since the first year, which take 26 bits up to the
/// last, and the number of the offset, of which there are fewer than 64.
const OFFSET_BITS: u32 = 6;
/// Offsets are compared so far apart to find where they change: no zone has changed twice
/// within that time.
const PROBE: TimeDelta = TimeDelta::days(2);

#[expect(
    clippy::disallowed_methods,
    reason = "the environment tells a build script where to write"
)]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let (first, last) = (moment(FIRST_YEAR), moment(LAST_YEAR));
    let mut zones = TZ_VARIANTS;
    zones.sort_unstable_by_key(|zone| zone.name());

    let mut packed: Vec<u32> = Vec::new();
    let mut offsets = Vec::new();
    let mut places = HashMap::new();
    let mut index = String::new();
    for zone in zones {
        // Many names stand for the same clocks.
        let (start, end) =
            *places
                .entry(changes(zone, first, last))
                .or_insert_with_key(|changes| {
                    let start = packed.len();
                    let change = |(at, offset)| pack(at, number(&mut offsets, offset));
                    packed.extend(changes.iter().copied().map(change));
                    (start, packed.len())
                });
        writeln!(index, "    ({:?}, {start}, {end}),", zone.name()).expect("a String takes all");
    }

    let code = format!(
        "const FIRST: i64 = {};\n\
         const OFFSET_BITS: u32 = {OFFSET_BITS};\n\
         static OFFSETS: [i16; {}] = {offsets:?};\n\
         static ZONES: [(&str, u16, u16); {}] = [\n{index}];\n\
         static CHANGES: [u32; {}] = {packed:?};\n",
        first.timestamp(),
        offsets.len(),
        zones.len(),
        packed.len(),
    );
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("zones.rs"), code).expect("OUT_DIR can be written");
}

/// The offset at `first`, then each moment with another one: minutes since `first`, and
/// minutes that clocks are ahead of UTC from then on.
fn changes(zone: Tz, first: DateTime<Utc>, last: DateTime<Utc>) -> Vec<(i64, i16)> {
    let change = |at: DateTime<Utc>| ((at - first).num_minutes(), offset(zone, at));
    let mut found = vec![change(first)];
    let mut same = first;
    while same < last {
        let mut other = same + PROBE;
        if offset(zone, other) == offset(zone, same) {
            same = other;
            continue;
        }
        while other - same > TimeDelta::seconds(1) {
            let middle = same + TimeDelta::seconds((other - same).num_seconds() / 2);
            if offset(zone, middle) == offset(zone, same) {
                same = middle;
            } else {
                other = middle;
            }
        }
        assert_eq!(
            (other - first).num_seconds() % 60,
            0,
            "a change within a minute"
        );
        found.push(change(other));
        same = other;
    }
    found
}

/// The time in the upper bits, so that the numbers of a zone ascend.
fn pack(minute: i64, offset: usize) -> u32 {
    let packed = minute << OFFSET_BITS | i64::try_from(offset).expect("it is a small number");
    assert!(offset < 1 << OFFSET_BITS, "too many offsets");
    u32::try_from(packed).expect("the minutes take 26 bits")
}

/// The place of an offset among those known so far.
fn number(offsets: &mut Vec<i16>, offset: i16) -> usize {
    let known = offsets.iter().position(|known| *known == offset);
    known.unwrap_or_else(|| {
        offsets.push(offset);
        offsets.len() - 1
    })
}

fn offset(zone: Tz, at: DateTime<Utc>) -> i16 {
    let seconds = zone
        .offset_from_utc_datetime(&at.naive_utc())
        .fix()
        .local_minus_utc();
    assert_eq!(
        seconds % 60,
        0,
        "{zone} has an offset of odd seconds at {at}"
    );
    i16::try_from(seconds / 60).expect("a day has 1440 minutes")
}

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().expect("a constant of this file")
}
