//! Against a real engine, which is started for it as docker-client's tests start theirs: own
//! socket, own data, own bridge. It needs root, `dockerd`, the `docker` command, `ip` and a static
//! `busybox`, and fails where they are not there:
//!
//! ```text
//! cargo test -p cw-run --test engine [-- PART-OF-A-NAME …]
//! ```

// All of this is test code, helpers included.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[allow(dead_code)] // docker-client's tests use more of it.
#[path = "../../../docker-client/tests/engine/engine.rs"]
mod engine;
mod runs;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::Engine;

/// No test takes so long, unless something hangs.
const LONGEST: Duration = Duration::from_secs(180);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let wanted: Vec<_> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let engine = match Engine::start().await {
        Ok(engine) => Arc::new(engine),
        Err(error) => {
            eprintln!("no engine to test with: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in runs::TESTS {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let before = Instant::now();
        let task = tokio::task::LocalSet::new();
        let test = test(engine.clone());
        let mut task =
            Box::pin(task.run_until(async move { tokio::task::spawn_local(test).await }));
        let ended = tokio::time::timeout(LONGEST, &mut task).await;
        let is_ok = matches!(ended, Ok(Ok(())));
        engine.remove_containers().await;
        let word = if is_ok { "ok" } else { "FAILED" };
        println!(
            "test {name} ... {word} ({:.1} s)",
            before.elapsed().as_secs_f64()
        );
        if is_ok { passed += 1 } else { failed += 1 }
    }
    engine.stop().await;
    println!("test result: {passed} passed; {failed} failed");
    match failed == 0 && passed > 0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
