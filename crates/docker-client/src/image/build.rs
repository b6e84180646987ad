//! Building images from a folder, with the engine's classic builder.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use http::{HeaderName, Method, header};

use crate::archive::ArchiveLimits;
use crate::archive::pack::{Packing, Wanted};
use crate::client::DockerApiClient;
use crate::engine::Streamed;
use crate::engine::call::Call;
use crate::error::DockerClientError;
use crate::image::credentials::Credentials;
use crate::image::ignore::Ignore;
use crate::image::progress::{ProgressStream, Steps};
use crate::name;

/// A build that says nothing for so long is given up: compilers are quiet.
const IDLE: Duration = Duration::from_secs(1800);
/// Bounds what is sent of a folder that was named by mistake.
const LIMITS: ArchiveLimits = ArchiveLimits {
    bytes: 16 << 30,
    entries: 1_000_000,
};
const LONGEST_IGNORE: u64 = 1024 * 1024;
const REGISTRY_CONFIG: HeaderName = HeaderName::from_static("x-registry-config");

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
    /// Builds an image from a folder, without what its `.dockerignore` names, with the engine's
    /// classic builder. Given up after 30 minutes of silence.
    ///
    /// # Errors
    ///
    /// [`DockerClientError::LocalFile`]; [`DockerClientError::InvalidName`] for a tag;
    /// [`DockerClientError::Engine`] with the builder's words for a step that failed.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), docker_client::DockerClientError> {
    /// use docker_client::BuildOptions;
    ///
    /// let docker = docker_client::get_docker_client().await?;
    /// let mut options = BuildOptions::default();
    /// options.tags = vec!["web:1".to_owned()];
    /// let build = docker.build_image("site".as_ref(), options).await?;
    /// println!("{:?}", build.finish().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn build_image(
        &self,
        folder: &Path,
        options: BuildOptions,
    ) -> Result<ProgressStream, DockerClientError> {
        for tag in &options.tags {
            name::image(tag)?;
        }
        let dockerfile = options
            .dockerfile
            .clone()
            .unwrap_or_else(|| "Dockerfile".to_owned());
        let wanted = wanted(folder, &dockerfile).await?;
        let query = query(&options, dockerfile)?;
        let image = options.tags.into_iter().next().unwrap_or_default();
        let mut request = Streamed::get("/build".to_owned(), &query);
        request.method = Method::POST;
        request.deadline = Some(IDLE);
        request.headers = vec![(header::CONTENT_TYPE, "application/x-tar".to_owned())];
        if let Some(config) = Credentials::of_user().await?.for_all().await? {
            request.headers.push((REGISTRY_CONFIG, config));
        }
        let packing = Packing::start(folder.to_owned(), String::new(), Some(wanted), LIMITS);
        let (body, result) = packing.split();
        request.body = body;
        let call = Call::image("build", &image);
        let answer = self.engine.open(call, request).await;
        // The engine reads all of it before it says anything.
        Packing::result(result).await?;
        let body = answer?.into_body();
        Ok(Steps {
            client: self.clone(),
            verb: "build",
            image,
            idle: IDLE,
            body,
        }
        .stream())
    }
}

fn query(
    options: &BuildOptions,
    dockerfile: String,
) -> Result<Vec<(&'static str, String)>, DockerClientError> {
    let json = |map: &BTreeMap<String, String>| {
        serde_json::to_string(map).map_err(|error| DockerClientError::InvalidArgument {
            argument: "build options",
            reason: error.to_string(),
        })
    };
    let mut query = vec![
        ("dockerfile", dockerfile),
        ("rm", "1".to_owned()),
        ("forcerm", "1".to_owned()),
    ];
    query.extend(options.tags.iter().map(|tag| ("t", tag.clone())));
    if !options.args.is_empty() {
        query.push(("buildargs", json(&options.args)?));
    }
    if !options.labels.is_empty() {
        query.push(("labels", json(&options.labels)?));
    }
    query.extend(options.target.clone().map(|target| ("target", target)));
    query.extend(
        options
            .platform
            .clone()
            .map(|platform| ("platform", platform)),
    );
    for (name, on) in [("nocache", options.no_cache), ("pull", options.pull)] {
        if on {
            query.push((name, "1".to_owned()));
        }
    }
    Ok(query)
}

/// What goes to the engine: not what is ignored, but always the Dockerfile and the list itself,
/// as the `docker` command has it.
async fn wanted(folder: &Path, dockerfile: &str) -> Result<Wanted, DockerClientError> {
    let path = folder.join(".dockerignore");
    let failed = |source| DockerClientError::LocalFile {
        operation: "read",
        path: path.clone(),
        source,
    };
    let text = match tokio::fs::metadata(&path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if metadata.len() > LONGEST_IGNORE => {
            let what = path.display().to_string();
            return Err(DockerClientError::TooLarge {
                what,
                limit: LONGEST_IGNORE,
            });
        }
        Ok(_) => tokio::fs::read_to_string(&path).await.map_err(failed)?,
    };
    let ignore = Ignore::parse(&text);
    let always = [
        dockerfile.trim_start_matches("./").to_owned(),
        ".dockerignore".to_owned(),
    ];
    Ok(Box::new(move |path| {
        always.iter().any(|name| name == path) || !ignore.matches(path)
    }))
}
