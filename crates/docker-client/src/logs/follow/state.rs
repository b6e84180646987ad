//! What the container's state means for the following.

use std::time::Duration;

use crate::engine::body;
use crate::engine::call::Call;
use crate::error::DockerClientError;
use crate::info::ContainerInfo;
use crate::logs::follow::{Follower, LONGEST_SILENCE, Phase, SILENCE};
use crate::logs::frame::CutOff;
use crate::logs::options::LogRequest;
use crate::logs::reader::LogReader;
use crate::logs::stream::Batch;

/// How often to look for a start: containers are seldom restarted more often.
const LOOK: Duration = Duration::from_millis(500);

impl Follower {
    /// The answer ended as it should.
    pub(super) async fn at_end(&mut self) -> Result<Batch, DockerClientError> {
        let reading = self.reading.take();
        if reading
            .as_ref()
            .is_some_and(|reading| !reading.reader.is_whole())
        {
            let call = Call::container("read the log of", &self.name);
            let error = self.client.engine.lost(call, CutOff).await;
            self.cut(error, false).await?;
            return Ok(Batch::default());
        }
        let reader = reading.map(|reading| reading.reader);
        if self.phase != Phase::Live {
            if self.is_short().await? {
                return Ok(Batch::default());
            }
            self.phase = match self.follow && self.options.follow_restarts {
                true => Phase::Waiting,
                false => Phase::Done,
            };
            return Ok(self.finish(reader));
        }
        self.ended = reader;
        if self.options.until.is_some() {
            // It may have ended for that: a last reading finds out.
            self.phase = Phase::Last {
                until: self.options.until,
            };
            return Ok(Batch::default());
        }
        match self.info().await {
            Ok(info) => {
                if !self.turn(&info) {
                    // The engine is about to stop, or broke off.
                    self.outage.pause().await;
                }
                Ok(Batch::default())
            }
            Err(DockerClientError::ContainerNotFound { .. }) => {
                self.phase = Phase::Done;
                Ok(self.finish(None))
            }
            Err(error) => {
                self.cut(error, false).await?;
                Ok(Batch::default())
            }
        }
    }

    /// Whether the last reading ended before the log did: an engine that stops ends its answers as
    /// if they were whole. It is asked once: what has no newline has not been delivered either, and
    /// looks the same.
    async fn is_short(&mut self) -> Result<bool, DockerClientError> {
        if !self.follow || self.asked_for_end || self.phase != (Phase::Last { until: None }) {
            return Ok(false);
        }
        match self.has_news().await {
            Ok(short) => {
                self.asked_for_end = true;
                Ok(short)
            }
            Err(DockerClientError::ContainerNotFound { .. }) => Ok(false),
            Err(error) => self.cut(error, false).await.map(|()| true),
        }
    }

    /// Nothing came for a while. The engine may have lost us.
    pub(super) async fn after_silence(&mut self) -> Result<Batch, DockerClientError> {
        let info = match self.info().await {
            Ok(info) => info,
            Err(error) => {
                self.cut(error, false).await?;
                return Ok(Batch::default());
            }
        };
        if self.turn(&info) {
            self.ended = self.reading.take().map(|reading| reading.reader);
            return Ok(Batch::default());
        }
        match self.has_news().await {
            Ok(false) => {}
            Ok(true) => {
                self.reading = None;
                // A log of gigabytes takes the engine longer to pass over than that.
                self.silence = (self.silence * 2).min(LONGEST_SILENCE);
            }
            Err(error) => self.cut(error, false).await?,
        }
        Ok(Batch::default())
    }

    /// Looks whether the container was started again.
    pub(super) async fn wait_for_start(&mut self) -> Result<Batch, DockerClientError> {
        tokio::time::sleep(LOOK).await;
        match self.info().await {
            Ok(info) => {
                self.outage.over();
                if info.started != self.started {
                    self.started = info.started;
                    self.asked_for_end = false;
                    self.phase = match info.state.is_running() {
                        true => Phase::Live,
                        false => Phase::Last { until: None },
                    };
                }
            }
            Err(DockerClientError::ContainerNotFound { .. }) => self.phase = Phase::Done,
            Err(error) => self.outage.wait(error, false).await?,
        }
        Ok(Batch::default())
    }

    /// Changes the phase if the run that is followed has ended; whether it has.
    fn turn(&mut self, info: &ContainerInfo) -> bool {
        self.asked_for_end = false;
        let same_run = info.started == self.started;
        match (
            info.state.is_running(),
            same_run || self.options.follow_restarts,
        ) {
            (true, true) => {
                self.started = info.started;
                return false;
            }
            (true, false) => {
                self.phase = Phase::Last {
                    until: info.finished,
                }
            }
            (false, _) => {
                self.started = info.started;
                self.phase = Phase::Last { until: None };
            }
        }
        true
    }

    /// Whether the last line of the log has not been read.
    async fn has_news(&self) -> Result<bool, DockerClientError> {
        let Some(tracker) = &self.tracker else {
            return Ok(false);
        };
        let request = LogRequest {
            stamped: true,
            tail: Some(1),
            ..LogRequest::default()
        };
        let answer = self.ask(&self.options.query(request)).await?;
        let call = Call::container("read the log of", &self.name);
        let engine = &self.client.engine;
        let mut body = answer.into_body();
        let mut reader = LogReader::new(self.layout());
        loop {
            let chunk = body::next_within(&mut body, call, SILENCE, engine).await?;
            match &chunk {
                Some(chunk) if reader.push(chunk.clone()).is_err() => return Ok(true),
                Some(_) => {}
                None => reader.finish(),
            }
            if let Some(piece) = reader.pop() {
                return Ok(self.wants(piece.source) && tracker.is_news(piece.source, piece.nanos));
            }
            if chunk.is_none() {
                return Ok(false);
            }
        }
    }
}
