//! Reading a log as the engine does: `tail`, `since`, `until`, `follow`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;

use crate::container::LogDriver;
use crate::log::{Form, Log, Stream};
use crate::request::ReceivedRequest;
use crate::state::SharedState;

/// What a request asks of a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query {
    stdout: bool,
    stderr: bool,
    timestamps: bool,
    follow: bool,
    /// How many entries at the end; all if none.
    tail: Option<usize>,
    since: i64,
    until: i64,
}

impl Query {
    /// The message says what the engine says.
    pub(crate) fn parse(request: &ReceivedRequest) -> Result<Self, (u16, String)> {
        let (stdout, stderr) = (request.flag("stdout"), request.flag("stderr"));
        if !stdout && !stderr {
            let message = "Bad parameters: you must choose at least one stream";
            return Err((400, message.to_owned()));
        }
        let tail = request.query("tail").filter(|tail| *tail != "all");
        let time = |name, default| match request.query(name).unwrap_or_default() {
            "" | "0" => Ok(default),
            text => seconds(text).ok_or_else(|| {
                let message = format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
                (500, message)
            }),
        };
        Ok(Self {
            stdout,
            stderr,
            timestamps: request.flag("timestamps"),
            follow: request.flag("follow"),
            // What is no number means all.
            tail: tail.and_then(|tail| tail.parse().ok()),
            since: time("since", i64::MIN)?,
            until: time("until", i64::MAX)?,
        })
    }

    fn wants(self, stream: Stream) -> bool {
        match stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        }
    }

    fn form(self, tty: bool, driver: LogDriver) -> Form {
        Form {
            framed: !tty,
            timestamps: self.timestamps,
            break_last_chunk: driver != LogDriver::Local,
        }
    }
}

/// Nanoseconds of `seconds[.nanoseconds]`, or of a time in RFC 3339.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        return time.timestamp_nanos_opt();
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanos = format!("{fraction:0<9}");
    let nanos: i64 = nanos.get(..9)?.parse().ok()?;
    whole
        .parse::<i64>()
        .ok()?
        .checked_mul(1_000_000_000)?
        .checked_add(nanos)
}

/// Reads a log from one entry to the next.
struct Reader {
    state: Arc<SharedState>,
    id: String,
    query: Query,
    form: Form,
    next: usize,
    /// Which run is followed: its end is the end.
    run: usize,
    /// Where to end, if that is known already.
    end: Option<usize>,
}

/// The pieces of a log's answer, a piece for each entry.
pub(crate) fn read(
    state: &Arc<SharedState>,
    id: &str,
    query: Query,
) -> impl stream::Stream<Item = Bytes> + Send + use<> {
    let inner = state.lock();
    let reader = inner.containers.get(id).map(|container| {
        let log = &container.log;
        let tail = query.tail.map_or(0, |tail| log.len().saturating_sub(tail));
        let follows = query.follow && container.state.is_running();
        Reader {
            state: state.clone(),
            id: id.to_owned(),
            query,
            form: query.form(container.tty, container.log_driver),
            next: tail.max(log.first()),
            run: log.run(),
            end: (!follows).then(|| log.len()),
        }
    });
    drop(inner);
    stream::unfold(reader, |reader| async move {
        let mut reader = reader?;
        let bytes = reader.next().await?;
        Some((bytes, Some(reader)))
    })
}

impl Reader {
    async fn next(&mut self) -> Option<Bytes> {
        let mut changes = self.state.changes();
        loop {
            let found = {
                let state = self.state.clone();
                let inner = state.lock();
                let log = &inner.containers.get(&self.id)?.log;
                self.advance(log)
            };
            match found {
                Step::Entry(bytes) => return Some(bytes),
                Step::End => return None,
                Step::Wait => changes.changed().await.ok()?,
            }
        }
    }

    fn advance(&mut self, log: &Log) -> Step {
        let end = self.end.or_else(|| log.end_of(self.run));
        self.next = self.next.max(log.first());
        while let Some(entry) = log.get(self.next) {
            if end.is_some_and(|end| self.next >= end) {
                return Step::End;
            }
            if entry.nanos > self.query.until {
                return Step::End;
            }
            self.next += 1;
            if entry.nanos >= self.query.since && self.query.wants(entry.stream) {
                return Step::Entry(entry.encode(self.form));
            }
        }
        if end.is_some() { Step::End } else { Step::Wait }
    }
}

enum Step {
    Entry(Bytes),
    Wait,
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_up_to_nine_digits_behind_the_point() {
        let cases = [
            ("12", Some(12_000_000_000)),
            ("12.5", Some(12_500_000_000)),
            ("12.000000001", Some(12_000_000_001)),
            ("1970-01-01T00:00:01Z", Some(1_000_000_000)),
            ("abc", None),
            ("1.x", None),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
