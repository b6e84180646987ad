//! Asks for the log, and finds the place where the reading goes on.

use http::{HeaderMap, Response};

use crate::engine::Streamed;
use crate::engine::call::Call;
use crate::error::DockerClientError;
use crate::logs::follow::{Follower, Phase, Reading, bare_last_chunk, unreadable};
use crate::logs::line::Joining;
use crate::logs::options::LogRequest;
use crate::logs::reader::{Layout, LogReader};
use crate::logs::stream::Batch;
use crate::timestamp::Timestamp;
use crate::transport::answer::AnswerBody;

impl Follower {
    /// Asks for the log, from the cursor if it was read before.
    pub(super) async fn open(&mut self) -> Result<Batch, DockerClientError> {
        let follow = self.phase == Phase::Live;
        let mut request = LogRequest {
            follow,
            stamped: self.tracker.is_some(),
            tail: self.options.tail,
            since: self.options.since,
            until: true,
        };
        let mut again = None;
        if let Some(tracker) = &mut self.tracker
            && (self.opened || self.options.cursor.is_some())
            && tracker.has_begun()
        {
            tracker.read_again();
            request.tail = None;
            let since = tracker.since();
            let since = since.map(|seconds| seconds.saturating_mul(1_000_000_000));
            request.since = since.map(Timestamp::from_nanos);
            again = since.filter(|_| tracker.has_place());
        }
        let mut options = self.options.clone();
        if let Phase::Last { until: Some(until) } = self.phase {
            options.until = Some(until);
        }
        let mut answer = self.ask(&options.query(request)).await;
        if let (Ok(answered), Some(place)) = (&answer, again)
            && date(answered.headers()).is_some_and(|now| now < place)
        {
            // The engine's clock was put back: what came since lies before the place.
            request.since = None;
            answer = self.ask(&options.query(request)).await;
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(DockerClientError::ContainerNotFound { .. }) if self.ended.is_some() => {
                // It was removed at its end; what had been read is all there was.
                self.phase = Phase::Done;
                return Ok(self.finish(None));
            }
            Err(error) if does_not_support_reading(&error) => {
                return Err(unreadable(&self.name, &self.driver));
            }
            Err(error) => {
                self.cut(error, false).await?;
                return Ok(Batch::default());
            }
        };
        self.outage.over();
        if let Some(tracker) = &mut self.tracker
            && self.options.tail == Some(0)
            && !self.opened
            && !tracker.has_begun()
            && let Some(now) = date(answer.headers())
        {
            tracker.set_floor(now);
        }
        self.opened = true;
        if follow {
            self.ended = None;
        }
        let reader = LogReader::new(self.layout());
        self.reading = Some(Reading {
            body: answer.into_body(),
            reader,
        });
        Ok(Batch::default())
    }

    pub(super) async fn ask(
        &self,
        query: &[(&str, String)],
    ) -> Result<Response<AnswerBody>, DockerClientError> {
        let call = Call::container("read the log of", &self.name);
        let path = format!("/containers/{}/logs", self.id);
        let request = Streamed::get(path, query);
        self.client.engine.open(call, request).await
    }

    pub(super) fn layout(&self) -> Layout {
        Layout {
            tty: self.tty,
            joining: Joining {
                max_line: self.options.max_line,
                stamped: self.tracker.is_some(),
                bare_last_chunk: bare_last_chunk(&self.driver),
            },
            bare: self.bare,
        }
    }
}

/// The engine's clock, to the second.
fn date(headers: &HeaderMap) -> Option<i64> {
    let date = headers.get(http::header::DATE)?.to_str().ok()?;
    chrono::DateTime::parse_from_rfc2822(date)
        .ok()?
        .timestamp_nanos_opt()
}

fn does_not_support_reading(error: &DockerClientError) -> bool {
    matches!(error, DockerClientError::Engine { message, .. } if message.contains("not support reading"))
}
