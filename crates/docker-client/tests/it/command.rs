//! The command `docker-client`: what it prints, and with which code it ends.

use std::process::{Output, Stdio};

use docker_local::{Container, DockerLocal, Exec, Fault};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::support::engine;

fn command(engine: &DockerLocal, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docker-client"));
    command
        .env("DOCKER_HOST", engine.url())
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn run(engine: &DockerLocal, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command(engine, arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test]
async fn ps_lists_as_a_table_or_as_json() {
    let engine = engine().await;
    let web = engine.add(Container::named("web").running());
    engine.add(Container::named("old").exited(3));
    let (code, table, _) = run(&engine, &["ps"]).await;
    assert_eq!(code, Some(0));
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(lines[0].starts_with("CONTAINER ID   IMAGE"), "{table}");
    assert!(
        lines[1].starts_with(&web.id()[..12]) && lines[1].ends_with("web"),
        "{table}"
    );
    assert!(!table.contains('\u{1b}'), "colours without a terminal");
    let (_, json, _) = run(&engine, &["ps", "--all", "--json"]).await;
    let list: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&list[0]["name"], &list[0]["state"]),
        (&"old".into(), &"exited".into())
    );
    assert_eq!(list.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn logs_go_where_they_were_written_to() {
    let engine = engine().await;
    let web = engine.add(Container::named("web").running());
    web.stdout("out\n");
    web.stderr("err\n");
    web.stdout("no end");
    web.exit(0);
    for follow in [&["logs", "web"][..], &["logs", "--follow", "web"]] {
        let (code, out, err) = run(&engine, follow).await;
        assert_eq!((code, &*out, &*err), (Some(0), "out\nno end", "err\n"));
    }
    let (_, json, _) = run(&engine, &["logs", "--json", "--tail", "1", "web"]).await;
    let line: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&line["text"], &line["partial"]),
        (&"no end".into(), &true.into())
    );
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn exec_ends_with_the_code_of_the_program() {
    let engine = engine().await;
    engine.add(
        Container::named("web")
            .running()
            .on_exec(|exec| match &*exec.cmd[0] {
                "nosuch" => {
                    Exec::not_started(127, "exec: \"nosuch\": executable file not found in $PATH")
                }
                _ => Exec::new().stdout(exec.cmd.join(" ")).stderr("err").exit(7),
            }),
    );
    let (code, out, err) = run(&engine, &["exec", "web", "ls", "-l"]).await;
    assert_eq!((code, &*out, &*err), (Some(7), "ls -l", "err"));
    let (code, _, err) = run(&engine, &["exec", "web", "nosuch"]).await;
    assert_eq!(code, Some(127));
    assert!(err.contains("executable file not found"), "{err}");
    let (code, json, _) = run(&engine, &["exec", "--json", "web", "ls"]).await;
    let result: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, &result["exit_code"], &result["stdout"]),
        (Some(0), &7.into(), &"ls".into())
    );
}

#[tokio::test]
async fn inspect_prints_what_it_found_and_fails_for_the_rest() {
    let engine = engine().await;
    engine.add(
        Container::named("web")
            .running()
            .env("A", "b")
            .health("healthy"),
    );
    let (code, json, err) = run(&engine, &["inspect", "web", "nope"]).await;
    assert_eq!(code, Some(1));
    let list: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(
        (&list[0]["environment"]["A"], &list[0]["health"]),
        (&"b".into(), &"healthy".into())
    );
    assert_eq!(
        err,
        "docker-client: no container \"nope\": `docker ps -a` lists those that exist\n"
    );
}

#[tokio::test]
async fn stats_are_those_of_docker_stats() {
    let engine = engine().await;
    engine.add(Container::named("web").running());
    let (code, table, err) = run(&engine, &["stats", "--no-stream"]).await;
    assert_eq!((code, &*err), (Some(0), ""));
    let row: Vec<_> = table
        .lines()
        .nth(1)
        .unwrap()
        .split("   ")
        .filter(|cell| !cell.is_empty())
        .collect();
    let cells: Vec<_> = row.iter().map(|cell| cell.trim()).collect();
    assert_eq!(
        cells,
        [
            "web",
            "0.00%",
            "380KiB / 23.54GiB",
            "0.00%",
            "736B / 0B",
            "0B / 0B",
            "1"
        ]
    );
}

#[tokio::test]
async fn events_come_as_they_happen() {
    let engine = engine().await;
    let mut child = command(&engine, &["events", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    engine.requests_at_least("GET /events", 1).await;
    engine.add(Container::named("web").running());
    let mut text = String::new();
    let mut out = child.stdout.take().unwrap();
    while !text.ends_with('\n') {
        let mut buffer = [0; 1024];
        let count = out.read(&mut buffer).await.unwrap();
        assert!(count > 0, "it ended: {text}");
        text += std::str::from_utf8(&buffer[..count]).unwrap();
    }
    let event: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&event["action"], &event["attributes"]["name"]),
        (&"create".into(), &"web".into())
    );
    child.kill().await.unwrap();
}

#[tokio::test]
async fn failures_are_one_line_and_have_a_code() {
    let engine = engine().await;
    engine.fail_next(
        "GET /containers/json",
        [Fault::error(500, "two\nlines\u{1b}[31m")],
    );
    let (code, out, err) = run(&engine, &["ps"]).await;
    assert_eq!((code, &*out), (Some(1), ""));
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(!err.contains('\u{1b}'), "{err:?}");
    let (code, _, err) = run(&engine, &["ps", "--nope"]).await;
    assert_eq!(code, Some(125));
    assert!(err.contains("--nope"), "{err}");
    let (code, out, _) = run(&engine, &["--help"]).await;
    assert_eq!(code, Some(0));
    for name in ["ps", "logs", "exec", "inspect", "stats", "events"] {
        assert!(out.contains(&format!("  {name} ")), "{out}");
    }
    let nowhere = format!("{}.none", engine.url());
    let (code, _, err) = run(&engine, &["--host", &nowhere, "ps"]).await;
    assert_eq!(code, Some(1));
    assert!(
        err.contains(&nowhere) && err.contains("DOCKER_HOST"),
        "{err}"
    );
}

#[tokio::test]
async fn closed_pipe_is_the_end_and_no_failure() {
    let engine = engine().await;
    let web = engine.add(Container::named("web").running());
    web.stdout("a line of some length\n".repeat(50_000));
    web.exit(0);
    let mut child = command(&engine, &["logs", "web"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 100]).await.unwrap();
    drop(out);
    let output = child.wait_with_output().await.unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}
