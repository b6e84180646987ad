//! `logs`

use std::io::{self, Write};

use docker_client::{
    DockerApiClient, DockerClientError, LogItem, LogLine, LogOptions, LogStream, Source,
};
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};

use crate::Failure;
use crate::print::Printer;

pub(super) async fn run(
    client: &DockerApiClient,
    name: &str,
    follow: bool,
    options: LogOptions,
    json: bool,
    printer: &mut Printer,
) -> Result<u8, Failure> {
    let timestamps = options.timestamps;
    let mut stream = match follow {
        true => client.follow_container_logs(name, options).await?,
        false => client.read_container_logs(name, options).await?,
    };
    loop {
        match next(&mut stream, printer).await? {
            None => return Ok(0),
            Some(Err(error)) => {
                printer.flush()?;
                return Err(error.into());
            }
            Some(Ok(item)) if json => printer.json(&document(&item))?,
            Some(Ok(LogItem::Line(line))) => print(&line, timestamps, printer)?,
            Some(Ok(LogItem::Gap(gap))) => {
                let (after, before) = (gap.after, gap.before);
                let text = format!("docker-client: lines between {after} and {before} are gone");
                writeln!(io::stderr(), "{text}")?;
            }
        }
    }
}

/// The next item. What was printed is flushed before it is waited for.
async fn next(
    stream: &mut LogStream,
    printer: &mut Printer,
) -> io::Result<Option<Result<LogItem, DockerClientError>>> {
    if let Some(next) = stream.next().now_or_never() {
        return Ok(next);
    }
    // It is often there already, and the connection needs a turn to hand it over.
    tokio::task::yield_now().await;
    if let Some(next) = stream.next().now_or_never() {
        return Ok(next);
    }
    printer.flush()?;
    Ok(stream.next().await)
}

fn print(line: &LogLine, timestamps: bool, printer: &mut Printer) -> io::Result<()> {
    let time = line
        .timestamp
        .filter(|_| timestamps)
        .map(|time| format!("{time} "));
    let time = time.unwrap_or_default();
    let end: &[u8] = if line.partial { b"" } else { b"\n" };
    match line.stream {
        Source::Stdout => {
            printer.bytes(time.as_bytes())?;
            printer.bytes(&line.bytes)?;
            printer.bytes(end)
        }
        Source::Stderr => {
            // In the order in which they came, should both go to the same place.
            printer.flush()?;
            let whole = [time.as_bytes(), &line.bytes, end].concat();
            io::stderr().write_all(&whole)
        }
    }
}

/// What is no UTF-8 is given as numbers too.
fn document(item: &LogItem) -> Value {
    match item {
        LogItem::Line(line) => {
            let mut document = json!({
                "stream": stream_name(line.stream),
                "timestamp": line.timestamp.map(|time| time.to_string()),
                "text": line.text(),
                "partial": line.partial,
            });
            if std::str::from_utf8(&line.bytes).is_err() {
                document["bytes"] = line.bytes.iter().copied().collect();
            }
            document
        }
        LogItem::Gap(gap) => json!({
            "gap": stream_name(gap.stream),
            "after": gap.after.to_string(),
            "before": gap.before.to_string(),
        }),
    }
}

fn stream_name(stream: Source) -> &'static str {
    match stream {
        Source::Stdout => "stdout",
        Source::Stderr => "stderr",
    }
}
