//! `cloudwatch-local`: the endpoint as a process, for demonstrations and compose files.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use cloudwatch_local::{Builder, CloudWatchLocal, Credentials, Host};
use tokio::net::lookup_host;
use tokio::signal::unix::{SignalKind, signal};

const LISTEN_VARIABLE: &str = "CLOUDWATCH_LOCAL_LISTEN";
const HOSTS_VARIABLE: &str = "CLOUDWATCH_LOCAL_ALLOW_HOSTS";
const LISTEN_DEFAULT: &str = "127.0.0.1:4580";
/// Two weeks of a metric that is published once a minute.
const POINTS_KEPT: usize = 20_160;
/// Enough to see what happened lately.
const REQUESTS_KEPT: usize = 100;

const VERSION: &str = concat!("cloudwatch-local ", env!("CARGO_PKG_VERSION"), "\n");

const HELP: &str = "\
A small, strict CloudWatch endpoint on this machine.

cloudwatch-local [--listen HOST:PORT] [--allow-host HOST]...
                 [--credentials KEY:SECRET[:TOKEN[:END]]]... [--report FILE]
cloudwatch-local --version

  --listen       where to listen (else CLOUDWATCH_LOCAL_LISTEN, else 127.0.0.1:4580)
  --allow-host   a name that it is reached by, such as that of its container; else
                 CLOUDWATCH_LOCAL_ALLOW_HOSTS, names with commas between them. Requests for
                 its own address, localhost and the host that it listens as are answered
                 without that, all others are refused
  --credentials  an access key that is known, with its secret (else test:test), the session
                 token that it needs, and the Unix second from which on it has expired
  --report       when stopped, write what was received to this file, as /series shows it

Point a publisher at it with AWS_ENDPOINT_URL_CLOUDWATCH. Open it in a browser to see what it
received; /series, /refused and /summary tell the same as JSON.
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
    let mut endpoint = builder.listen(addr).start().await?;
    let url = endpoint.url();
    writeln!(io::stdout(), "listening on {url}\nopen {url}/ to look")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
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
