//! What goes through a proxy and what past it, over the wire.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::support::{Answer, Setup, Web, endpoint};

/// A proxy that passes nothing on and keeps the first line of what it was asked.
struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    task: AbortHandle,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let asking = asked.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let length = stream.read(&mut head).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                let line = head.lines().next().unwrap_or_default().to_owned();
                asking.lock().unwrap().push(line);
                let _ = stream.write_all(b"HTTP/1.1 502 No\r\n\r\n").await;
            }
        });
        let task = task.abort_handle();
        Self { url, asked, task }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn once(url: &str, proxy: &Proxy) -> Setup {
    Setup::new(url)
        .with("HTTP_PROXY", &proxy.url)
        .with("RETRY_MAX", "0")
        .arg("once")
}

#[tokio::test]
async fn service_and_sources_that_no_proxy_names_are_asked_past_the_proxy() {
    let proxy = Proxy::start().await;
    for no_proxy in ["*", "127.0.0.1", "127.0.0.0/8", "[::1],127.0.0.1", "PORT"] {
        let (endpoint, source) = (endpoint().await, Web::start(|_| Answer::ok("1")).await);
        let ports = format!("{},{}", endpoint.addr(), source.place());
        let ended = once(&endpoint.url(), &proxy)
            .with("METRIC_VALUE", format!("http://{}/", source.place()))
            .with("NO_PROXY", no_proxy.replace("PORT", &ports))
            .finish()
            .await;
        assert_eq!(ended.code(), Some(0), "{no_proxy} {ended:#?}");
        assert_eq!(proxy.asked(), [""; 0], "{no_proxy}");
    }
}

#[tokio::test]
async fn service_that_no_proxy_does_not_name_is_asked_through_the_proxy() {
    for no_proxy in ["", "127.0.0.1:1", "127.0.0.2", "*.0.0.1", "10.0.0.0/8"] {
        let (proxy, endpoint) = (Proxy::start().await, endpoint().await);
        let ended = once(&endpoint.url(), &proxy)
            .with("NO_PROXY", no_proxy)
            .finish()
            .await;
        assert_eq!(ended.code(), Some(1), "{no_proxy}");
        let begin = format!("POST {}/", endpoint.url());
        assert!(proxy.asked()[0].starts_with(&begin), "{:?}", proxy.asked());
        assert_eq!(endpoint.connections(), 0, "{no_proxy}");
    }
}

#[tokio::test]
async fn credentials_of_this_machine_never_go_through_the_proxy() {
    let credentials = Web::start(|_| {
        Answer::ok(r#"{"AccessKeyId":"test","SecretAccessKey":"test","Token":"t","Expiration":"2999-01-01T00:00:00Z"}"#)
    })
    .await;
    let (proxy, endpoint) = (Proxy::start().await, endpoint().await);
    let url = format!("http://{}/", credentials.place());
    for (variable, value) in [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*url),
        // On 169.254.170.2, where in a test nobody answers.
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/credentials"),
    ] {
        once(&endpoint.url(), &proxy)
            .without("AWS_ACCESS_KEY_ID")
            .without("AWS_SECRET_ACCESS_KEY")
            .with("AWS_CONFIG_FILE", "/dev/null")
            .with("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .with("REQUEST_TIMEOUT", "2s")
            .with(variable, value)
            .finish()
            .await;
    }
    let asked = proxy.asked();
    let of_service = |line: &String| line.contains("/service/GraniteServiceVersion20100801/");
    assert!(
        !asked.is_empty() && asked.iter().all(of_service),
        "{asked:?}"
    );
}
