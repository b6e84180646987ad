//! Images: list, inspect, pull, tag, remove, build.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bollard::models::ImageInspect;
use futures_util::Stream;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;
use crate::timestamp::Timestamp;

/// An image in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageSummary {
    /// The id, `sha256:…`.
    pub id: String,
    /// Its references, `name:tag`.
    pub tags: Vec<String>,
    /// Its references by content, `name@sha256:…`.
    pub digests: Vec<String>,
    /// When it was made, to the second.
    pub created: Timestamp,
    /// Bytes of all its layers.
    pub size: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A step of a pull or a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageProgress {
    /// The layer's short id (pull); else empty.
    pub id: String,
    /// What is done: `Downloading`, or a build's output.
    pub status: String,
    /// Bytes done.
    pub current: Option<u64>,
    /// Bytes in all.
    pub total: Option<u64>,
    /// The id of the image that was made or pulled, as soon as the engine says it.
    pub image_id: Option<String>,
}

/// A pull or a build at work; it is done when the stream ends without an error.
pub struct ProgressStream {
    _private: (),
}

impl ProgressStream {
    /// Waits for the end; gives the image's id if the engine said it.
    pub async fn finish(self) -> Result<Option<String>, DockerClientError> {
        Err(DockerClientError::unfinished("image"))
    }
}

impl Stream for ProgressStream {
    type Item = Result<ImageProgress, DockerClientError>;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

/// How to build an image.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BuildOptions {
    /// Names for the result, `name:tag`.
    pub tags: Vec<String>,
    /// The Dockerfile's path in the folder; default `Dockerfile`.
    pub dockerfile: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// Labels of the result.
    pub labels: BTreeMap<String, String>,
    /// The stage to build; default: the last.
    pub target: Option<String>,
    /// As `linux/arm64`; default: the engine's.
    pub platform: Option<String>,
    /// Build every step anew.
    pub no_cache: bool,
    /// Pull newer base images.
    pub pull: bool,
}

impl DockerApiClient {
    /// The images; `all` with those between, filters as `docker images --filter` has them.
    pub async fn list_images(
        &self,
        all: bool,
        filters: BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<ImageSummary>, DockerClientError> {
        let _ = (all, filters);
        Err(DockerClientError::unfinished("image"))
    }

    /// Everything about an image.
    pub async fn inspect_image(&self, image: &str) -> Result<ImageInspect, DockerClientError> {
        let _ = image;
        Err(DockerClientError::unfinished("image"))
    }

    /// Whether the engine has the image.
    pub async fn image_exists(&self, image: &str) -> Result<bool, DockerClientError> {
        let _ = image;
        Err(DockerClientError::unfinished("image"))
    }

    /// Pulls an image with the credentials of `~/.docker/config.json`; without a tag, `latest`.
    pub async fn pull_image(
        &self,
        image: &str,
        platform: Option<&str>,
    ) -> Result<ProgressStream, DockerClientError> {
        let _ = (image, platform);
        Err(DockerClientError::unfinished("image"))
    }

    /// Gives an image another reference.
    pub async fn tag_image(&self, image: &str, reference: &str) -> Result<(), DockerClientError> {
        let _ = (image, reference);
        Err(DockerClientError::unfinished("image"))
    }

    /// Removes a reference, and the image with its last one.
    pub async fn remove_image(&self, image: &str, force: bool) -> Result<(), DockerClientError> {
        let _ = (image, force);
        Err(DockerClientError::unfinished("image"))
    }

    /// Builds an image from a folder, without what its `.dockerignore` names, with the
    /// engine's classic builder.
    pub async fn build_image(
        &self,
        folder: &Path,
        options: BuildOptions,
    ) -> Result<ProgressStream, DockerClientError> {
        let _ = (folder, options);
        Err(DockerClientError::unfinished("image"))
    }
}
