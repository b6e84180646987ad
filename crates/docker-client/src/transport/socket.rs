//! The socket below HTTP: Unix, TCP, or TCP with TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::address::EngineAddress;
use crate::error::DockerClientError;

#[cfg(feature = "tls")]
mod tls;

/// A connection is given up after this time.
const CONNECT: Duration = Duration::from_secs(10);
/// A peer that vanished is noticed after about a minute: a quiet log has no time-out.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Opens sockets to one engine.
#[derive(Clone)]
pub(crate) struct Dialer {
    address: EngineAddress,
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsConnector>,
}

impl Dialer {
    pub(crate) fn new(address: EngineAddress) -> Result<Self, DockerClientError> {
        Ok(Self {
            #[cfg(feature = "tls")]
            tls: match &address {
                EngineAddress::Tcp {
                    tls: Some(certificates),
                    ..
                } => Some(tls::connector(certificates)?),
                _ => None,
            },
            address,
        })
    }

    pub(crate) async fn dial(&self) -> io::Result<Socket> {
        tokio::time::timeout(CONNECT, self.connect())
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn connect(&self) -> io::Result<Socket> {
        match &self.address {
            EngineAddress::Unix(path) => UnixStream::connect(path).await.map(Socket::Unix),
            EngineAddress::Tcp { host, port, .. } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                let keep_alive = socket2::TcpKeepalive::new().with_time(KEEP_ALIVE);
                socket2::SockRef::from(&stream).set_tcp_keepalive(&keep_alive)?;
                #[cfg(feature = "tls")]
                if let Some(connector) = &self.tls {
                    let stream = connector.connect(tls::server_name(host)?, stream).await?;
                    return Ok(Socket::Tls(Box::new(stream)));
                }
                Ok(Socket::Tcp(stream))
            }
        }
    }
}

/// A connected socket.
pub(crate) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// Does the same with whichever socket it is.
macro_rules! with {
    ($socket:expr, $inner:ident => $does:expr) => {
        match $socket.get_mut() {
            Socket::Unix($inner) => $does,
            Socket::Tcp($inner) => $does,
            #[cfg(feature = "tls")]
            Socket::Tls($inner) => $does,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with!(self, inner => Pin::new(inner).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        with!(self, inner => Pin::new(inner).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(self, inner => Pin::new(inner).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(self, inner => Pin::new(inner).poll_shutdown(cx))
    }
}
