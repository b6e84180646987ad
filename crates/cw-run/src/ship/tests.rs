use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use docker_client::DockerApiClient;
use docker_local::{Container, ContainerHandle, DockerLocal};
use retry_policy::{RequestError, RequestErrorKind};
use tokio::sync::watch;

use super::*;
use crate::cloudwatch_manager::{Rejected, StreamName, Streams};
use crate::job::{Job, Target};
use crate::testing::{FakeLogs, refusal};
use crate::verdict::Operation;
use crate::{Request, parse_arguments};

mod arrival;
mod memory;
mod panics;
mod refusals;
mod unknown;

/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

fn job(words: &[&str]) -> Job {
    let base = [
        "cw-run",
        "attach",
        "web",
        "--group",
        "g",
        "--stream",
        "s",
        "--flush-interval",
        "100ms",
    ];
    let words = base.iter().chain(words).map(std::ffi::OsString::from);
    match parse_arguments(words.collect::<Vec<_>>(), &settings::Environment::default()) {
        Ok(Request::Do(job)) => *job,
        other => panic!("{other:?}"),
    }
}

struct World {
    engine: DockerLocal,
    web: ContainerHandle,
    shipping: Arc<Shipping<FakeLogs>>,
    job: Job,
}

impl World {
    async fn new(words: &[&str], container: Container) -> Self {
        let engine = DockerLocal::builder().start().await.unwrap();
        let web = engine.add(container.running());
        let job = job(words);
        assert!(matches!(job.target, Target::Attach(_)));
        let shipping = Arc::new(Shipping::new(
            Arc::new(FakeLogs::default()),
            &job,
            None,
            None,
        ));
        Self {
            engine,
            web,
            shipping,
            job,
        }
    }

    async fn ship(&self) -> Ended {
        self.ship_from("web", Begin::default(), &Followed::default())
            .await
    }

    async fn ship_from(&self, name: &str, begin: Begin, followed: &Followed) -> Ended {
        let docker = DockerApiClient::connect_to(&self.engine.url())
            .await
            .unwrap();
        let info = docker.get_container_info(name).await.unwrap();
        let streams = Streams::of(&self.job.destination, &info, "2026-11-21");
        let (_halt, halted) = watch::channel(None);
        let (shipping, followed) = (&self.shipping, followed.clone());
        let shipped = follow(shipping, &docker, &info, &streams, begin, followed, halted);
        tokio::time::timeout(PATIENCE, shipped)
            .await
            .unwrap()
            .unwrap()
    }

    /// The events that were sent and accepted, or are tried, have a checkpoint here.
    async fn remember_in(&mut self, path: &std::path::Path) -> Checkpoint {
        let checkpoint = Checkpoint::open(path, "abc", "run".to_owned());
        let checkpoint = checkpoint.await.unwrap();
        let shipping = Arc::get_mut(&mut self.shipping).unwrap();
        shipping.checkpoint = Some(checkpoint.clone());
        checkpoint
    }

    fn messages(&self) -> Vec<String> {
        self.shipping.service.messages(&StreamName {
            group: "g".to_owned(),
            stream: "s".to_owned(),
        })
    }

    fn say(&self, lines: std::ops::Range<usize>) {
        let text: String = lines.map(|number| format!("line {number}\n")).collect();
        self.web.stdout(text);
    }
}

fn numbered(lines: std::ops::Range<usize>) -> Vec<String> {
    lines.map(|number| format!("line {number}")).collect()
}

/// Waits until it holds; whoever calls this gives up in the end.
async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
