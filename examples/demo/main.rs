//! The publisher at work, without an AWS account, a network or any configuration.
//!
//!     cargo run --example demo [-- --seconds N]
//!
//! Starts a CloudWatch endpoint on this machine and the publisher as a process of its own,
//! shows the publisher's log, and every few seconds what the endpoint holds. On the way the
//! endpoint throttles once and goes away for some seconds, to show that no point is lost.
//! Ends at Ctrl-C, or after the seconds asked for; a gap in the points is a failure.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a demonstration speaks to whoever started it"
)]

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use cloudwatch_local::{CloudWatchLocal, Fault};
use cw_publisher::clock::Clock;
use cw_publisher::ticker::SystemClock;
use shutdown::{Request, Requests};
use tokio::time::{Instant, interval, interval_at, sleep_until};

mod board;
mod publisher;
mod shop;

use board::Board;
use publisher::Publisher;
use shop::Shop;

/// One day of a metric that is published every second.
const POINTS_KEPT: usize = 86_400;
const REQUESTS_KEPT: usize = 100;

/// The first board comes early; nobody waits long for a demonstration.
const BOARD_FIRST: Duration = Duration::from_secs(4);
const BOARD_EVERY: Duration = Duration::from_secs(5);
/// Twice as often as the quickest schedule reads what the shop writes.
const SHOP_STEP: Duration = Duration::from_millis(500);

/// What happens, and after how many seconds. The outage is longer than all retries of a
/// tick, so that points are held.
const SCRIPT: [(u64, Act); 4] = [
    (10, Act::Throttle),
    (15, Act::GoAway),
    (23, Act::ComeBack),
    (30, Act::End),
];

const USAGE: &str = "usage: cargo run --example demo [-- --seconds N]";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Throttle,
    GoAway,
    ComeBack,
    /// The script is over, the publisher goes on.
    End,
    Stop,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let seconds = match arguments[..] {
        [publisher::ARGUMENT] => return publisher::main(),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [] => None,
        ["--seconds", number] => match number.parse() {
            Ok(seconds) => Some(seconds),
            Err(_) => return fail(format!("--seconds {number}: not a whole number").into()),
        },
        _ => return fail(USAGE.into()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(demonstrate(seconds)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

fn fail(error: Box<dyn Error>) -> ExitCode {
    eprintln!("demo: {error}");
    ExitCode::FAILURE
}

async fn demonstrate(seconds: Option<u64>) -> Result<(), Box<dyn Error>> {
    let mut signals = Requests::catch()?;
    let mut endpoint = CloudWatchLocal::builder()
        .keep(POINTS_KEPT, REQUESTS_KEPT)
        .start()
        .await?;
    let mut shop = Shop::open()?;
    let board = Board::new(std::io::stdout().is_terminal());
    board.say(&format!(
        "this crontab is published to an endpoint on this machine; Ctrl-C ends it\n{}",
        shop.crontab()
    ));
    board.say(&format!("open {}/ to look at live charts", endpoint.url()));

    let mut publisher = Publisher::start(&endpoint.url(), shop.crontab_path())?;
    let start = Instant::now();
    let mut script: Vec<_> = SCRIPT.into();
    script.extend(seconds.map(|seconds| (seconds, Act::Stop)));
    script.sort_by_key(|(second, _)| *second);
    let mut script = script.into_iter().peekable();
    let mut boards = interval_at(start + BOARD_FIRST, BOARD_EVERY);
    let mut shop_steps = interval(SHOP_STEP);
    loop {
        let next_act = script
            .peek()
            .map(|(second, _)| Duration::from_secs(*second));
        tokio::select! {
            line = publisher.next_line() => match line? {
                Some(line) => board.log(&line),
                None => break,
            },
            request = signals.next() => match request {
                Request::Stop if publisher.stop() => script = Vec::new().into_iter().peekable(),
                Request::Stop => return Err("ended at once".into()),
                Request::Reload => {}
            },
            _ = boards.tick() => board.show(&endpoint.series(), SystemClock.now()),
            _ = shop_steps.tick() => shop.step()?,
            () = sleep_until(start + next_act.unwrap_or_default()), if next_act.is_some() => {
                match script.next() {
                    Some((_, Act::Stop)) => {
                        publisher.stop();
                    }
                    Some((_, act)) => play(act, &mut endpoint, &board).await?,
                    None => {}
                }
            }
        }
    }
    let status = publisher.ended().await?;
    let series = endpoint.series();
    // Nothing was due behind the last point: the publisher had ended.
    let end = board::last(&series).unwrap_or_else(|| SystemClock.now());
    board.show(&series, end);
    if !status.success() {
        return Err(format!("the publisher ended with {status}").into());
    }
    match board::missing(&series) {
        0 => Ok(()),
        missing => Err(format!("{missing} points are missing").into()),
    }
}

async fn play(
    act: Act,
    endpoint: &mut CloudWatchLocal,
    board: &Board,
) -> Result<(), Box<dyn Error>> {
    match act {
        Act::Throttle => {
            board.say("the endpoint throttles the next request");
            endpoint.fail_next([Fault::throttling()]);
        }
        Act::GoAway => {
            board.say("the endpoint goes away for 8 seconds; watch the points wait");
            endpoint.stop().await;
        }
        Act::ComeBack => {
            board.say("the endpoint is back");
            endpoint.restart().await?;
        }
        Act::End => board.say("that was the script; the publisher goes on until Ctrl-C"),
        Act::Stop => {}
    }
    Ok(())
}
