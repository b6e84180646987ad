//! All programs of this workspace at work together, without an AWS account: flow-manager runs a
//! few flows, cw-run ships what they print, and cw-publisher publishes what flow-manager
//! measures, both to a CloudWatch endpoint on this machine.
//!
//!     cargo run --example system [-- --seconds N]
//!
//! It needs Docker on this machine. Ends at Ctrl-C, or after the seconds asked for; it is a
//! failure if a program ended before, or if no metric or no log of a flow arrived.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a demonstration speaks to whoever started it"
)]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use cloudwatch_local::CloudWatchLocal;
use shutdown::{Request, Requests};
use tokio::time::sleep;

mod flows;
mod program;
#[path = "../demo/publisher.rs"]
mod publisher;
mod site;

use flows::Flows;
use program::{Program, Side};
use publisher::Publisher;
use site::Site;

/// What is kept of each metric: an hour of one that is published every second.
const POINTS_KEPT: usize = 3600;
const REQUESTS_KEPT: usize = 100;
/// The group that the flows' logs are shipped to.
const GROUP: &str = "flows";
/// Until somebody comes, if no number of seconds was given: a year.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

const USAGE: &str = "usage: cargo run --example system [-- --seconds N]";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let length = match arguments[..] {
        [publisher::ARGUMENT] => return publisher::main(),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [] => FOREVER,
        ["--seconds", number] => match number.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => return fail(format!("--seconds {number}: not a whole number").into()),
        },
        _ => return fail(USAGE.into()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(demonstrate(length)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

fn fail(error: Box<dyn Error>) -> ExitCode {
    eprintln!("system: {error}");
    ExitCode::FAILURE
}

async fn demonstrate(length: Duration) -> Result<(), Box<dyn Error>> {
    let mut signals = Requests::catch()?;
    program::say("building flow-manager, cw-run and the image of the flows");
    let folder = program::build().await?;
    flows::build().await?;
    let endpoint = CloudWatchLocal::builder()
        .keep(POINTS_KEPT, REQUESTS_KEPT)
        .start()
        .await?;
    let site = Site::open()?;

    let mut flow_manager = Program::start("flow-manager", &folder, &[], site.flow_manager())?;
    site.until_it_listens(&mut flow_manager).await?;
    let label = format!("io.flow-manager.instance={}", site.instance()?);
    let words = [
        "attach", "--label", &label, "--group", GROUP, "--stream", "{name}",
    ];
    let mut cw_run = Program::start("cw-run", &folder, &words, site::aws(&endpoint.url()))?;
    let mut publisher = Publisher::start(&endpoint.url(), &site.crontab_path())?;
    let mut flows = Flows::start(&site)?;
    program::say(&format!(
        "open {}/ for the metrics and the logs of the flows",
        endpoint.url()
    ));
    program::say(&format!(
        "open {}/ for the flows; the token is the last word of {}",
        site.url(),
        site.tokens().display()
    ));

    let mut early = None;
    let end = sleep(length);
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            request = signals.next() => if request == Request::Stop {
                break;
            },
            line = publisher.next_line() => match line? {
                Some(line) => program::tell("cw-publisher", Side::Inner, &line),
                None => {
                    early = Some("cw-publisher");
                    break;
                }
            },
            () = flow_manager.ended() => {
                early = Some("flow-manager");
                break;
            }
            () = cw_run.ended() => {
                early = Some("cw-run");
                break;
            }
            () = flows.program().ended() => {
                early = Some("the flows");
                break;
            }
        }
    }

    // The flows first, so that the others see their end; flow-manager deletes them.
    program::say("stopping; the flows are deleted");
    flows.stop().await?;
    cw_run.stop().await?;
    flow_manager.stop().await?;
    publisher.stop();
    while let Some(line) = publisher.next_line().await? {
        program::tell("cw-publisher", Side::Inner, &line);
    }
    publisher.ended().await?;
    if let Some(name) = early {
        return Err(format!("{name} ended early").into());
    }
    arrived(&endpoint)
}

/// What the endpoint holds, or what it lacks.
fn arrived(endpoint: &CloudWatchLocal) -> Result<(), Box<dyn Error>> {
    let series = endpoint.series();
    let streams = endpoint.logs().groups();
    let streams: Vec<_> = streams
        .into_iter()
        .filter(|group| group.name == GROUP)
        .collect();
    let points: usize = series.iter().map(|series| series.points.len()).sum();
    program::say(&format!(
        "{points} points of {} metrics arrived, and {} log groups",
        series.len(),
        streams.len()
    ));
    for name in flows::NAMES {
        if endpoint.logs().events(GROUP, name).is_empty() {
            return Err(format!("no log of {name} arrived").into());
        }
    }
    let connected = series.iter().find(|one| one.name == "FlowsConnected");
    let most = connected.map(|one| one.points.iter().map(|(_, value)| *value));
    match most.and_then(|values| values.reduce(f64::max)) {
        Some(most) if most >= flows::NAMES.len() as f64 => Ok(()),
        Some(most) => Err(format!("at most {most} flows were connected").into()),
        None => Err("no metric of the flows arrived".into()),
    }
}
