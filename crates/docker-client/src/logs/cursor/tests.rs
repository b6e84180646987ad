use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn piece(source: Source, nanos: i64, text: &str) -> Piece {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    Piece {
        source,
        nanos,
        offset: 0,
        bytes,
        ends: true,
        partial: false,
    }
}

/// Reads lines of standard output; what is delivered, a gap as `None`.
fn read(tracker: &mut Tracker, lines: &[(i64, &str)]) -> Vec<Option<String>> {
    let mut delivered = Vec::new();
    for (nanos, text) in lines {
        let mut piece = piece(Source::Stdout, *nanos, text);
        let text = Some((*text).to_owned());
        match tracker.admit(&mut piece, false) {
            Verdict::Skip => {}
            Verdict::Deliver => delivered.push(text),
            Verdict::DeliverAfter(_) => delivered.extend([None, text]),
            Verdict::Recount => panic!("the answer is not live"),
        }
    }
    delivered
}

fn texts(lines: &[&str]) -> Vec<Option<String>> {
    lines.iter().map(|text| Some((*text).to_owned())).collect()
}

#[test]
fn what_is_read_again_is_delivered_once() {
    let mut tracker = Tracker::new(None);
    let log = [(1, "a"), (2, "b"), (2, "b"), (3, "c")];
    assert_eq!(read(&mut tracker, &log), texts(&["a", "b", "b", "c"]));
    tracker.read_again();
    assert_eq!(read(&mut tracker, &log), texts(&[]));
    assert_eq!(
        read(&mut tracker, &[(3, "d"), (4, "e")]),
        texts(&["d", "e"])
    );
}

#[test]
fn line_of_the_same_time_in_a_live_answer_is_counted_anew() {
    for there in [1, 2] {
        let mut tracker = Tracker::new(None);
        let admit = |tracker: &mut Tracker, nanos| {
            tracker.admit(&mut piece(Source::Stdout, nanos, "a"), true)
        };
        assert_eq!(admit(&mut tracker, 5), Verdict::Deliver);
        assert_eq!(admit(&mut tracker, 5), Verdict::Recount);
        tracker.read_again();
        assert_eq!(admit(&mut tracker, 5), Verdict::Skip);
        if there == 2 {
            assert_eq!(admit(&mut tracker, 5), Verdict::Deliver);
        }
        assert_eq!(admit(&mut tracker, 9), Verdict::Deliver);
        // Who has seen two of the same time takes the next for what they are.
        let next = [Verdict::Recount, Verdict::Deliver][there - 1].clone();
        assert_eq!(admit(&mut tracker, 9), next);
    }
}

#[test]
fn lines_of_one_instant_are_counted() {
    let mut tracker = Tracker::new(None);
    read(&mut tracker, &[(5, "a"), (5, "b")]);
    tracker.read_again();
    let log = [(5, "a"), (5, "b"), (5, "c")];
    assert_eq!(read(&mut tracker, &log), texts(&["c"]));
    assert_eq!(tracker.position(Source::Stdout).unwrap().lines, 3);
}

#[test]
fn reading_begins_two_seconds_before_the_older_stream() {
    let mut tracker = Tracker::new(None);
    assert_eq!(tracker.since(), None);
    tracker.admit(&mut piece(Source::Stdout, 100 * SECOND + 7, "a"), false);
    tracker.admit(
        &mut piece(Source::Stderr, 90 * SECOND + 999_999_999, "b"),
        false,
    );
    assert_eq!(tracker.since(), Some(88));
}

#[test]
fn a_place_that_was_rotated_away_is_a_gap() {
    let mut tracker = Tracker::new(None);
    read(&mut tracker, &[(1, "a"), (2, "b")]);
    tracker.read_again();
    let mut line = piece(Source::Stdout, 9, "c");
    let Verdict::DeliverAfter(gap) = tracker.admit(&mut line, false) else {
        panic!("no gap");
    };
    assert_eq!((gap.after.nanos(), gap.before.nanos()), (2, 9));
    assert_eq!(read(&mut tracker, &[(10, "d")]), texts(&["d"]));
}

#[test]
fn repeats_in_a_live_stream_are_skipped() {
    let mut tracker = Tracker::new(None);
    let log = [
        (1, "a"),
        (2, "b"),
        (3, "c"),
        (1, "a"),
        (2, "b"),
        (3, "c"),
        (4, "d"),
    ];
    assert_eq!(read(&mut tracker, &log), texts(&["a", "b", "c", "d"]));
}

#[test]
fn a_clock_that_was_put_back_is_no_repeat() {
    let mut tracker = Tracker::new(None);
    let log = [(100, "a"), (101, "b"), (50, "c"), (51, "d")];
    assert_eq!(read(&mut tracker, &log), texts(&["a", "b", "c", "d"]));
    tracker.read_again();
    assert_eq!(read(&mut tracker, &log), texts(&[]));
    assert_eq!(read(&mut tracker, &[(52, "e"), (101, "f")]), texts(&["e"]));
    assert_eq!(read(&mut tracker, &[(102, "g")]), texts(&["g"]));
}

#[test]
fn more_lines_than_the_ring_holds_are_no_news_when_read_again() {
    let mut tracker = Tracker::new(None);
    let log: Vec<_> = (0..3 * RING as i64).map(|nanos| (nanos, "x")).collect();
    assert_eq!(read(&mut tracker, &log).len(), log.len());
    tracker.read_again();
    assert_eq!(read(&mut tracker, &log), texts(&[]));
    assert_eq!(read(&mut tracker, &[(1 << 40, "y")]), texts(&["y"]));
}

#[test]
fn a_cursor_goes_on_behind_what_another_process_delivered() {
    let mut first = Tracker::new(None);
    let log = [(1, "a"), (2, "b"), (2, "c"), (3, "d")];
    read(&mut first, &log[..3]);
    let cursor = LogCursor {
        stdout: first.position(Source::Stdout),
        ..LogCursor::default()
    };
    let mut second = Tracker::new(Some(&cursor));
    assert_eq!(read(&mut second, &log), texts(&["d"]));
}

#[test]
fn a_line_that_was_delivered_in_part_goes_on_where_it_was_cut() {
    let mut tracker = Tracker::new(None);
    let part = |offset, text: &'static str, ends| Piece {
        source: Source::Stdout,
        nanos: 7,
        offset,
        bytes: Bytes::from_static(text.as_bytes()),
        ends,
        partial: !ends,
    };
    assert_eq!(
        tracker.admit(&mut part(0, "abcd", false), false),
        Verdict::Deliver
    );
    tracker.read_again();
    assert_eq!(
        tracker.admit(&mut part(0, "ab", false), false),
        Verdict::Skip
    );
    let mut next = part(2, "cdef", false);
    assert_eq!(tracker.admit(&mut next, false), Verdict::Deliver);
    assert_eq!(next.bytes, "ef");
    assert_eq!(
        tracker.admit(&mut part(6, "gh", true), false),
        Verdict::Deliver
    );
    assert_eq!(tracker.position(Source::Stdout).unwrap().lines, 1);
}

#[test]
fn lines_from_before_a_tail_are_not_wanted_later() {
    let mut tracker = Tracker::new(None);
    tracker.set_floor(10);
    read(&mut tracker, &[(10, "a")]);
    tracker.read_again();
    assert_eq!(
        read(&mut tracker, &[(8, "x"), (9, "y"), (10, "a"), (11, "b")]),
        texts(&["b"])
    );
    let mut other = piece(Source::Stderr, 9, "x");
    assert_eq!(tracker.admit(&mut other, false), Verdict::Skip);
    let mut other = piece(Source::Stderr, 12, "z");
    assert_eq!(tracker.admit(&mut other, false), Verdict::Deliver);
}

#[test]
fn news_is_what_lies_behind_the_place() {
    let mut tracker = Tracker::new(None);
    read(&mut tracker, &[(5, "a")]);
    assert!(!tracker.is_news(Source::Stdout, 5) && tracker.is_news(Source::Stdout, 6));
    assert!(tracker.is_news(Source::Stderr, 1));
}

proptest! {
    /// A log of two streams, cut anywhere any number of times, each time read again from
    /// `since`: the lines of each stream come out once and in order.
    #[test]
    fn cuts_lose_and_repeat_nothing(
        steps in prop::collection::vec((any::<bool>(), 0i64..3 * SECOND / 2, any::<bool>()), 1..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut now = 1_000 * SECOND;
        let log: Vec<_> = steps
            .iter()
            .enumerate()
            .map(|(number, (stderr, step, same))| {
                now += if *same { 0 } else { *step };
                let source = if *stderr { Source::Stderr } else { Source::Stdout };
                (source, now, number.to_string())
            })
            .collect();
        let mut tracker = Tracker::new(None);
        let mut delivered = Vec::new();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(log.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(log.len());
        for end in ends {
            'answer: loop {
                let since = tracker.since().map_or(0, |since| since * SECOND);
                tracker.read_again();
                for (source, nanos, text) in log[..end].iter().filter(|line| line.1 >= since) {
                    match tracker.admit(&mut piece(*source, *nanos, text), true) {
                        Verdict::Skip => {}
                        Verdict::Deliver => delivered.push((*source, text.clone())),
                        Verdict::DeliverAfter(gap) => prop_assert!(false, "{gap:?}"),
                        Verdict::Recount => continue 'answer,
                    }
                }
                break;
            }
        }
        for source in [Source::Stdout, Source::Stderr] {
            let wrote = log.iter().filter(|line| line.0 == source).map(|line| &line.2);
            let came = delivered.iter().filter(|line| line.0 == source).map(|line| &line.1);
            prop_assert!(wrote.eq(came));
        }
    }
}

#[test]
fn stream_without_a_place_is_read_from_its_first_line_until_it_was() {
    let cursor = "stderr=9000000000:1:0".parse().unwrap();
    let mut tracker = Tracker::new(Some(&cursor));
    assert_eq!(tracker.since(), Some(7));
    tracker.read_from_first(Source::Stdout);
    tracker.read_from_first(Source::Stderr);
    assert_eq!(tracker.since(), None);
    tracker.read_again();
    assert_eq!(read(&mut tracker, &[(5, "a")]), texts(&["a"]));
    let mut old = piece(Source::Stderr, 8_000_000_000, "b");
    assert_eq!(tracker.admit(&mut old, true), Verdict::Skip);
    assert_eq!(tracker.since(), Some(-2));
}

#[test]
fn stream_that_says_nothing_is_read_from_its_first_line_once() {
    let cursor = "stderr=9000000000:1:0 floor=4000000000".parse().unwrap();
    let mut tracker = Tracker::new(Some(&cursor));
    tracker.read_from_first(Source::Stdout);
    assert_eq!(tracker.since(), Some(4));
    tracker.read_again();
    let mut old = piece(Source::Stderr, 9_000_000_000, "a");
    assert_eq!(tracker.admit(&mut old, true), Verdict::Skip);
    assert_eq!(tracker.since(), Some(4));
    let mut new = piece(Source::Stderr, 12_000_000_000, "b");
    assert!(matches!(
        tracker.admit(&mut new, true),
        Verdict::Deliver | Verdict::DeliverAfter(_)
    ));
    assert_eq!(tracker.since(), Some(10));
}

#[test]
fn silent_stream_that_was_read_behind_its_place_keeps_no_reading_back() {
    let cursor = "stdout=900000000000:1:0 stderr=9000000000:1:0 floor=898000000000";
    let mut tracker = Tracker::new(Some(&cursor.parse().unwrap()));
    assert_eq!(tracker.since(), Some(898));
    tracker.read_again();
    let mut new = piece(Source::Stderr, 901_000_000_000, "a");
    assert_eq!(tracker.admit(&mut new, false), Verdict::Deliver);
    // The other one's place is to come by.
    let mut new = piece(Source::Stdout, 902_000_000_000, "b");
    assert!(matches!(
        tracker.admit(&mut new, false),
        Verdict::DeliverAfter(_)
    ));
}
