//! The bytes of a spool file; ARCHITECTURE.md has them in full.
//!
//! ```text
//! file     = header record* end-mark
//! header   = magic(8) version(u32) crc32(u32)
//! record   = marker(2) crc32(u32) length(u16) kind(u8) content
//! point    = id(u64) seconds(i64) value(f64) resolution(u8)
//!            namespace name unit (dimension-name dimension-value)*
//! removed  = first-id(u64) last-id(u64)
//! end-mark = points-held(u64)
//! text     = length(u16) ASCII
//! ```
//!
//! Every record is framed by itself (marker, CRC-32, length), and a point's record
//! repeats its metric in full: damage costs the records that it hits and no other.

use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::DateTime;
use cloudwatch_metric::{Dimension, Dimensions, Metric, Point, Resolution, Value};

use crate::outbox::{Id, QueuedPoint};

/// The version that this program writes, and the newest that it reads.
pub(super) const VERSION: u32 = 1;

/// The first byte tells the file from text, the last ones tell whether something
/// took it for text and changed the line ends (PNG Specification, "Rationale").
const MAGIC: [u8; 8] = *b"\x89CWSPL\r\n";
/// Magic, version and their CRC-32. These bytes are the same in every version.
pub(super) const HEADER_LEN: usize = MAGIC.len() + 4 + 4;

/// Begins every record. Neither byte is ASCII, so no name or dimension holds it.
const MARKER: [u8; 2] = [0xF7, 0x9D];
const CRC_AT: usize = MARKER.len();
const LENGTH_AT: usize = CRC_AT + 4;
const LENGTH_LEN: usize = 2;
const BODY_AT: usize = LENGTH_AT + LENGTH_LEN;
/// No record is longer: the length of its body is a `u16`.
pub(super) const RECORD_MAX: usize = BODY_AT + u16::MAX as usize;
/// The length of the record that ends the file.
pub(super) const END_LEN: u64 = (BODY_AT + 1 + 8) as u64;

/// The length of a record that removes points.
const REMOVED_LEN: u64 = (BODY_AT + 1 + 16) as u64;

const KIND_POINT: u8 = 1;
const KIND_REMOVED: u8 = 2;
const KIND_END: u8 = 3;

/// One record as it is read.
#[derive(Debug, PartialEq)]
pub(super) enum Record {
    /// A point is held.
    Point(QueuedPoint),
    /// Of the points before this record, those with these ids are held no more.
    Removed(RangeInclusive<Id>),
    /// So many points are held, and nothing behind this record counts.
    End(u64),
}

/// The first bytes of a file.
pub(super) fn header() -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    let (checked, crc) = header.split_at_mut(HEADER_LEN - 4);
    checked[..MAGIC.len()].copy_from_slice(&MAGIC);
    checked[MAGIC.len()..].copy_from_slice(&VERSION.to_le_bytes());
    crc.copy_from_slice(&crc32fast::hash(checked).to_le_bytes());
    header
}

/// The version that a header states, none if the header is damaged.
pub(super) fn version(file: &[u8]) -> Option<u32> {
    let header = file.get(..HEADER_LEN)?;
    let (checked, crc) = header.split_last_chunk()?;
    let version = checked.strip_prefix(&MAGIC)?.try_into().ok()?;
    (crc32fast::hash(checked) == u32::from_le_bytes(*crc)).then(|| u32::from_le_bytes(version))
}

/// Writes that a point is held.
pub(super) fn put_point(out: &mut Vec<u8>, held: &QueuedPoint) {
    let Point { metric, at, value } = &held.point;
    put(out, KIND_POINT, |out| {
        out.extend(held.id.to_le_bytes());
        out.extend(at.timestamp().to_le_bytes());
        out.extend(value.get().to_le_bytes());
        out.push(match metric.resolution {
            Resolution::Standard => 60,
            Resolution::High => 1,
        });
        put_text(out, metric.namespace.as_str());
        put_text(out, metric.name.as_str());
        // As text: a number would tie the file to the order of an enum.
        put_text(out, metric.unit.as_str());
        for dimension in metric.dimensions.iter() {
            put_text(out, dimension.name());
            put_text(out, dimension.value());
        }
    });
}

/// Writes that points are held no more.
pub(super) fn put_removed(out: &mut Vec<u8>, ids: &RangeInclusive<Id>) {
    put(out, KIND_REMOVED, |out| {
        out.extend(ids.start().to_le_bytes());
        out.extend(ids.end().to_le_bytes());
    });
}

/// Writes the end of the file.
pub(super) fn put_end(out: &mut Vec<u8>, held: usize) {
    put(out, KIND_END, |out| {
        out.extend((held as u64).to_le_bytes());
    });
}

fn put(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(MARKER);
    out.extend([0; BODY_AT - CRC_AT]);
    out.push(kind);
    body(out);
    let record = &mut out[start..];
    let length = u16::try_from(record.len() - BODY_AT)
        .expect("the limits of a metric keep its texts below 40 KB");
    record[LENGTH_AT..BODY_AT].copy_from_slice(&length.to_le_bytes());
    let crc = crc32fast::hash(&record[LENGTH_AT..]);
    record[CRC_AT..LENGTH_AT].copy_from_slice(&crc.to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("no text of a metric exceeds 1024 bytes");
    out.extend(length.to_le_bytes());
    out.extend(text.as_bytes());
}

/// Reads the record that `bytes` begin with, and its length; none if they begin with
/// anything else, be it damage or the torn half of a record.
pub(super) fn read(bytes: &[u8]) -> Option<(Record, usize)> {
    let (crc, checked) = framed(bytes)?;
    if crc32fast::hash(checked) != crc {
        return None;
    }
    let body = &checked[LENGTH_LEN..];
    Some((Body(body).record()?, BODY_AT + body.len()))
}

/// How many bytes [`read`] had to look at for their CRC-32.
pub(super) fn checked_bytes(bytes: &[u8]) -> usize {
    framed(bytes).map_or(0, |(_, checked)| checked.len())
}

/// The CRC-32 that a record states, and the bytes that it is of; none if there is none,
/// or its kind or length alone tells that it is none.
fn framed(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let framed = bytes.strip_prefix(&MARKER)?;
    let (crc, checked) = framed.split_first_chunk()?;
    let (length, body) = checked.split_first_chunk()?;
    let body = body.get(..usize::from(u16::from_le_bytes(*length)))?;
    match (body.first()?, body.len() as u64 + BODY_AT as u64) {
        (&KIND_POINT, _) | (&KIND_REMOVED, REMOVED_LEN) | (&KIND_END, END_LEN) => {}
        _ => return None,
    }
    let crc = u32::from_le_bytes(*crc);
    Some((crc, &checked[..LENGTH_LEN + body.len()]))
}

/// How many bytes to skip, at least one, to where the next record may begin.
pub(super) fn next_marker(bytes: &[u8]) -> usize {
    let behind = bytes.iter().skip(1);
    let marker = behind.take_while(|byte| **byte != MARKER[0]);
    1 + marker.count()
}

/// What is left to read of a record. The CRC held, so a body that does not read
/// comes from another program; it counts as damage like any other.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn record(mut self) -> Option<Record> {
        let record = match self.u8()? {
            KIND_POINT => Record::Point(self.held()?),
            KIND_REMOVED => Record::Removed(self.ids()?),
            KIND_END => Record::End(self.u64()?),
            _ => return None,
        };
        self.0.is_empty().then_some(record)
    }

    fn held(&mut self) -> Option<QueuedPoint> {
        let id = self.id()?;
        let at = DateTime::from_timestamp(i64::from_le_bytes(self.array()?), 0)?;
        let value = Value::try_from(f64::from_le_bytes(self.array()?)).ok()?;
        let resolution = match self.u8()? {
            60 => Resolution::Standard,
            1 => Resolution::High,
            _ => return None,
        };
        let metric = Metric {
            namespace: self.text()?.parse().ok()?,
            name: self.text()?.parse().ok()?,
            unit: self.text()?.parse().ok()?,
            dimensions: self.dimensions()?,
            resolution,
        };
        let metric = Arc::new(metric);
        let point = Point { metric, at, value };
        Some(QueuedPoint { id, point })
    }

    /// The dimensions fill the rest of the record.
    fn dimensions(&mut self) -> Option<Dimensions> {
        let mut dimensions = Vec::new();
        while !self.0.is_empty() {
            dimensions.push(Dimension::new(self.text()?, self.text()?).ok()?);
        }
        Dimensions::new(dimensions).ok()
    }

    /// The outbox counts on from the last id, so there must be ids left.
    fn id(&mut self) -> Option<Id> {
        self.u64().filter(|id| *id <= Id::MAX / 2)
    }

    fn ids(&mut self) -> Option<RangeInclusive<Id>> {
        let ids = self.id()?..=self.id()?;
        (!ids.is_empty()).then_some(ids)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = u16::from_le_bytes(self.array()?);
        let (text, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}
