//! What a pull or a build says while it is at work.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::transport::answer::AnswerBody;
use futures_util::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};
use serde::Deserialize;

use crate::client::DockerApiClient;
use crate::engine::body::{self, JsonLines};
use crate::engine::call::{Call, Object};
use crate::error::DockerClientError;

const LONGEST_LINE: u64 = 8 * 1024 * 1024;

/// A step of a pull or a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageProgress {
    /// The layer's short id (pull); else empty.
    pub id: String,
    /// What is done: `Downloading`, or a build's output.
    pub status: String,
    /// Bytes done.
    pub current: Option<u64>,
    /// Bytes in all.
    pub total: Option<u64>,
    /// The id of the image that was made or pulled, as soon as the engine says it.
    pub image_id: Option<String>,
}

/// A pull or a build at work; it is done when the stream ends without an error. An error is the
/// last item. Dropping it ends a build, and a pull that nobody else waits for.
pub struct ProgressStream {
    steps: BoxStream<'static, Result<ImageProgress, DockerClientError>>,
}

impl ProgressStream {
    /// Waits for the end; gives the image's id if the engine said it, as a build does.
    ///
    /// # Errors
    ///
    /// The stream's.
    pub async fn finish(mut self) -> Result<Option<String>, DockerClientError> {
        let mut image_id = None;
        while let Some(step) = self.steps.next().await {
            image_id = step?.image_id.or(image_id);
        }
        Ok(image_id)
    }
}

impl Stream for ProgressStream {
    type Item = Result<ImageProgress, DockerClientError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().steps.poll_next_unpin(cx)
    }
}

impl fmt::Debug for ProgressStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressStream").finish_non_exhaustive()
    }
}

/// Reads the steps of a call.
pub(super) struct Steps {
    pub(super) client: DockerApiClient,
    pub(super) verb: &'static str,
    /// The image's name; of a build, its first tag.
    pub(super) image: String,
    pub(super) idle: Duration,
    pub(super) body: AnswerBody,
}

impl Steps {
    pub(super) fn stream(self) -> ProgressStream {
        let state = (self, JsonLines::default(), false);
        let steps = stream::unfold(state, |(mut steps, mut lines, ended)| async move {
            if ended {
                return None;
            }
            let step = steps.next(&mut lines).await.transpose()?;
            let ended = step.is_err();
            Some((step, (steps, lines, ended)))
        });
        ProgressStream {
            steps: steps.boxed(),
        }
    }

    async fn next(
        &mut self,
        lines: &mut JsonLines,
    ) -> Result<Option<ImageProgress>, DockerClientError> {
        let call = Call {
            verb: self.verb,
            object: Object::Image(&self.image),
        };
        loop {
            if let Some(line) = lines.next() {
                let step: Step = serde_json::from_slice(&line).map_err(|source| {
                    let operation = call.to_string();
                    DockerClientError::Decode {
                        operation,
                        source: Box::new(source),
                    }
                })?;
                return match step.failure() {
                    Some(words) => Err(self.failed(call, &words)),
                    None => Ok(Some(step.progress())),
                };
            }
            let engine = &self.client.engine;
            match body::next_within(&mut self.body, call, self.idle, engine).await? {
                Some(bytes) if lines.push(&bytes) => {}
                Some(_) => {
                    let what = call.to_string();
                    return Err(DockerClientError::TooLarge {
                        what,
                        limit: LONGEST_LINE,
                    });
                }
                None => return Ok(None),
            }
        }
    }

    /// What went wrong after the answer had begun: its status is 200 whatever happens.
    fn failed(&self, call: Call<'_>, words: &str) -> DockerClientError {
        let missing = [
            "manifest unknown",
            "not found: manifest",
            "pull access denied",
        ];
        let lower = words.to_ascii_lowercase();
        match missing.iter().any(|missing| lower.contains(missing))
            || (lower.contains("manifest for") && lower.contains("not found"))
        {
            true => self.client.engine.told(call, 404, words),
            false => self.client.engine.told(call, 200, words),
        }
    }
}

/// A line of the answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Step {
    id: Option<String>,
    status: Option<String>,
    stream: Option<String>,
    error: Option<String>,
    #[serde(rename = "errorDetail")]
    error_detail: Option<Failure>,
    #[serde(rename = "progressDetail")]
    progress_detail: Option<Detail>,
    aux: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Failure {
    #[serde(default)]
    message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    current: Option<i64>,
    total: Option<i64>,
}

impl Step {
    fn failure(&self) -> Option<String> {
        let detail = self
            .error_detail
            .as_ref()
            .map(|failure| failure.message.clone());
        detail
            .filter(|message| !message.is_empty())
            .or_else(|| self.error.clone())
    }

    fn progress(self) -> ImageProgress {
        let detail = self.progress_detail.unwrap_or_default();
        let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
        let image_id = self.aux.as_ref().and_then(|aux| aux.get("ID")?.as_str());
        ImageProgress {
            id: self.id.unwrap_or_default(),
            image_id: image_id.map(str::to_owned),
            status: self.status.or(self.stream).unwrap_or_default(),
            current: bytes(detail.current),
            total: bytes(detail.total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(json: &str) -> Step {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn steps_of_a_pull_and_a_build_are_understood() {
        let pull =
            step(r#"{"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"f00"}"#);
        let progress = pull.progress();
        assert_eq!((progress.current, progress.total), (Some(1), Some(2)));
        assert_eq!((&*progress.status, &*progress.id), ("Downloading", "f00"));
        assert_eq!(
            step(r#"{"stream":"Step 1/2"}"#).progress().status,
            "Step 1/2"
        );
        let image = step(r#"{"aux":{"ID":"sha256:f00"}}"#).progress().image_id;
        assert_eq!(image.as_deref(), Some("sha256:f00"));
    }

    #[test]
    fn a_failure_in_the_middle_is_one() {
        let words = step(r#"{"errorDetail":{"code":1,"message":"no"},"error":"x"}"#).failure();
        assert_eq!(words.as_deref(), Some("no"));
        assert_eq!(step(r#"{"error":"x"}"#).failure().as_deref(), Some("x"));
        assert_eq!(step(r#"{"progressDetail":{}}"#).failure(), None);
    }
}
