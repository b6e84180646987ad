//! Containers that are there, and those to come.

use std::collections::HashSet;
use std::sync::Arc;

use docker_client::{
    ContainerState, DockerClientError, EventItem, EventOptions, ListOptions, Timestamp,
};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::session::{Patience, Session};
use super::{rest, tell_unshipped};
use crate::checkpoint::CONTAINERS_MAX;
use crate::clock;
use crate::cloudwatch_manager::LogsService;
use crate::docker_manager as manager;
use crate::failure::{RunError, exit};
use crate::job::{AttachSettings, Which};
use crate::ship::Ended;

/// Ships until they have ended, or a signal comes.
pub(super) async fn attach<S: LogsService>(
    session: &Session<S>,
    settings: &AttachSettings,
) -> Result<u8, RunError> {
    match &settings.which {
        Which::Named {
            name,
            follow_restarts,
        } => one(session, name, settings.tail, *follow_restarts).await,
        Which::Labelled(labels) => Labelled::new(session, labels, settings.tail).run().await,
    }
}

async fn one<S: LogsService>(
    session: &Session<S>,
    name: &str,
    tail: Option<u64>,
    restarts: bool,
) -> Result<u8, RunError> {
    let docker = &session.docker;
    let info = docker
        .get_container_info(name)
        .await
        .map_err(manager::docker("attach"))?;
    manager::check_log(&info)?;
    let streams = session.set_up(&info).await?;
    let id = &info.id;
    info!(
        container = info.name,
        id,
        group = streams.stdout.group,
        stream = streams.stdout.stream,
        "shipping"
    );
    if let Some(checkpoint) = &session.shipping.checkpoint {
        // One that had the name before is gone.
        checkpoint.keep(|known| known == id).await;
        checkpoint.begin(id).await;
    }
    let mut following = session.follow(&info, &streams, tail, restarts);
    let mut stop = session.stop.clone();
    let ended = async {
        match restarts {
            true => std::future::pending().await,
            false => docker.wait_container(id).await,
        }
    };
    let mut halted = false;
    let shipped = tokio::select! {
        shipped = &mut following.shipped => Some(shipped),
        _ = ended => session.drain(&mut following.shipped, session.while_moving()).await,
        () = stop.asked() => {
            halted = true;
            following.halt();
            session.drain(&mut following.shipped, session.until_timeout()).await
        }
    };
    let place = following.followed.place();
    let summary = session.shipping.tally.summary();
    drop(following);
    match shipped {
        Some(Ok(_)) if summary.lines_held() == 0 => {}
        Some(Ok(_)) => {
            return Ok(tell_unshipped(
                &summary,
                rest::Rest {
                    is_all: true,
                    ..rest::Rest::default()
                },
            ));
        }
        Some(Err(error)) => return Err(manager::docker("read the container's log")(error)),
        None => {
            return Ok(tell_unshipped(
                &summary,
                rest::count(docker, id, place).await,
            ));
        }
    }
    if halted {
        return Ok(0);
    }
    // It may be gone, if it was one that the engine removes at its end.
    let exit_code = docker
        .get_container_info(id)
        .await
        .ok()
        .and_then(|info| info.exit_code);
    Ok(exit_code.map_or(0, |code| u8::try_from(code).unwrap_or(exit::FAILED)))
}

/// All that carry the labels.
struct Labelled<'a, S> {
    session: &'a Session<S>,
    labels: &'a [String],
    tail: Option<u64>,
    /// What came before is in the list; what ended before is not ours.
    since: Timestamp,
    followed: HashSet<String>,
    tasks: JoinSet<(String, Result<Ended, RunError>)>,
    halt: watch::Sender<bool>,
    failed: bool,
}

impl<'a, S: LogsService> Labelled<'a, S> {
    fn new(session: &'a Session<S>, labels: &'a [String], tail: Option<u64>) -> Self {
        Self {
            session,
            labels,
            tail,
            since: clock::now(),
            followed: HashSet::new(),
            tasks: JoinSet::new(),
            halt: watch::Sender::new(false),
            failed: false,
        }
    }

    async fn run(mut self) -> Result<u8, RunError> {
        let docker = &self.session.docker;
        let mut stop = self.session.stop.clone();
        let options = EventOptions::default()
            .filter("type", "container")
            .filter("event", "start");
        let options = self
            .labels
            .iter()
            .fold(options, |options, label| options.filter("label", label));
        // Events first: what starts while the list is made is in one of them.
        let mut events = docker
            .events(options)
            .await
            .map_err(manager::docker("hear of containers"))?;
        self.forget_gone().await?;
        self.take_up_listed(false).await?;
        loop {
            tokio::select! {
                () = stop.asked() => break,
                Some(ended) = self.tasks.join_next() => self.note(ended),
                event = events.next() => match event {
                    Some(Ok(EventItem::Event(event))) => self.take_up(event.id, None),
                    Some(Ok(EventItem::Resync)) => self.take_up_listed(true).await?,
                    Some(Err(error)) => return Err(manager::docker("hear of containers")(error)),
                    None => break,
                },
            }
        }
        self.halt.send_replace(true);
        let patience = self.session.until_timeout();
        Ok(self.drain(patience).await)
    }

    async fn drain(mut self, patience: Patience) -> u8 {
        let session = self.session;
        let mut all = Box::pin(async {
            while let Some(ended) = self.tasks.join_next().await {
                self.note(ended);
            }
            self.failed
        });
        let drained = session.drain(&mut all, patience).await;
        let summary = session.shipping.tally.summary();
        match drained {
            Some(_) if summary.lines_held() > 0 => tell_unshipped(
                &summary,
                rest::Rest {
                    is_all: true,
                    ..rest::Rest::default()
                },
            ),
            Some(true) => exit::FAILED,
            Some(false) => 0,
            None => tell_unshipped(&summary, rest::Rest::default()),
        }
    }

    async fn forget_gone(&self) -> Result<(), RunError> {
        let Some(checkpoint) = &self.session.shipping.checkpoint else {
            return Ok(());
        };
        let listed = self.session.docker.list_containers(true).await;
        let listed = listed.map_err(manager::docker("list the containers"))?;
        let there: HashSet<_> = listed.iter().map(|container| &*container.id).collect();
        checkpoint.keep(|id| there.contains(id)).await;
        Ok(())
    }

    /// After a gap in the events also those that have ended meanwhile.
    async fn take_up_listed(&mut self, also_ended: bool) -> Result<(), RunError> {
        let options = ListOptions::new(also_ended);
        let options = self
            .labels
            .iter()
            .fold(options, |options, label| options.filter("label", label));
        let listed = self
            .session
            .docker
            .list_containers_with(options)
            .await
            .map_err(manager::docker("list the containers"))?;
        for container in listed {
            let is_running = matches!(
                container.state,
                ContainerState::Running | ContainerState::Paused | ContainerState::Restarting
            );
            // Its time is in whole seconds.
            let is_new = container.created.nanos() + 1_000_000_000 > self.since.nanos();
            if is_running || is_new && container.state != ContainerState::Created {
                self.take_up(container.id, self.tail.filter(|_| !is_new));
            }
        }
        Ok(())
    }

    /// Begins to ship one, unless that is done already: it is followed over its restarts.
    fn take_up(&mut self, id: String, tail: Option<u64>) {
        if self.followed.contains(&id) {
            return;
        }
        if self.followed.len() >= CONTAINERS_MAX {
            error!(
                id,
                most = CONTAINERS_MAX,
                "too many containers at once, this one is not shipped"
            );
            return;
        }
        self.followed.insert(id.clone());
        let session = Session {
            job: self.session.job.clone(),
            shipping: self.session.shipping.clone(),
            docker: self.session.docker.clone(),
            stop: self.session.stop.clone(),
        };
        let halt = self.halt.subscribe();
        self.tasks.spawn(async move {
            let shipped = ship(Arc::new(session), &id, tail, halt).await;
            (id, shipped)
        });
    }

    fn note(&mut self, ended: Result<(String, Result<Ended, RunError>), tokio::task::JoinError>) {
        match ended {
            Ok((id, Ok(_))) => {
                info!(id, "all of the container's lines are shipped");
                self.followed.remove(&id);
            }
            Ok((id, Err(failure))) => {
                self.failed = true;
                error!(
                    id,
                    error = diagnostics::chain(&failure),
                    hint = failure.hint(),
                    "the container's lines are not shipped"
                );
                self.followed.remove(&id);
            }
            Err(failure) => error!(error = %failure, "shipping a container failed"),
        }
    }
}

async fn ship<S: LogsService>(
    session: Arc<Session<S>>,
    id: &str,
    tail: Option<u64>,
    mut halt: watch::Receiver<bool>,
) -> Result<Ended, RunError> {
    let info = match session.docker.get_container_info(id).await {
        Ok(info) => info,
        Err(DockerClientError::ContainerNotFound { .. }) => {
            warn!(id, "a container was removed before its log was read");
            return Ok(Ended::WithContainer);
        }
        Err(error) => return Err(manager::docker("look at the container")(error)),
    };
    manager::check_log(&info)?;
    let streams = session.set_up(&info).await?;
    info!(
        container = info.name,
        id,
        group = streams.stdout.group,
        stream = streams.stdout.stream,
        "shipping"
    );
    if let Some(checkpoint) = &session.shipping.checkpoint {
        checkpoint.begin(id).await;
    }
    let mut following = session.follow(&info, &streams, tail, true);
    let shipped = tokio::select! {
        shipped = &mut following.shipped => shipped,
        () = halted(&mut halt) => {
            following.halt();
            (&mut following.shipped).await
        }
    };
    match shipped {
        Ok(Ended::WithContainer) => {
            // It was removed: its log is gone with it.
            if let Some(checkpoint) = &session.shipping.checkpoint {
                checkpoint.forget(id).await;
            }
            Ok(Ended::WithContainer)
        }
        Ok(ended) => Ok(ended),
        Err(DockerClientError::ContainerNotFound { .. }) => Ok(Ended::WithContainer),
        Err(error) => Err(manager::docker("read the container's log")(error)),
    }
}

async fn halted(halt: &mut watch::Receiver<bool>) {
    // Whoever could halt it is gone, too, then.
    let _ = halt.wait_for(|halted| *halted).await.map(drop);
}
