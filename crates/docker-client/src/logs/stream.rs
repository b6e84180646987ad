//! A log as a stream of lines.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::client::DockerApiClient;
use crate::error::DockerClientError;
use crate::logs::follow::Follower;
use crate::logs::{LogCursor, LogItem, LogOptions, LogPosition, Source};
use crate::timestamp::Timestamp;

/// An item, and the place behind it.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) item: LogItem,
    pub(crate) source: Source,
    pub(crate) place: Option<LogPosition>,
}

/// What one answer of the engine gave.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) items: VecDeque<Delivered>,
    /// Lines before this instant are not wanted.
    pub(crate) floor: Option<Timestamp>,
}

/// Lines of a log as they come. Dropping it ends the connection.
pub struct LogStream {
    container_id: String,
    cursor: LogCursor,
    ready: VecDeque<Delivered>,
    batches: BoxStream<'static, Result<Batch, DockerClientError>>,
}

impl LogStream {
    pub(crate) async fn open(
        client: &DockerApiClient,
        name: &str,
        options: LogOptions,
        follow: bool,
    ) -> Result<Self, DockerClientError> {
        let cursor = options.cursor.clone().unwrap_or_default();
        let follower = Follower::new(client.clone(), name, options, follow).await?;
        Ok(Self {
            container_id: follower.id().to_owned(),
            cursor,
            ready: VecDeque::new(),
            batches: stream::unfold(follower, |mut follower| async move {
                let batch = follower.next_batch().await?;
                Some((batch, follower))
            })
            .boxed(),
        })
    }

    /// The container's full id.
    pub fn container_id(&self) -> &str {
        &self.container_id
    }

    /// The place behind the last item that was taken, for [`LogOptions::cursor`] of a later
    /// stream of the same container.
    pub fn cursor(&self) -> LogCursor {
        self.cursor.clone()
    }
}

impl Stream for LogStream {
    type Item = Result<LogItem, DockerClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(Delivered {
                item,
                source,
                place,
            }) = this.ready.pop_front()
            {
                if place.is_some() {
                    *this.cursor.place_mut(source) = place;
                }
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(this.batches.poll_next_unpin(cx)) {
                Some(Ok(batch)) => {
                    this.ready = batch.items;
                    this.cursor.floor = batch.floor;
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogStream")
            .field("container_id", &self.container_id)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}
