//! Files in and out of containers, as tar.

use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;

/// How much an archive may hold.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveLimits {
    /// Most bytes, headers included; default 1 GiB.
    pub bytes: u64,
    /// Most entries; default 100,000.
    pub entries: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            bytes: 1024 * 1024 * 1024,
            entries: 100_000,
        }
    }
}

/// A tar as it comes.
pub struct ArchiveStream {
    _private: (),
}

impl Stream for ArchiveStream {
    type Item = Result<Bytes, DockerClientError>;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

impl DockerApiClient {
    /// A file or folder of a container as tar.
    pub async fn get_archive(
        &self,
        name: &str,
        path: &str,
        limits: ArchiveLimits,
    ) -> Result<ArchiveStream, DockerClientError> {
        let _ = (name, path, limits);
        Err(DockerClientError::unfinished("archive"))
    }

    /// Unpacks a tar into a folder of a container, which must exist. With `keep_owner`, files
    /// belong to whom the tar says; else to root.
    pub async fn put_archive(
        &self,
        name: &str,
        path: &str,
        tar: Bytes,
        keep_owner: bool,
    ) -> Result<(), DockerClientError> {
        let _ = (name, path, tar, keep_owner);
        Err(DockerClientError::unfinished("archive"))
    }

    /// Copies a file or folder of a container into the local folder `target`. No entry lands
    /// outside it.
    pub async fn copy_from_container(
        &self,
        name: &str,
        path: &str,
        target: &Path,
        limits: ArchiveLimits,
    ) -> Result<(), DockerClientError> {
        let _ = (name, path, target, limits);
        Err(DockerClientError::unfinished("archive"))
    }

    /// Copies a local file or folder into a folder of a container, which must exist.
    pub async fn copy_to_container(
        &self,
        name: &str,
        source: &Path,
        path: &str,
        limits: ArchiveLimits,
    ) -> Result<(), DockerClientError> {
        let _ = (name, source, path, limits);
        Err(DockerClientError::unfinished("archive"))
    }
}
