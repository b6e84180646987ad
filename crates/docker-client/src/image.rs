//! Images: list, inspect, pull, tag, remove, build.

use std::collections::BTreeMap;

use bollard::Docker;
use bollard::models::{ImageInspect, ImageSummary as Answer};
use bollard::query_parameters::{ListImagesOptions, RemoveImageOptionsBuilder, TagImageOptions};

use crate::client::DockerApiClient;
use crate::engine::DEADLINE;
use crate::engine::call::Call;
use crate::error::DockerClientError;
use crate::name::Reference;
use crate::timestamp::Timestamp;
use crate::{list, name};

mod build;
mod credentials;
mod ignore;
mod progress;
mod pull;

pub use build::BuildOptions;
pub use progress::{ImageProgress, ProgressStream};

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

impl DockerApiClient {
    /// The images; with `all` those between, too; filters as `docker images --filter` has them.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::EngineUnavailable`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// for image in docker.list_images(false, Default::default()).await? {
    ///     println!("{:?} {} bytes", image.tags, image.size);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_images(
        &self,
        all: bool,
        filters: BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<ImageSummary>, DockerClientError> {
        let query = ListImagesOptions {
            all,
            filters: list::filters(filters),
            ..Default::default()
        };
        let call = Call::engine("list the images of");
        let ask = |docker| Docker::list_images(docker, Some(query.clone()));
        let answer = self.engine.call(call, DEADLINE, ask).await?;
        Ok(answer.into_iter().map(ImageSummary::from).collect())
    }

    /// Everything about an image.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ImageNotFound`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// println!("{:?}", docker.inspect_image("nginx:1").await?.id);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn inspect_image(&self, image: &str) -> Result<ImageInspect, DockerClientError> {
        let id = name::image(image)?;
        let call = Call::image("inspect", image);
        self.engine
            .call(call, DEADLINE, |docker| docker.inspect_image(id))
            .await
    }

    /// Whether the engine has the image.
    ///
    /// # Errors
    ///
    /// An engine that cannot be reached is an error, not `false`.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// if !docker.image_exists("nginx:1").await? {
    ///     docker.pull_image("nginx:1", None).await?.finish().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn image_exists(&self, image: &str) -> Result<bool, DockerClientError> {
        match self.inspect_image(image).await {
            Ok(_) => Ok(true),
            Err(DockerClientError::ImageNotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives an image another reference; without a tag, `latest`.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ImageNotFound`], [`DockerClientError::InvalidName`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// let docker = docker_client::get_docker_client().await?;
    /// docker.tag_image("nginx:1", "registry.example/web:1").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn tag_image(&self, image: &str, reference: &str) -> Result<(), DockerClientError> {
        let id = name::image(image)?;
        let parts = Reference::parse(reference)?;
        let query = TagImageOptions {
            repo: Some(parts.name.to_owned()),
            tag: Some(parts.tag.unwrap_or("latest").to_owned()),
        };
        let call = Call::image("tag", image);
        let ask = |docker| Docker::tag_image(docker, id, Some(query.clone()));
        self.engine.call(call, DEADLINE, ask).await
    }

    /// Removes a reference, and the image with its last one.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ImageNotFound`]; [`DockerClientError::Conflict`] if a container
    /// uses it.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// docker_client::get_docker_client().await?.remove_image("nginx:1", false).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove_image(&self, image: &str, force: bool) -> Result<(), DockerClientError> {
        let id = name::image(image)?;
        let query = RemoveImageOptionsBuilder::new().force(force).build();
        let call = Call::image("remove", image);
        let ask = |docker| Docker::remove_image(docker, id, Some(query.clone()), None);
        self.engine.call(call, DEADLINE, ask).await.map(drop)
    }
}

impl From<Answer> for ImageSummary {
    fn from(answer: Answer) -> Self {
        let named = |names: Vec<String>| {
            names
                .into_iter()
                .filter(|name| !name.starts_with("<none>"))
                .collect()
        };
        Self {
            id: answer.id,
            tags: named(answer.repo_tags),
            digests: named(answer.repo_digests),
            created: list::seconds(answer.created),
            size: u64::try_from(answer.size).unwrap_or(0),
            labels: answer.labels.into_iter().collect(),
        }
    }
}
