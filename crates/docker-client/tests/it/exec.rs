//! Commands through trouble.

use std::time::Duration;

use docker_client::{DockerApiClient, DockerClientError, Exec};
use docker_local::{Container, DockerLocal, Exec as Script, ExecRequest, Fault};

use crate::support::{client, engine};

/// An engine with the container `web`, in which this happens, and a client.
async fn executing(
    script: impl Fn(&ExecRequest) -> Script + Send + Sync + 'static,
) -> (DockerLocal, DockerApiClient) {
    let engine = engine().await;
    engine.add(Container::named("web").running().on_exec(script));
    let client = client(&engine).await;
    (engine, client)
}

fn sleeping() -> Exec {
    let mut exec = Exec::new(["sleep", "1000"]);
    exec.timeout = Some(Duration::from_millis(50));
    exec
}

#[tokio::test]
async fn exit_code_is_asked_for() {
    let (engine, client) = executing(|_| Script::new().stdout("a").stderr("b").exit(9)).await;
    let result = client.exec_command("web", Exec::new(["x"])).await.unwrap();
    assert_eq!(
        (result.exit_code, &*result.stdout, &*result.stderr),
        (9, &b"a"[..], &b"b"[..])
    );
    assert!(!engine.requests_to("GET /exec/*/json").is_empty());
}

#[tokio::test]
async fn output_that_is_cut_is_no_result() {
    let (engine, client) = executing(|_| Script::new().stdout("0123456789").exit(0)).await;
    for place in 1..18 {
        engine.fail_next("POST /exec/*/start", [Fault::cut_body(place)]);
        let result = client.exec_command("web", Exec::new(["x"])).await;
        assert!(
            matches!(result, Err(DockerClientError::EngineUnavailable { .. })),
            "{place}: {result:?}"
        );
    }
}

#[tokio::test]
async fn frames_are_not_guessed_by_their_first_byte() {
    let engine = engine().await;
    let client = client(&engine).await;
    let raw = "\u{1}\0\0\0\0\0\0\u{2}hi";
    engine.add(
        Container::named("web")
            .running()
            .on_exec(move |_| Script::new().stdout(raw)),
    );
    for tty in [false, true] {
        let mut exec = Exec::new(["x"]);
        exec.tty = tty;
        let result = client.exec_command("web", exec).await.unwrap();
        assert_eq!(result.stdout, raw.as_bytes(), "tty {tty}");
    }
}

#[tokio::test]
async fn frame_of_the_engines_own_is_an_error() {
    let (_engine, client) =
        executing(|_| Script::new().stdout("a").frame(3, b"the disk is gone")).await;
    let error = client
        .exec_command("web", Exec::new(["x"]))
        .await
        .unwrap_err();
    assert!(
        matches!(error, DockerClientError::Engine { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("the disk is gone"), "{error}");
}

#[tokio::test]
async fn frame_of_no_kind_is_an_error() {
    let engine = engine().await;
    let client = client(&engine).await;
    for bytes in [&b"\x09\0\0\0\0\0\0\x01a"[..], b"plain text, no frames"] {
        let bytes = bytes.to_vec();
        let name = format!("web{}", bytes.len());
        engine.add(
            Container::named(&name)
                .running()
                .on_exec(move |_| Script::new().bytes(bytes.clone())),
        );
        let error = client
            .exec_command(&name, Exec::new(["x"]))
            .await
            .unwrap_err();
        assert!(
            matches!(error, DockerClientError::Decode { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn program_that_was_not_started_is_no_result() {
    let (_engine, client) = executing(|exec| match &*exec.cmd[0] {
        "own" => Script::new().exit(126),
        _ => Script::not_started(126, "exec failed: chdir to cwd"),
    })
    .await;
    assert_eq!(
        client
            .exec_command("web", Exec::new(["own"]))
            .await
            .unwrap()
            .exit_code,
        126
    );
    match client.exec_command("web", Exec::new(["other", "x"])).await {
        Err(DockerClientError::ContainerCommand {
            exit_code,
            output,
            command,
            ..
        }) => {
            assert_eq!((exit_code, &*command[1]), (126, "x"));
            assert!(output.contains("chdir to cwd"), "{output}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn command_that_takes_too_long_is_killed_by_its_mark() {
    let (engine, client) = executing(|exec| match &*exec.cmd[0] {
        "sleep" => Script::new().stdout("begun").until_killed(),
        _ => Script::new().kill_others(),
    })
    .await;
    match client.exec_command("web", sleeping()).await {
        Err(DockerClientError::ExecTimeout { killed, .. }) => assert!(killed),
        other => panic!("{other:?}"),
    }
    let made = engine.requests_to("POST /containers/*/exec");
    let marks = made[0].json()["Env"].as_array().unwrap().clone();
    let mark = marks.last().unwrap().as_str().unwrap();
    let (name, value) = mark.split_once('=').unwrap();
    let killer = made[1].json().to_string();
    assert!(
        killer.contains(name) && killer.contains(value),
        "{mark} is not in {killer}"
    );
}

#[tokio::test]
async fn command_that_cannot_be_killed_is_told_of() {
    // A container without a shell.
    let (_engine, client) = executing(|exec| match &*exec.cmd[0] {
        "sleep" => Script::new().until_killed(),
        _ => Script::not_started(127, "exec: \"sh\": executable file not found in $PATH"),
    })
    .await;
    let error = client.exec_command("web", sleeping()).await.unwrap_err();
    match error {
        DockerClientError::ExecTimeout { killed, pid, .. } => {
            assert_eq!((killed, pid), (false, 4242))
        }
        ref other => panic!("{other:?}"),
    }
    assert!(
        error.to_string().contains("still running with pid 4242"),
        "{error}"
    );
}

#[tokio::test]
async fn input_goes_in_and_ends() {
    let (_engine, client) = executing(|_| Script::new().echo_input().exit(1)).await;
    let mut exec = Exec::new(["cat"]);
    exec.stdin = Some(vec![b'x'; 100_000].into());
    let result = client.exec_command("web", exec).await.unwrap();
    assert_eq!((result.exit_code, result.stdout.len()), (1, 100_000));
}
