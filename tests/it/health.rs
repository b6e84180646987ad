//! The health of a running publisher: who asks for it, and what is answered.

use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cloudwatch_local::{CloudWatchLocal, Fault};
use cw_publisher::config::HealthAddr;
use cw_publisher::health::{AskError, HealthEndpoint, PlaceError, Server, Status, ask};
use cw_publisher::ticker::SystemClock;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

async fn serve(status: Arc<Status>) -> Server {
    let place = HealthEndpoint::Http("127.0.0.1:0".to_owned());
    Server::start(&place, status, SystemClock).await.unwrap()
}

async fn get(place: &HealthEndpoint, path: &str) -> String {
    let mut stream = TcpStream::connect(place.to_string()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

fn program(command: &str, variables: &[(&str, &str)]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_cw-publisher"));
    program.arg(command).env_clear();
    program.envs(variables.iter().copied()).kill_on_drop(true);
    program
}

async fn healthcheck(addr: &str) -> (Option<i32>, String) {
    let output = program("healthcheck", &[("HEALTH_ADDR", addr)]).output();
    let Output { status, stdout, .. } = output.await.unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

/// A publisher that ticks every second, and its log.
struct Publisher {
    _child: Child,
    /// Has the port, so that nobody else gets it, but does not listen: Linux lets the
    /// publisher do that.
    _port: TcpSocket,
    log: Lines<BufReader<ChildStdout>>,
}

impl Publisher {
    fn start(endpoint: &CloudWatchLocal) -> Self {
        Self::start_with(endpoint, &[])
    }

    fn start_with(endpoint: &CloudWatchLocal, more: &[(&str, &str)]) -> Self {
        let port = TcpSocket::new_v4().unwrap();
        port.set_reuseaddr(true).unwrap();
        port.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let addr = port.local_addr().unwrap().to_string();
        let variables = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &endpoint.url()),
            ("SCHEDULE", "* * * * * *"),
            ("HEALTH_ADDR", &addr),
            ("HEALTH_FAILURES", "2"),
        ];
        let mut child = program("run", &variables)
            .envs(more.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            _child: child,
            _port: port,
            log,
        }
    }

    async fn wait_for(&mut self, message: &str) -> serde_json::Value {
        loop {
            let line = self.log.next_line().await.unwrap().expect(message);
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            if event["message"] == message {
                return event;
            }
        }
    }
}

#[tokio::test]
async fn publisher_that_cannot_publish_is_unhealthy_until_it_can() {
    let endpoint = CloudWatchLocal::builder().start().await.unwrap();
    endpoint.fail_always(Fault::error(403, "AccessDenied", "not you"));
    let mut publisher = Publisher::start(&endpoint);
    let told = publisher.wait_for("health endpoint listening").await;
    let addr = told["place"].as_str().unwrap().to_owned();
    // Each second adds a failed tick; on a busy machine two may fail as one.
    let mut said = String::new();
    for _ in 0..5 {
        publisher.wait_for("publish failed").await;
        let (code, line) = healthcheck(&addr).await;
        said = line;
        if code == Some(1) {
            break;
        }
    }
    assert!(said.starts_with("unhealthy: "), "{said}");
    assert!(said.contains("AccessDenied"), "{said}");
    assert_eq!(said.lines().count(), 1);
    let place = HealthEndpoint::Http(addr.clone());
    let metrics = get(&place, "/metrics").await;
    assert!(metrics.contains("\ncw_publisher_healthy 0\n"), "{metrics}");

    endpoint.heal();
    publisher.wait_for("recovered").await;
    let (code, said) = healthcheck(&addr).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("healthy: last success 2"), "{said}");
    let metrics = get(&place, "/metrics").await;
    assert!(metrics.contains("\ncw_publisher_healthy 1\n"), "{metrics}");
    let health = get(&place, "/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n"), "{health}");
    // The question itself sends nothing.
    assert!(endpoint.points().iter().all(|p| p.name == "TestMetric"));
}

#[tokio::test]
async fn port_that_is_taken_ends_the_publisher() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let variables = [("AWS_REGION", "us-east-1"), ("HEALTH_ADDR", &addr)];
    let output = program("run", &variables).arg("--dry-run").output();
    let output = output.await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stdout).unwrap();
    assert!(log.contains("health endpoint unavailable"), "{log}");
    assert!(log.contains(&addr), "{log}");
}

#[tokio::test]
async fn health_is_not_claimed_when_nobody_can_be_asked() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = free.local_addr().unwrap().to_string();
    drop(free);
    let (code, said) = healthcheck(&addr).await;
    assert_eq!(code, Some(1));
    assert!(said.starts_with("no publisher answers at"), "{said}");
    let (code, said) = healthcheck("off").await;
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("HEALTH_ADDR=off: nothing to ask"),
        "{said}"
    );
    assert_eq!(healthcheck("nonsense").await.0, Some(78));
}

#[tokio::test]
async fn stranger_that_answers_is_told_from_a_publisher() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = HealthEndpoint::Http(listener.local_addr().unwrap().to_string());
    let stranger = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\n\r\n{\"status\": \"UP\", \"points_held\": 0}";
        stream.write_all(answer).await.unwrap();
    };
    let (asked, ()) = tokio::join!(ask(&place), stranger);
    assert!(matches!(asked, Err(AskError::Stranger { .. })), "{asked:?}");
}

#[tokio::test]
async fn silent_clients_keep_nobody_from_asking() {
    let server = serve(Arc::new(Status::new(3))).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        let addr = server.place().to_string();
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(b"GET /heal").await.unwrap();
        silent.push(stream);
    }
    let answer = ask(server.place()).await.unwrap();
    assert!(answer.starts_with("starting: "), "{answer}");
    // The oldest had to go, long before its time was over.
    let closed = timeout(Duration::from_secs(3), silent[0].read(&mut [0; 1])).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{closed:?}");
}

#[tokio::test]
async fn clients_that_come_all_at_once_are_all_answered() {
    let server = serve(Arc::new(Status::new(3))).await;
    let addr = server.place().to_string();
    let mut clients = Vec::new();
    for _ in 0..100 {
        // Their requests are there before the server looks.
        let mut client = std::net::TcpStream::connect(&addr).unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        std::io::Write::write_all(&mut client, request).unwrap();
        client.set_nonblocking(true).unwrap();
        clients.push(TcpStream::from_std(client).unwrap());
    }
    for (number, mut client) in clients.into_iter().enumerate() {
        let mut response = String::new();
        let read = client.read_to_string(&mut response).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{number}: {read:?}");
    }
}

/// Runs as another user, which only root may, from here to the end of this thread.
#[cfg(target_os = "linux")]
fn become_user(id: u32) {
    let id = rustix::process::Uid::from_raw(id);
    rustix::thread::set_thread_res_uid(id, id, id).unwrap();
}

/// What `ask` says to this user.
#[cfg(target_os = "linux")]
fn asked_as(user: u32, place: &HealthEndpoint) -> Result<String, String> {
    let place = place.clone();
    let asking = std::thread::spawn(move || {
        become_user(user);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime
            .block_on(ask(&place))
            .map_err(|error| error.to_string())
    });
    asking.join().unwrap()
}

/// Abstract names are free for all: who has it is asked of the kernel.
#[cfg(target_os = "linux")]
#[test]
fn local_socket_of_another_user_is_not_believed() {
    if !rustix::process::geteuid().is_root() {
        // Only root can be two users.
        return;
    }
    let name = format!("cw-publisher/test/{}/owned", std::process::id());
    let place = HealthEndpoint::Local(name);
    let served = place.clone();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let serving = std::thread::spawn(move || {
        become_user(65532);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let status = Arc::new(Status::new(3));
            let _server = Server::start(&served, status, SystemClock).await.unwrap();
            ready.send(()).unwrap();
            let _ = ended.await;
        });
    });
    is_ready.recv().unwrap();
    let refused = asked_as(1000, &place).unwrap_err();
    for part in ["runs as user 65532", "user 1000"] {
        assert!(refused.contains(part), "{refused}");
    }
    for believed in [65532, 0] {
        let said = asked_as(believed, &place);
        assert!(said.is_ok(), "{believed}: {said:?}");
    }
    drop(end);
    serving.join().unwrap();
}

#[tokio::test]
async fn publisher_whose_only_source_fails_is_unhealthy_and_says_why() {
    let endpoint = CloudWatchLocal::builder().start().await.unwrap();
    let mut publisher =
        Publisher::start_with(&endpoint, &[("METRIC_VALUE", "file:/nowhere/depth")]);
    let told = publisher.wait_for("health endpoint listening").await;
    let addr = told["place"].as_str().unwrap().to_owned();
    let mut said = (None, String::new());
    for _ in 0..6 {
        publisher.wait_for("source failed").await;
        said = healthcheck(&addr).await;
        if said.0 == Some(1) {
            break;
        }
    }
    let (code, line) = said;
    assert_eq!(code, Some(1), "{line}");
    for part in [
        "unhealthy: the last ",
        "CustomMetrics",
        "TestMetric",
        "/nowhere/depth",
        "No such file",
    ] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(line.lines().count(), 1);
}

#[tokio::test]
async fn head_without_end_is_refused() {
    let server = serve(Arc::new(Status::new(3))).await;
    let response = get(server.place(), &"x".repeat(100_000)).await;
    assert!(response.starts_with("HTTP/1.1 431 "), "{response}");
}

/// Two publishers in two containers of one pod differ in the name alone, so names of the
/// tests' own stand for them: the mount namespace of the tests is not theirs alone.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn local_sockets_serve_one_publisher_each() {
    let place =
        |name| HealthEndpoint::Local(format!("cw-publisher/test/{}/{name}", std::process::id()));
    let (one, other) = (place("one"), place("other"));
    let status = [Arc::new(Status::new(1)), Arc::new(Status::new(1))];
    status[1].failed(&"Web".parse().unwrap(), "no route");
    let _one = Server::start(&one, status[0].clone(), SystemClock).await;
    let _other = Server::start(&other, status[1].clone(), SystemClock).await;
    assert!(ask(&one).await.is_ok());
    let unhealthy = ask(&other).await.unwrap_err();
    assert!(
        unhealthy
            .to_string()
            .ends_with("namespace Web failed: no route")
    );

    let second = Server::start(&one, status[1].clone(), SystemClock).await;
    let error = second.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(ask(&one).await.is_ok());
}

#[test]
fn off_is_no_place() {
    let place = HealthEndpoint::of(&HealthAddr::Off);
    assert!(matches!(place, Err(PlaceError::Off)));
}
