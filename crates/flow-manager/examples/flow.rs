//! A flow in Rust, with the whole flow socket protocol, version 1, on the standard library and `serde_json`.
//!
//!     FLOW_SOCKET=/run/flow/flow.sock cargo run --example flow
//!
//! Take `Flow` along and write a `handle` of your own. What `event` and `actor` were given is kept until flow-manager
//! has acknowledged it, and sent again after each reconnect: at least once, in order, also over restarts of flow-manager.

// The container's log is what it prints. It has no tokio, and waits on a thread of its own.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::disallowed_methods
)]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use signal_hook::consts::SIGTERM;
use signal_hook::flag::register_conditional_shutdown;

const VERSION: u64 = 1;
/// Bytes of a line with its newline.
const MAX_LINE: usize = 1_048_576;
/// Nested objects and arrays of a line.
const MAX_DEPTH: usize = 64;
/// Bytes of a name, an actor, an event.
const MAX_NAME: usize = 256;
/// What may wait for its acknowledgement: so many, and so many bytes.
const KEPT_EVENTS: usize = 10_000;
const KEPT_BYTES: usize = 16 * 1_048_576;
/// Commands that wait for `handle`; then nothing more is read.
const COMMANDS: usize = 64;
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LAST_DELAY: Duration = Duration::from_secs(5);
/// How long the welcome may take.
const PATIENCE: Duration = Duration::from_secs(10);
const PONG: &str = "{\"type\":\"pong\"}\n";

/// Why something is not sent: the code that a reply carries, and a text.
struct Refused(&'static str, String);

/// A command's work: what it gives is the reply's data.
type Handle = fn(&Flow, &str, &Value) -> Result<Value, Refused>;

/// The connection to flow-manager. `run` keeps it; `event` and `actor` may be called from any thread.
struct Flow {
    path: PathBuf,
    session: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    last_seq: u64,
    /// Sent on this connection, not yet acknowledged.
    sent: VecDeque<(u64, String)>,
    /// Not yet sent on this connection.
    waiting: VecDeque<(u64, String)>,
    kept_bytes: usize,
    /// Replies and pongs of this connection.
    answers: VecDeque<String>,
    /// The number of this connection, and whether it was welcomed and is not over.
    connection: u64,
    open: bool,
    /// Why flow-manager ended it, if it said so.
    code: Option<String>,
}

impl State {
    fn has_room(&self, more: usize) -> bool {
        self.sent.len() + self.waiting.len() < KEPT_EVENTS && self.kept_bytes + more <= KEPT_BYTES
    }

    fn is_open(&self, connection: u64) -> bool {
        self.open && self.connection == connection
    }

    /// Forgets what flow-manager has.
    fn release(&mut self, up_to: u64) {
        for lines in [&mut self.sent, &mut self.waiting] {
            while lines.front().is_some_and(|(seq, _)| *seq <= up_to) {
                self.kept_bytes -= lines.pop_front().map_or(0, |(_, line)| line.len());
            }
        }
    }

    /// What is written at once.
    fn block(&mut self) -> String {
        let mut block: String = self.answers.drain(..).collect();
        while block.len() < 65_536
            && let Some((seq, line)) = self.waiting.pop_front()
        {
            block.push_str(&line);
            self.sent.push_back((seq, line));
        }
        block
    }
}

impl Flow {
    fn new(path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            path,
            session: format!("{:016x}{:016x}", random()?, random()?),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// The state is sound after a panic: nothing is left half-way while it is locked.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn event(&self, name: &str, data: Value) -> Result<(), Refused> {
        self.keep(json!({"type": "event", "name": name, "data": data}))
    }

    fn actor(&self, actor: &str, event: &str, data: Value) -> Result<(), Refused> {
        self.keep(json!({"type": "actor", "actor": actor, "event": event, "data": data}))
    }

    fn keep(&self, mut message: Value) -> Result<(), Refused> {
        let mut state = self.state();
        let seq = state.last_seq + 1;
        message["seq"] = seq.into();
        let line = line_of(&message)?;
        if !state.has_room(line.len()) {
            let full = "too much is not acknowledged".to_owned();
            return Err(Refused("buffer_full", full));
        }
        state.last_seq = seq;
        state.kept_bytes += line.len();
        state.waiting.push_back((seq, line));
        self.changed.notify_all();
        Ok(())
    }

    /// Connects, again and again.
    fn run(self: Arc<Self>, handle: Handle) -> io::Result<Infallible> {
        let (commands, work) = sync_channel(COMMANDS);
        let worker = Arc::clone(&self);
        thread::spawn(move || worker.work(&work, handle));
        let mut delay = FIRST_DELAY;
        loop {
            let before = self.state().connection;
            let Err(end) = self.converse(&commands);
            let code = self.state().code.take();
            match code.as_deref() {
                None if self.state().connection > before => delay = FIRST_DELAY,
                // Another process has this socket now: do not take turns with it ten times a second.
                Some("replaced") => delay = LAST_DELAY,
                _ => (),
            }
            eprintln!("not connected: {end}");
            let jitter = (random()? % 1000) as f64 / 2000.0;
            thread::sleep(delay.mul_f64(0.5 + jitter));
            delay = (2 * delay).min(LAST_DELAY);
        }
    }

    fn converse(self: &Arc<Self>, commands: &SyncSender<(u64, Value)>) -> io::Result<Infallible> {
        let mut stream = UnixStream::connect(&self.path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let hello = json!({"type": "hello", "version": VERSION, "session": self.session});
        stream.write_all(format!("{hello}\n").as_bytes())?;
        let mut sender = None;
        let end = self.read(&stream, commands, &mut sender);
        self.state().open = false;
        self.changed.notify_all();
        // Ends a write that is under way, too.
        let _ = stream.shutdown(Shutdown::Both);
        if let Some(sender) = sender {
            let _ = sender.join();
        }
        end
    }

    fn read(
        self: &Arc<Self>,
        stream: &UnixStream,
        commands: &SyncSender<(u64, Value)>,
        sender: &mut Option<thread::JoinHandle<()>>,
    ) -> io::Result<Infallible> {
        let mut connection = 0;
        let mut lines = BufReader::new(stream);
        loop {
            let message = next_line(&mut lines)?;
            let number = |field: &str| {
                let missing = || io::Error::other(format!("no {field}"));
                message[field].as_u64().ok_or_else(missing)
            };
            match message["type"].as_str() {
                Some("error") => {
                    self.state().code = message["code"].as_str().map(str::to_owned);
                    let reason = format!("{}: {}", message["code"], message["message"]);
                    return Err(io::Error::other(reason));
                }
                Some("welcome") if sender.is_none() => {
                    let ping = Duration::from_secs(number("ping_seconds")?.min(3600));
                    // It pings when it has been idle for that long, so twice that time without a word is an end.
                    stream.set_read_timeout(Some(2 * ping + Duration::from_secs(5)))?;
                    connection = self.begin(number("received")?);
                    let (flow, stream) = (Arc::clone(self), stream.try_clone()?);
                    *sender = Some(thread::spawn(move || flow.send(stream, connection, ping)));
                }
                Some("ack") => {
                    self.state().release(number("seq")?);
                    self.changed.notify_all();
                }
                Some("ping") => self.pong(),
                // `handle` panicked if nobody takes it: let the container end, and be started again.
                Some("message") => commands
                    .send((connection, message))
                    .unwrap_or_else(|_| std::process::exit(101)),
                _ => (),
            }
        }
    }

    /// All that is not acknowledged waits again.
    fn begin(&self, received: u64) -> u64 {
        let mut state = self.state();
        let mut lines = std::mem::take(&mut state.sent);
        lines.append(&mut state.waiting);
        state.waiting = lines;
        state.release(received);
        state.answers.clear();
        state.connection += 1;
        state.open = true;
        self.changed.notify_all();
        state.connection
    }

    fn pong(&self) {
        let mut state = self.state();
        // One says as much as many.
        if state.answers.back().is_none_or(|last| last != PONG) {
            state.answers.push_back(PONG.to_owned());
            self.changed.notify_all();
        }
    }

    /// A reply to a connection that is gone would reach nobody.
    fn reply(&self, connection: u64, line: String) {
        let busy = |state: &mut State| state.is_open(connection) && state.answers.len() >= COMMANDS;
        let waited = self.changed.wait_while(self.state(), busy);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.is_open(connection) {
            state.answers.push_back(line);
            self.changed.notify_all();
        }
    }

    /// Writes what is to be sent on one connection, on a thread of its own: reading never waits for writing.
    fn send(&self, mut stream: UnixStream, connection: u64, ping: Duration) {
        loop {
            let idle = |state: &mut State| {
                state.is_open(connection) && state.answers.is_empty() && state.waiting.is_empty()
            };
            let waited = self.changed.wait_timeout_while(self.state(), ping, idle);
            let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            if !state.is_open(connection) {
                return;
            }
            let block = match waited.timed_out() {
                // Unasked: while too many commands wait, no ping is read.
                true => PONG.to_owned(),
                false => state.block(),
            };
            drop(state);
            self.changed.notify_all();
            if stream.write_all(block.as_bytes()).is_err() {
                // It may have timed out in the middle of a line. The reader sees the end and connects anew.
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
        }
    }

    /// Does one command after the other, on a thread of its own.
    fn work(&self, commands: &Receiver<(u64, Value)>, handle: Handle) {
        for (connection, message) in commands {
            let command = message["command"].as_str().unwrap_or_default();
            let id = &message["id"];
            let line = handle(self, command, &message["data"]).and_then(|data| {
                line_of(&json!({"type": "reply", "id": id, "ok": true, "data": data}))
            });
            let line = line.or_else(|Refused(code, message)| {
                let error = json!({"code": code, "message": message});
                line_of(&json!({"type": "reply", "id": id, "ok": false, "error": error}))
            });
            if message["reply"] == true
                && let Ok(line) = line
            {
                self.reply(connection, line);
            }
        }
    }
}

/// Refuses what would end the connection, for it would be sent again after each reconnect, for ever.
fn line_of(message: &Value) -> Result<String, Refused> {
    let line = format!("{message}\n");
    let fits = |field: &str| {
        message[field]
            .as_str()
            .is_none_or(|name| (1..=MAX_NAME).contains(&name.len()))
    };
    let names_fit = ["name", "actor", "event"].into_iter().all(fits);
    if line.len() <= MAX_LINE && depth(message) <= MAX_DEPTH && names_fit {
        return Ok(line);
    }
    let limits = "the line is too long or too deep, or a name too long or empty".to_owned();
    Err(Refused("not_sendable", limits))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The next message.
fn next_line(lines: &mut BufReader<&UnixStream>) -> io::Result<Value> {
    let mut line = Vec::new();
    lines.take(MAX_LINE as u64).read_until(b'\n', &mut line)?;
    match line.last() {
        Some(b'\n') => Ok(serde_json::from_slice(&line)?),
        _ if line.len() == MAX_LINE => Err(io::Error::other("a line is too long")),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// The commands of this example.
fn handle(flow: &Flow, command: &str, data: &Value) -> Result<Value, Refused> {
    if command != "echo" {
        println!("command {command}");
    }
    match command {
        "echo" => Ok(data.clone()),
        "dump" => {
            let state = flow.state();
            let kept = state.sent.len() + state.waiting.len();
            Ok(json!({"language": "rust", "pid": std::process::id(), "not_acknowledged": kept}))
        }
        "emit" => {
            let count = data["count"].as_u64().unwrap_or(0);
            let name = data["name"].as_str().unwrap_or("progress");
            let filling = data["filling"].as_str().unwrap_or("");
            let delay = Duration::from_secs(data["delay_seconds"].as_u64().unwrap_or(0));
            thread::sleep(delay);
            for done in 1..=count {
                flow.event(name, json!({"done": done, "filling": filling}))?;
            }
            Ok(json!({"emitted": count}))
        }
        "load" => {
            flow.actor("loader", "finished", data.clone())?;
            Ok(json!({}))
        }
        "nest" => {
            let depth = data["depth"].as_u64().unwrap_or(0);
            let nested = (0..depth).fold(json!({}), |inner, _| json!({ "in": inner }));
            flow.event("nested", nested)?;
            Ok(json!({}))
        }
        "exit" => std::process::exit(data["code"].as_i64().unwrap_or(0) as i32),
        _ => Err(Refused(
            "unknown_command",
            format!("no command {command:.100}"),
        )),
    }
}

fn main() -> io::Result<Infallible> {
    // Process 1 of a container has no signal handlers unless it sets them.
    let at_once = Arc::new(AtomicBool::new(true));
    register_conditional_shutdown(SIGTERM, 0, at_once)?;
    let path = std::env::var_os("FLOW_SOCKET").unwrap_or("/run/flow/flow.sock".into());
    let flow = Arc::new(Flow::new(path.into())?);
    println!("started");
    // The first of all has room.
    let _ = flow.actor("flow", "started", json!({}));
    flow.run(handle)
}
