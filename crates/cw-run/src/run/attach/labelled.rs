//! All containers that carry some labels, and those to come.

use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;

use docker_client::{
    ContainerState, ContainerSummary, DockerClientError, Event, EventItem, EventOptions,
    EventStream, ListOptions, LogCursor, Timestamp,
};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tracing::{error, info, warn};

use super::super::session::{Patience, Session};
use super::super::{rest, tell_unshipped};
use crate::checkpoint::CONTAINERS_MAX;
use crate::clock;
use crate::cloudwatch_manager::LogsService;
use crate::docker_manager as manager;
use crate::failure::{RunError, exit};
use crate::ship::Begin;

mod task;

use task::{AGAIN, AGAIN_MAX, Shipped, is_transient, ship};

/// The containers that are followed, each by a task. One that ends is taken up again when it is
/// started again.
pub(super) struct Labelled<'a, S> {
    session: &'a Session<S>,
    labels: &'a [String],
    tail: Option<u64>,
    /// What was made before is in the first list.
    since: Timestamp,
    followed: HashSet<String>,
    /// Those that were started again before they had come to their end here.
    again: HashSet<String>,
    /// Those that were removed before they had come to their end here.
    gone: HashSet<String>,
    /// Where to go on with those that have ended.
    ended: HashMap<String, LogCursor>,
    tasks: JoinSet<Shipped>,
    halt: watch::Sender<bool>,
    failed: bool,
}

impl<'a, S: LogsService> Labelled<'a, S> {
    pub(super) fn new(session: &'a Session<S>, labels: &'a [String], tail: Option<u64>) -> Self {
        Self {
            session,
            labels,
            tail,
            since: clock::now(),
            followed: HashSet::new(),
            again: HashSet::new(),
            gone: HashSet::new(),
            ended: HashMap::new(),
            tasks: JoinSet::new(),
            halt: watch::Sender::new(false),
            failed: false,
        }
    }

    /// Ships until a signal comes; gives the exit code.
    pub(super) async fn run(mut self) -> Result<u8, RunError> {
        let options = EventOptions::default().filter("type", "container");
        let options = options.filter("event", "start").filter("event", "destroy");
        let with_label = |options: EventOptions, label: &String| options.filter("label", label);
        let options = self.labels.iter().fold(options, with_label);
        // Events first: what starts while the list is made is in one of them.
        let events = self.session.docker.events(options).await;
        let mut events = events.map_err(manager::docker("hear of containers"))?;
        let followed = self.follow_all(&mut events).await;
        // Whatever ended it, what was read is shipped.
        self.halt.send_replace(true);
        let patience = self.session.until_timeout();
        let code = self.drain(patience).await;
        followed.map(|()| code)
    }

    /// Comes back after a signal.
    async fn follow_all(&mut self, events: &mut EventStream) -> Result<(), RunError> {
        let mut stop = self.session.stop.clone();
        self.take_up_known().await?;
        self.take_up_listed(false).await?;
        loop {
            tokio::select! {
                () = stop.asked() => return Ok(()),
                Some(ended) = self.tasks.join_next() => self.note(ended).await,
                event = events.next() => match event {
                    Some(Ok(EventItem::Event(event))) => self.hear(event).await,
                    Some(Ok(EventItem::Resync)) => self.catch_up().await?,
                    Some(Err(error)) => return Err(manager::docker("hear of containers")(error)),
                    None => return Ok(()),
                },
            }
        }
    }

    async fn drain(mut self, patience: Patience) -> u8 {
        let session = self.session;
        let mut all = Box::pin(async {
            while let Some(ended) = self.tasks.join_next().await {
                self.note(ended).await;
            }
            self.failed
        });
        let drained = session.drain(&mut all, patience).await;
        let summary = session.shipping.tally.summary();
        match drained {
            Some(_) if summary.lines_held() > 0 => tell_unshipped(&summary, rest::Rest::NOTHING),
            Some(true) => exit::FAILED,
            Some(false) => 0,
            None => tell_unshipped(&summary, rest::Rest::default()),
        }
    }

    async fn hear(&mut self, event: Event) {
        if event.action == "start" {
            return self.take_up(event.id, None);
        }
        self.ended.remove(&event.id);
        if self.followed.contains(&event.id) {
            self.gone.insert(event.id);
        } else if let Some(checkpoint) = &self.session.shipping.checkpoint {
            checkpoint.forget(&event.id).await;
        }
    }

    /// Whatever is not there any more need not be known: its removal may not have been heard of.
    async fn forget_all_but(&mut self, there: &HashSet<String>) {
        self.ended.retain(|id, _| there.contains(id));
        let gone = self.followed.difference(there).cloned();
        self.gone.extend(gone);
        if let Some(checkpoint) = &self.session.shipping.checkpoint {
            let is_known = |id: &str| there.contains(id) || self.followed.contains(id);
            checkpoint.keep(is_known).await;
        }
    }

    /// Those of the checkpoint, for they may have ended with lines left; those that are gone are
    /// forgotten.
    async fn take_up_known(&mut self) -> Result<(), RunError> {
        let Some(checkpoint) = self.session.shipping.checkpoint.clone() else {
            return Ok(());
        };
        let listed = self.session.docker.list_containers(true).await;
        let listed = listed.map_err(manager::docker("list the containers"))?;
        let there: HashSet<_> = listed.into_iter().map(|container| container.id).collect();
        checkpoint.keep(|id| there.contains(id)).await;
        for id in checkpoint.containers() {
            self.take_up(id, None);
        }
        Ok(())
    }

    /// After a gap in the events. The engine has just come back, and may be busy.
    async fn catch_up(&mut self) -> Result<(), RunError> {
        let mut stop = self.session.stop.clone();
        let mut delay = AGAIN;
        loop {
            match self.take_up_listed(true).await {
                Err(failure) if is_transient(&failure) => {
                    let error = diagnostics::chain(&failure);
                    warn!(
                        error,
                        "cannot list the containers, the engine is asked again"
                    );
                }
                result => return result,
            }
            tokio::select! {
                () = tokio::time::sleep(delay) => delay = (delay * 2).min(AGAIN_MAX),
                () = stop.asked() => return Ok(()),
            }
        }
    }

    /// After a gap in the events also those that have ended meanwhile.
    async fn take_up_listed(&mut self, also_ended: bool) -> Result<(), RunError> {
        let options = ListOptions::new(also_ended);
        let with_label = |options: ListOptions, label: &String| options.filter("label", label);
        let options = self.labels.iter().fold(options, with_label);
        let listed = self.session.docker.list_containers_with(options).await;
        let listed = listed.map_err(manager::docker("list the containers"))?;
        if also_ended {
            let there = listed.iter().map(|container| container.id.clone());
            self.forget_all_but(&there.collect()).await;
        }
        for container in listed {
            use ContainerState::{Created, Paused, Restarting, Running};
            let is_running = matches!(container.state, Running | Paused | Restarting);
            // Its time is in whole seconds.
            let is_new = container.created.nanos() + 1_000_000_000 > self.since.nanos();
            let has_run = is_new && container.state != Created;
            let is_known = self.ended.contains_key(&container.id);
            let is_wanted = is_running
                || has_run && !is_known
                || also_ended && self.has_run_again(&container).await?;
            if is_wanted {
                self.take_up(container.id, self.tail.filter(|_| !is_new));
            }
        }
        Ok(())
    }

    /// Whether one that does not run was started behind what is known of it.
    async fn has_run_again(&self, container: &ContainerSummary) -> Result<bool, RunError> {
        if self.followed.contains(&container.id) {
            return Ok(false);
        }
        let started = match self.session.docker.get_container_info(&container.id).await {
            Ok(info) => info.started,
            Err(DockerClientError::ContainerNotFound { .. }) => return Ok(false),
            Err(error) => return Err(manager::docker("look at the container")(error)),
        };
        let read_to = self.ended.get(&container.id).and_then(|place| {
            let places = [place.stdout, place.stderr].into_iter().flatten();
            places.map(|place| place.nanos).max()
        });
        let known = read_to.unwrap_or(self.since.nanos());
        Ok(started.is_some_and(|started| started.nanos() > known))
    }

    /// Begins to ship one; one that is being shipped is taken up again at its end.
    fn take_up(&mut self, id: String, tail: Option<u64>) {
        if self.followed.contains(&id) {
            self.again.insert(id);
            return;
        }
        if self.followed.len() >= CONTAINERS_MAX {
            error!(
                id,
                most = CONTAINERS_MAX,
                "too many containers at once, this one is not shipped"
            );
            self.failed = true;
            return;
        }
        self.followed.insert(id.clone());
        let begin = Begin {
            cursor: self.ended.remove(&id),
            tail,
            ..Begin::default()
        };
        let session = self.session.clone();
        let halt = self.halt.subscribe();
        self.tasks
            .spawn(async move { ship(session, id, begin, halt).await });
    }

    async fn note(&mut self, ended: Result<Shipped, JoinError>) {
        let Shipped { id, place, result } = match ended {
            Ok(shipped) => shipped,
            // Panics of a container's own are caught there.
            Err(failure) => match failure.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_cancelled) => return,
            },
        };
        self.followed.remove(&id);
        match result {
            Ok(()) => info!(id, "all that the container has printed is shipped"),
            Err(failure) => {
                self.failed = true;
                error!(
                    id,
                    error = diagnostics::chain(&failure),
                    hint = failure.hint(),
                    "the container's lines are not shipped"
                );
            }
        }
        if self.gone.remove(&id) {
            self.again.remove(&id);
            if let Some(checkpoint) = &self.session.shipping.checkpoint {
                checkpoint.forget(&id).await;
            }
            return;
        }
        if let Some(place) = place.filter(|_| self.ended.len() < CONTAINERS_MAX) {
            self.ended.insert(id.clone(), place);
        }
        if self.again.remove(&id) && !*self.halt.borrow() {
            self.take_up(id, None);
        }
    }
}

#[cfg(test)]
mod tests;
