//! `check`: says what the publisher would do, without the network.
//!
//! The answer is the result of the command, not a log: it goes to standard output as
//! text or, with `--json`, as one document. Problems are part of that document, else
//! they go to standard error, one `SETTING: problem` a line.

use std::io::{self, Write};

use ::settings::Environment;
use aws_connection::origin;

use super::load::{Loaded, Purpose, load};
use super::{BAD_CONFIGURATION, FAILURE, SUCCESS};
use crate::clock::Clock;
use crate::ticker::SystemClock;

mod document;
mod listing;
mod overview;
#[cfg(test)]
mod secrets;
mod settings;

use overview::Overview;

/// Checks the configuration and prints what it found.
pub(super) async fn check(
    environment: Environment,
    json: bool,
    out: &mut impl Write,
    err: &mut impl Write,
) -> u8 {
    let settings = settings::given(&environment);
    let credentials = origin(&environment).await;
    let Loaded {
        config, findings, ..
    } = load(environment, Purpose::Check).await;
    let overview = config.as_ref().map(|config| Overview {
        config,
        settings: &settings,
        credentials: &credentials,
        now: SystemClock.now(),
    });
    let printed = if json {
        writeln!(
            out,
            "{:#}",
            document::document(overview.as_ref(), &findings)
        )
    } else {
        listing::problems(err, &findings)
            .and_then(|()| overview.map_or(Ok(()), |overview| listing::listing(out, &overview)))
    };
    match printed.and_then(|()| out.flush()) {
        // Whoever closed the pipe has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(err, "cannot print the result: {error}");
            FAILURE
        }
        _ if config.is_some() => SUCCESS,
        _ => BAD_CONFIGURATION,
    }
}
