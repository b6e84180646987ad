//! The program, a real engine, and a local CloudWatch Logs.

use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use cloudwatch_local::{CloudWatchLocal, Fault};
use tokio::process::{Child, Command};

use crate::engine::{Engine, IMAGE};

type Test = fn(Arc<Engine>) -> Pin<Box<dyn Future<Output = ()>>>;

macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        pub(crate) const TESTS: &[(&str, Test)] = &[
            $((stringify!($name), |engine| Box::pin($name(engine))),)+
        ];
    };
}

tests!(
    both_streams_arrive_and_the_exit_code_is_the_containers,
    missing_shell_and_missing_program_are_told_and_leave_nothing_behind,
    hundred_thousand_lines_arrive_in_order,
    long_lines_and_bytes_that_are_no_text_arrive,
    output_of_a_terminal_arrives_as_the_terminal_shows_it,
    container_that_is_killed_gives_its_code,
    signal_stops_the_container_and_ships_what_it_says_in_its_grace,
    containers_to_come_are_shipped_by_their_label,
    killed_run_goes_on_with_its_container,
    service_that_is_away_does_not_hold_the_container_up,
    engine_that_is_restarted_costs_nothing,
);

struct World {
    engine: Arc<Engine>,
    aws: CloudWatchLocal,
}

impl World {
    async fn new(engine: Arc<Engine>) -> Self {
        let aws = CloudWatchLocal::builder().start().await.unwrap();
        Self { engine, aws }
    }

    fn start(&self, words: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cw-run"));
        command
            .args(words)
            .env_clear()
            .env("DOCKER_HOST", self.engine.url())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", self.aws.url())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("CW_RUN_GROUP", "g")
            .env("CW_RUN_STREAM", "s")
            .env("CW_RUN_FLUSH_INTERVAL", "100ms")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.spawn().unwrap()
    }

    /// Runs a script in a container that is labelled for removal.
    fn script(&self, options: &[&str], script: &str) -> Child {
        let label = self.engine.label.clone();
        let words = [
            &["--label", &label][..],
            options,
            &["--", IMAGE, "sh", "-c", script],
        ]
        .concat();
        self.start(&words)
    }

    fn messages(&self) -> Vec<String> {
        let messages = self.aws.logs().messages("g", "s");
        messages.iter().map(ToString::to_string).collect()
    }
}

async fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().await.unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

async fn signal(child: &Child, name: &str) {
    let pid = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .await
            .unwrap()
            .success()
    );
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

async fn both_streams_arrive_and_the_exit_code_is_the_containers(engine: Arc<Engine>) {
    let world = World::new(engine).await;
    let label = world.engine.label.clone();
    let words = [
        "--label",
        &label,
        "--rm",
        "--stderr-stream",
        "err",
        "--docker-image",
        IMAGE,
        "--shell",
        "sh",
        "--bash-command",
        "echo out; echo err >&2; exit 3",
    ];
    let (code, log) = end(world.start(&words)).await;
    assert_eq!(code, Some(3), "{log}");
    assert_eq!(world.messages(), ["out"]);
    assert_eq!(world.aws.logs().messages("g", "err").len(), 1);
    let filter = format!("label={label}");
    assert_eq!(
        world
            .engine
            .docker_text(&["ps", "-aq", "--filter", &filter])
            .await,
        ""
    );
}

async fn missing_shell_and_missing_program_are_told_and_leave_nothing_behind(engine: Arc<Engine>) {
    let world = World::new(engine).await;
    let label = world.engine.label.clone();
    let (code, log) = end(world.start(&[
        "--label",
        &label,
        "--docker-image",
        IMAGE,
        "--bash-command",
        "x",
    ]))
    .await;
    assert_eq!(code, Some(127), "{log}");
    assert!(log.contains("has no bash: write --shell sh"), "{log}");
    for (program, expected) in [("/nowhere", 127), ("/etc/passwd", 126)] {
        let (code, log) = end(world.start(&["--label", &label, "--", IMAGE, program])).await;
        assert_eq!(code, Some(expected), "{log}");
    }
    let filter = format!("label={label}");
    assert_eq!(
        world
            .engine
            .docker_text(&["ps", "-aq", "--filter", &filter])
            .await,
        ""
    );
}

async fn hundred_thousand_lines_arrive_in_order(engine: Arc<Engine>) {
    let world = World::new(engine).await;
    let (code, log) = end(world.script(
        &[],
        "i=0; while [ $i -lt 100000 ]; do echo $i; i=$((i+1)); done",
    ))
    .await;
    assert_eq!(code, Some(0), "{log}");
    assert!(world.messages() == numbered(100_000), "{log}");
}

async fn long_lines_and_bytes_that_are_no_text_arrive(engine: Arc<Engine>) {
    let world = World::new(engine).await;
    let script = r"head -c 1100000 /dev/zero | tr '\0' x; echo; printf 'a\377b\n\n'; printf end";
    let (code, log) = end(world.script(&[], script)).await;
    assert_eq!(code, Some(0), "{log}");
    let lengths: Vec<_> = world.messages().iter().map(String::len).collect();
    assert_eq!(lengths, [1_048_550, 1_100_000 - 1_048_550, 5, 3]);
}

async fn output_of_a_terminal_arrives_as_the_terminal_shows_it(engine: Arc<Engine>) {
    let world = World::new(engine).await;
    let label = world.engine.label.clone();
    world
        .engine
        .docker_text(&[
            "run",
            "-dt",
            "--label",
            &label,
            "--name",
            "tty",
            IMAGE,
            "sh",
            "-c",
            "echo a; echo b >&2; sleep 1",
        ])
        .await;
    let (code, log) = end(world.start(&["attach", "tty"])).await;
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(world.messages(), ["a\r", "b\r"]);
}

async fn container_that_is_killed_gives_its_code(engine: Arc<Engine>) {
    let world = World::new(engine).await;
    let child = world.script(&["--name", "killed"], "echo x; exec sleep 1000");
    world.aws.logs().events_at_least(1).await;
    world.engine.docker_text(&["kill", "killed"]).await;
    let (code, log) = end(child).await;
    assert_eq!(
        (code, world.messages()),
        (Some(137), vec!["x".to_owned()]),
        "{log}"
    );
}

async fn signal_stops_the_container_and_ships_what_it_says_in_its_grace(engine: Arc<Engine>) {
    let world = World::new(engine).await;
    let child = world.script(
        &["--rm"],
        "trap 'echo bye; exit 5' TERM; echo hello; while :; do usleep 50000; done",
    );
    world.aws.logs().events_at_least(1).await;
    signal(&child, "TERM").await;
    let (code, log) = end(child).await;
    assert_eq!(code, Some(5), "{log}");
    assert_eq!(world.messages(), ["hello", "bye"]);
}

async fn containers_to_come_are_shipped_by_their_label(engine: Arc<Engine>) {
    let world = World::new(engine).await;
    let label = world.engine.label.clone();
    let run = |name: &'static str| {
        let (engine, label) = (world.engine.clone(), label.clone());
        async move {
            engine
                .docker_text(&[
                    "run",
                    "-d",
                    "--label",
                    &label,
                    "--name",
                    name,
                    IMAGE,
                    "sh",
                    "-c",
                    "echo $0; exec sleep 1000",
                    name,
                ])
                .await;
        }
    };
    run("before").await;
    let child = world.start(&["attach", "--label", &label]);
    world.aws.logs().events_at_least(1).await;
    run("after").await;
    world.aws.logs().events_at_least(2).await;
    signal(&child, "TERM").await;
    let (code, log) = end(child).await;
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(world.messages(), ["before", "after"]);
}

async fn killed_run_goes_on_with_its_container(engine: Arc<Engine>) {
    let world = World::new(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let options = ["--checkpoint", path.to_str().unwrap()];
    let script = "i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); usleep 10000; done; exit 6";
    for _ in 0..3 {
        let mut child = world.script(&options, script);
        tokio::time::sleep(Duration::from_millis(900)).await;
        child.start_kill().unwrap();
        child.wait().await.unwrap();
    }
    let (code, log) = end(world.script(&options, script)).await;
    assert_eq!(code, Some(6), "{log}");
    let mut messages = world.messages();
    messages.sort_by_key(|message| message.parse::<usize>().unwrap());
    messages.dedup();
    assert_eq!(messages, numbered(300));
}

async fn service_that_is_away_does_not_hold_the_container_up(engine: Arc<Engine>) {
    let world = World::new(engine).await;
    world.aws.logs().fail_always(Fault::cut());
    let line = "x".repeat(1000);
    let script = format!("i=0; while [ $i -lt 40000 ]; do echo {line}; i=$((i+1)); done");
    let child = world.script(&["--name", "away"], &script);
    let mut state = String::new();
    for _ in 0..600 {
        state = world
            .engine
            .docker(&["inspect", "-f", "{{.State.Status}}", "away"])
            .await
            .map_or(String::new(), |output| {
                String::from_utf8_lossy(&output.stdout).trim().to_owned()
            });
        if state == "exited" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(state, "exited");
    assert_eq!(world.aws.logs().events_accepted(), 0);
    world.aws.logs().heal();
    let (code, log) = end(child).await;
    assert_eq!(
        (code, world.aws.logs().events_accepted()),
        (Some(0), 40_000),
        "{log}"
    );
}

async fn engine_that_is_restarted_costs_nothing(engine: Arc<Engine>) {
    let world = World::new(engine).await;
    let script = "i=0; while [ $i -lt 600 ]; do echo $i; i=$((i+1)); usleep 10000; done; exit 2";
    let child = world.script(&["--name", "restarted"], script);
    world.aws.logs().events_at_least(50).await;
    world.engine.stop_daemon().await;
    world.engine.start_daemon().await.unwrap();
    let (code, log) = end(child).await;
    assert_eq!(code, Some(2), "{log}");
    // A line that the engine had read and not yet written when it stopped is lost to all.
    let kept = world.engine.docker_text(&["logs", "restarted"]).await;
    let kept: Vec<_> = kept.lines().collect();
    assert_eq!(world.messages(), kept, "{log}");
    assert!(kept.len() > 590, "{}", kept.len());
}
