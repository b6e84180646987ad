//! `kill -9` at random moments: what was sampled arrives all the same, and arrives twice
//! only where the killed process could not know that it had arrived.
//!
//! A page hands out the values, a number for each scrape, so a number is a tick and the
//! page knows what was sampled. Each process signs with an access key of its own, so the
//! endpoint knows who sent what.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloudwatch_local::{CloudWatchLocal, Credentials, Fault, ReceivedRequest};
use rand::{Rng, RngExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_blocking;

use crate::support::{PATIENCE, Setup};

mod account;

use account::{Account, Missing};

const KILLS: usize = 200;
/// Each tick has so many points in each of two namespaces.
const SERIES: usize = 150;
const NAMESPACES: [&str; 2] = ["Front", "Back"];
/// So many processes in turn find the endpoint up, then down: a backlog grows and leaves.
const PHASE: usize = 20;
/// More faults than there are requests.
const FAULTS: usize = 20_000;
const SECRET: &str = "secret";

#[tokio::test]
async fn what_was_sampled_before_a_kill_arrives_and_nothing_doubles_that_was_acknowledged() {
    let page = Page::open().await;
    let mut endpoint = CloudWatchLocal::builder();
    for process in 0..=KILLS {
        endpoint = endpoint.credentials(Credentials::new(&access_key(process), SECRET));
    }
    let endpoint = endpoint.start().await.unwrap();
    let faults: Vec<_> = (0..FAULTS).map(|_| fault(&mut rand::rng())).collect();
    endpoint.fail_next(faults.iter().map(|(fault, _)| fault.clone()));
    let sent = fail_in_turns(&endpoint);

    let dir = tempfile::tempdir().unwrap();
    let supervisor = Supervisor {
        dir: dir.path().to_owned(),
        page: page.url.clone(),
        endpoint: endpoint.url(),
    };
    let scrapes = page.scrapes;
    let supervisor = spawn_blocking(move || {
        supervisor.kill_in_turns(&scrapes);
        supervisor
    });
    let supervisor = supervisor.await.unwrap();
    let attempts = endpoint.attempts();
    endpoint.heal();
    let last = spawn_blocking(move || supervisor.start("once", KILLS).wait().unwrap());
    assert!(last.await.unwrap().success(), "all was accepted in the end");

    assert!(attempts.len() < FAULTS);
    let unanswered = attempts.iter().zip(&faults);
    let unanswered = unanswered
        .filter(|(_, (_, answers))| !answers)
        .map(|(attempt, _)| attempt.instant)
        .collect();
    let account = Account {
        ticks: page.ticks.lock().unwrap().clone(),
        sent: sent.lock().unwrap().clone(),
        requests: endpoint.requests(),
        unanswered,
    };
    let Missing { lost, torn } = account.missing();
    let doubled = account.doubled();
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    let lines = |message: &str| log.matches(&format!("\"message\":\"{message}\"")).count();
    let damaged = lines("spool was damaged");
    println!(
        "{KILLS} kills, {} ticks, {lost} of them killed while sampled, {torn} in the middle of \
         a write; {} requests, {doubled} accepted again; {} spools read, {damaged} damaged",
        account.ticks.len(),
        attempts.len(),
        lines("spool read"),
    );
    for wrong in ["points lost", "spool failed", "invalid configuration"] {
        assert_eq!(lines(wrong), 0, "{wrong}");
    }
    assert!(lost <= KILLS);
    assert!(torn <= damaged, "half a tick is told");
    assert!(account.ticks.len() > KILLS / 2, "the processes got to work");
    assert!(lines("spool read") > KILLS / 4, "the spool had work");
}

/// How one request fares, and whether its client gets an answer if it is accepted.
fn fault(rng: &mut impl Rng) -> (Fault, bool) {
    let pause = Duration::from_millis(rng.random_range(0..40));
    match rng.random_range(0..10) {
        0..5 => (Fault::delay(Duration::ZERO), true),
        5 => (Fault::delay(pause), true),
        6 => (Fault::cut_after_accepting(), false),
        7 => (Fault::hang_after_accepting(), false),
        8 => (Fault::status(503).after(pause), true),
        _ => (Fault::cut(), true),
    }
}

/// Refuses what every other phase of processes sends. Gives the ticks that were ever sent,
/// each with the process that sent it.
fn fail_in_turns(endpoint: &CloudWatchLocal) -> Arc<Mutex<BTreeSet<(u64, usize)>>> {
    let sent = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = sent.clone();
    endpoint.fail_when(move |request| {
        let process = process_of(request);
        let ticks = request.points.iter().map(|point| point.value() as u64);
        seen.lock()
            .unwrap()
            .extend(ticks.map(|tick| (tick, process)));
        let is_down = process / PHASE % 2 == 1;
        is_down.then(|| Fault::status(503))
    });
    sent
}

fn access_key(process: usize) -> String {
    format!("PROCESS{process}")
}

fn process_of(request: &ReceivedRequest) -> usize {
    let number = request.access_key.strip_prefix("PROCESS").unwrap();
    number.parse().unwrap()
}

/// The page that the values are on.
struct Page {
    url: String,
    /// The process that scraped, for each number handed out.
    ticks: Arc<Mutex<Vec<usize>>>,
    /// The same as it happens.
    scrapes: Receiver<usize>,
}

impl Page {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ticks = Arc::new(Mutex::new(Vec::new()));
        let (scraped, scrapes) = channel();
        let numbers = ticks.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(hand_out(stream, numbers.clone(), scraped.clone()));
            }
        });
        Self {
            url,
            ticks,
            scrapes,
        }
    }
}

/// Answers one scrape; the path is the number of the process.
async fn hand_out(mut stream: TcpStream, ticks: Arc<Mutex<Vec<usize>>>, scraped: Sender<usize>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_buf(&mut request).await {
            Ok(count) if count > 0 => {}
            _ => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split_whitespace().nth(1).unwrap();
    let process = path.trim_start_matches('/').parse().unwrap();
    let tick = {
        let mut ticks = ticks.lock().unwrap();
        ticks.push(process);
        ticks.len() - 1
    };
    let mut body = String::from("# TYPE load gauge\n");
    for series in 0..SERIES {
        body += &format!("load{{series=\"{series}\"}} {tick}\n");
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close";
    let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    // The process may be dead by now, and so may the test.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = scraped.send(process);
}

/// Starts the processes and ends them.
struct Supervisor {
    dir: PathBuf,
    page: String,
    endpoint: String,
}

impl Supervisor {
    fn kill_in_turns(&self, scrapes: &Receiver<usize>) {
        let mut rng = rand::rng();
        for process in 0..KILLS {
            let mut child = self.start("run", process);
            // Some die before they sample, most at work, a few after several ticks.
            let (after_scrape, most) = match rng.random_range(0..20) {
                0 => (true, 1500),
                1..6 => (false, 100),
                6..13 => (true, 25),
                _ => (true, 80),
            };
            if after_scrape {
                while scrapes.recv_timeout(PATIENCE).unwrap() != process {}
            }
            let moment = Duration::from_micros(rng.random_range(0..most * 1000));
            #[expect(
                clippy::disallowed_methods,
                reason = "the moment is random, not awaited"
            )]
            std::thread::sleep(moment);
            child.kill().unwrap();
            let status = child.wait().unwrap();
            assert_eq!(status.code(), None, "process {process} ended by itself");
        }
    }

    fn start(&self, command: &str, process: usize) -> Child {
        let spool = self.dir.join("spool");
        std::fs::create_dir_all(&spool).unwrap();
        let crontab = self.dir.join("crontab");
        let line = |namespace| {
            let value = format!("prometheus:{}/{process}#load", self.page);
            format!("* * * * * * name=Load namespace={namespace} resolution=1 value={value}\n")
        };
        std::fs::write(&crontab, NAMESPACES.map(line).concat()).unwrap();
        Setup::new(&self.endpoint)
            .with("AWS_ACCESS_KEY_ID", access_key(process))
            .with("AWS_SECRET_ACCESS_KEY", SECRET)
            .with("CRONTAB", crontab.display())
            .with("SPOOL_DIR", spool.display())
            .with("BUFFER_LIMIT", 1_000_000)
            .arg(command)
            .command()
            .into_std()
            .stdout(self.log())
            .stderr(self.log())
            .spawn()
            .unwrap()
    }

    fn log(&self) -> Stdio {
        let path: &Path = &self.dir.join("log");
        let log = OpenOptions::new().create(true).append(true).open(path);
        log.unwrap().into()
    }
}
