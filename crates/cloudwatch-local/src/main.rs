//! `cloudwatch-local`: the endpoint as a process, for demonstrations and compose files.

use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use cloudwatch_local::{Builder, CloudWatchLocal, Credentials, Host};
use tokio::net::lookup_host;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

const LISTEN_VARIABLE: &str = "CLOUDWATCH_LOCAL_LISTEN";
const HOSTS_VARIABLE: &str = "CLOUDWATCH_LOCAL_ALLOW_HOSTS";
const LISTEN_DEFAULT: &str = "127.0.0.1:4580";
/// Two weeks of a metric that is published once a minute.
const POINTS_KEPT: usize = 20_160;
/// Enough to see what happened lately.
const REQUESTS_KEPT: usize = 100;
/// Of log events: some 900,000 lines of a hundred characters.
const LOG_BYTES_KEPT: usize = 256 * 1024 * 1024;
/// Pause between two notes about events that went.
const DROPPED_NOTE_PAUSE: Duration = Duration::from_secs(10);

const VERSION: &str = concat!("cloudwatch-local ", env!("CARGO_PKG_VERSION"), "\n");

const HELP: &str = "\
A small, strict CloudWatch endpoint on this machine.

cloudwatch-local [--listen HOST:PORT] [--allow-host HOST]...
                 [--credentials KEY:SECRET[:TOKEN[:END]]]... [--report FILE]
                 [--keep-logs BYTES] [--read-rate BYTES]
cloudwatch-local --version

  --listen       where to listen (else CLOUDWATCH_LOCAL_LISTEN, else 127.0.0.1:4580)
  --allow-host   a name that it is reached by, such as that of its container; else
                 CLOUDWATCH_LOCAL_ALLOW_HOSTS, names with commas between them. Requests for
                 its own address, localhost and the host that it listens as are answered
                 without that, all others are refused
  --credentials  an access key that is known, with its secret (else test:test), the session
                 token that it needs, and the Unix second from which on it has expired
  --report       when stopped, write what was received to this file, as /series shows it
  --keep-logs    how many bytes of log events are kept (else 268435456); beyond that the oldest
                 go, and it says so
  --read-rate    read no faster than so many bytes a second, all connections together

Point a publisher at it with AWS_ENDPOINT_URL_CLOUDWATCH, what ships logs with
AWS_ENDPOINT_URL_CLOUDWATCH_LOGS. Open it in a browser to see what it received; /series,
/logs, /logs/events?group=NAME, /refused and /summary tell the same as JSON.
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            // Nothing is left to do if that fails.
            let _ = writeln!(io::stderr(), "cloudwatch-local: {text}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run() -> Result<(), Box<dyn Error>> {
    #[allow(clippy::disallowed_methods)] // A program's main reads the environment.
    let listen = std::env::var(LISTEN_VARIABLE).ok();
    let mut listen = listen.filter(|text| !text.is_empty());
    #[allow(clippy::disallowed_methods)]
    let names = std::env::var(HOSTS_VARIABLE).unwrap_or_default();
    let mut hosts = Vec::new();
    let mut report = None;
    let mut builder = CloudWatchLocal::builder().keep(POINTS_KEPT, REQUESTS_KEPT);
    let (mut log_bytes, mut read_rate) = (LOG_BYTES_KEPT, None);

    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            let next = arguments.next();
            next.ok_or_else(|| format!("{argument} needs a value, see --help"))
        };
        match argument.as_str() {
            "--listen" => listen = Some(value()?),
            "--allow-host" => hosts.push(value()?.parse::<Host>()?),
            "--credentials" => {
                builder = builder.credentials(credentials(&value()?)?);
            }
            "--report" => report = Some(PathBuf::from(value()?)),
            "--keep-logs" => log_bytes = number(&argument, &value()?)?,
            "--read-rate" => read_rate = Some(number(&argument, &value()?)?),
            "--version" | "-V" => return Ok(io::stdout().write_all(VERSION.as_bytes())?),
            "--help" | "-h" => return Ok(io::stdout().write_all(HELP.as_bytes())?),
            other => return Err(format!("{other:?} is no argument, see --help").into()),
        }
    }
    let listen = listen.as_deref().unwrap_or(LISTEN_DEFAULT);
    let addr = resolve(listen).await?;
    if hosts.is_empty() {
        let names = names.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        hosts = names.map(str::parse).collect::<Result<_, _>>()?;
    }
    // As it was told to listen, for that is what its users write.
    let name = listen
        .rsplit_once(':')
        .and_then(|(name, _)| name.parse().ok());
    builder = hosts.into_iter().chain(name).fold(builder, Builder::host);

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut endpoint = builder.keep_logs(log_bytes).listen(addr).start().await?;
    endpoint.read_at(read_rate);
    let url = endpoint.url();
    writeln!(io::stdout(), "listening on {url}\nopen {url}/ to look")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        never = tell_dropped(&endpoint) => match never {},
    }
    endpoint.stop().await;
    if let Some(file) = report {
        fs::write(&file, endpoint.series_json())
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    Ok(())
}

/// Of the addresses of a name one of IPv4, which is everywhere, as `localhost` may have both.
async fn resolve(listen: &str) -> Result<SocketAddr, String> {
    let wrong = |why| format!("{listen:?} is no address{why}, write for example {LISTEN_DEFAULT}");
    let found = lookup_host(listen).await;
    let found = found.map_err(|error| wrong(format!(" ({error})")))?;
    let first = found.min_by_key(SocketAddr::is_ipv6);
    first.ok_or_else(|| wrong(String::new()))
}

/// Says on standard error when log events go because there are too many.
async fn tell_dropped(endpoint: &CloudWatchLocal) -> Infallible {
    let mut known = 0;
    loop {
        known = endpoint.logs().more_events_dropped(known).await;
        // Nothing is left to do if that fails.
        let _ = writeln!(
            io::stderr(),
            "cloudwatch-local: log events kept beyond --keep-logs went, the oldest first: {known} so far"
        );
        sleep(DROPPED_NOTE_PAUSE).await;
    }
}

fn number<T: FromStr>(argument: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{argument} needs a number of bytes, not {text:?}"))
}

fn credentials(text: &str) -> Result<Credentials, String> {
    let parts: Vec<_> = text.splitn(4, ':').collect();
    let [key, secret, rest @ ..] = parts.as_slice() else {
        return Err("--credentials needs KEY:SECRET, for example test:test".to_owned());
    };
    let mut credentials = Credentials::new(key, secret);
    if let Some(token) = rest.first() {
        credentials = credentials.with_session_token(token);
    }
    if let Some(end) = rest.get(1) {
        let seconds = end
            .parse()
            .map_err(|_| format!("{end:?} is no Unix second, write for example 1767225600"))?;
        credentials = credentials.expire_at(UNIX_EPOCH + Duration::from_secs(seconds));
    }
    Ok(credentials)
}
