//! Reading a spool file, damaged or not, in bounded memory.

use std::io;
use std::ops::Range;

use super::disk::DiskFile;
use super::record::{self, HEADER_LEN, RECORD_MAX, Record, VERSION};
use crate::outbox::Restoring;

/// What of a spool could not be read. It is gone: the next write leaves it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Bytes that were passed over.
    pub bytes: u64,
    /// How many points were lost with them; unknown if the end of the file is among
    /// what was lost, as it is when a write was cut short.
    pub points: Option<u64>,
}

/// How much of the file is in memory at a time: two records of any length.
const WINDOW: usize = 2 * RECORD_MAX;

/// What looks like a record and is none is looked at again, byte by byte. A file that was
/// made for it could have each byte looked at a thousand times: if it comes to more than
/// this, on average, the part of the file that is in memory is passed over.
const WASTE_MAX: u64 = 16;

/// How a file is, beside what it holds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// How many records are no point held: points removed, and their removals.
    pub(super) dead: usize,
    /// Where the end mark begins, if it is the last of an undamaged file. Only such a
    /// file can be written on.
    pub(super) end: Option<u64>,
    /// What could not be read.
    pub(super) damage: Option<Damage>,
    /// The version, where it is a newer one. Nothing else was read then.
    pub(super) newer: Option<u32>,
}

/// Reads a file from its header to its end mark, around whatever is damaged.
pub(super) fn scan(file: &dyn DiskFile, restoring: &mut Restoring) -> io::Result<Scan> {
    let mut scan = Scan::default();
    let mut window = Window::new(file);
    match record::version(window.bytes()?) {
        Some(VERSION) => window.advance(HEADER_LEN),
        Some(newer) if newer > VERSION => {
            scan.newer = Some(newer);
            return Ok(scan);
        }
        // What is no header is no record either, and is skipped as such.
        _ => {}
    }

    let mut records = 0;
    let mut skipped = 0;
    let mut wasted = 0;
    let mut expected = None;
    while !window.bytes()?.is_empty() {
        let at = window.at();
        let Some((record, length)) = record::read(window.bytes()?) else {
            let bytes = window.bytes()?;
            wasted += record::checked_bytes(bytes) as u64;
            let damaged = if wasted > WASTE_MAX * (at + RECORD_MAX as u64) {
                bytes.len()
            } else {
                record::next_marker(bytes)
            };
            skipped += damaged as u64;
            window.advance(damaged);
            continue;
        };
        window.advance(length);
        match record {
            Record::Point(held) => {
                restoring.held(held);
                records += 1;
            }
            Record::Removed(ids) => {
                restoring.left(ids);
                records += 1;
            }
            Record::End(held) => {
                expected = Some(held);
                scan.end = window.bytes()?.is_empty().then_some(at);
                break;
            }
        }
    }
    scan.dead = usize::saturating_sub(records, restoring.len());
    let lost = expected.map(|held| held.saturating_sub(restoring.len() as u64));
    if skipped > 0 || lost != Some(0) {
        scan.end = None;
        scan.damage = Some(Damage {
            bytes: skipped,
            points: lost,
        });
    }
    Ok(scan)
}

/// The part of a file from a place that moves on, at least one record's length of it.
struct Window<'a> {
    file: &'a dyn DiskFile,
    buffer: Box<[u8]>,
    /// Where in the buffer the bytes are that are still to be looked at.
    filled: Range<usize>,
    /// How much of the file was read.
    read: u64,
    at_end: bool,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn DiskFile) -> Self {
        Self {
            file,
            buffer: vec![0; WINDOW].into(),
            filled: 0..0,
            read: 0,
            at_end: false,
        }
    }

    /// The next bytes; fewer than a record may have mean that the file ends there.
    fn bytes(&mut self) -> io::Result<&[u8]> {
        while self.filled.len() < RECORD_MAX && !self.at_end {
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
            let free = &mut self.buffer[self.filled.end..];
            match self.file.read_at(free, self.read) {
                Ok(count) => {
                    self.filled.end += count;
                    self.read += count as u64;
                    self.at_end = count == 0;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[self.filled.clone()])
    }

    fn advance(&mut self, count: usize) {
        self.filled.start += count;
    }

    /// The place in the file.
    fn at(&self) -> u64 {
        self.read - self.filled.len() as u64
    }
}
