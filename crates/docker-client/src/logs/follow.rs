//! Follows a log: reads, and after whatever went wrong reads again from the cursor.

use std::time::Duration;

use crate::transport::answer::AnswerBody;

use crate::client::DockerApiClient;
use crate::engine::body;
use crate::engine::call::Call;
use crate::error::DockerClientError;
use crate::info::ContainerInfo;
use crate::logs::cursor::Tracker;
use crate::logs::reader::LogReader;
use crate::logs::stream::Batch;
use crate::logs::{LogOptions, Source};
use crate::outage::Outage;
use crate::timestamp::Timestamp;

mod delivery;
mod opening;
mod state;

/// After so long without a byte the engine is asked whether there is news: connections that
/// never end and never say anything are known of every release.
const SILENCE: Duration = Duration::from_secs(30);
const LONGEST_SILENCE: Duration = Duration::from_secs(960);
/// A reading that does not follow is cut after so long without a byte. The engine may be
/// passing over gigabytes that lie before `since`.
const IDLE: Duration = Duration::from_secs(300);

/// So many bytes are read before their lines are handed out, if they are there.
const AT_ONCE: usize = 64 * 1024;

/// Where the following is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The container runs: read on and on.
    Live,
    /// It ended: read what is there, up to this instant.
    Last {
        until: Option<Timestamp>,
    },
    /// All is read; it may be started again.
    Waiting,
    Done,
}

/// An answer that is being read.
struct Reading {
    body: AnswerBody,
    reader: LogReader,
}

/// Follows one container's log.
pub(crate) struct Follower {
    client: DockerApiClient,
    /// As the caller gave it, for messages.
    name: String,
    id: String,
    tty: bool,
    driver: String,
    options: LogOptions,
    follow: bool,
    /// Lines have their time.
    timed: bool,
    /// `None` where the engine is not asked for times: then a cut is the end.
    tracker: Option<Tracker>,
    phase: Phase,
    /// When the run that is followed began.
    started: Option<Timestamp>,
    reading: Option<Reading>,
    /// The reader of a live answer that ended, until the last reading is over.
    ended: Option<LogReader>,
    /// The engine was asked whether the last reading has all.
    asked_for_end: bool,
    /// The log has been opened before.
    opened: bool,
    /// The last line, if it ended without a newline: its time, and its last chunk's length.
    bare: Option<(i64, usize)>,
    silence: Duration,
    outage: Outage,
}

impl Follower {
    pub(crate) async fn new(
        client: DockerApiClient,
        name: &str,
        options: LogOptions,
        follow: bool,
    ) -> Result<Self, DockerClientError> {
        options.check()?;
        let info = client.get_container_info(name).await?;
        if info.log_driver == "none" {
            return Err(unreadable(name, &info.log_driver));
        }
        let timed = follow || options.timestamps || options.cursor.is_some();
        let mut tracker = (timed || bare_last_chunk(&info.log_driver))
            .then(|| Tracker::new(options.cursor.as_ref()));
        if let (Some(tracker), Some(since)) = (&mut tracker, options.since)
            && tracker.floor().is_none()
        {
            tracker.set_floor(since.nanos());
        }
        if let Some(tracker) = &mut tracker
            && options.unplaced_from_first
        {
            let wanted = [
                (Source::Stdout, options.stdout),
                (Source::Stderr, options.stderr && !info.tty),
            ];
            for (source, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
                tracker.read_from_first(source);
            }
        }
        Ok(Self {
            name: name.to_owned(),
            tty: info.tty,
            driver: info.log_driver,
            phase: if follow {
                Phase::Live
            } else {
                Phase::Last {
                    until: options.until,
                }
            },
            started: info.started,
            id: info.id,
            outage: Outage::new(options.reconnect_for),
            client,
            options,
            follow,
            timed,
            tracker,
            reading: None,
            ended: None,
            asked_for_end: false,
            opened: false,
            bare: None,
            silence: SILENCE,
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The next lines; `None` after the last. An error is the last.
    pub(crate) async fn next_batch(&mut self) -> Option<Result<Batch, DockerClientError>> {
        while self.phase != Phase::Done {
            match self.step().await {
                Ok(batch) if batch.items.is_empty() => {}
                Ok(batch) => return Some(Ok(batch)),
                Err(error) => {
                    self.phase = Phase::Done;
                    return Some(Err(error));
                }
            }
        }
        None
    }

    /// One wait. It may be dropped at any time with the follower, never without.
    async fn step(&mut self) -> Result<Batch, DockerClientError> {
        if self.phase == Phase::Waiting {
            return self.wait_for_start().await;
        }
        let Some(reading) = &mut self.reading else {
            return self.open().await;
        };
        let limit = if self.phase == Phase::Live {
            self.silence
        } else {
            IDLE
        };
        let call = Call::container("read the log of", &self.name);
        let engine = &self.client.engine;
        match tokio::time::timeout(limit, body::next(&mut reading.body, call, engine)).await {
            Ok(Ok(Some(chunk))) => {
                let mut length = chunk.len();
                let mut read = reading.reader.push(chunk);
                while read.is_ok()
                    && length < AT_ONCE
                    && let Some(chunk) = reading.body.ready()
                {
                    length += chunk.len();
                    read = reading.reader.push(chunk);
                }
                let batch = self.admit_all();
                match read {
                    Ok(()) => {}
                    Err(error) => {
                        let error = engine_told(&self.client, &self.name, &error.to_string());
                        self.cut(error, batch.items.is_empty()).await?;
                    }
                }
                Ok(batch)
            }
            Ok(Ok(None)) => self.at_end().await,
            Ok(Err(error)) => {
                self.cut(error, false).await?;
                Ok(Batch::default())
            }
            Err(_) if self.phase == Phase::Live => self.after_silence().await,
            Err(_) => {
                let operation = call.to_string();
                self.cut(
                    DockerClientError::Timeout {
                        operation,
                        after: IDLE,
                    },
                    true,
                )
                .await?;
                Ok(Batch::default())
            }
        }
    }

    /// The connection is of no use any more. Waits before the next try; an error that no
    /// further try mends, or one too many, is the end.
    async fn cut(
        &mut self,
        error: DockerClientError,
        fruitless: bool,
    ) -> Result<(), DockerClientError> {
        self.reading = None;
        if self.tracker.is_none() {
            return Err(error);
        }
        self.outage.wait(error, fruitless).await
    }

    async fn info(&self) -> Result<ContainerInfo, DockerClientError> {
        self.client
            .get_container_info(&self.id)
            .await
            .map_err(|error| match error {
                DockerClientError::ContainerNotFound { .. } => {
                    DockerClientError::ContainerNotFound {
                        name: self.name.clone(),
                    }
                }
                error => error,
            })
    }

    fn wants(&self, source: Source) -> bool {
        match source {
            Source::Stdout => self.options.stdout,
            Source::Stderr => self.options.stderr,
        }
    }
}

/// Whether the last chunk of a long line comes without a newline. If it is empty too, only its
/// time tells that it is there: without times the engine leaves it out.
fn bare_last_chunk(driver: &str) -> bool {
    // What other drivers keep is read from a cache of the driver `local`.
    !matches!(driver, "json-file" | "journald")
}

fn engine_told(client: &DockerApiClient, name: &str, words: &str) -> DockerClientError {
    // As transient as any failure of the engine's own.
    client
        .engine
        .told(Call::container("read the log of", name), 500, words)
}

fn unreadable(name: &str, driver: &str) -> DockerClientError {
    DockerClientError::LogsUnavailable {
        name: name.to_owned(),
        driver: driver.to_owned(),
    }
}
