//! Log lines, as JSON objects.

use std::cell::RefCell;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::sync::Once;

use serde_json::Value;

/// A field of a line as text, empty if it is not there.
pub(crate) fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line.get(field).and_then(Value::as_str).unwrap_or_default()
}

thread_local! {
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// The log of this thread while it lives.
///
/// There is one subscriber for all threads: `tracing` may take a callsite for silent in
/// all of them when a thread without a subscriber meets it first.
pub(crate) struct Capture {
    not_send: PhantomData<*const ()>,
}

impl Capture {
    pub(crate) fn start() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_writer(|| ThreadLog)
                .init();
        });
        LOG.set(Some(Vec::new()));
        Self {
            not_send: PhantomData,
        }
    }

    /// The lines with this message so far.
    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        let written = LOG.with_borrow(|log| log.clone().unwrap_or_default());
        String::from_utf8(written)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|line| text(line, "message") == message)
            .collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        LOG.set(None);
    }
}

struct ThreadLog;

impl Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| {
            if let Some(log) = log {
                log.extend(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
