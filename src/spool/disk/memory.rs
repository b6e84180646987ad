//! A disk in memory that fills up, fails, and remembers every step.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Disk, DiskFile, Found};

/// Clones are the same disk, as a second look at a folder is.
#[derive(Clone, Default)]
pub(in crate::spool) struct Memory(Arc<Mutex<State>>);

#[derive(Clone, Default)]
struct State {
    files: Vec<Vec<u8>>,
    current: Option<usize>,
    steps: Vec<Step>,
    /// Most bytes of all files that have a name.
    room: Option<usize>,
    failing: Vec<&'static str>,
    reads: usize,
}

/// What was done to the disk.
#[derive(Clone, Debug)]
pub(in crate::spool) enum Step {
    Create,
    Publish,
    Write(usize, Vec<u8>, u64),
    Truncate(usize, u64),
    Sync,
}

struct MemoryFile(Memory, usize);

impl Memory {
    /// A disk with one file.
    pub(in crate::spool) fn holding(content: &[u8]) -> Self {
        let disk = Self::default();
        disk.state().files.push(content.to_vec());
        disk.state().current = Some(0);
        disk
    }

    /// Another disk with the same content.
    pub(in crate::spool) fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    pub(in crate::spool) fn content(&self) -> Vec<u8> {
        let state = self.state();
        state.files[state.current.expect("a file was published")].clone()
    }

    pub(in crate::spool) fn steps(&self) -> Vec<Step> {
        self.state().steps.clone()
    }

    /// Leaves room for so many bytes in all, or for any number.
    pub(in crate::spool) fn set_room(&self, room: Option<usize>) {
        self.state().room = room;
    }

    /// Makes steps fail: "read", "write", "truncate", "sync", "create" or "publish".
    pub(in crate::spool) fn set_failing(&self, failing: &[&'static str]) {
        self.state().failing = failing.to_vec();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Does one step; a created file's number is the answer.
    pub(in crate::spool) fn take(&self, step: Step) -> io::Result<usize> {
        let mut state = self.state();
        let name = match &step {
            Step::Create => "create",
            Step::Publish => "publish",
            Step::Write(..) => "write",
            Step::Truncate(..) => "truncate",
            Step::Sync => "sync",
        };
        match state.failing.contains(&name) {
            // The folder cannot be flushed once the file has its new name.
            true if name == "publish" => {
                state.take(step)?;
                Err(io::Error::other(name))
            }
            true => Err(io::Error::other(name)),
            false => state.take(step),
        }
    }
}

impl State {
    fn take(&mut self, mut step: Step) -> io::Result<usize> {
        let mut result = Ok(0);
        match &mut step {
            Step::Create => {
                self.files.push(Vec::new());
                result = Ok(self.files.len() - 1);
            }
            // Only the newest file is ever published.
            Step::Publish => self.current = Some(self.files.len() - 1),
            Step::Write(file, bytes, at) => {
                let end = *at as usize + bytes.len();
                let growth = end.saturating_sub(self.files[*file].len());
                let missing = growth.saturating_sub(self.free());
                if missing > 0 {
                    bytes.truncate(bytes.len().saturating_sub(missing));
                    result = Err(io::ErrorKind::StorageFull.into());
                }
                let end = *at as usize + bytes.len();
                let content = &mut self.files[*file];
                content.resize(content.len().max(end), 0);
                content[*at as usize..end].copy_from_slice(bytes);
            }
            Step::Truncate(file, length) => self.files[*file].resize(*length as usize, 0),
            Step::Sync => {}
        }
        self.steps.push(step);
        result
    }

    fn free(&self) -> usize {
        let named = self.current.unwrap_or(0)..self.files.len();
        let newest = self.files.len().saturating_sub(1);
        let used: usize = named
            .filter(|file| Some(*file) == self.current || *file == newest)
            .map(|file| self.files[file].len())
            .sum();
        self.room
            .map_or(usize::MAX, |room| room.saturating_sub(used))
    }
}

impl Disk for Memory {
    fn open(&self) -> io::Result<Option<Found>> {
        let current = self.state().current;
        Ok(current.map(|file| Found {
            file: Box::new(MemoryFile(self.clone(), file)),
            is_own: true,
        }))
    }

    fn create(&mut self) -> io::Result<Box<dyn DiskFile>> {
        let file = self.take(Step::Create)?;
        Ok(Box::new(MemoryFile(self.clone(), file)))
    }

    fn publish(&mut self) -> io::Result<()> {
        self.take(Step::Publish).map(drop)
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut state = self.0.state();
        if state.failing.contains(&"read") {
            return Err(io::Error::other("read"));
        }
        state.reads += 1;
        if state.reads.is_multiple_of(2) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let rest = state.files[self.1].get(at as usize..).unwrap_or(&[]);
        // As little at a time as a slow file system may give.
        let count = rest.len().min(buffer.len()).min(1000);
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0
            .take(Step::Write(self.1, bytes.to_vec(), at))
            .map(drop)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.take(Step::Truncate(self.1, length)).map(drop)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.take(Step::Sync).map(drop)
    }
}
