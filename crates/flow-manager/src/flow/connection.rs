//! One connection of a flow, from its `hello` to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::channel::Channel;
use super::frame::{Close, CloseCode, FlowEvent, FromFlow, ToFlow, VERSION};
use super::handler::Shared;
use super::line::{LineError, LineReader};
use super::link::Link;

/// How long the reason of an end may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The time in which lines are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// What actors do goes to all clients, for people to read: of this kind a second has no more.
const ACTORS_A_SECOND: u32 = 100;

/// Serves a connection until it ends.
pub(super) async fn serve(shared: Arc<Shared>, channel: Arc<Channel>, stream: UnixStream) {
    let (read, mut write) = stream.into_split();
    let mut lines = LineReader::new(read);
    let link = Arc::new(Link::default());
    let hello = timeout(shared.times.hello, hello(&mut lines)).await;
    let late = || Err(Close::new(CloseCode::BadHello, "no hello came in time"));
    let session = match hello.unwrap_or_else(|_| late()) {
        Ok(Some(session)) => session,
        Ok(None) => return,
        Err(close) => {
            shared.refused(&channel, &close);
            link.close(close);
            let _ = timeout(LAST_WORDS, link.write_to(&mut write)).await;
            let _ = timeout(LAST_WORDS, lines.discard()).await;
            return;
        }
    };
    let current = Current::enter(&shared, &channel, &link, &session);
    let writing = link.write_to(write);
    tokio::pin!(writing);
    let ended = tokio::select! {
        ended = read_frames(&shared, &channel, &link, &mut lines) => ended,
        // The flow went away, or a newer connection took over and was told.
        _ = &mut writing => Ok(()),
    };
    if let Err(close) = ended {
        shared.refused(&channel, &close);
        link.close(close);
        let _ = timeout(LAST_WORDS, &mut writing).await;
    }
    drop(current);
    // A Unix socket that is closed with something unread takes away what was written last.
    let _ = timeout(LAST_WORDS, lines.discard()).await;
}

/// The first line; `None` if the flow left without one.
async fn hello(lines: &mut LineReader<impl AsyncRead + Unpin>) -> Result<Option<String>, Close> {
    let Some(line) = lines.next().await.or_else(ended)? else {
        return Ok(None);
    };
    match FromFlow::parse(&line) {
        Ok(FromFlow::Hello {
            version: VERSION,
            session,
        }) => Ok(Some(session)),
        Ok(FromFlow::Hello { version, .. }) => {
            let message = format!("version {version} is not spoken here, {VERSION} is");
            Err(Close::new(CloseCode::Version, message))
        }
        Ok(_) => Err(Close::new(
            CloseCode::BadHello,
            "the first line is no hello",
        )),
        Err(close) => Err(Close::new(CloseCode::BadHello, close.message)),
    }
}

/// A connection that cannot be read has ended.
fn ended<T>(error: LineError) -> Result<Option<T>, Close> {
    match error {
        LineError::TooLong => Err(Close::new(CloseCode::TooLong, error.to_string())),
        LineError::Read { .. } => Ok(None),
    }
}

/// Reads frames until the flow leaves, or is to be closed.
async fn read_frames(
    shared: &Shared,
    channel: &Channel,
    link: &Link,
    lines: &mut LineReader<impl AsyncRead + Unpin>,
) -> Result<(), Close> {
    let times = shared.times;
    let mut heard = Instant::now();
    let mut pinged = false;
    let mut window = (heard, 0);
    while !link.is_closing() {
        let until = if pinged { times.idle } else { times.ping };
        let line = match timeout_at(heard + until, lines.next()).await {
            Ok(line) => line.or_else(ended)?,
            Err(_) if pinged => {
                let message = format!("nothing came for {} s", times.idle.as_secs_f64());
                return Err(Close::new(CloseCode::Idle, message));
            }
            Err(_) => {
                pinged = true;
                link.ping();
                continue;
            }
        };
        let Some(line) = line else {
            return Ok(());
        };
        channel.touch();
        let mut weight = 1;
        match FromFlow::parse(&line)? {
            FromFlow::Event { seq, event } => {
                if matches!(event, FlowEvent::Actor { .. }) {
                    weight = (times.lines_a_second / ACTORS_A_SECOND).max(1);
                }
                if let Some(received) = channel.take_event(link, seq, event, &*shared.observer) {
                    link.ack(received);
                }
            }
            FromFlow::Reply { id, reply } => link.reply(&id, reply),
            FromFlow::Hello { .. } => {
                return Err(Close::new(CloseCode::BadHello, "hello was said already"));
            }
            FromFlow::Pong | FromFlow::Other => {}
        }
        window.1 += weight;
        if window.1 >= times.lines_a_second {
            // It waits in the socket, and then in the flow: nothing is dropped.
            sleep_until(window.0 + WINDOW).await;
        }
        heard = Instant::now();
        pinged = false;
        if heard >= window.0 + WINDOW {
            window = (heard, 0);
        }
    }
    Ok(())
}

/// The time that a connection is its container's.
struct Current<'a> {
    shared: &'a Shared,
    channel: &'a Channel,
    link: &'a Arc<Link>,
}

impl<'a> Current<'a> {
    fn enter(shared: &'a Shared, channel: &'a Channel, link: &'a Arc<Link>, session: &str) -> Self {
        channel.enter(link, session, |received| {
            let welcome = ToFlow::Welcome {
                version: VERSION,
                container_id: channel.id(),
                received,
                ping_seconds: shared.times.ping.as_secs(),
            };
            welcome.line()
        });
        shared.observer.connection_changed(channel.id());
        Self {
            shared,
            channel,
            link,
        }
    }
}

impl Drop for Current<'_> {
    /// However it ends, also when its task is dropped.
    fn drop(&mut self) {
        self.link.shut();
        if self.channel.leave(self.link) {
            self.shared.observer.connection_changed(self.channel.id());
        }
    }
}
