//! Executing programs.

use docker_local::{Container, DockerLocal, Exec};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{engine, frames, get, post, read, send};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

async fn create(engine: &DockerLocal, body: &Value) -> String {
    let made = post(engine, "/v1.41/containers/web/exec", &body.to_string()).await;
    assert_eq!(made.status, 201);
    made.json()["Id"].as_str().unwrap().to_owned()
}

async fn inspect(engine: &DockerLocal, id: &str) -> Value {
    get(engine, &format!("/v1.41/exec/{id}/json")).await.json()
}

#[tokio::test]
async fn output_and_exit_code_are_the_scripts() {
    let engine = engine().await;
    engine.add(Container::named("web").running().on_exec(|exec| {
        assert_eq!(
            (&*exec.user, &*exec.env),
            ("guest", &["A=b".to_owned()][..])
        );
        Exec::new().stdout(exec.cmd.join(" ")).stderr("no").exit(3)
    }));
    let body = json!({"Cmd": ["a", "b"], "User": "guest", "Env": ["A=b"]});
    let id = create(&engine, &body).await;
    assert_eq!(inspect(&engine, &id).await["ExitCode"], Value::Null);
    let target = format!("/v1.41/exec/{id}/start");
    let output = read(&mut send(&engine, "POST", &target, UPGRADE, "{}").await).await;
    assert_eq!(output.status, 101);
    assert_eq!(
        frames(&output.body),
        [(1, "a b".to_owned()), (2, "no".to_owned())]
    );
    let done = inspect(&engine, &id).await;
    assert_eq!(
        (&done["ExitCode"], &done["Running"]),
        (&json!(3), &json!(false))
    );
    assert_eq!(post(&engine, &target, "{}").await.status, 409);
}

#[tokio::test]
async fn input_goes_in_until_its_end() {
    let engine = engine().await;
    engine.add(
        Container::named("web")
            .running()
            .on_exec(|_| Exec::new().echo_input().stderr("end")),
    );
    let id = create(
        &engine,
        &json!({"Cmd": ["cat"], "AttachStdin": true, "Tty": true}),
    )
    .await;
    let target = format!("/v1.41/exec/{id}/start");
    let mut connection = send(&engine, "POST", &target, UPGRADE, "{}").await;
    connection.write_all(b"abc").await.unwrap();
    connection.shutdown().await.unwrap();
    let mut all = Vec::new();
    connection.read_to_end(&mut all).await.unwrap();
    assert!(
        all.ends_with(b"\r\n\r\nabcend"),
        "{}",
        String::from_utf8_lossy(&all)
    );
}

#[tokio::test]
async fn program_runs_on_without_its_connection_until_it_is_killed() {
    let engine = engine().await;
    engine.add(
        Container::named("web")
            .running()
            .on_exec(|exec| match &*exec.cmd[0] {
                "kill" => Exec::new().kill_others(),
                _ => Exec::new().until_killed(),
            }),
    );
    let id = create(&engine, &json!({"Cmd": ["sleep"]})).await;
    let target = format!("/v1.41/exec/{id}/start");
    drop(send(&engine, "POST", &target, UPGRADE, "{}").await);
    engine.requests_at_least("POST /exec/*/start", 1).await;
    assert_eq!(inspect(&engine, &id).await["Running"], true);
    let killer = create(&engine, &json!({"Cmd": ["kill"]})).await;
    post(&engine, &format!("/v1.41/exec/{killer}/start"), "{}").await;
    while inspect(&engine, &id).await["Running"] == true {
        tokio::task::yield_now().await;
    }
    assert_eq!(inspect(&engine, &id).await["ExitCode"], 137);
}

#[tokio::test]
async fn program_that_is_not_there_has_no_process() {
    let engine = engine().await;
    engine.add(Container::named("web").running());
    let id = create(&engine, &json!({"Cmd": ["nosuch"]})).await;
    let output = post(&engine, &format!("/v1.41/exec/{id}/start"), "{}").await;
    let [(1, text)] = &frames(&output.body)[..] else {
        panic!("{:?}", output.body);
    };
    assert!(text.ends_with("exec: \"nosuch\": executable file not found in $PATH: unknown\r\n"));
    let done = inspect(&engine, &id).await;
    assert_eq!((&done["ExitCode"], &done["Pid"]), (&json!(126), &json!(0)));
}

#[tokio::test]
async fn nothing_is_executed_unless_the_container_runs() {
    let engine = engine().await;
    engine.add(Container::named("web").exited(0));
    let refused = post(&engine, "/v1.41/containers/web/exec", r#"{"Cmd":["a"]}"#).await;
    assert_eq!(refused.status, 409);
    assert!(refused.message().ends_with(" is not running"));
}
