//! A command's connection: its output as it comes, its input meanwhile, then its end.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::Instant;

use crate::client::DockerApiClient;
use crate::error::DockerClientError;
use crate::exec::command::Command;
use crate::exec::{Exec, ExecItem};
use crate::logs::Source;
use crate::logs::frame::{CutOff, FrameDecoder, FrameError};

/// What is kept of the output for the message of a command that could not be started.
const EXCERPT: usize = 8 * 1024;
/// How much is read at a time.
const READ: usize = 64 * 1024;
/// After so long without output the engine is asked whether the command has ended.
const SILENCE: Duration = Duration::from_secs(30);

type Writing = BoxFuture<'static, WriteHalf<TokioIo<Upgraded>>>;

/// A command that was started, and its connection.
pub(crate) struct Session {
    command: Command,
    reading: ReadHalf<TokioIo<Upgraded>>,
    /// Standard input, until all of it is written.
    writing: Option<Writing>,
    /// Then kept: without it the connection would end.
    written: Option<WriteHalf<TokioIo<Upgraded>>>,
    /// `None` for a TTY, which has no frames.
    decoder: Option<FrameDecoder>,
    buffer: BytesMut,
    items: VecDeque<ExecItem>,
    excerpt: Vec<u8>,
    ended: bool,
}

impl Session {
    pub(crate) async fn start(
        client: &DockerApiClient,
        container: &str,
        mut exec: Exec,
    ) -> Result<Self, DockerClientError> {
        let stdin = exec.stdin.take();
        let tty = exec.tty;
        let command = Command::create(client, container, exec, stdin.is_some()).await?;
        let upgraded = command.start(tty).await?;
        let (reading, writing) = tokio::io::split(TokioIo::new(upgraded));
        let (writing, written) = match stdin {
            Some(stdin) => (Some(write(writing, stdin)), None),
            None => (None, Some(writing)),
        };
        Ok(Self {
            command,
            reading,
            writing,
            written,
            decoder: (!tty).then(FrameDecoder::new),
            buffer: BytesMut::new(),
            items: VecDeque::new(),
            excerpt: Vec::new(),
            ended: false,
        })
    }

    pub(crate) fn command(&self) -> &Command {
        &self.command
    }

    /// The next output, then the exit code, then `None`.
    pub(crate) async fn next(&mut self) -> Result<Option<ExecItem>, DockerClientError> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(Some(item));
            }
            if self.ended {
                return Ok(None);
            }
            let limit = self
                .command
                .deadline()
                .unwrap_or_else(|| Instant::now() + SILENCE);
            match tokio::time::timeout_at(limit, self.read()).await {
                Ok(Ok(0))
                    if self
                        .decoder
                        .as_ref()
                        .is_some_and(|frames| !frames.is_between_frames()) =>
                {
                    return Err(self.command.lost(CutOff).await);
                }
                Ok(Ok(0)) => {
                    let exit_code = self.command.exit_code(&self.excerpt).await?;
                    self.ended = true;
                    return Ok(Some(ExecItem::Exited { exit_code }));
                }
                Ok(Ok(_)) => self.decode()?,
                Ok(Err(error)) => {
                    return Err(self.command.lost(error).await);
                }
                Err(_) if self.command.deadline().is_some() => {
                    return Err(self.command.time_out().await);
                }
                Err(_) => {
                    // A connection that never ends is known of every release. What the
                    // command left behind may hold it open too.
                    if self.command.inspect().await?.running != Some(true) {
                        let exit_code = self.command.exit_code(&self.excerpt).await?;
                        self.ended = true;
                        return Ok(Some(ExecItem::Exited { exit_code }));
                    }
                }
            }
        }
    }

    /// Reads some bytes, and writes standard input meanwhile.
    async fn read(&mut self) -> io::Result<usize> {
        self.buffer.reserve(READ);
        loop {
            let Some(writing) = &mut self.writing else {
                return self.reading.read_buf(&mut self.buffer).await;
            };
            tokio::select! {
                read = self.reading.read_buf(&mut self.buffer) => return read,
                written = writing => {
                    self.written = Some(written);
                    self.writing = None;
                }
            }
        }
    }

    fn decode(&mut self) -> Result<(), DockerClientError> {
        let mut chunk = self.buffer.split().freeze();
        let Some(decoder) = &mut self.decoder else {
            self.keep(Source::Stdout, chunk);
            return Ok(());
        };
        let mut pieces = Vec::new();
        let decoded = loop {
            match decoder.next(&mut chunk) {
                Ok(Some(piece)) => pieces.push(piece),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        for piece in pieces {
            self.keep(piece.source, piece.bytes);
        }
        decoded.map_err(|error| match error {
            FrameError::Engine(words) => self.command.told(&words),
            FrameError::Malformed(_) => DockerClientError::Decode {
                operation: self.command.call().to_string(),
                source: Box::new(error),
            },
        })
    }

    fn keep(&mut self, stream: Source, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let room = EXCERPT.saturating_sub(self.excerpt.len());
        self.excerpt
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.items.push_back(ExecItem::Output { stream, bytes });
    }
}

/// Writes standard input, then closes that half. A command that does not read it all is not
/// wrong.
fn write(mut half: WriteHalf<TokioIo<Upgraded>>, stdin: Bytes) -> Writing {
    Box::pin(async move {
        if half.write_all(&stdin).await.is_ok() {
            let _ = half.shutdown().await;
        }
        half
    })
}
