//! Groups, streams and events. All events stand in one row, in the order of their arrival, so
//! that the oldest can go first; a stream has the places of its own, in the order of time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::call::LogsRequest;
use super::received::{ReceivedBatch, ReceivedEvent};
use crate::refusal::Refusal;

/// What an event takes beside its text: its place in the row and in its stream.
const EVENT_BYTES: usize = 192;

/// The order in which events are read: by time, then by arrival.
pub(crate) type Key = (i64, u64);

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// Of events; beyond it the oldest go.
    pub(crate) bytes: usize,
    pub(crate) groups: usize,
    /// Of all groups together.
    pub(crate) streams: usize,
    /// Accepted batches, without their events.
    pub(crate) requests: usize,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            bytes: 1024 * 1024 * 1024,
            groups: 10_000,
            streams: 100_000,
            requests: usize::MAX,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    pub(crate) arn: String,
    pub(crate) created_ms: i64,
    pub(crate) retention_days: Option<i64>,
    pub(crate) kms_key: Option<String>,
    pub(crate) class: &'static str,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) streams: BTreeMap<Arc<str>, Stream>,
    /// Of the texts of its events.
    pub(crate) stored_bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) name: Arc<str>,
    pub(crate) created_ms: i64,
    pub(crate) last_event_ms: Option<i64>,
    pub(crate) last_ingestion_ms: Option<i64>,
    pub(crate) token: Option<u64>,
    pub(crate) keys: BTreeSet<Key>,
}

/// All that was accepted of logs.
#[derive(Debug)]
pub(crate) struct LogStore {
    pub(super) keep: Keep,
    pub(crate) groups: BTreeMap<Arc<str>, Group>,
    stream_count: usize,
    /// From number `first` on; `None` where the stream was deleted.
    events: VecDeque<Option<ReceivedEvent>>,
    first: u64,
    pub(super) bytes: usize,
    /// Events that went because there were too many.
    pub(crate) dropped: u64,
    pub(crate) batches: VecDeque<Arc<ReceivedBatch>>,
    pub(crate) batches_seen: u64,
}

impl LogStore {
    pub(crate) fn new(keep: Keep) -> Self {
        Self {
            keep,
            groups: BTreeMap::new(),
            stream_count: 0,
            events: VecDeque::new(),
            first: 1,
            bytes: 0,
            dropped: 0,
            batches: VecDeque::new(),
            batches_seen: 0,
        }
    }

    /// All events that were accepted, whether they are still there or not.
    pub(crate) fn accepted(&self) -> u64 {
        self.first - 1 + self.events.len() as u64
    }

    /// Events from a number on, in the order of arrival.
    pub(crate) fn arrived(&self, from: u64) -> impl DoubleEndedIterator<Item = &ReceivedEvent> {
        let skipped = from.saturating_sub(self.first);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let from = skipped.min(self.events.len());
        self.events.range(from..).flatten()
    }

    pub(crate) fn event(&self, number: u64) -> &ReceivedEvent {
        let event = self
            .index(number)
            .and_then(|place| self.events[place].as_ref());
        event.expect("a stream has only keys of events that are there")
    }

    pub(crate) fn group(&self, name: &str) -> Result<&Group, Refusal> {
        self.groups.get(name).ok_or_else(no_group)
    }

    pub(crate) fn group_mut(&mut self, name: &str) -> Result<&mut Group, Refusal> {
        self.groups.get_mut(name).ok_or_else(no_group)
    }

    pub(crate) fn stream(&self, group: &str, name: &str) -> Result<&Stream, Refusal> {
        let group = self.group(group)?;
        group.streams.get(name).ok_or_else(no_stream)
    }

    pub(crate) fn add_group(&mut self, group: Group) -> Result<(), Refusal> {
        if self.groups.contains_key(&group.name) {
            return Err(exists("The specified log group already exists"));
        }
        if self.groups.len() >= self.keep.groups {
            return Err(limit());
        }
        self.groups.insert(group.name.clone(), group);
        Ok(())
    }

    pub(crate) fn add_stream(
        &mut self,
        group: &str,
        name: String,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        let is_full = self.stream_count >= self.keep.streams;
        let group = self.group_mut(group)?;
        let name: Arc<str> = name.into();
        if group.streams.contains_key(&name) {
            return Err(exists("The specified log stream already exists"));
        }
        if is_full {
            return Err(limit());
        }
        let stream = Stream {
            name: name.clone(),
            created_ms: now_ms,
            last_event_ms: None,
            last_ingestion_ms: None,
            token: None,
            keys: BTreeSet::new(),
        };
        group.streams.insert(name, stream);
        self.stream_count += 1;
        Ok(())
    }

    pub(crate) fn remove_group(&mut self, name: &str) -> Result<(), Refusal> {
        let group = self.groups.remove(name).ok_or_else(no_group)?;
        for stream in group.streams.into_values() {
            self.forget(&stream);
        }
        Ok(())
    }

    pub(crate) fn remove_stream(&mut self, group: &str, name: &str) -> Result<(), Refusal> {
        let streams = &mut self.group_mut(group)?.streams;
        let stream = streams.remove(name).ok_or_else(no_stream)?;
        let bytes = self.forget(&stream);
        self.group_mut(group)?.stored_bytes -= bytes;
        Ok(())
    }

    /// Takes in the events of a request within a range; gives the next sequence token.
    pub(crate) fn put(
        &mut self,
        group: &str,
        stream: &str,
        request: LogsRequest,
        accepted: Range<usize>,
        now_ms: i64,
    ) -> Result<String, Refusal> {
        let next = self.accepted() + 1;
        let number = self.batches_seen + 1;
        let owner = self.groups.get_mut(group).ok_or_else(no_group)?;
        let owned = owner.streams.get_mut(stream).ok_or_else(no_stream)?;
        let (group, stream) = (owner.name.clone(), owned.name.clone());
        let sent = request.events.len();
        let taken = request.events.into_iter();
        let taken = taken.skip(accepted.start).take(accepted.len());
        for (place, event) in (next..).zip(taken) {
            owned.keys.insert((event.timestamp_ms, place));
            owned.last_event_ms = owned.last_event_ms.max(Some(event.timestamp_ms));
            owner.stored_bytes += event.message.len();
            self.bytes += event.message.len() + EVENT_BYTES;
            self.events.push_back(Some(ReceivedEvent {
                number: place,
                batch: number,
                group: group.clone(),
                stream: stream.clone(),
                timestamp_ms: event.timestamp_ms,
                ingestion_ms: now_ms,
                message: event.message.into(),
            }));
        }
        owned.last_ingestion_ms = Some(now_ms);
        let token = owned.token.map_or(number, |token| token + 1);
        owned.token = Some(token);
        self.batches_seen = number;
        self.batches.push_back(Arc::new(ReceivedBatch {
            number,
            at: request.at,
            instant: request.instant,
            group,
            stream,
            sent,
            accepted: accepted.len(),
            sequence_token: request.sequence_token,
            access_key: request.access_key,
            region: request.region,
            body_bytes: request.body_bytes,
            gzip: request.gzip,
            user_agent: request.user_agent,
        }));
        if self.batches.len() > self.keep.requests {
            self.batches.pop_front();
        }
        while self.bytes > self.keep.bytes {
            self.drop_oldest();
        }
        Ok(sequence_token(token))
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.events.pop_front() else {
            return;
        };
        self.first += 1;
        self.bytes -= EVENT_BYTES;
        let Some(event) = oldest else {
            return;
        };
        self.dropped += 1;
        self.bytes -= event.message.len();
        if let Some(group) = self.groups.get_mut(&event.group) {
            group.stored_bytes -= event.message.len();
            if let Some(stream) = group.streams.get_mut(&event.stream) {
                stream.keys.remove(&(event.timestamp_ms, event.number));
            }
        }
    }

    /// Takes the events of a deleted stream out of the row; gives the bytes of their texts.
    fn forget(&mut self, stream: &Stream) -> usize {
        self.stream_count -= 1;
        let before = self.bytes;
        for (_, number) in &stream.keys {
            let place = self.index(*number);
            if let Some(event) = place.and_then(|place| self.events[place].take()) {
                self.bytes -= event.message.len();
            }
        }
        let freed = before - self.bytes;
        while self.events.front().is_some_and(Option::is_none) {
            self.drop_oldest();
        }
        freed
    }

    fn index(&self, number: u64) -> Option<usize> {
        let place = number.checked_sub(self.first)?;
        usize::try_from(place)
            .ok()
            .filter(|place| *place < self.events.len())
    }
}

/// Shaped as the service's.
pub(crate) fn sequence_token(number: u64) -> String {
    format!("{number:056}")
}

fn no_group() -> Refusal {
    not_found("The specified log group does not exist.")
}

fn no_stream() -> Refusal {
    not_found("The specified log stream does not exist.")
}

fn not_found(message: &str) -> Refusal {
    Refusal::new(400, "ResourceNotFoundException", message)
}

fn exists(message: &str) -> Refusal {
    Refusal::new(400, "ResourceAlreadyExistsException", message)
}

fn limit() -> Refusal {
    Refusal::new(400, "LimitExceededException", "Resource limit exceeded.")
}
