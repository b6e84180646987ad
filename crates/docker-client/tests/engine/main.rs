//! Against a real engine, which is started for it: own socket, own data, own bridge.
//!
//! It needs root, `dockerd`, the `docker` command, `ip` and a static `busybox`, and fails
//! where they are not there. So it is not part of a plain `cargo test`:
//!
//! ```text
//! cargo test -p docker-client --test engine [-- PART-OF-A-NAME …]
//! ```
//!
//! It has a `main` of its own, because an engine must be stopped after the last test, and the
//! containers of each removed, also when it failed.

// All of this is test code, helpers included.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod archive;
mod containers;
mod engine;
mod events;
mod exec;
mod follow;
mod images;
mod lifecycle;
mod logs;
mod networks;
mod restart;
mod stats;
mod support;

use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::engine::Engine;

/// No test takes so long, unless something hangs.
const LONGEST: Duration = Duration::from_secs(180);

type Test = fn(Arc<Engine>) -> Pin<Box<dyn Future<Output = ()>>>;

/// A table of tests: their names and what they do.
#[macro_export]
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        pub(crate) const TESTS: &[(&str, $crate::Test)] = &[
            $((
                concat!(module_path!(), "::", stringify!($name)),
                |engine| Box::pin($name(engine)),
            ),)+
        ];
    };
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    LocalSet::new().run_until(run()).await
}

async fn run() -> ExitCode {
    let wanted: Vec<_> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let tables = [
        archive::TESTS,
        containers::TESTS,
        lifecycle::TESTS,
        events::TESTS,
        exec::TESTS,
        follow::TESTS,
        images::TESTS,
        logs::TESTS,
        networks::TESTS,
        stats::TESTS,
        // It stops the engine for a while, so it comes last.
        restart::TESTS,
    ];
    let chosen = tables
        .concat()
        .into_iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(part)));
    let engine = match Engine::start().await {
        Ok(engine) => Arc::new(engine),
        Err(error) => {
            eprintln!("no engine to test with: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, test) in chosen {
        let before = Instant::now();
        let mut task = tokio::task::spawn_local(test(engine.clone()));
        let ended = tokio::time::timeout(LONGEST, &mut task).await;
        let ok = matches!(ended, Ok(Ok(())));
        if ended.is_err() {
            task.abort();
            eprintln!("{name}: not ended within {LONGEST:?}");
        }
        engine.remove_containers().await;
        let (word, seconds) = (
            if ok { "ok" } else { "FAILED" },
            before.elapsed().as_secs_f64(),
        );
        println!("test {name} ... {word} ({seconds:.1} s)");
        match ok {
            true => passed += 1,
            false => failed.push(name),
        }
    }
    engine.stop().await;
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    for name in &failed {
        println!("failed: {name}");
    }
    println!(
        "test result: {verdict}. {passed} passed; {} failed",
        failed.len()
    );
    match failed.is_empty() && passed > 0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
