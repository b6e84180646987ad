//! Pulling images.

use std::time::Duration;

use http::{HeaderName, Method};

use crate::client::DockerApiClient;
use crate::engine::Streamed;
use crate::engine::call::Call;
use crate::error::DockerClientError;
use crate::image::credentials::Credentials;
use crate::image::progress::{ProgressStream, Steps};
use crate::name::Reference;

/// A pull that says nothing for so long is given up. Registries throttle.
const IDLE: Duration = Duration::from_secs(300);
const REGISTRY_AUTH: HeaderName = HeaderName::from_static("x-registry-auth");

impl DockerApiClient {
    /// Pulls an image with the credentials of `~/.docker/config.json` (or of `DOCKER_CONFIG`),
    /// credential helpers included; without a tag, `latest`. Given up after 300 s of silence.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ImageNotFound`] if the registry does not show it to us;
    /// [`DockerClientError::Credentials`]; [`DockerClientError::Engine`] for what the registry
    /// says.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// use futures_util::StreamExt;
    ///
    /// let docker = docker_client::get_docker_client().await?;
    /// let mut pull = docker.pull_image("nginx:1", None).await?;
    /// while let Some(step) = pull.next().await {
    ///     let step = step?;
    ///     println!("{} {} {:?} of {:?}", step.id, step.status, step.current, step.total);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn pull_image(
        &self,
        image: &str,
        platform: Option<&str>,
    ) -> Result<ProgressStream, DockerClientError> {
        let reference = Reference::parse(image)?;
        let mut query = vec![
            ("fromImage", reference.name.to_owned()),
            (
                "tag",
                reference
                    .digest
                    .or(reference.tag)
                    .unwrap_or("latest")
                    .to_owned(),
            ),
        ];
        query.extend(platform.map(|platform| ("platform", platform.to_owned())));
        let mut request = Streamed::get("/images/create".to_owned(), &query);
        request.method = Method::POST;
        request.deadline = Some(IDLE);
        let credentials = Credentials::of_user().await?;
        if let Some(header) = credentials.for_registry(reference.domain).await? {
            request.headers.push((REGISTRY_AUTH, header));
        }
        let call = Call::image("pull", image);
        let body = self.engine.open(call, request).await?.into_body();
        let steps = Steps {
            client: self.clone(),
            verb: "pull",
            image: image.to_owned(),
            idle: IDLE,
            body,
        };
        Ok(steps.stream())
    }
}
