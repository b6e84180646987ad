//! Reads the log of one container, and sees it shipped.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use docker_client::{
    ContainerInfo, DockerApiClient, DockerClientError, LogCursor, LogItem, LogLine, LogOptions,
    LogStream, Source, Timestamp,
};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::budget::Share;
use super::followed::Followed;
use super::lane::Lane;
use super::lines::Lines;
use super::sender::Sender;
use super::settled;
use super::{Dropped, Shipping};
use crate::cloudwatch_manager::{LogsService, Streams};
use crate::event::{Assembler, Event, MESSAGE_MAX};

/// After it was told to end, reading goes on until so long nothing came and nothing is left: what
/// was printed before is on its way.
const SETTLE: Duration = Duration::from_secs(1);

/// Where reading begins, and when it ends.
#[derive(Clone, Debug, Default)]
pub struct Begin {
    /// Behind what was read or accepted before.
    pub cursor: Option<LogCursor>,
    /// The cursor is of what was accepted: a stream that has no place in it may have been read.
    pub accepted: bool,
    /// At the last so many lines.
    pub tail: Option<u64>,
    /// Go on when the container is started again.
    pub restarts: bool,
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The container has ended, and all of its log was read.
    WithContainer,
    /// It was told to.
    Halted,
}

/// Ships the log of a container until its end, or until `halt` gives the moment up to which its
/// lines are wanted. Comes back when all that was read was accepted. Dropping it ends all.
///
/// # Errors
///
/// The log cannot be read any more; what was read has been shipped.
pub async fn follow<S: LogsService>(
    shipping: &Arc<Shipping<S>>,
    docker: &DockerApiClient,
    container: &ContainerInfo,
    streams: &Streams,
    begin: Begin,
    followed: Followed,
    halt: watch::Receiver<Option<Timestamp>>,
) -> Result<Ended, DockerClientError> {
    followed.begin(begin.cursor.as_ref());
    let share = Arc::new(Share::new(&shipping.budget));
    let mut senders = JoinSet::new();
    let mut lane_of = |name| {
        let lane = Arc::new(Lane::new(share.clone()));
        shipping.tally.watch(Arc::downgrade(&lane));
        let sender = Sender::new(shipping, &lane, name, &container.id, &followed);
        senders.spawn(sender.run());
        lane
    };
    let stdout = lane_of(&streams.stdout);
    let stderr = if streams.all().len() == 1 {
        stdout.clone()
    } else {
        lane_of(&streams.stderr)
    };
    let mut reader = Reader {
        shipping,
        share: share.clone(),
        name: diagnostics::one_line(&container.name),
        lines: Lines::new(shipping.events.as_ref()),
        lanes: [stdout, stderr],
        followed: followed.clone(),
        id: container.id.clone(),
        is_floor_known: begin.tail.is_none() || begin.cursor.is_some(),
    };
    let mut options = LogOptions::default();
    options.max_line = MESSAGE_MAX;
    options.tail = begin.tail.filter(|_| begin.cursor.is_none());
    options.cursor = begin.cursor;
    // What was accepted of one says nothing of the other.
    options.unplaced_from_first = begin.accepted;
    options.follow_restarts = begin.restarts;
    let ended = match docker.follow_container_logs(&container.id, options).await {
        Ok(log) => reader.read(docker, log, halt).await,
        Err(error) => Err(error),
    };
    reader.finish();
    while let Some(sent) = senders.join_next().await {
        // Whoever follows knows what was accepted, and goes on there.
        if let Some(panic) = sent.err().and_then(|failure| failure.try_into_panic().ok()) {
            resume_unwind(panic);
        }
    }
    ended
}

struct Reader<'a, S> {
    shipping: &'a Arc<Shipping<S>>,
    share: Arc<Share>,
    /// The container's, for the log.
    name: String,
    lines: Lines,
    /// For standard output and for standard error.
    lanes: [Arc<Lane>; 2],
    followed: Followed,
    id: String,
    /// Where the last lines begin, which the run began with, is in the checkpoint.
    is_floor_known: bool,
}

impl<S: LogsService> Reader<'_, S> {
    /// A run that takes this one up must not look for the last lines again.
    async fn remember_floor(&mut self, cursor: &LogCursor) {
        if self.is_floor_known {
            return;
        }
        if let Some(floor) = cursor.floor {
            self.is_floor_known = true;
            if let Some(checkpoint) = &self.shipping.checkpoint {
                checkpoint.remember_floor(&self.id, floor).await;
            }
        }
    }

    async fn read(
        &mut self,
        docker: &DockerApiClient,
        mut log: LogStream,
        mut halt: watch::Receiver<Option<Timestamp>>,
    ) -> Result<Ended, DockerClientError> {
        loop {
            // Most of the time the next line is there.
            let item = match log.next().now_or_never() {
                Some(item) => item,
                None => {
                    self.followed.note(log.cursor());
                    self.remember_floor(&log.cursor()).await;
                    let halted = *halt.borrow_and_update();
                    self.flush_due();
                    let interval = self.shipping.flush_interval;
                    let due = self.lines.oldest_waiting().map(|since| since + interval);
                    tokio::select! {
                        item = log.next() => item,
                        () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => continue,
                        () = tokio::time::sleep(SETTLE), if halted.is_some() => {
                            if settled::is_read(docker, &self.id, &log.cursor()).await {
                                return Ok(Ended::Halted);
                            }
                            continue;
                        }
                        Ok(()) = halt.changed(), if halted.is_none() => continue,
                    }
                }
            };
            match item {
                None => {
                    self.followed.note(log.cursor());
                    return Ok(Ended::WithContainer);
                }
                Some(Err(error)) => {
                    self.followed.note(log.cursor());
                    return Err(error);
                }
                Some(Ok(LogItem::Gap(gap))) => {
                    self.shipping.tally.gap();
                    warn!(container = self.name, after = %gap.after, before = %gap.before, "the engine has thrown lines away before they were read");
                }
                Some(Ok(LogItem::Line(line))) => {
                    let until = *halt.borrow();
                    if until.is_some_and(|until| line.timestamp.is_some_and(|time| time > until)) {
                        return Ok(Ended::Halted);
                    }
                    self.flush_due();
                    self.remember_floor(&log.cursor()).await;
                    self.take(line, log.cursor()).await;
                }
            }
        }
    }

    async fn take(&mut self, line: LogLine, cursor: LogCursor) {
        if let Some(tee) = &self.shipping.tee {
            tee.line(&line.bytes, line.partial).await;
        }
        let place = match line.stream {
            Source::Stdout => cursor.stdout,
            Source::Stderr => cursor.stderr,
        };
        let source = line.stream;
        self.followed.take(source, cursor);
        let line = self.lines.read(&line, place);
        self.make_room(Assembler::cost_of(&line)).await;
        let (events, given_back) = self.lines.push(source, line);
        self.share.give_back(given_back);
        let is_unfinished = self.lines.is_waiting(source);
        self.followed.hold_taken(&events, source, is_unfinished);
        for event in events {
            self.put(source, event);
        }
    }

    /// Reading stops here while memory is full: the engine has the rest.
    async fn make_room(&mut self, cost: usize) {
        let (shipping, share) = (self.shipping, self.share.clone());
        if share.take(cost).now_or_never().is_some() {
            return;
        }
        debug!(
            container = self.name,
            held_bytes = shipping.budget.held(),
            "memory is full, reading waits"
        );
        for lane in &self.lanes {
            lane.hurry();
        }
        // Many containers, each with the beginning of an event, could wait for each other.
        let taken = tokio::time::timeout(shipping.flush_interval, share.take(cost)).await;
        if taken.is_err() {
            self.flush_all();
            for lane in &self.lanes {
                lane.hurry();
            }
            share.take(cost).await;
        }
        for lane in &self.lanes {
            lane.relieve();
        }
    }

    fn put(&self, source: Source, event: Event) {
        self.shipping.tally.read(event.lines, event.message.len());
        let [stdout, stderr] = &self.lanes;
        match source {
            Source::Stdout => stdout.push(event),
            Source::Stderr => stderr.push(event),
        }
    }

    /// Those of the stream in which nothing more came for the interval, whatever came in the other.
    fn flush_due(&mut self) {
        let before = Instant::now().checked_sub(self.shipping.flush_interval);
        if let Some(before) = before {
            let flushed = self.lines.flush(before);
            self.put_flushed(flushed);
        }
    }

    fn flush_all(&mut self) {
        let flushed = self.lines.flush(Instant::now());
        self.put_flushed(flushed);
    }

    fn put_flushed(&mut self, (events, given_back): (Vec<(Source, Event)>, usize)) {
        if events.is_empty() && given_back == 0 {
            return;
        }
        self.share.give_back(given_back);
        for source in [Source::Stdout, Source::Stderr] {
            let is_unfinished = self.lines.is_waiting(source);
            self.followed.hold(&[], source, is_unfinished);
        }
        for (source, event) in events {
            let flushed = std::slice::from_ref(&event);
            self.followed.hold(flushed, source, false);
            self.put(source, event);
        }
    }

    fn finish(&mut self) {
        self.flush_all();
        for lane in &self.lanes {
            lane.close();
        }
    }
}

impl Dropped {
    /// For the log.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::TooOld => "older than 14 days, or than the group's retention",
            Self::TooNew => "more than 2 hours ahead",
            Self::Refused => "refused by the service",
        }
    }
}
