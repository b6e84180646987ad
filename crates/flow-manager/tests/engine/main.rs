//! The program on a real engine, which is started for it: own socket, own data, own bridge.
//!
//! It needs root, `dockerd`, the `docker` command, `ip` and a static `busybox`, and fails
//! where they are not there:
//!
//! ```text
//! cargo test -p flow-manager --test engine [-- PART-OF-A-NAME …]
//! ```

// All of this is test code, helpers included.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "../it/client.rs"]
#[allow(dead_code, reason = "the tests with a scripted engine use all of it")]
mod client;
// The engine is started as for the tests of its client.
#[path = "../../../docker-client/tests/engine/engine.rs"]
#[allow(dead_code, reason = "the tests of the client use all of it")]
mod engine;
mod fences;
mod kills;
mod operations;
#[path = "../it/support.rs"]
#[allow(dead_code, reason = "the tests with a scripted engine use all of it")]
mod support;
mod updates;

use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::engine::Engine;

/// No test takes so long, unless something hangs.
const LONGEST: Duration = Duration::from_secs(300);

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
        operations::TESTS,
        fences::TESTS,
        updates::TESTS,
        kills::TESTS,
    ];
    let all = tables.concat().into_iter();
    let chosen =
        all.filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(part)));
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
        remove_all(&engine).await;
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
    println!(
        "test result: {passed} passed; {} failed {failed:?}",
        failed.len()
    );
    match failed.is_empty() && passed > 0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// The engine is the tests' own, so all that it has is theirs: what flow-manager made carries
/// its labels, and not that of the run.
async fn remove_all(engine: &Engine) {
    let list = containers(engine).await;
    if !list.is_empty() {
        let ids: Vec<_> = list.iter().map(String::as_str).collect();
        let _ = engine
            .docker(&[&["rm", "--force", "--volumes"], &ids[..]].concat())
            .await;
    }
}

/// The ids of all containers.
pub(crate) async fn containers(engine: &Engine) -> Vec<String> {
    let list = engine
        .docker(&["ps", "--all", "--quiet", "--no-trunc"])
        .await;
    let list = list.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    list.unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}
