//! Why the host gave no value.

use std::io;
use std::path::PathBuf;

use cloudwatch_metric::MetricError;

/// Why the host gave no value.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostError {
    #[error("read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("expected {what} in {path}, read {read:?}")]
    Unexpected {
        path: PathBuf,
        what: String,
        read: String,
    },
    #[error("the kernel's CPU counters stand still, this machine does not account for CPU time")]
    CpuStandsStill,
    #[error("ask for the file system that holds {path}")]
    Disk { path: PathBuf, source: io::Error },
    #[error("{path} is on a pseudo file system without blocks, give a path on a disk")]
    NoBlocks { path: PathBuf },
    #[error("run a blocking call on a thread")]
    Thread { source: blocking_io::Lost },
    #[error(transparent)]
    Value(#[from] MetricError),
}
