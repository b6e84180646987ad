use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use docker_local::{Answer, Fault};
use serde_json::json;

use crate::support::{GROUP, World, end, numbered, text};

#[tokio::test]
async fn lines_arrive_in_order_and_the_exit_code_is_the_containers() {
    let world = World::new().await;
    world.engine.add_program("python", |container| {
        container.stdout(text(0..1000));
        container.exit(7);
    });
    // The main job, in the words of the original, with the keys as arguments.
    let url = world.aws.url();
    let words = [
        "--docker-image",
        "python",
        "--bash-command",
        "echo hello",
        "--aws-cloudwatch-group",
        GROUP,
        "--aws-cloudwatch-stream",
        "today",
        "--aws-region",
        "eu-central-1",
        "--aws-access-key-id",
        "test",
        "--aws-secret-access-key",
        "test",
        "--endpoint-url",
        &url,
    ];
    let mut command = world.command(&words);
    for name in [
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
        "CW_RUN_GROUP",
        "CW_RUN_STREAM",
    ] {
        command.env_remove(name);
    }
    let ended = end(command.spawn().unwrap()).await;
    assert_eq!((ended.code, &*ended.stdout), (Some(7), ""), "{ended:?}");
    assert_eq!(world.messages(), numbered(0..1000));
    assert_eq!(world.aws.logs().batches()[0].region, "eu-central-1");
    let summary = ended.logged("summary").unwrap();
    assert_eq!(
        (
            &summary["lines"],
            &summary["duplicates_possible"],
            &summary["exit_code"]
        ),
        (&json!(1000), &json!(0), &json!(7))
    );
    assert!(
        ended.stderr.contains("secrets on the command line"),
        "{ended:?}"
    );
    let created = world.engine.requests_to("POST /containers/create")[0].json();
    assert_eq!(created["Entrypoint"], json!(["bash", "-c", "echo hello"]));
    assert!(
        !created.to_string().contains("AWS_") && !created.to_string().contains("AutoRemove\":true"),
        "{created}"
    );
    assert!(world.engine.requests_to("DELETE /containers/*").is_empty());
}

#[tokio::test]
async fn settings_of_the_container_reach_the_engine() {
    let world = World::new().await;
    world
        .engine
        .add_program("fixture:1", |container| container.exit(0));
    let words = [
        "--env",
        "A=1",
        "-v",
        "/srv:/data:ro",
        "-v",
        "/scratch",
        "--platform",
        "linux",
        "-w",
        "/data",
        "-u",
        "1000:1000",
        "--network",
        "host",
        "-m",
        "0.0625g",
        "--cpus",
        "1.5",
        "--name",
        "job",
        "--entrypoint",
        "run",
        "--label",
        "a=b",
        "--stop-timeout",
        "3",
        "--",
        "fixture:1",
        "x",
        "y z",
    ];
    let ended = world.run(&words).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let create = &world.engine.requests_to("POST /containers/create")[0];
    let body = create.json();
    assert_eq!(create.query("name"), Some("job"));
    assert_eq!(create.query("platform"), Some("linux"));
    for (pointer, value) in [
        ("/Image", json!("fixture:1")),
        ("/Cmd", json!(["x", "y z"])),
        ("/Entrypoint", json!(["run"])),
        ("/Env", json!(["A=1"])),
        ("/WorkingDir", json!("/data")),
        ("/User", json!("1000:1000")),
        ("/StopTimeout", json!(3)),
        ("/Labels/a", json!("b")),
        ("/HostConfig/Binds", json!(["/srv:/data:ro"])),
        ("/Volumes", json!({"/scratch": {}})),
        ("/HostConfig/Memory", json!(64 << 20)),
        ("/HostConfig/NanoCpus", json!(1_500_000_000)),
        ("/HostConfig/NetworkMode", json!("host")),
    ] {
        assert_eq!(body.pointer(pointer), Some(&value), "{pointer}: {body}");
    }
}

#[tokio::test]
async fn image_is_pulled_as_the_policy_says() {
    for (policy, there, pulls) in [
        ("missing", true, 0),
        ("missing", false, 1),
        ("always", true, 1),
        ("never", true, 0),
    ] {
        let world = World::new().await;
        if there {
            world
                .engine
                .add_program("fixture:1", |container| container.exit(0));
        }
        let mut child = world.start(&["--pull", policy, "--name", "job", "--", "fixture:1"]);
        if !there {
            world.running("job").await.exit(0);
        }
        assert!(child.wait().await.unwrap().success());
        assert_eq!(
            world.engine.requests_to("POST /images/create").len(),
            pulls,
            "{policy} {there}"
        );
    }
    let world = World::new().await;
    let ended = world.run(&["--pull", "never", "--", "nowhere:1"]).await;
    assert_eq!(
        (ended.code, ended.text().len()),
        (Some(125), 1),
        "{ended:?}"
    );
    assert!(ended.text()[0].contains("--pull"), "{ended:?}");
}

#[tokio::test]
async fn container_is_removed_by_us_once_its_lines_were_accepted() {
    let world = World::new().await;
    world.engine.add_program("fixture:1", |container| {
        container.stdout("hello\n");
        container.exit(0);
    });
    let ended = world
        .run(&["--rm", "--name", "job", "--", "fixture:1"])
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.messages(), ["hello"]);
    assert!(world.engine.container("job").is_none());
}

#[tokio::test]
async fn missing_shell_is_told_with_what_to_write_and_leaves_nothing_behind() {
    let world = World::new().await;
    world.engine.add_image("fixture:1");
    let message =
        "OCI runtime create failed: exec: \"bash\": executable file not found in $PATH: unknown";
    // The engine has the program's exit code in the container's state then.
    let was_started = AtomicBool::new(false);
    world.engine.fail_when(move |request| {
        if request.path.ends_with("/start") {
            was_started.store(true, Ordering::Relaxed);
            return Some(Fault::error(400, message));
        }
        let id = request.path.strip_suffix("/json")?.rsplit('/').next()?;
        let state = json!({"Status": "created", "Running": false, "ExitCode": 127});
        let info = json!({"Id": id, "Name": "/job", "Image": "sha256:0", "State": state,
            "Created": "2026-11-21T10:00:00Z", "Config": {"Image": "fixture:1", "Tty": false},
            "HostConfig": {"LogConfig": {"Type": "json-file", "Config": {}}}});
        let answer = Answer::json(200, info.to_string());
        let is_after = was_started.load(Ordering::Relaxed);
        is_after.then(|| Fault::answer(answer))
    });
    let ended = world
        .run(&[
            "--name",
            "job",
            "--docker-image",
            "fixture:1",
            "--bash-command",
            "x",
        ])
        .await;
    // As `docker run` has it.
    assert_eq!(
        (ended.code, ended.text().len()),
        (Some(127), 1),
        "{ended:?}"
    );
    assert!(world.engine.container("job").is_none());
}

#[tokio::test]
async fn lines_are_printed_if_that_is_asked_for_and_a_closed_output_stops_nothing() {
    let world = World::new().await;
    world.engine.add_program("fixture:1", |container| {
        container.stdout(text(0..500));
        container.stderr("e\n");
        container.exit(0);
    });
    let ended = world.run(&["--tee", "--", "fixture:1"]).await;
    assert_eq!(
        (ended.code, ended.stdout.lines().count()),
        (Some(0), 501),
        "{ended:?}"
    );
    let mut child = world
        .command(&["--tee", "--", "fixture:1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.aws.logs().events_accepted(), 1002);
}

#[tokio::test]
async fn group_is_made_as_it_is_asked_for() {
    let world = World::new().await;
    world
        .engine
        .add_program("fixture:1", |container| container.exit(0));
    let words = [
        "--retention-days",
        "14",
        "--log-group-class",
        "INFREQUENT_ACCESS",
        "--tag",
        "owner=ops",
        "--kms-key-id",
        "arn:aws:kms:us-east-1:123456789012:key/k",
        "--",
        "fixture:1",
    ];
    let ended = world.run(&words).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let group = &world.aws.logs().groups()[0];
    assert_eq!(
        (&*group.name, group.retention_days, &*group.class),
        (GROUP, Some(14), "INFREQUENT_ACCESS")
    );
    assert_eq!(group.tags["owner"], "ops");
    assert!(group.kms_key.is_some());
    // One that prints nothing has its stream, too.
    assert_eq!(group.streams[0].name, "today");
}

#[tokio::test]
async fn nothing_is_created_where_that_is_not_wanted() {
    let world = World::new().await;
    world
        .engine
        .add_program("fixture:1", |container| container.exit(0));
    let ended = world
        .run(&["--no-create", "--name", "job", "--", "fixture:1"])
        .await;
    assert_eq!((ended.code, ended.text().len()), (Some(78), 1), "{ended:?}");
    assert!(ended.text()[0].contains("--no-create"), "{ended:?}");
    assert!(world.engine.container("job").is_none() && world.aws.logs().groups().is_empty());
    assert!(
        world
            .engine
            .requests_to("POST /containers/*/start")
            .is_empty()
    );
}
