use std::sync::Arc;

use blocking_io::{Files, Names};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::server::{Server, closed_port, head, ok, status};
use http_proxies::HttpConfig;

use super::*;
use crate::READ_MAX;

/// Made once with openssl: a CA and a certificate for localhost and 127.0.0.1.
const CA: &[u8] = include_bytes!("../../../test-support/tls/ca.pem");
const SERVER: &[u8] = include_bytes!("../../../test-support/tls/server.pem");
const SERVER_KEY: &[u8] = include_bytes!("../../../test-support/tls/server.key");

fn client(config: HttpConfig) -> HttpClient {
    HttpClient::new(&config, &Files::default(), &Names::default())
}

async fn read_with(config: HttpConfig, text: &str, options: &Options) -> Result<f64, String> {
    let source = Http::new(text, options).unwrap();
    match source.value(&client(config)).await {
        Ok(value) => Ok(value.get()),
        Err(error) => Err(diagnostics::chain(&error)),
    }
}

async fn read(text: &str) -> Result<f64, String> {
    read_with(HttpConfig::default(), text, &Options::default()).await
}

#[tokio::test]
async fn number_and_pointer_are_read_from_a_body() {
    let server = Server::of(" 17\n").await;
    assert_eq!(read(&server.url("/a?b=c")).await, Ok(17.0));
    let asked = &server.asked()[0];
    assert!(asked.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{asked}");
    let host = format!("host: 127.0.0.1:{}\r\n", server.port);
    assert!(asked.contains(&host), "{asked}");
    assert!(asked.contains("user-agent: cw-publisher/"), "{asked}");

    let server = Server::of(r#"{"queue":{"depth":4}}"#).await;
    assert_eq!(read(&server.url("/#/queue/depth")).await, Ok(4.0));
}

#[tokio::test]
async fn body_without_a_length_ends_with_the_connection() {
    let server = Server::start(|_| b"HTTP/1.0 200 OK\r\n\r\n5".to_vec()).await;
    assert_eq!(read(&server.url("/")).await, Ok(5.0));
    let chunked =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n4\r\n1\r\n2\r\n0\r\n\r\n";
    let server = Server::start(|_| chunked.to_vec()).await;
    assert_eq!(read(&server.url("/")).await, Ok(42.0));
}

#[tokio::test]
async fn what_is_no_value_is_an_error_that_says_why() {
    for (answer, part) in [
        (ok(b"12 apples"), r#"expected a number, read "12 apples""#),
        (ok(b"\xff"), "no UTF-8"),
        (ok(&vec![b'1'; READ_MAX + 1]), "more than 1048576 bytes"),
        (
            status("503 Service Unavailable", "a: b"),
            "503 Service Unavailable",
        ),
        (status("302 Found", "a: b"), "302 Found"),
        (b"\x00\x01garbage\r\n\r\n".to_vec(), "get http://127.0.0.1"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1".to_vec(),
            "get http://127.0.0.1",
        ),
        (Vec::new(), "get http://127.0.0.1"),
    ] {
        let server = Server::start(move |_| answer.clone()).await;
        let error = read(&server.url("/")).await.unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    let url = format!("http://127.0.0.1:{}/", closed_port().await);
    let error = read(&url).await.unwrap_err();
    assert!(error.contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn endless_body_is_cut_off() {
    let server = Server::start(|_| {
        let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        answer.resize(4 * READ_MAX, b'1');
        answer
    })
    .await;
    let error = read(&server.url("/")).await.unwrap_err();
    assert!(error.contains("more than"), "{error}");
}

#[tokio::test]
async fn dropped_request_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let asked = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        stream
    };
    let mut stream = tokio::select! {
        stream = asked => stream,
        answer = read(&url) => panic!("nothing was answered, yet {answer:?} was read"),
    };
    let end = tokio::io::AsyncReadExt::read(&mut stream, &mut [0]).await;
    assert_eq!(end.unwrap(), 0);
}

#[tokio::test]
async fn redirects_are_followed_and_bounded() {
    let server = Server::start(|head| match head.split(' ').nth(1) {
        Some("/a") => status("301 Moved", "location: b?x=1"),
        Some("/b?x=1") => status("307 Temporary Redirect", "location: /c"),
        Some("/c") => ok(b"3"),
        Some("/ftp") => status("302 Found", "location: ftp://127.0.0.1/"),
        _ => status("302 Found", "location: /loop"),
    })
    .await;
    assert_eq!(read(&server.url("/a")).await, Ok(3.0));
    let error = read(&server.url("/ftp")).await.unwrap_err();
    assert!(error.contains("no http or https URL"), "{error}");
    let before = server.asked().len();
    let error = read(&server.url("/loop")).await.unwrap_err();
    assert!(error.contains("more than 5 times"), "{error}");
    assert_eq!(server.asked().len() - before, 6);
}

#[tokio::test]
async fn secrets_go_to_the_first_origin_only() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "X-Token: open sesame\n").unwrap();
    let options = Options {
        headers_file: Some(file.path().into()),
        ..Options::default()
    };
    let far = Server::of("9").await;
    let location = format!("location: {}", far.url("/far"));
    let near = Server::start(move |head| match head.split(' ').nth(1) {
        Some("/") => status("302 Found", "location: /near"),
        _ => status("302 Found", &location),
    })
    .await;
    let url = near.url("/").replace("//", "//me:pass@");
    let value = read_with(HttpConfig::default(), &url, &options).await;
    assert_eq!(value, Ok(9.0));
    for asked in near.asked() {
        assert!(asked.contains("x-token: open sesame"), "{asked}");
        assert!(
            asked.contains("authorization: Basic bWU6cGFzcw=="),
            "{asked}"
        );
    }
    let asked = &far.asked()[0];
    assert!(
        !asked.contains("sesame") && !asked.contains("Basic"),
        "{asked}"
    );
}

#[tokio::test]
async fn plain_request_goes_through_the_proxy_unless_excepted() {
    let proxy = Server::of("1").await;
    let config = HttpConfig {
        http_proxy: proxy.url("").replace("//", "//me:pass@"),
        no_proxy: "127.0.0.0/8".to_owned(),
        ..HttpConfig::default()
    };
    let options = Options::default();
    let value = read_with(config.clone(), "http://metrics.invalid/a", &options).await;
    assert_eq!(value, Ok(1.0));
    let asked = &proxy.asked()[0];
    assert!(
        asked.starts_with("GET http://metrics.invalid/a HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains("proxy-authorization: Basic bWU6cGFzcw=="),
        "{asked}"
    );

    let direct = Server::of("2").await;
    assert_eq!(read_with(config, &direct.url("/"), &options).await, Ok(2.0));
    assert!(!direct.asked()[0].contains("proxy-authorization"));
    let config = HttpConfig {
        all_proxy: "socks5://127.0.0.1:1".to_owned(),
        ..HttpConfig::default()
    };
    let error = read_with(config, "http://metrics.invalid/", &options).await;
    assert!(error.unwrap_err().contains("not of the kind http://"));
}

/// Serves one TLS connection with the body `7`; a `CONNECT` before it is granted.
async fn tls_server() -> u16 {
    let certificates = CertificateDer::pem_slice_iter(SERVER)
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut first = [0];
        stream.peek(&mut first).await.unwrap();
        if first == *b"C" {
            let connect = head(&mut stream).await;
            assert!(connect.starts_with("CONNECT localhost:443 HTTP/1.1\r\n"));
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        }
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else {
            return;
        };
        head(&mut stream).await;
        stream.write_all(&ok(b"7")).await.unwrap();
        let _ = stream.shutdown().await;
    });
    port
}

fn trusting_the_test_ca() -> HttpConfig {
    HttpConfig {
        ca_bundle: Some(CA.to_vec()),
        ..HttpConfig::default()
    }
}

#[tokio::test]
async fn certificate_of_a_trusted_issuer_is_accepted() {
    let url = format!("https://localhost:{}/", tls_server().await);
    let value = read_with(trusting_the_test_ca(), &url, &Options::default()).await;
    assert_eq!(value, Ok(7.0));
}

#[tokio::test]
async fn tls_goes_through_a_tunnel() {
    let config = HttpConfig {
        https_proxy: format!("127.0.0.1:{}", tls_server().await),
        ..trusting_the_test_ca()
    };
    let value = read_with(config, "https://localhost/", &Options::default()).await;
    assert_eq!(value, Ok(7.0));
}

#[tokio::test]
async fn other_certificates_are_refused() {
    let url = format!("https://localhost:{}/", tls_server().await);
    let stranger = HttpConfig {
        // The server's own certificate is trusted as an issuer, which it is not.
        ca_bundle: Some(SERVER.to_vec()),
        ..HttpConfig::default()
    };
    let error = read_with(stranger, &url, &Options::default()).await;
    let error = error.unwrap_err();
    assert!(error.contains("certificate"), "{error}");

    let nobody = HttpConfig {
        ca_bundle: Some(Vec::new()),
        ..HttpConfig::default()
    };
    let error = read_with(nobody, "https://localhost:1/", &Options::default()).await;
    let error = error.unwrap_err();
    assert!(error.contains("no CA certificate"), "{error}");
}

#[tokio::test]
async fn proxy_that_cannot_be_reached_is_named() {
    let place = format!("127.0.0.1:{}", closed_port().await);
    let proxy = format!("http://me:p@secret@{place}");
    let config = HttpConfig {
        http_proxy: proxy.clone(),
        https_proxy: proxy,
        ..trusting_the_test_ca()
    };
    for url in ["http://metrics.invalid/", "https://metrics.invalid/"] {
        let error = read_with(config.clone(), url, &Options::default()).await;
        let error = error.unwrap_err();
        let begin = format!("connect to {url} through the proxy {place}: ");
        assert!(error.starts_with(&begin), "{error}");
        assert!(error.contains("Connection refused"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn settings_and_errors_hide_passwords() {
    let config = HttpConfig {
        http_proxy: "http://me:secret@127.0.0.1:1".to_owned(),
        ..HttpConfig::default()
    };
    assert!(!format!("{config:?}").contains("secret"));
    assert!(!format!("{:?}", client(config.clone())).contains("secret"));
    let url = "http://you:secret@metrics.invalid/?key=secret";
    let error = read_with(config, url, &Options::default()).await;
    let error = error.unwrap_err();
    assert!(error.contains("http://metrics.invalid/?…"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}
