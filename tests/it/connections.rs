//! Connections between ticks: kept as long as the server keeps them, and a closed one
//! costs nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cloudwatch_local::Fault;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::support::{Ended, Setup, endpoint};

const TICKS: usize = 4;
const SLEEPS: usize = 2;

fn every_second(url: &str) -> Setup {
    Setup::new(url).with("SCHEDULE", "* * * * * *")
}

fn assert_nothing_failed(ended: &Ended) {
    for message in ["publish attempt failed, retrying", "publish failed"] {
        assert_eq!(ended.lines(message).len(), 0, "{message}: {ended:#?}");
    }
}

/// A way to the endpoint that ends each connection when nothing came for a while, or when
/// it is told to.
struct Impatient {
    addr: SocketAddr,
    end: Arc<Notify>,
}

impl Impatient {
    async fn before(endpoint: SocketAddr, patience: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let end = Arc::new(Notify::new());
        let told = end.clone();
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let far = TcpStream::connect(endpoint).await.unwrap();
                tokio::spawn(relay(near, far, patience, told.clone()));
            }
        });
        Self { addr, end }
    }

    fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

async fn relay(mut near: TcpStream, mut far: TcpStream, patience: Duration, end: Arc<Notify>) {
    let (mut from_near, mut from_far) = ([0; 4096], [0; 4096]);
    loop {
        let moved = async {
            tokio::select! {
                read = near.read(&mut from_near) => {
                    let read = read.unwrap();
                    far.write_all(&from_near[..read]).await.unwrap();
                    read
                }
                read = far.read(&mut from_far) => {
                    let read = read.unwrap();
                    near.write_all(&from_far[..read]).await.unwrap();
                    read
                }
                () = end.notified() => 0,
            }
        };
        if !matches!(timeout(patience, moved).await, Ok(1..)) {
            return;
        }
    }
}

#[tokio::test]
async fn one_connection_serves_all_ticks() {
    let endpoint = endpoint().await;
    let publisher = every_second(&endpoint.url()).start();
    endpoint.received_at_least(TICKS).await;
    assert_nothing_failed(&publisher.stopped().await);
    assert_eq!(endpoint.connections(), 1);
}

#[tokio::test]
async fn server_that_announces_the_end_of_each_connection_costs_no_attempt() {
    let endpoint = endpoint().await;
    endpoint.fail_always(Fault::delay(Duration::ZERO).with_header("connection", "close"));
    let publisher = every_second(&endpoint.url()).start();
    endpoint.received_at_least(TICKS).await;
    assert_nothing_failed(&publisher.stopped().await);
    assert_eq!(endpoint.connections(), endpoint.attempts().len());
}

#[tokio::test]
async fn connection_that_was_closed_between_ticks_costs_no_attempt() {
    let endpoint = endpoint().await;
    let way = Impatient::before(endpoint.addr(), Duration::from_millis(300)).await;
    let publisher = every_second(&way.url()).start();
    endpoint.received_at_least(TICKS).await;
    assert_nothing_failed(&publisher.stopped().await);
    assert_eq!(endpoint.connections(), endpoint.attempts().len());
}

/// The close and the next tick come at the same moment for a process that slept, so the
/// request is given to a connection that is already closed.
#[tokio::test]
async fn connection_that_was_closed_while_the_process_slept_costs_no_attempt() {
    let endpoint = endpoint().await;
    let way = Impatient::before(endpoint.addr(), Duration::MAX).await;
    let publisher = every_second(&way.url()).start();
    let clock = every_second(&endpoint.url())
        .with("METRIC_NAME", "Clock")
        .start();
    for sleep in 0..SLEEPS {
        // Right behind an answer no request is under way, which the close would cut.
        let answers = publisher.lines("published", 0).await.len();
        publisher.lines("published", answers + 2).await;
        publisher.signal(Signal::STOP);
        way.end.notify_waiters();
        // Two ticks, by a publisher that is awake.
        let ticks = clock.lines("published", 3 * (sleep + 1)).await.len();
        clock.lines("published", ticks + 2).await;
        publisher.signal(Signal::CONT);
    }
    endpoint
        .received_at_least(endpoint.points().len() + 4)
        .await;
    assert_nothing_failed(&publisher.stopped().await);
    clock.stopped().await;
    assert!(
        endpoint.connections() > SLEEPS,
        "{}",
        endpoint.connections()
    );
}
