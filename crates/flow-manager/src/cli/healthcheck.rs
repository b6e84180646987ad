//! `healthcheck`: asks the running flow-manager, for images without `curl`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use settings::Environment;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::{BAD_CONFIGURATION, FAILURE, SUCCESS};
use crate::config::{Config, Listen};

const PATIENCE: Duration = Duration::from_secs(4);
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

pub(super) async fn healthcheck(
    environment: &Environment,
    out: &mut impl Write,
    err: &mut impl Write,
) -> u8 {
    let (config, findings) = Config::read(environment);
    let Some(config) = config else {
        for problem in &findings.problems {
            let _ = writeln!(err, "{problem}");
        }
        return BAD_CONFIGURATION;
    };
    let asked = timeout(PATIENCE, ask(&config.listen)).await;
    match asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(true) => {
            let _ = writeln!(out, "ok");
            SUCCESS
        }
        Ok(false) => {
            let _ = writeln!(err, "it answers, but not that it is well");
            FAILURE
        }
        Err(error) => {
            let _ = writeln!(err, "no answer: {error}");
            FAILURE
        }
    }
}

async fn ask(listen: &Listen) -> io::Result<bool> {
    match listen {
        Listen::Tcp(address) => {
            let mut address = *address;
            if address.ip().is_unspecified() {
                let loopback = if address.is_ipv4() {
                    "127.0.0.1"
                } else {
                    "::1"
                };
                address =
                    SocketAddr::new(loopback.parse().map_err(io::Error::other)?, address.port());
            }
            answer(TcpStream::connect(address).await?).await
        }
        Listen::Unix(path) => answer(UnixStream::connect(path).await?).await,
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<bool> {
    stream.write_all(REQUEST).await?;
    let mut answer = Vec::new();
    stream.take(1024).read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}
