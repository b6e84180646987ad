//! Logs that are there: the bytes that were written, and those that `docker logs` prints.

use std::collections::BTreeMap;
use std::sync::Arc;

use docker_client::{DockerClientError, LogOptions, Source};

use crate::engine::Engine;
use crate::support::{Bytes, bytes, run_to_end, script};
use crate::tests;

tests![
    bytes_are_those_of_docker_logs,
    terminals_bytes_are_those_of_docker_logs,
    terminal_has_one_stream,
    lines_of_ten_megabytes_come_in_pieces,
    two_streams_of_100_000_lines_come_whole,
    tail_since_and_until_choose,
    driver_without_a_log_is_an_error,
    log_above_the_limit_is_an_error,
    log_of_no_container_is_an_error,
];

/// Scripts with what they write to standard output and standard error.
fn outputs() -> Vec<(&'static str, &'static str, Bytes)> {
    let long = |length| {
        let mut line = vec![b'x'; length];
        line.push(b'\n');
        line
    };
    let out = |stdout: &[u8]| Bytes {
        stdout: stdout.to_vec(),
        stderr: Vec::new(),
    };
    vec![
        ("nothing", "true", out(b"")),
        ("one", "printf 'a\\n'", out(b"a\n")),
        ("no-end", "printf 'a\\nb'", out(b"a\nb")),
        ("empty-lines", "printf '\\n\\na\\n\\n'", out(b"\n\na\n\n")),
        (
            "not-utf8",
            "printf '\\377\\376a\\200\\n'",
            out(b"\xff\xfea\x80\n"),
        ),
        (
            "returns",
            "printf 'a\\rb\\r\\n\\r\\n'",
            out(b"a\rb\r\n\r\n"),
        ),
        (
            "one-byte-1",
            "printf '\\001\\000\\n\\001'",
            out(b"\x01\x00\n\x01"),
        ),
        (
            "long",
            "head -c 40000 /dev/zero | tr '\\0' x; echo",
            out(&long(40_000)),
        ),
        (
            "chunk",
            "head -c 16384 /dev/zero | tr '\\0' x; echo",
            out(&long(16_384)),
        ),
        (
            "chunk-and-one",
            "head -c 16385 /dev/zero | tr '\\0' x; echo",
            out(&long(16_385)),
        ),
        (
            "both",
            "echo a; echo b >&2; echo c",
            Bytes {
                stdout: b"a\nc\n".to_vec(),
                stderr: b"b\n".to_vec(),
            },
        ),
    ]
}

async fn bytes_are_those_of_docker_logs(engine: Arc<Engine>) {
    let client = engine.client().await;
    for driver in ["json-file", "local"] {
        for (what, command, written) in outputs() {
            let name = format!("{driver}-{what}");
            let mut container = script(&engine, &name, command);
            container.log = Some((driver.to_owned(), BTreeMap::new()));
            assert_eq!(run_to_end(&client, container).await, 0, "{name}");
            let printed = engine.docker(&["logs", &name]).await.unwrap();
            let shown = Bytes {
                stdout: printed.stdout,
                stderr: printed.stderr,
            };
            let options = LogOptions::default;
            let read = bytes(client.read_container_logs(&name, options()).await.unwrap()).await;
            let followed = client
                .follow_container_logs(&name, options())
                .await
                .unwrap();
            let followed = bytes(followed).await;
            assert!(read == followed, "{name}: {:?}", followed.stdout.get(..99));
            let kept = match driver {
                // A file of JSON has only text: the engine puts U+FFFD for what is none.
                "json-file" => String::from_utf8_lossy(&written.stdout).into_owned().into(),
                _ => written.stdout.clone(),
            };
            assert!(read.stdout == kept, "{name}: {:?}", read.stdout.get(..99));
            assert_eq!(read.stderr, written.stderr, "{name}");
            // `local` keeps no line break of a long line, so `docker logs` shows none.
            if driver == "json-file" || written.stdout.len() <= 16_384 {
                assert!(
                    read == shown,
                    "{name}: {} and {}",
                    read.stdout.len(),
                    shown.stdout.len()
                );
            }
        }
    }
}

async fn terminals_bytes_are_those_of_docker_logs(engine: Arc<Engine>) {
    let client = engine.client().await;
    for (what, command, _) in outputs() {
        let name = format!("tty-{what}");
        let mut container = script(&engine, &name, command);
        container.tty = true;
        assert_eq!(run_to_end(&client, container).await, 0, "{name}");
        let shown = engine.docker(&["logs", &name]).await.unwrap().stdout;
        let options = LogOptions::default;
        let read = client.read_container_logs(&name, options()).await;
        let read = bytes(read.unwrap()).await;
        let followed = client.follow_container_logs(&name, options()).await;
        let followed = bytes(followed.unwrap()).await;
        for (how, found) in [("read", read), ("followed", followed)] {
            assert!(
                found.stdout == shown,
                "{how} {name}: {:?}",
                found.stdout.get(..99)
            );
            assert!(found.stderr.is_empty(), "{how} {name}");
        }
    }
}

async fn terminal_has_one_stream(engine: Arc<Engine>) {
    let client = engine.client().await;
    let mut container = script(&engine, "tty", "printf '\\001a\\n'; echo b >&2; printf c");
    container.tty = true;
    run_to_end(&client, container).await;
    let options = LogOptions::default;
    let read = bytes(client.read_container_logs("tty", options()).await.unwrap()).await;
    assert_eq!(read.stdout, b"\x01a\r\nb\r\nc");
    assert_eq!(read.stderr, b"");
    let printed = engine.docker(&["logs", "tty"]).await.unwrap();
    assert_eq!(read.stdout, printed.stdout);
}

async fn lines_of_ten_megabytes_come_in_pieces(engine: Arc<Engine>) {
    const LENGTH: usize = 10 << 20;
    let client = engine.client().await;
    let command = format!("for i in 1 2; do head -c {LENGTH} /dev/zero | tr '\\0' x; echo; done");
    for driver in ["json-file", "local"] {
        let name = format!("big-{driver}");
        let mut container = script(&engine, &name, &command);
        container.log = Some((driver.to_owned(), BTreeMap::new()));
        run_to_end(&client, container).await;
        let options = LogOptions::default();
        let limit = options.max_line;
        let stream = client.follow_container_logs(&name, options).await.unwrap();
        let lines = crate::support::lines(stream).await;
        assert!(lines.iter().all(|line| line.bytes.len() <= limit));
        assert_eq!(lines.iter().filter(|line| !line.partial).count(), 2);
        let total: usize = lines.iter().map(|line| line.bytes.len()).sum();
        assert_eq!(total, 2 * LENGTH, "{name}");
        let mut all = Bytes::default();
        lines.iter().for_each(|line| all.push(line));
        let printed = engine.docker(&["logs", &name]).await.unwrap().stdout;
        match driver {
            "json-file" => assert!(all.stdout == printed),
            // `docker logs` has no line break there.
            _ => assert_eq!(printed.len(), 2 * LENGTH),
        }
    }
}

async fn two_streams_of_100_000_lines_come_whole(engine: Arc<Engine>) {
    let client = engine.client().await;
    let command = "i=0; while [ $i -lt 100000 ]; do echo \"$i out\"; echo \"$i err\" >&2; \
                   i=$((i+1)); done";
    for driver in ["json-file", "local"] {
        let name = format!("two-{driver}");
        let mut container = script(&engine, &name, command);
        container.log = Some((driver.to_owned(), BTreeMap::new()));
        run_to_end(&client, container).await;
        let options = LogOptions::default();
        let stream = client.follow_container_logs(&name, options).await.unwrap();
        let lines = crate::support::lines(stream).await;
        for source in [Source::Stdout, Source::Stderr] {
            let of = lines.iter().filter(|line| line.stream == source).cloned();
            crate::support::check_numbered(&of.collect::<Vec<_>>(), 100_000);
        }
        let mut all = Bytes::default();
        lines.iter().for_each(|line| all.push(line));
        let printed = engine.docker(&["logs", &name]).await.unwrap();
        assert!(all.stdout == printed.stdout && all.stderr == printed.stderr);
    }
}

async fn tail_since_and_until_choose(engine: Arc<Engine>) {
    let client = engine.client().await;
    let command = "for i in 0 1 2 3 4 5; do echo $i; usleep 20000; done";
    run_to_end(&client, script(&engine, "choose", command)).await;
    let text = async |options| {
        client
            .get_container_logs("choose", options)
            .await
            .unwrap()
            .text()
    };
    let mut options = LogOptions::default();
    options.timestamps = true;
    let all = client
        .get_container_logs("choose", options)
        .await
        .unwrap()
        .lines;
    let time = |line: usize| all[line].timestamp;
    let mut options = LogOptions::default();
    options.tail = Some(2);
    assert_eq!(text(options).await, "4\n5\n");
    let mut options = LogOptions::default();
    options.since = time(2);
    options.until = time(4);
    assert_eq!(text(options).await, "2\n3\n4\n");
    let mut options = LogOptions::default();
    options.stdout = false;
    assert_eq!(text(options).await, "");
}

async fn driver_without_a_log_is_an_error(engine: Arc<Engine>) {
    let client = engine.client().await;
    let mut container = script(&engine, "none", "echo a");
    container.log = Some(("none".to_owned(), BTreeMap::new()));
    run_to_end(&client, container).await;
    let read = client
        .get_container_logs("none", LogOptions::default())
        .await
        .map(drop);
    let followed = client
        .follow_container_logs("none", LogOptions::default())
        .await
        .map(drop);
    for result in [read, followed] {
        match result {
            Err(DockerClientError::LogsUnavailable { driver, .. }) => assert_eq!(driver, "none"),
            other => panic!("{other:?}"),
        }
    }
}

async fn log_above_the_limit_is_an_error(engine: Arc<Engine>) {
    let client = engine.client().await;
    run_to_end(&client, script(&engine, "much", "seq 10000")).await;
    let mut options = LogOptions::default();
    options.max_bytes = 1000;
    let result = client.get_container_logs("much", options).await;
    let limit = match result {
        Err(DockerClientError::TooLarge { limit, .. }) => limit,
        other => panic!("{other:?}"),
    };
    assert_eq!(limit, 1000);
}

async fn log_of_no_container_is_an_error(engine: Arc<Engine>) {
    let client = engine.client().await;
    let result = client
        .get_container_logs("nope", LogOptions::default())
        .await;
    assert!(matches!(result, Err(DockerClientError::ContainerNotFound { name }) if name == "nope"));
}
