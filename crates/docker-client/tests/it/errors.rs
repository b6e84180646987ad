//! Each failure has its variant, and a message that says what to do.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use docker_client::{ContainerState, DockerApiClient, DockerClientError, LogOptions};
use docker_local::{Answer, Container, DockerLocal, Fault, State};

use crate::support::{LOGS, client, engine};

/// The user who owns nothing.
const NOBODY: u32 = 65_534;

async fn connected_to(oldest: &str, newest: &str) -> Result<(), DockerClientError> {
    let engine = DockerLocal::builder()
        .versions(oldest, newest)
        .start()
        .await
        .unwrap();
    let client = DockerApiClient::connect_to(&engine.url()).await?;
    client.list_containers(true).await.map(drop)
}

#[tokio::test]
async fn engine_of_another_age_says_who_is_to_be_upgraded() {
    for (versions, expected) in [(("1.5", "1.12"), "engine"), (("9.1", "9.9"), "client")] {
        match connected_to(versions.0, versions.1).await {
            Err(error @ DockerClientError::ApiVersion { older, .. }) => {
                assert_eq!(older, expected);
                let text = error.to_string();
                assert!(text.contains(&format!("upgrade the {expected}")), "{text}");
                assert!(text.contains(versions.1), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }
    connected_to("1.24", "1.60").await.unwrap();
    connected_to("1.12", "1.41").await.unwrap();
}

#[tokio::test]
async fn every_request_names_a_version() {
    let engine = engine().await;
    let client = client(&engine).await;
    engine.add(Container::named("web").running());
    client.list_containers(true).await.unwrap();
    client
        .get_container_logs("web", LogOptions::default())
        .await
        .unwrap();
    client.stats("web").await.unwrap();
    for request in engine.requests() {
        let negotiates = ["/_ping", "/version"].contains(&&*request.path);
        assert!(
            negotiates || request.version.as_deref() == Some("1.41"),
            "{request:?}"
        );
    }
}

#[tokio::test]
async fn refusals_of_the_engine_are_told_in_its_words() {
    let engine = engine().await;
    let client = client(&engine).await;
    engine.add(Container::named("web").running());
    let list_after = async |faults: Vec<Fault>| {
        engine.fail_next("GET /containers/json", faults);
        let error = client.list_containers(true).await.unwrap_err();
        assert_eq!(engine.faults_left(), 0);
        error
    };
    let list = async |fault| list_after(vec![fault]).await;
    let error = list(Fault::error(500, "no space left on device")).await;
    assert!(error.is_transient());
    match &error {
        DockerClientError::Engine {
            status: 500,
            message,
            ..
        } => {
            assert_eq!(message, "no space left on device");
        }
        other => panic!("{other:?}"),
    }
    assert!(error.to_string().contains("no space left on device"));
    let error = list(Fault::answer(Answer::bytes(502, "<html>Bad Gateway"))).await;
    assert!(
        matches!(error, DockerClientError::Engine { status: 502, .. }),
        "{error:?}"
    );
    for body in ["<html>", "{", "{}", "[{\"Id\":7}]"] {
        let error = list(Fault::answer(Answer::json(200, body))).await;
        assert!(
            matches!(error, DockerClientError::Decode { .. }),
            "{body}: {error:?}"
        );
    }
    for faults in [
        // What was not answered at all is asked once more.
        vec![Fault::cut(), Fault::cut()],
        vec![Fault::garbage()],
        vec![Fault::cut_body(1)],
    ] {
        let what = format!("{faults:?}");
        match list_after(faults).await {
            DockerClientError::EngineUnavailable { address, .. } => {
                assert_eq!(address, engine.url())
            }
            other => panic!("{what}: {other:?}"),
        }
    }
}

/// What answers may be no engine, and has all the time in the world.
#[tokio::test]
async fn answer_without_end_is_given_up() {
    let engine = engine().await;
    let client = client(&engine).await;
    let endless = Answer::bytes(200, vec![b' '; 80 << 20]);
    engine.fail_next("GET /containers/json", [Fault::answer(endless)]);
    match client.list_containers(true).await {
        Err(DockerClientError::Decode { source, .. }) => {
            let text = format!("{source:?}");
            assert!(text.contains("AnswerTooLong"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    let refusal = Answer::bytes(500, vec![b'x'; 2 << 20]);
    engine.fail_next(LOGS, [Fault::answer(refusal)]);
    engine.add(Container::named("web").running());
    let options = LogOptions::default();
    let error = client.get_container_logs("web", options).await.unwrap_err();
    assert!(
        matches!(error, DockerClientError::TooLarge { .. }),
        "{error:?}"
    );
    // The next call has its connection.
    assert_eq!(client.list_containers(true).await.unwrap().len(), 1);
}

#[tokio::test]
async fn states_of_an_instant_are_known() {
    let engine = engine().await;
    let client = client(&engine).await;
    let container = engine.add(Container::named("web").running());
    for (state, expected) in [
        (State::Removing, ContainerState::Removing),
        (State::Dead, ContainerState::Dead),
        (State::Restarting, ContainerState::Restarting),
    ] {
        container.set_state(state);
        assert_eq!(
            client.get_container_info("web").await.unwrap().state,
            expected
        );
        assert_eq!(
            client.list_containers(true).await.unwrap()[0].state,
            expected
        );
    }
    container.set_state(State::Removing);
    for result in [
        client.start_container("web").await,
        client.remove_container("web", true, false).await,
    ] {
        assert!(
            matches!(result, Err(DockerClientError::Conflict { .. })),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn running_is_never_guessed() {
    let engine = engine().await;
    let client = client(&engine).await;
    engine.add(Container::named("web").running());
    engine.fail_next(
        "GET /containers/*/json",
        [
            Fault::error(500, "a"),
            // What was not answered at all is asked once more.
            Fault::cut(),
            Fault::cut(),
            Fault::error(500, "b"),
        ],
    );
    client.container_is_running("web").await.unwrap_err();
    client.container_exists("web").await.unwrap_err();
    client.container_exists("web").await.unwrap_err();
    assert!(client.container_is_running("web").await.unwrap());
}

/// A socket that only its owner may open, seen by another user.
#[tokio::test]
async fn socket_of_others_says_which_group_to_join() {
    let folder = tempfile::tempdir().unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open.clone()).unwrap();
    let socket = folder.path().join("docker.sock");
    let engine = DockerLocal::builder()
        .socket(&socket)
        .start()
        .await
        .unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o660)).unwrap();
    let groups = std::fs::read_to_string("/etc/group").unwrap();
    let fields = groups
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let (group, number) = fields
        .map(|fields| (fields[0].to_owned(), fields[2].parse::<u32>().unwrap()))
        .find(|(_, number)| *number != 0)
        .unwrap();
    let program = folder.path().join("docker-client");
    std::fs::copy(env!("CARGO_BIN_EXE_docker-client"), &program).unwrap();
    std::fs::set_permissions(&program, open).unwrap();
    let mut command = Command::new(&program);
    command
        .arg("ps")
        .env("DOCKER_HOST", engine.url())
        .current_dir("/");
    let owner = std::fs::metadata(&socket).unwrap().uid();
    if owner == 0 {
        std::os::unix::fs::chown(&socket, None, Some(number)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    } else {
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("permission denied on "), "{text}");
    assert!(text.contains(&socket.display().to_string()), "{text}");
    if owner == 0 {
        let advice = format!("usermod -aG {group} USER");
        assert!(text.contains(&advice), "{text}");
    }
    assert_eq!(engine.requests().len(), 0);
}

#[tokio::test]
async fn deadline_is_that_of_the_call() {
    let engine = engine().await;
    let client = client(&engine).await;
    engine.add(Container::named("web").running());
    client.list_containers(true).await.unwrap();
    engine.fail_always("* /containers/*", Fault::hang());
    tokio::time::pause();
    let mut longest = Duration::ZERO;
    for result in [
        client.list_containers(true).await.map(drop),
        client.container_is_running("web").await.map(drop),
        client
            .get_container_logs("web", LogOptions::default())
            .await
            .map(drop),
        client.start_container("web").await,
        client
            .stop_container("web", Some(Duration::from_secs(100)))
            .await,
    ] {
        match result {
            Err(error @ DockerClientError::Timeout { after, .. }) => {
                assert!(error.is_transient());
                assert!(error.to_string().contains("no answer within"), "{error}");
                longest = after;
            }
            other => panic!("{other:?}"),
        }
    }
    // A stop may take its grace, and half a minute.
    assert_eq!(longest, Duration::from_secs(130));
}
