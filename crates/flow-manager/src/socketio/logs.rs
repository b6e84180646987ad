//! Logs that are followed: one reading for all who follow it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use docker_client::{LogItem, LogStream};
use futures_util::StreamExt;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::debug;

use crate::containers::ContainerManager;
use crate::failure::ErrorCode;
use crate::hub::Hub;
use crate::json::text_length;
use crate::model::LogText;

/// Lines that come within this time are told together.
const TOGETHER: Duration = Duration::from_millis(100);
/// Most lines, and bytes, of one event.
const LINES_MAX: usize = 1000;
const BYTES_MAX: usize = 256 * 1024;
/// Most lines in a second. No page shows more, and `docker logs` has them all.
const LINES_A_SECOND: usize = 5000;
/// Before a log that broke off is followed again.
const AGAIN: Duration = Duration::from_secs(1);

/// The readings of logs.
pub(super) struct LogFollowers {
    containers: ContainerManager,
    hub: Arc<Hub>,
    /// Locked while somebody comes or goes: a reading must not end for the last one when the
    /// next one is there.
    tasks: Mutex<HashMap<String, AbortHandle>>,
}

impl LogFollowers {
    pub(super) fn new(containers: ContainerManager, hub: Arc<Hub>) -> Self {
        Self {
            containers,
            hub,
            tasks: Mutex::default(),
        }
    }

    /// A client follows the log of a container, which is read from now on.
    pub(super) fn follow(&self, id: &str, client: u64, log: LogStream) {
        let mut tasks = self.lock();
        if !self.hub.follow(id, client) {
            return;
        }
        let following = follow(
            self.containers.clone(),
            self.hub.clone(),
            id.to_owned(),
            log,
        );
        let task = tokio::spawn(following).abort_handle();
        tasks.retain(|_, task| !task.is_finished());
        if let Some(before) = tasks.insert(id.to_owned(), task) {
            before.abort();
        }
    }

    /// A client no longer follows the log of a container.
    pub(super) fn unfollow(&self, id: &str, client: u64) {
        let mut tasks = self.lock();
        if self.hub.unfollow(id, client) {
            stop(&mut tasks, id);
        }
    }

    /// A client is gone.
    pub(super) fn left(&self, client: u64) {
        let mut tasks = self.lock();
        for id in self.hub.leave(client) {
            stop(&mut tasks, &id);
        }
    }

    pub(super) fn stop_all(&self) {
        for (_, task) in self.lock().drain() {
            task.abort();
        }
    }

    /// What is locked here is whole at any moment, and locked for moments only.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, AbortHandle>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stop(tasks: &mut HashMap<String, AbortHandle>, id: &str) {
    if let Some(task) = tasks.remove(id) {
        task.abort();
    }
}

/// Follows a log over cut connections, until its container is gone.
async fn follow(containers: ContainerManager, hub: Arc<Hub>, id: String, log: LogStream) {
    tell(&hub, &id, log).await;
    loop {
        sleep(AGAIN).await;
        match containers.follow_container_logs(&id).await {
            Ok(log) => {
                // How many lines came meanwhile is not known: one at least.
                hub.tell_log(&id, &[], 1);
                tell(&hub, &id, log).await;
            }
            Err(failure) if failure.code == ErrorCode::ContainerNotFound => {
                hub.log_is_gone(&id);
                return;
            }
            Err(failure) => debug!(
                container = id,
                error = diagnostics::chain(&failure),
                "log not followed"
            ),
        }
    }
}

/// Tells the lines of a log, some at a time, until it ends.
async fn tell(hub: &Hub, id: &str, mut log: LogStream) {
    let (mut second, mut in_second) = (Instant::now(), 0);
    while let Some(first) = log.next().await {
        let mut batch = Batch::default();
        let until = Instant::now() + TOGETHER;
        let mut item = Some(first);
        let ended = loop {
            match item {
                Some(Ok(LogItem::Line(line))) => {
                    if second.elapsed() >= Duration::from_secs(1) {
                        (second, in_second) = (Instant::now(), 0);
                    }
                    in_second += 1;
                    batch.add(line, in_second <= LINES_A_SECOND);
                }
                // How many are missing is not known: one at least.
                Some(Ok(LogItem::Gap(_))) => batch.dropped += 1,
                Some(Err(_)) | None => break true,
            }
            if batch.is_full() {
                break false;
            }
            match timeout_at(until, log.next()).await {
                Ok(next) => item = next,
                Err(_) => break false,
            }
        };
        hub.tell_log(id, &batch.lines, batch.dropped);
        if ended {
            return;
        }
    }
}

#[derive(Default)]
struct Batch {
    lines: Vec<LogText>,
    bytes: usize,
    dropped: u64,
}

impl Batch {
    fn add(&mut self, line: docker_client::LogLine, is_wanted: bool) {
        if is_wanted {
            let line = LogText::from(line);
            self.bytes += text_length(&line.text);
            self.lines.push(line);
        } else {
            self.dropped += 1;
        }
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= LINES_MAX || self.bytes >= BYTES_MAX
    }
}
