//! Files in and out of containers, as tar.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::{Method, header};
use tokio::sync::mpsc;

use crate::archive::pack::Packing;
use crate::client::DockerApiClient;
use crate::engine::call::{Call, Object};
use crate::engine::{Streamed, body, full};
use crate::error::DockerClientError;
use crate::name;
use crate::transport::Body;

pub(crate) mod pack;
mod unpack;

/// An archive whose next bytes take longer is given up: the engine reads from its own disk.
const IDLE: Duration = Duration::from_secs(120);
/// An upload is answered when all of it is unpacked.
const UPLOAD: Duration = Duration::from_secs(3600);
/// Pieces that wait between the network and the disk.
const WAITING: usize = 4;

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
    pieces: BoxStream<'static, Result<Bytes, DockerClientError>>,
}

impl Stream for ArchiveStream {
    type Item = Result<Bytes, DockerClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().pieces.poll_next_unpin(cx)
    }
}

impl fmt::Debug for ArchiveStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveStream").finish_non_exhaustive()
    }
}

impl DockerApiClient {
    /// A file or folder of a container as tar, running or not. Its entries begin with the last
    /// name of `path`. The deadline is 120 s without a byte; of `limits` only `bytes` counts.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::PathNotFound`], [`DockerClientError::ContainerNotFound`];
    /// [`DockerClientError::TooLarge`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// use futures_util::TryStreamExt;
    ///
    /// let docker = docker_client::get_docker_client().await?;
    /// let tar = docker.get_archive("web", "/etc/nginx", Default::default()).await?;
    /// let pieces: Vec<_> = tar.try_collect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_archive(
        &self,
        name: &str,
        path: &str,
        limits: ArchiveLimits,
    ) -> Result<ArchiveStream, DockerClientError> {
        let call = Call {
            verb: "copy",
            object: Object::Path(name, path),
        };
        let url = format!("/containers/{}/archive", name::container(name)?);
        let query = [("path", checked(path)?)];
        let answer = self.engine.open(call, Streamed::get(url, &query)).await?;
        let state = (
            self.clone(),
            Some(answer.into_body()),
            limits.bytes,
            name.to_owned(),
            path.to_owned(),
        );
        let pieces = stream::unfold(state, move |(client, body, left, name, path)| async move {
            let mut body = body?;
            let call = Call {
                verb: "copy",
                object: Object::Path(&name, &path),
            };
            let piece = body::next_within(&mut body, call, IDLE, &client.engine)
                .await
                .transpose()?;
            let piece = piece.and_then(|bytes| match left.checked_sub(bytes.len() as u64) {
                Some(left) => Ok((bytes, left)),
                None => Err(DockerClientError::TooLarge {
                    what: call.to_string(),
                    limit: limits.bytes,
                }),
            });
            Some(match piece {
                Ok((bytes, left)) => (Ok(bytes), (client, Some(body), left, name, path)),
                Err(error) => (Err(error), (client, None, 0, name, path)),
            })
        });
        Ok(ArchiveStream {
            pieces: pieces.boxed(),
        })
    }

    /// Unpacks a tar into a folder of a container, which must exist. Files belong to whom the
    /// tar says; with `to_user` to the container's user, whom Docker 20.10 must know on the
    /// engine's host too. The deadline is one hour.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::PathNotFound`], [`DockerClientError::ContainerNotFound`];
    /// [`DockerClientError::Engine`] with status 403 where nothing can be written.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let docker = docker_client::get_docker_client().await?;
    /// let tar = std::fs::read("site.tar")?;
    /// docker.put_archive("web", "/srv", tar.into(), false).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn put_archive(
        &self,
        name: &str,
        path: &str,
        tar: Bytes,
        to_user: bool,
    ) -> Result<(), DockerClientError> {
        self.put(name, path, full(tar), to_user).await
    }

    /// Copies a file or folder of a container into the local folder `target`, which is made if
    /// it is not there. Nothing is written outside it: an entry that would be, and a symbolic
    /// link that leads outside, is refused; what stood in an entry's place is replaced. Owners
    /// and set-user-id bits are not taken over.
    ///
    /// # Errors
    ///
    /// As [`DockerApiClient::get_archive`]; [`DockerClientError::ArchiveEntry`],
    /// [`DockerClientError::LocalFile`]. What was unpacked before stays.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// docker.copy_from_container("web", "/srv", "backup".as_ref(), Default::default()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn copy_from_container(
        &self,
        name: &str,
        path: &str,
        target: &Path,
        limits: ArchiveLimits,
    ) -> Result<(), DockerClientError> {
        let mut pieces = self.get_archive(name, path, limits).await?;
        let (sender, receiver) = mpsc::channel::<Bytes>(WAITING);
        let folder = target.to_owned();
        let unpacking = tokio::task::spawn_blocking(move || {
            let mut tar = Received {
                receiver,
                piece: Bytes::new(),
            };
            unpack::unpack(&mut tar, &folder, limits)?;
            // What stands behind the archive's end is read too, so that nobody waits.
            io::copy(&mut tar, &mut io::sink())
                .map(drop)
                .map_err(|source| DockerClientError::LocalFile {
                    operation: "read",
                    path: folder,
                    source,
                })
        });
        let mut received = Ok(());
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => {
                    if sender.send(piece).await.is_err() {
                        // It does not want more, and says why.
                        break;
                    }
                }
                Err(error) => {
                    received = Err(error);
                    break;
                }
            }
        }
        drop(sender);
        let unpacked = unpacking.await.unwrap_or_else(|error| {
            let (operation, path) = ("unpack into", target.to_owned());
            Err(DockerClientError::LocalFile {
                operation,
                path,
                source: io::Error::other(error),
            })
        });
        // An archive that was cut off looks damaged: the cut says more.
        received.and(unpacked)
    }

    /// Copies a local file or folder into a folder of a container, which must exist; there it
    /// has its own last name and belongs to root.
    ///
    /// # Errors
    ///
    /// As [`DockerApiClient::put_archive`]; [`DockerClientError::LocalFile`];
    /// [`DockerClientError::TooLarge`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// docker.copy_to_container("web", "site".as_ref(), "/srv", Default::default()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn copy_to_container(
        &self,
        name: &str,
        source: &Path,
        path: &str,
        limits: ArchiveLimits,
    ) -> Result<(), DockerClientError> {
        let file_name = source.file_name().and_then(|name| name.to_str());
        let Some(file_name) = file_name else {
            return Err(DockerClientError::LocalFile {
                operation: "pack",
                path: source.to_owned(),
                source: io::Error::other("it has no last name in UTF-8"),
            });
        };
        let packing = Packing::start(PathBuf::from(source), file_name.to_owned(), None, limits);
        let (body, result) = packing.split();
        let put = self.put(name, path, body, false).await;
        Packing::result(result).await.and(put)
    }

    async fn put(
        &self,
        name: &str,
        path: &str,
        body: Body,
        to_user: bool,
    ) -> Result<(), DockerClientError> {
        let call = Call {
            verb: "copy to",
            object: Object::Path(name, path),
        };
        let url = format!("/containers/{}/archive", name::container(name)?);
        let query = [
            ("path", checked(path)?),
            ("noOverwriteDirNonDir", "1".to_owned()),
            ("copyUIDGID", u8::from(to_user).to_string()),
        ];
        let mut request = Streamed::get(url, &query);
        request.method = Method::PUT;
        request.headers = vec![(header::CONTENT_TYPE, "application/x-tar".to_owned())];
        request.body = body;
        request.deadline = Some(UPLOAD);
        self.engine.open(call, request).await.map(drop)
    }
}

/// A path that can be sent.
fn checked(path: &str) -> Result<String, DockerClientError> {
    if path.is_empty() || path.contains('\0') {
        let reason = format!("{path:?} is empty or has a zero byte");
        return Err(DockerClientError::InvalidArgument {
            argument: "path",
            reason,
        });
    }
    Ok(path.to_owned())
}

/// What comes over the network, for a thread that reads.
struct Received {
    receiver: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
