//! Listens to the engine, and after a cut finds out whether anything was missed.

use std::time::Duration;

use crate::transport::answer::AnswerBody;

use crate::client::DockerApiClient;
use crate::engine::body::{self, JsonLines};
use crate::engine::call::Call;
use crate::engine::{DEADLINE, Streamed};
use crate::error::DockerClientError;
use crate::events::seen::Seen;
use crate::events::{Event, EventItem, EventOptions, message};
use crate::logs::seconds;
use crate::outage::Outage;
use crate::timestamp::Timestamp;

const LONGEST_EVENT: u64 = 8 * 1024 * 1024;
/// The engine replays 256 events of less than 8 MiB together.
const REPLAY: Duration = Duration::from_secs(30);

/// A connection on which the engine tells events.
struct Listening {
    body: AnswerBody,
    lines: JsonLines,
}

/// Events over any number of connections.
pub(super) struct Subscription {
    client: DockerApiClient,
    options: EventOptions,
    seen: Seen,
    outage: Outage,
    listening: Option<Listening>,
}

impl Subscription {
    pub(super) async fn open(
        client: DockerApiClient,
        options: EventOptions,
    ) -> Result<Self, DockerClientError> {
        let mut subscription = Self {
            outage: Outage::new(options.reconnect_for),
            client,
            options,
            seen: Seen::default(),
            listening: None,
        };
        let since = subscription.options.since;
        subscription.listening = Some(subscription.listen(since, None).await?);
        Ok(subscription)
    }

    pub(super) async fn next(&mut self) -> Result<EventItem, DockerClientError> {
        loop {
            let Some(listening) = &mut self.listening else {
                match self.resume().await {
                    Ok(true) => {}
                    Ok(false) => return Ok(EventItem::Resync),
                    Err(error) => self.outage.wait(error, false).await?,
                }
                continue;
            };
            match next_event(&self.client, listening).await {
                Ok(Some(event)) => {
                    self.outage.progress();
                    if self.seen.note(&event) {
                        return Ok(EventItem::Event(event));
                    }
                }
                Ok(None) => {
                    self.listening = None;
                    self.outage.pause().await;
                }
                Err(error) => {
                    self.listening = None;
                    self.outage.wait(error, false).await?;
                }
            }
        }
    }

    /// Listens again; `false` if events may have been missed.
    ///
    /// The event told last must still be in the engine's memory: then all behind it is too, and
    /// comes again. If nothing was told yet, nobody knows.
    async fn resume(&mut self) -> Result<bool, DockerClientError> {
        let Some(last) = self.seen.last() else {
            self.listening = Some(self.listen(None, None).await?);
            self.outage.over();
            return Ok(false);
        };
        // Listening comes first, so that nothing falls between the two.
        let listening = self.listen(Some(last), None).await?;
        let known = self.knows_last(last).await?;
        self.listening = Some(listening);
        self.outage.over();
        Ok(known)
    }

    async fn knows_last(&self, last: Timestamp) -> Result<bool, DockerClientError> {
        let mut replay = self.listen(Some(last), Some(last)).await?;
        let search = async {
            while let Some(event) = next_event(&self.client, &mut replay).await? {
                if self.seen.is_last(&event) {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        tokio::time::timeout(REPLAY, search)
            .await
            .unwrap_or_else(|_| {
                let operation = CALL.to_string();
                Err(DockerClientError::Timeout {
                    operation,
                    after: REPLAY,
                })
            })
    }

    async fn listen(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Listening, DockerClientError> {
        let mut query = Vec::new();
        query.extend(since.map(|since| ("since", seconds(since))));
        query.extend(until.map(|until| ("until", seconds(until))));
        if !self.options.filters.is_empty() {
            let filters = serde_json::to_string(&self.options.filters).map_err(|source| {
                DockerClientError::Decode {
                    operation: CALL.to_string(),
                    source: Box::new(source),
                }
            })?;
            query.push(("filters", filters));
        }
        let mut request = Streamed::get("/events".to_owned(), &query);
        request.deadline = Some(DEADLINE);
        let answer = self.client.engine.open(CALL, request).await?;
        Ok(Listening {
            body: answer.into_body(),
            lines: JsonLines::default(),
        })
    }
}

const CALL: Call<'static> = Call {
    verb: "listen to",
    object: crate::engine::call::Object::Engine,
};

/// The next event; `None` at the end.
async fn next_event(
    client: &DockerApiClient,
    listening: &mut Listening,
) -> Result<Option<Event>, DockerClientError> {
    loop {
        if let Some(line) = listening.lines.next() {
            return message::parse(&line)
                .map(Some)
                .map_err(|source| DockerClientError::Decode {
                    operation: CALL.to_string(),
                    source: Box::new(source),
                });
        }
        match body::next(&mut listening.body, CALL, &client.engine).await? {
            Some(bytes) if listening.lines.push(&bytes) => {}
            Some(_) => {
                let what = CALL.to_string();
                return Err(DockerClientError::TooLarge {
                    what,
                    limit: LONGEST_EVENT,
                });
            }
            None => return Ok(None),
        }
    }
}
