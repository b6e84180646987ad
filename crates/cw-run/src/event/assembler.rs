//! Puts lines together to events.

use super::text::split;
use super::{Event, LineStart, MESSAGE_MAX, Mark, cost};

/// Makes events of the lines of one stream. An event of several lines is done when the next
/// begins, when it is full, or when [`Assembler::flush`] is called because nothing came for a while.
#[derive(Clone, Debug)]
pub struct Assembler {
    start: Option<LineStart>,
    pending: Option<Event>,
}

/// A line, or a piece of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its text.
    pub text: String,
    /// It goes on a line whose beginning came before.
    pub continues: bool,
    /// When it was written, in milliseconds since the Unix epoch.
    pub time: i64,
    /// The place behind it.
    pub mark: Option<Mark>,
}

impl Assembler {
    /// Every line is an event, or those that match begin one.
    #[must_use]
    pub fn new(start: Option<LineStart>) -> Self {
        Self {
            start,
            pending: None,
        }
    }

    /// Whether lines wait for more of their event.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    /// What holding the next line will cost.
    #[must_use]
    pub fn cost_of(line: &Line) -> usize {
        let pieces = line.text.len().div_ceil(MESSAGE_MAX - 3).max(1);
        line.text.len() + pieces * cost("")
    }

    /// Takes a line; the events that are done with it come out. What does not come out now,
    /// an empty line for example, costs nothing any more: the second number gives that back.
    pub fn push(&mut self, line: Line) -> (Vec<Event>, usize) {
        let charged = Self::cost_of(&line);
        let mut done = Vec::new();
        let Some(start) = &self.start else {
            done = pieces(line);
            let kept: usize = done.iter().map(|event| event.cost).sum();
            return (done, charged - kept);
        };
        let begins = !line.continues && start.matches(&line.text);
        let joint = if line.continues { 0 } else { 1 };
        match &mut self.pending {
            Some(event)
                if !begins && event.message.len() + joint + line.text.len() <= MESSAGE_MAX =>
            {
                if !line.continues {
                    event.message.push('\n');
                }
                event.message.push_str(&line.text);
                event.mark = line.mark.or(event.mark);
                event.lines += u64::from(!line.continues);
                event.cost += charged;
                return (done, 0);
            }
            _ => {}
        }
        let (flushed, given_back) = self.flush();
        done.extend(flushed);
        let mut rest = pieces_or_empty(line);
        let last = rest.pop();
        let kept: usize = rest.iter().chain(&last).map(|event| event.cost).sum();
        done.append(&mut rest);
        self.pending = last;
        (done, given_back + charged - kept)
    }

    /// The event that waits for more lines, and what needs not be held any more.
    pub fn flush(&mut self) -> (Option<Event>, usize) {
        match self.pending.take() {
            // The service refuses an event without a character.
            Some(event) if event.message.bytes().all(|byte| byte == b'\n') => (None, event.cost),
            event => (event, 0),
        }
    }
}

fn pieces(line: Line) -> Vec<Event> {
    let (time, mark, continues) = (line.time, line.mark, line.continues);
    let texts = split(line.text, MESSAGE_MAX);
    let last = texts.len().saturating_sub(1);
    let event = |(number, message): (usize, String)| Event {
        cost: cost(&message),
        // Before its last piece was accepted a line is read again as a whole.
        mark: mark.filter(|_| number == last),
        lines: u64::from(number == 0 && !continues),
        message,
        time,
    };
    texts.into_iter().enumerate().map(event).collect()
}

fn pieces_or_empty(line: Line) -> Vec<Event> {
    if line.text.is_empty() {
        let Line {
            text,
            time,
            mark,
            continues,
        } = line;
        return vec![Event {
            cost: cost(&text),
            message: text,
            time,
            mark,
            lines: u64::from(!continues),
        }];
    }
    pieces(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_support::cases;

    use super::*;

    fn line(text: &str) -> Line {
        Line {
            text: text.to_owned(),
            continues: false,
            time: 0,
            mark: None,
        }
    }

    /// The messages, and what is still charged for when all have come out.
    fn messages(pattern: Option<&str>, lines: &[Line]) -> (Vec<String>, usize) {
        let mut assembler = Assembler::new(pattern.map(|text| LineStart::pattern(text).unwrap()));
        let (mut events, mut charged) = (Vec::new(), 0);
        for line in lines {
            charged += Assembler::cost_of(line);
            let (done, back) = assembler.push(line.clone());
            charged -= back;
            events.extend(done);
        }
        let (last, back) = assembler.flush();
        charged -= back;
        events.extend(last);
        let held: usize = events.iter().map(|event| event.cost).sum();
        (
            events.into_iter().map(|event| event.message).collect(),
            charged - held,
        )
    }

    #[test]
    fn every_line_is_an_event_and_empty_ones_are_left_out() {
        let lines = [line("a"), line(""), line("b")];
        assert_eq!(
            messages(None, &lines),
            (vec!["a".to_owned(), "b".to_owned()], 0)
        );
    }

    #[test]
    fn lines_join_the_one_that_began() {
        let lines = ["before", "! one", " more", "", "! two"].map(line);
        let expected = ["before", "! one\n more\n", "! two"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(messages(Some("^!"), &lines), (expected, 0));
    }

    #[test]
    fn empty_lines_alone_are_no_event() {
        assert_eq!(messages(Some("^!"), &["", "", ""].map(line)), (vec![], 0));
    }

    #[test]
    fn message_of_the_longest_length_is_one_event_and_a_byte_more_makes_two() {
        let texts = |length| {
            messages(None, &[line(&"x".repeat(length))])
                .0
                .iter()
                .map(String::len)
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(MESSAGE_MAX), [MESSAGE_MAX]);
        assert_eq!(texts(MESSAGE_MAX + 1), [MESSAGE_MAX, 1]);
        let half = "x".repeat(MESSAGE_MAX / 2);
        let joined = messages(Some("^!"), &[line(&half), line(&half[1..]), line("y")]).0;
        assert_eq!(
            joined.iter().map(String::len).collect::<Vec<_>>(),
            [MESSAGE_MAX, 1]
        );
    }

    #[test]
    fn piece_of_a_line_joins_without_a_line_break_and_begins_nothing() {
        let mut piece = line("! b");
        piece.continues = true;
        assert_eq!(messages(Some("^!"), &[line("! a"), piece]).0, ["! a! b"]);
    }

    proptest! {
        #![proptest_config(cases(256))]
        #[test]
        fn nothing_is_lost_or_put_in_another_order(texts in prop::collection::vec("[!a-c]{0,4}", 0..30), joined: bool) {
            let lines: Vec<_> = texts.iter().map(|text| line(text)).collect();
            let (events, leaked) = messages(joined.then_some("^!"), &lines);
            prop_assert_eq!(leaked, 0);
            prop_assert!(events.iter().all(|event| !event.is_empty()));
            prop_assert_eq!(events.concat().replace('\n', ""), texts.concat());
        }
    }
}
