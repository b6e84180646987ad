//! Commands inside containers.

use std::sync::Arc;
use std::time::Duration;

use docker_client::{DockerApiClient, DockerClientError, Exec, ExecItem, Source};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout};

use crate::engine::Engine;
use crate::support::{eventually, run, script, sleeper};
use crate::tests;

tests![
    streams_and_exit_code_are_apart,
    output_is_whole_and_binary,
    input_is_read_to_its_end,
    user_workdir_and_environment_are_taken,
    terminal_joins_the_streams,
    missing_program_is_no_result,
    bad_workdir_is_no_result,
    codes_of_the_programs_own_are_results,
    command_that_does_not_end_is_killed,
    command_that_cannot_be_killed_is_told_with_its_process,
    many_at_once_keep_their_output,
    stream_yields_as_it_comes,
];

fn sh(script: &str) -> Exec {
    Exec::new(["sh", "-c", script])
}

async fn started(engine: &Engine, name: &str) -> DockerApiClient {
    let client = engine.client().await;
    sleeper(engine, &client, name).await;
    client
}

async fn streams_and_exit_code_are_apart(engine: Arc<Engine>) {
    let client = started(&engine, "apart").await;
    let result = client
        .exec_command("apart", sh("echo out; echo err >&2; exit 3"))
        .await
        .unwrap();
    assert_eq!(
        (
            result.exit_code,
            &*result.stdout_text(),
            &*result.stderr_text()
        ),
        (3, "out\n", "err\n")
    );
    let nothing = client
        .exec_command("apart", Exec::new(["true"]))
        .await
        .unwrap();
    assert_eq!(
        (
            nothing.exit_code,
            nothing.stdout.len(),
            nothing.stderr.len()
        ),
        (0, 0, 0)
    );
}

async fn output_is_whole_and_binary(engine: Arc<Engine>) {
    let client = started(&engine, "whole").await;
    let exec = sh("printf '\\001\\000\\377'; head -c 5000000 /dev/zero");
    let result = client.exec_command("whole", exec).await.unwrap();
    assert_eq!(result.stdout[..3], [1, 0, 255]);
    assert_eq!(result.stdout.len(), 5_000_003);
    let mut small = sh("head -c 5000 /dev/zero");
    small.max_output = 1000;
    let result = client.exec_command("whole", small).await;
    assert!(
        matches!(result, Err(DockerClientError::TooLarge { limit: 1000, .. })),
        "{result:?}"
    );
}

async fn input_is_read_to_its_end(engine: Arc<Engine>) {
    let client = started(&engine, "input").await;
    for length in [0, 1, 3_000_000] {
        let input: Vec<u8> = (0..length).map(|n: u32| n.to_le_bytes()[0]).collect();
        let mut exec = Exec::new(["cat"]);
        exec.stdin = Some(input.clone().into());
        let result = client.exec_command("input", exec).await.unwrap();
        assert!(result.stdout == input, "{length}: {}", result.stdout.len());
    }
}

async fn user_workdir_and_environment_are_taken(engine: Arc<Engine>) {
    let client = started(&engine, "who").await;
    let mut exec = sh("id -un; pwd; echo \"$A\"");
    exec.user = Some("guest".to_owned());
    exec.workdir = Some("/etc".to_owned());
    exec.env = vec![("A".to_owned(), "b c".to_owned())];
    let result = client.exec_command("who", exec).await.unwrap();
    assert_eq!(result.stdout_text(), "guest\n/etc\nb c\n");
}

async fn terminal_joins_the_streams(engine: Arc<Engine>) {
    let client = started(&engine, "tty").await;
    let mut exec = sh("test -t 1 && echo a; echo b >&2; exit 4");
    exec.tty = true;
    let result = client.exec_command("tty", exec).await.unwrap();
    assert_eq!(
        (result.exit_code, &*result.stdout_text(), &*result.stderr),
        (4, "a\r\nb\r\n", &[][..])
    );
}

async fn missing_program_is_no_result(engine: Arc<Engine>) {
    let client = started(&engine, "missing").await;
    let result = client
        .exec_command("missing", Exec::new(["nosuch", "-x"]))
        .await;
    match result {
        Err(DockerClientError::ContainerCommand {
            name,
            command,
            exit_code,
            output,
        }) => {
            assert_eq!(
                (&*name, command),
                ("missing", vec!["nosuch".to_owned(), "-x".to_owned()])
            );
            assert!([126, 127].contains(&exit_code), "{exit_code}");
            assert!(output.contains("executable file not found"), "{output}");
        }
        other => panic!("{other:?}"),
    }
}

async fn bad_workdir_is_no_result(engine: Arc<Engine>) {
    let client = started(&engine, "nodir").await;
    let mut exec = Exec::new(["true"]);
    exec.workdir = Some("/no/such/folder".to_owned());
    let result = client.exec_command("nodir", exec).await;
    match result {
        Err(DockerClientError::ContainerCommand { output, .. }) => {
            assert!(output.contains("/no/such/folder"), "{output}");
        }
        other => panic!("{other:?}"),
    }
}

async fn codes_of_the_programs_own_are_results(engine: Arc<Engine>) {
    let client = started(&engine, "codes").await;
    for code in [1, 126, 127, 137, 255] {
        let result = client
            .exec_command("codes", sh(&format!("exit {code}")))
            .await
            .unwrap();
        assert_eq!(result.exit_code, code);
    }
}

async fn command_that_does_not_end_is_killed(engine: Arc<Engine>) {
    let client = started(&engine, "slow").await;
    // A child of it is to be killed too.
    let mut exec = sh("sleep 4321 & echo begun; sleep 4321");
    exec.timeout = Some(Duration::from_secs(1));
    let before = Instant::now();
    let result = client.exec_command("slow", exec).await;
    assert!(before.elapsed() < Duration::from_secs(15));
    match result {
        Err(DockerClientError::ExecTimeout { killed, after, .. }) => {
            assert_eq!((killed, after), (true, Duration::from_secs(1)));
        }
        other => panic!("{other:?}"),
    }
    eventually("nothing of it is left", async || {
        let left = client
            .exec_command("slow", sh("ps | grep -c '[s]leep 4321'"))
            .await
            .unwrap();
        left.stdout_text() == "0\n"
    })
    .await;
}

/// Without a shell nothing can look for it.
async fn command_that_cannot_be_killed_is_told_with_its_process(engine: Arc<Engine>) {
    let client = engine.client().await;
    let without = script(&engine, "noshell", "rm /bin/sh; exec sleep 1000");
    run(&client, without).await;
    eventually("the shell is gone", async || {
        let gone = client.exec_command("noshell", Exec::new(["test", "-e", "/bin/sh"]));
        gone.await.unwrap().exit_code == 1
    })
    .await;
    let mut exec = Exec::new(["sleep", "4321"]);
    exec.timeout = Some(Duration::from_secs(1));
    let pid = match client.exec_command("noshell", exec).await {
        Err(DockerClientError::ExecTimeout {
            killed: false, pid, ..
        }) => pid,
        other => panic!("{other:?}"),
    };
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(command, b"sleep\x004321\0");
}

async fn many_at_once_keep_their_output(engine: Arc<Engine>) {
    let client = started(&engine, "many").await;
    let commands = (0..20).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let exec = sh(&format!("echo {number}; exit {number}"));
            let result = client.exec_command("many", exec).await.unwrap();
            assert_eq!(result.stdout_text(), format!("{number}\n"));
            assert_eq!(result.exit_code, number);
        })
    });
    for command in commands.collect::<Vec<_>>() {
        command.await.unwrap();
    }
}

async fn stream_yields_as_it_comes(engine: Arc<Engine>) {
    let client = started(&engine, "stream").await;
    let exec = sh("echo first; while [ ! -e /tmp/go ]; do usleep 10000; done; exit 5");
    let mut stream = client.exec_stream("stream", exec).await.unwrap();
    let mut next = async || {
        timeout(Duration::from_secs(20), stream.next())
            .await
            .unwrap()
    };
    match next().await {
        Some(Ok(ExecItem::Output { stream, bytes })) => {
            assert_eq!((stream, &bytes[..]), (Source::Stdout, &b"first\n"[..]));
        }
        other => panic!("{other:?}"),
    }
    client
        .exec_command("stream", sh("touch /tmp/go"))
        .await
        .unwrap();
    match next().await {
        Some(Ok(ExecItem::Exited { exit_code })) => assert_eq!(exit_code, 5),
        other => panic!("{other:?}"),
    }
    assert!(next().await.is_none());
}
