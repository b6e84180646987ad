//! A web server on this machine that answers well or badly, as told.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// What a request gets.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These bytes, and the end of the connection.
    Whole(Vec<u8>),
    /// These bytes, and then nothing, with the connection left open.
    Stuck(Vec<u8>),
    /// The first, then the second again and again.
    Endless(Vec<u8>, Vec<u8>),
}

impl Answer {
    /// Status 200 and this body.
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status("200 OK", body)
    }

    pub(crate) fn status(status: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
        Self::Whole([head.into_bytes(), body].concat())
    }
}

/// Answers each connection with what its request makes of it; it ends when it is dropped.
pub(crate) struct Web {
    port: u16,
    task: JoinHandle<()>,
}

impl Web {
    pub(crate) async fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(None, answer).await
    }

    /// With the certificate of `crates/test-support/tls`, which is for 127.0.0.1.
    pub(crate) async fn start_tls(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(Some(tls()), answer).await
    }

    /// `127.0.0.1:port`.
    pub(crate) fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    async fn listen(
        tls: Option<TlsAcceptor>,
        answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Some(_) = connections.join_next() => {}
                    Ok((stream, _)) = listener.accept() => {
                        let (tls, answer) = (tls.clone(), answer.clone());
                        connections.spawn(async move {
                            let Some(tls) = tls else {
                                return serve(stream, &*answer).await;
                            };
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &*answer).await;
                            }
                        });
                    }
                }
            }
        });
        Self { port, task }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A port that is taken, so that nobody else comes to listen there, and `127.0.0.1:port`.
pub(crate) fn closed_place() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let place = socket.local_addr().unwrap().to_string();
    (socket, place)
}

/// Failures to write are the client's right: it may hang up.
async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &(impl Fn(&str) -> Answer + ?Sized),
) {
    let Some(request) = request(&mut stream).await else {
        return;
    };
    match answer(&request) {
        Answer::Whole(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Answer::Stuck(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Answer::Endless(first, more) => {
            let _ = stream.write_all(&first).await;
            while stream.write_all(&more).await.is_ok() {}
        }
    }
}

/// A request with its body; what does not begin as one (a TLS handshake) is taken as it comes.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut request = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        request.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if !request[0].is_ascii_alphabetic() {
                return Some(text);
            }
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse::<usize>().unwrap())
        });
        if body.len() >= length.unwrap_or_default() {
            return Some(text);
        }
    }
}

fn tls() -> TlsAcceptor {
    let certificate = include_bytes!("../../../crates/test-support/tls/server.pem");
    let key = include_bytes!("../../../crates/test-support/tls/server.key");
    let chain = CertificateDer::pem_slice_iter(certificate).map(Result::unwrap);
    let key = PrivateKeyDer::from_pem_slice(key).unwrap();
    let config =
        ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.collect(), key)
            .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
