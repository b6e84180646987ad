//! The container: its image, its making, its start. Its end is its own.

use docker_client::{ContainerInfo, DockerApiClient, DockerClientError, ListOptions};
use futures_util::StreamExt;
use tracing::{debug, info, warn};

use crate::checkpoint::Checkpoint;
use crate::failure::RunError;
use crate::job::{Pull, RunSettings};

/// Marks the container of a run that has a checkpoint, so that it is found if this program was
/// killed before the container's id reached the file.
pub const RUN_LABEL: &str = "io.cw-run.run";

/// The engine: the one that is named, else that of the environment.
///
/// # Errors
///
/// [`RunError::Docker`].
pub async fn get_docker_client(host: Option<&str>) -> Result<DockerApiClient, RunError> {
    let connected = match host {
        Some(host) => DockerApiClient::connect_to(host).await,
        None => docker_client::get_docker_client().await,
    };
    connected.map_err(docker("connect to Docker"))
}

pub(crate) fn docker(action: &'static str) -> impl FnOnce(DockerClientError) -> RunError {
    move |source| RunError::Docker {
        action,
        source: Box::new(source),
    }
}

/// Creates a container of an image that runs these words, and starts it; gives its id.
///
/// # Errors
///
/// [`RunError::Docker`], [`RunError::Start`].
pub async fn run_container(
    docker: &DockerApiClient,
    image_name: &str,
    command: &[&str],
) -> Result<String, RunError> {
    let mut container = docker_client::CreateContainer::new(image_name);
    container.cmd = Some(command.iter().map(|word| (*word).to_owned()).collect());
    let settings = RunSettings {
        container,
        shell: None,
        pull: Pull::Missing,
        remove: false,
        detach: false,
    };
    pull_image(docker, &settings).await?;
    let id = create_container(docker, &settings, None).await?;
    start_container(docker, &settings, &id).await?;
    Ok(id)
}

/// Pulls the image if the policy says so.
pub(crate) async fn pull_image(
    client: &DockerApiClient,
    settings: &RunSettings,
) -> Result<(), RunError> {
    let image = &settings.container.image;
    let is_there = match settings.pull {
        Pull::Always => false,
        // The engine says it if it is not there.
        Pull::Never => true,
        Pull::Missing => match client.inspect_image(image).await {
            Ok(_) => true,
            Err(DockerClientError::ImageNotFound { .. }) => false,
            Err(error) => return Err(docker("look for the image")(error)),
        },
    };
    if is_there {
        return Ok(());
    }
    info!(image = %diagnostics::one_line(image), "pulling image");
    let platform = settings.container.platform.as_deref();
    let mut pull = client
        .pull_image(image, platform)
        .await
        .map_err(docker("pull the image"))?;
    while let Some(step) = pull.next().await {
        let step = step.map_err(docker("pull the image"))?;
        debug!(layer = step.id, status = step.status, "pulling");
    }
    Ok(())
}

/// Makes the container; gives its id. With a checkpoint it carries a mark of the run.
pub(crate) async fn create_container(
    client: &DockerApiClient,
    settings: &RunSettings,
    checkpoint: Option<&Checkpoint>,
) -> Result<String, RunError> {
    let mut container = settings.container.clone();
    if let Some(checkpoint) = checkpoint {
        container
            .labels
            .insert(RUN_LABEL.to_owned(), checkpoint.run());
    }
    let id = client
        .create_container(container)
        .await
        .map_err(docker("create the container"))?;
    if let Some(checkpoint) = checkpoint {
        checkpoint.begin(&id).await;
    }
    Ok(id)
}

/// Starts it. One that cannot be started is removed: nobody would look for it.
pub(crate) async fn start_container(
    client: &DockerApiClient,
    settings: &RunSettings,
    id: &str,
) -> Result<(), RunError> {
    let Err(error) = client.start_container(id).await else {
        return Ok(());
    };
    remove(client, id).await;
    Err(RunError::Start {
        shell: settings.shell.clone(),
        source: Box::new(error),
    })
}

/// Removes a container, and whatever its image made anonymous volumes for.
pub(crate) async fn remove(client: &DockerApiClient, id: &str) {
    match client.remove_container(id, true, true).await {
        Ok(()) | Err(DockerClientError::ContainerNotFound { .. }) => {}
        Err(error) => warn!(
            container = id,
            error = diagnostics::chain(&error),
            "cannot remove the container"
        ),
    }
}

/// The container that the checkpoint's run has made before, if there is one.
pub(crate) async fn known_container(
    client: &DockerApiClient,
    checkpoint: &Checkpoint,
) -> Result<Option<ContainerInfo>, RunError> {
    let known = checkpoint.containers().into_iter().next();
    let id = match known {
        Some(id) => id,
        None => {
            let options = ListOptions::new(true)
                .filter("label", &format!("{RUN_LABEL}={}", checkpoint.run()));
            let found = client
                .list_containers_with(options)
                .await
                .map_err(docker("look for the container of the checkpoint"))?;
            match found.into_iter().next() {
                Some(found) => found.id,
                None => return Ok(None),
            }
        }
    };
    match client.get_container_info(&id).await {
        Ok(info) => {
            checkpoint.begin(&id).await;
            Ok(Some(info))
        }
        Err(DockerClientError::ContainerNotFound { .. }) => Err(RunError::ContainerGone { id }),
        Err(error) => Err(docker("look at the container of the checkpoint")(error)),
    }
}

/// Whether its log can be read, and whether the engine throws some of it away.
pub(crate) fn check_log(info: &ContainerInfo) -> Result<(), RunError> {
    let name = diagnostics::one_line(&info.name);
    if info.log_driver == "none" {
        return Err(RunError::NoLog { name });
    }
    let max_size = info.log_options.get("max-size").map(String::as_str);
    // The driver `local` keeps five files of 20 MB unless told otherwise.
    let max_size = max_size.or((info.log_driver == "local").then_some("20m"));
    if let Some(max_size) = max_size.filter(|size| !size.starts_with('-')) {
        let max_file = info.log_options.get("max-file").map_or("", String::as_str);
        warn!(
            container = name,
            driver = info.log_driver,
            max_size,
            max_file,
            "the engine rotates the container's log: what is rotated away while CloudWatch is away is lost"
        );
    }
    Ok(())
}
