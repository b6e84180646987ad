//! Making containers.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, HostConfigLogConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;

use crate::client::DockerApiClient;
use crate::engine::DEADLINE;
use crate::engine::call::{Call, Object};
use crate::error::DockerClientError;
use crate::name;

/// A container to make. What has no field here goes into `body`, which the other fields are
/// laid over.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CreateContainer {
    /// The image.
    pub image: String,
    /// The name; default: the engine invents one.
    pub name: Option<String>,
    /// The command; default: the image's.
    pub cmd: Option<Vec<String>>,
    /// What runs the command; default: the image's.
    pub entrypoint: Option<Vec<String>>,
    /// Variables, `(name, value)`.
    pub env: Vec<(String, String)>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The working directory; default: the image's.
    pub workdir: Option<String>,
    /// The user; default: the image's.
    pub user: Option<String>,
    /// Give it a terminal.
    pub tty: bool,
    /// Mounts as `docker run --volume` has them: `/host:/container:ro`, `volume:/container`.
    pub volumes: Vec<String>,
    /// Ports to publish.
    pub ports: Vec<PortPublish>,
    /// The network; default: the engine's.
    pub network: Option<String>,
    /// Most memory in bytes.
    pub memory: Option<u64>,
    /// Most processors, as 1.5.
    pub cpus: Option<f64>,
    /// Most processes.
    pub pids_limit: Option<u32>,
    /// The engine removes it at its end, its log included.
    pub auto_remove: bool,
    /// The logging driver and its options; default: the engine's.
    pub log: Option<(String, BTreeMap<String, String>)>,
    /// `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:5`.
    pub restart: Option<String>,
    /// As `linux/arm64`; default: the engine's.
    pub platform: Option<String>,
    /// All else, as the API has it.
    pub body: ContainerCreateBody,
}

/// A port to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPublish {
    /// Inside the container.
    pub container_port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The host's address; empty for all.
    pub host_ip: String,
    /// The host's port; 0 for any free one.
    pub host_port: u16,
}

impl CreateContainer {
    /// A container of this image with all else as the image and the engine have it.
    pub fn new(image: &str) -> Self {
        Self {
            image: image.to_owned(),
            ..Self::default()
        }
    }

    /// As the API has it.
    fn into_body(self) -> Result<ContainerCreateBody, DockerClientError> {
        let restart = self.restart.as_deref().map(restart_policy).transpose()?;
        let mut body = self.body;
        let mut host = body.host_config.take().unwrap_or_default();
        body.image = Some(self.image);
        body.cmd = self.cmd.or(body.cmd);
        body.entrypoint = self.entrypoint.or(body.entrypoint);
        body.working_dir = self.workdir.or(body.working_dir);
        body.user = self.user.or(body.user);
        if self.tty {
            body.tty = Some(true);
        }
        let env = self
            .env
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"));
        extend(&mut body.env, env);
        if !self.labels.is_empty() {
            body.labels.get_or_insert_default().extend(self.labels);
        }
        extend(&mut host.binds, self.volumes);
        let mut bindings = host.port_bindings.take().unwrap_or_default();
        for port in self.ports {
            let key = format!("{}/{}", port.container_port, port.protocol);
            extend(&mut body.exposed_ports, [key.clone()]);
            let host_port = (port.host_port > 0).then(|| port.host_port.to_string());
            bindings
                .entry(key)
                .or_default()
                .get_or_insert_default()
                .push(PortBinding {
                    host_ip: Some(port.host_ip),
                    host_port: Some(host_port.unwrap_or_default()),
                });
        }
        host.port_bindings = (!bindings.is_empty()).then_some(bindings);
        host.network_mode = self.network.or(host.network_mode);
        host.memory = self.memory.map(whole).or(host.memory);
        host.nano_cpus = self.cpus.map(|cpus| (cpus * 1e9) as i64).or(host.nano_cpus);
        host.pids_limit = self.pids_limit.map(i64::from).or(host.pids_limit);
        if self.auto_remove {
            host.auto_remove = Some(true);
        }
        host.log_config = self.log.map(log_config).or(host.log_config);
        host.restart_policy = restart.or(host.restart_policy);
        body.host_config = Some(host);
        Ok(body)
    }
}

impl DockerApiClient {
    /// Makes a container and gives its full id. It is not started.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::ImageNotFound`]: pull it first; [`DockerClientError::Conflict`] if
    /// the name is taken; [`DockerClientError::InvalidName`]; [`DockerClientError::Engine`] with
    /// status 400 for settings that the engine refuses.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// use docker_client::CreateContainer;
    ///
    /// let docker = docker_client::get_docker_client().await?;
    /// let mut web = CreateContainer::new("nginx:1");
    /// web.name = Some("web".to_owned());
    /// web.memory = Some(64 * 1024 * 1024);
    /// let id = docker.create_container(web).await?;
    /// docker.start_container(&id).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_container(
        &self,
        container: CreateContainer,
    ) -> Result<String, DockerClientError> {
        let image = name::image(&container.image)?.to_owned();
        let mut options = CreateContainerOptionsBuilder::new();
        if let Some(name) = &container.name {
            options = options.name(name::new_container(name)?);
        }
        if let Some(platform) = &container.platform {
            options = options.platform(platform);
        }
        let options = options.build();
        let body = container.into_body()?;
        let call = Call {
            verb: "create a container of",
            object: Object::Image(&image),
        };
        let ask =
            |docker| bollard::Docker::create_container(docker, Some(options.clone()), body.clone());
        self.engine
            .call(call, DEADLINE, ask)
            .await
            .map(|created| created.id)
    }
}

fn extend<T>(list: &mut Option<Vec<T>>, more: impl IntoIterator<Item = T>) {
    let mut more = more.into_iter().peekable();
    if more.peek().is_some() {
        list.get_or_insert_default().extend(more);
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn log_config((driver, options): (String, BTreeMap<String, String>)) -> HostConfigLogConfig {
    let options: HashMap<_, _> = options.into_iter().collect();
    HostConfigLogConfig {
        typ: Some(driver),
        config: Some(options),
    }
}

/// As `docker run --restart` has it.
fn restart_policy(text: &str) -> Result<RestartPolicy, DockerClientError> {
    let (name, count) = match text.split_once(':') {
        Some((name, count)) => (name, Some(count)),
        None => (text, None),
    };
    let refused = || DockerClientError::InvalidArgument {
        argument: "restart policy",
        reason: format!("{text:?}: no, always, unless-stopped, on-failure or on-failure:COUNT"),
    };
    let name = match (name, count) {
        ("no", None) => RestartPolicyNameEnum::NO,
        ("always", None) => RestartPolicyNameEnum::ALWAYS,
        ("unless-stopped", None) => RestartPolicyNameEnum::UNLESS_STOPPED,
        ("on-failure", _) => RestartPolicyNameEnum::ON_FAILURE,
        _ => return Err(refused()),
    };
    let count = count
        .map(|count| count.parse::<u32>().map_err(|_| refused()))
        .transpose()?;
    Ok(RestartPolicy {
        name: Some(name),
        maximum_retry_count: count.map(i64::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_laid_over_the_body() {
        let mut container = CreateContainer::new("alpine");
        container.body.hostname = Some("h".to_owned());
        container.body.env = Some(vec!["A=1".to_owned()]);
        container.env = vec![("B".to_owned(), "x=y".to_owned())];
        container.volumes = vec!["/a:/b:ro".to_owned()];
        container.cpus = Some(1.5);
        container.restart = Some("on-failure:3".to_owned());
        let port = |host_port| PortPublish {
            container_port: 80,
            protocol: "tcp".to_owned(),
            host_ip: "127.0.0.1".to_owned(),
            host_port,
        };
        container.ports = vec![port(8080), port(0)];
        let body = serde_json::to_value(container.into_body().unwrap()).unwrap();
        assert_eq!(body["Hostname"], "h");
        assert_eq!(body["Env"], serde_json::json!(["A=1", "B=x=y"]));
        let host = &body["HostConfig"];
        assert_eq!(host["Binds"], serde_json::json!(["/a:/b:ro"]));
        assert_eq!(host["NanoCpus"], 1_500_000_000);
        assert_eq!(host["RestartPolicy"]["MaximumRetryCount"], 3);
        assert_eq!(host["PortBindings"]["80/tcp"][0]["HostPort"], "8080");
        assert_eq!(host["PortBindings"]["80/tcp"][1]["HostPort"], "");
        assert!(body.get("Cmd").is_none() && body.get("Tty").is_none());
    }

    #[test]
    fn a_policy_that_docker_does_not_know_is_refused() {
        for text in ["", "sometimes", "always:3", "on-failure:x", "on-failure:-1"] {
            assert!(restart_policy(text).is_err(), "{text}");
        }
    }
}
