//! Why a spool cannot be used, or not now.

use std::io;
use std::path::PathBuf;

use super::record;

/// Why a spool cannot be used, or not now.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SpoolError {
    #[error("{dir} is not a folder, create it or mount a volume there")]
    NotAFolder { dir: PathBuf },
    #[error("cannot write to {dir}, make it writable for the user that this process runs as")]
    NotWritable { dir: PathBuf, source: io::Error },
    #[error("{dir} is in use by another process, give each process a folder of its own")]
    InUse { dir: PathBuf },
    #[error("open {path}, which only this program is to make")]
    LockFile { path: PathBuf, source: io::Error },
    #[error("lock {dir}, use a file system with file locks")]
    Lock { dir: PathBuf, source: io::Error },
    #[error("begin a thread for the spool")]
    Thread { source: io::Error },
    #[error("read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "{path} has format {version}, this program reads up to {}; run a newer one, or move the file away and lose its points",
        record::VERSION
    )]
    Newer { path: PathBuf, version: u32 },
    #[error("write to {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("write {path} anew")]
    Replace { path: PathBuf, source: io::Error },
}
