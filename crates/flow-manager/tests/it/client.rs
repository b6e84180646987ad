//! A client of Engine.IO 4 and Socket.IO 5 of the tests' own: it queues all frames, so that
//! none that comes between two looks is missed.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::{Program, within};

/// A websocket with Engine.IO on it.
pub(crate) struct Engine {
    socket: WebSocketStream<TcpStream>,
    /// What the server opened with.
    pub(crate) open: Value,
    /// Frames that were looked past.
    queue: VecDeque<String>,
    pub(crate) answers_pings: bool,
}

impl Engine {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address, &[]).await.unwrap()
    }

    /// With headers; the status if it is refused.
    pub(crate) async fn try_connect(
        address: SocketAddr,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let connected = within("the upgrade", client_async(request, stream)).await;
        let socket = match connected {
            Ok((socket, _)) => socket,
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
                return Err(answer.status().as_u16());
            }
            Err(error) => panic!("{error}"),
        };
        let mut engine = Self {
            socket,
            open: Value::Null,
            queue: VecDeque::new(),
            answers_pings: true,
        };
        let open = engine.frame().await.unwrap();
        engine.open = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        Ok(engine)
    }

    pub(crate) async fn send(&mut self, frame: impl Into<String>) {
        let text: String = frame.into();
        // It may have been closed from the other side.
        let _ = self.socket.send(Message::text(text)).await;
    }

    /// Sends CONNECT; what it is answered with. The library ignores one that comes while it is
    /// not done with the one before, so it is sent again.
    pub(crate) async fn ask_to_connect(&mut self, token: &str) -> String {
        for _ in 0..100 {
            self.send(format!("40{}", json!({"token": token}))).await;
            let answer = self.find(|frame| {
                (frame.starts_with("40{") || frame.starts_with("44{")).then(|| frame.to_owned())
            });
            if let Ok(answer) = tokio::time::timeout(Duration::from_millis(500), answer).await {
                return answer.expect("it is answered before its end");
            }
        }
        panic!("CONNECT is not answered");
    }

    pub(crate) async fn send_binary(&mut self, bytes: Vec<u8>) {
        let _ = self.socket.send(Message::binary(bytes)).await;
    }

    /// The next frame; `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<String> {
        if let Some(frame) = self.queue.pop_front() {
            return Some(frame);
        }
        self.read().await
    }

    async fn read(&mut self) -> Option<String> {
        loop {
            match within("a frame", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => {
                    if text == "2" && self.answers_pings {
                        self.send("3").await;
                        continue;
                    }
                    return Some(text.as_str().to_owned());
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Forgets the frames that were looked past.
    pub(crate) fn forget(&mut self) {
        self.queue.retain(|frame| frame.starts_with("43"));
    }

    /// The first frame that is wanted, in the queue or to come; others keep their places.
    pub(crate) async fn find<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> Option<T> {
        // The pings of the server come for ever, so each frame's own deadline is not enough.
        within("a frame that is wanted", self.look_for(wanted)).await
    }

    async fn look_for<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> Option<T> {
        for at in 0..self.queue.len() {
            if let Some(found) = wanted(&self.queue[at]) {
                self.queue.remove(at);
                return Some(found);
            }
        }
        loop {
            let frame = self.read().await?;
            match wanted(&frame) {
                Some(found) => return Some(found),
                None => self.queue.push_back(frame),
            }
        }
    }
}

/// A client that is connected to the namespace `/`.
pub(crate) struct Client {
    pub(crate) engine: Engine,
    asked: u64,
}

impl Client {
    pub(crate) async fn connect(program: &Program, token: &str) -> Self {
        Self::try_connect(program, &json!({"token": token}))
            .await
            .unwrap()
    }

    /// The code, if it is refused.
    pub(crate) async fn try_connect(program: &Program, auth: &Value) -> Result<Self, String> {
        let mut engine = Engine::connect(program.address()).await;
        engine.send(format!("40{auth}")).await;
        let answer = engine.frame().await.expect("CONNECT is answered");
        if let Some(refusal) = answer.strip_prefix("44") {
            let refusal: Value = serde_json::from_str(refusal).unwrap();
            return Err(refusal["message"].as_str().unwrap().to_owned());
        }
        assert!(answer.starts_with("40{\"sid\":"), "{answer}");
        Ok(Self { engine, asked: 0 })
    }

    /// Sends a request; the number of its acknowledgement.
    pub(crate) async fn begin(&mut self, event: &str, body: &Value) -> u64 {
        self.asked += 1;
        self.engine
            .send(format!("42{}{}", self.asked, json!([event, body])))
            .await;
        self.asked
    }

    /// The acknowledgement of a request.
    pub(crate) async fn ack(&mut self, number: u64) -> Value {
        let prefix = format!("43{number}");
        let found = self.engine.find(|frame| {
            let rest = frame.strip_prefix(&prefix)?;
            rest.starts_with('[')
                .then(|| serde_json::from_str::<Value>(rest).unwrap()[0].take())
        });
        found.await.expect("it is acknowledged")
    }

    /// Asks; what is acknowledged.
    pub(crate) async fn ask(&mut self, event: &str, body: Value) -> Value {
        let number = self.begin(event, &body).await;
        self.ack(number).await
    }

    /// Asks for what must succeed.
    pub(crate) async fn must(&mut self, event: &str, body: Value) -> Value {
        let answer = self.ask(event, body).await;
        assert_ne!(answer["error"], true, "{event}: {answer}");
        answer
    }

    /// Asks for what must fail; the code.
    pub(crate) async fn refused(&mut self, event: &str, body: Value) -> String {
        let answer = self.ask(event, body).await;
        assert_eq!(answer["error"], true, "{event}: {answer}");
        answer["details"]["code"].as_str().unwrap().to_owned()
    }

    /// The next event of a name that is wanted.
    pub(crate) async fn event(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = format!("42[\"{name}\",");
        let found = self.engine.find(|frame| {
            let data = frame.strip_prefix(&start)?.strip_suffix(']')?;
            let data: Value = serde_json::from_str(data).unwrap();
            wanted(&data).then_some(data)
        });
        found
            .await
            .unwrap_or_else(|| panic!("disconnected before {name}"))
    }

    /// Creates a container and starts it.
    pub(crate) async fn run(&mut self, name: &str) -> Value {
        let created = self
            .must("create_container", json!({"image": "flow:1", "name": name}))
            .await;
        self.must("start_container", json!({"container_id": name}))
            .await;
        created["container"].clone()
    }
}
