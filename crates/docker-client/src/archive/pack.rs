//! A local file or folder as tar, made on a thread of its own while it is sent.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http_body_util::{Either, StreamBody};
use hyper::body::Frame;
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::archive::ArchiveLimits;
use crate::error::DockerClientError;
use crate::transport::Body;

/// Bytes are handed over in pieces of this size, and at most so many wait.
const PIECE: usize = 64 * 1024;
const WAITING: usize = 4;

/// Which paths, relative to the folder and with slashes, go into the tar. A folder that is left
/// out may hold files that are not.
pub(crate) type Wanted = Box<dyn Fn(&str) -> bool + Send>;

/// A tar that is being made.
pub(crate) struct Packing {
    pub(crate) body: Body,
    result: JoinHandle<Result<(), DockerClientError>>,
}

impl Packing {
    /// Packs `source` under the name `name`; a folder's contents alone if the name is empty.
    /// Symbolic links go in as they are.
    pub(crate) fn start(
        source: PathBuf,
        name: String,
        wanted: Option<Wanted>,
        limits: ArchiveLimits,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let result = tokio::task::spawn_blocking(move || {
            let packed = pack(&source, &name, wanted, limits, sender.clone());
            if packed.is_err() {
                // The request must not end as if the tar were whole.
                let _ = sender.blocking_send(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            packed
        });
        let receiver = Receiver(receiver);
        Self {
            body: Either::Right(StreamBody::new(Box::pin(receiver))),
            result,
        }
    }

    /// How the packing went, once the request has ended. If the request failed because the
    /// packing did, this says why.
    pub(crate) async fn result(
        result: JoinHandle<Result<(), DockerClientError>>,
    ) -> Result<(), DockerClientError> {
        match result.await {
            Ok(Err(DockerClientError::LocalFile { source, .. }))
                if source.kind() == io::ErrorKind::BrokenPipe =>
            {
                // The engine did not want more; its answer says why.
                Ok(())
            }
            Ok(result) => result,
            Err(error) => Err(DockerClientError::LocalFile {
                operation: "pack",
                path: PathBuf::new(),
                source: io::Error::other(error),
            }),
        }
    }

    pub(crate) fn split(self) -> (Body, JoinHandle<Result<(), DockerClientError>>) {
        (self.body, self.result)
    }
}

fn pack(
    source: &Path,
    name: &str,
    wanted: Option<Wanted>,
    limits: ArchiveLimits,
    sender: mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), DockerClientError> {
    let tar = Builder::new(Pieces {
        sender,
        piece: BytesMut::new(),
    });
    let mut packer = Packer {
        tar,
        wanted,
        limits,
        entries: 0,
        bytes: 0,
    };
    packer.tar.follow_symlinks(false);
    packer.add(source, name, "")?;
    let sent = packer
        .tar
        .into_inner()
        .and_then(|mut pieces| pieces.flush());
    sent.map_err(|error| local("send", source, error))
}

struct Packer {
    tar: Builder<Pieces>,
    wanted: Option<Wanted>,
    limits: ArchiveLimits,
    entries: u64,
    bytes: u64,
}

impl Packer {
    /// Adds a file, or a folder with what is in it. `path` is relative to the source.
    fn add(&mut self, file: &Path, name: &str, path: &str) -> Result<(), DockerClientError> {
        let metadata = fs::symlink_metadata(file).map_err(|error| local("read", file, error))?;
        let wanted = path.is_empty() || self.wanted.as_ref().is_none_or(|wanted| wanted(path));
        if wanted && !name.is_empty() {
            self.count(file, &metadata)?;
            self.append(file, name, &metadata)
                .map_err(|error| local("pack", file, error))?;
        }
        if !metadata.is_dir() {
            return Ok(());
        }
        let entries = fs::read_dir(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = entries.map_err(|error| local("read", file, error))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let Ok(child) = entry.file_name().into_string() else {
                let error = io::Error::other("its name is no UTF-8");
                return Err(local("pack", &entry.path(), error));
            };
            let below = |parent: &str| match parent {
                "" => child.clone(),
                parent => format!("{parent}/{child}"),
            };
            self.add(&entry.path(), &below(name), &below(path))?;
        }
        Ok(())
    }

    fn append(&mut self, file: &Path, name: &str, metadata: &fs::Metadata) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_mode(metadata.mode() & 0o7777);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
        header.set_size(0);
        if metadata.is_dir() {
            header.set_entry_type(EntryType::Directory);
            self.tar
                .append_data(&mut header, format!("{name}/"), io::empty())
        } else if metadata.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            self.tar
                .append_link(&mut header, name, fs::read_link(file)?)
        } else if metadata.is_file() {
            header.set_size(metadata.len());
            // A file that grows or shrinks meanwhile keeps the length it had.
            let content = File::open(file)?.chain(io::repeat(0)).take(metadata.len());
            self.tar.append_data(&mut header, name, content)
        } else {
            // Sockets and devices have nothing to copy.
            Ok(())
        }
    }

    fn count(&mut self, file: &Path, metadata: &fs::Metadata) -> Result<(), DockerClientError> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(if metadata.is_file() {
            metadata.len()
        } else {
            0
        });
        let what = format!("the archive with {}", file.display());
        if self.bytes > self.limits.bytes {
            return Err(DockerClientError::TooLarge {
                what,
                limit: self.limits.bytes,
            });
        }
        if self.entries > self.limits.entries {
            let reason = format!("{what}: more than {} entries", self.limits.entries);
            return Err(DockerClientError::InvalidArgument {
                argument: "archive",
                reason,
            });
        }
        Ok(())
    }
}

fn local(operation: &'static str, path: &Path, source: io::Error) -> DockerClientError {
    DockerClientError::LocalFile {
        operation,
        path: path.to_owned(),
        source,
    }
}

/// Collects what is written into pieces for the request.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: BytesMut,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = self.piece.split().freeze();
        self.sender
            .blocking_send(Ok(piece))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// The request's body.
struct Receiver(mpsc::Receiver<io::Result<Bytes>>);

impl Stream for Receiver {
    type Item = io::Result<Frame<Bytes>>;

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.get_mut()
            .0
            .poll_recv(cx)
            .map(|piece| Some(piece?.map(Frame::data)))
    }
}
