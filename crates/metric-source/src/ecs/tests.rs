use super::*;
use crate::HttpConfig;
use crate::READ_MAX;
use crate::http::server::{Server, closed_port, ok, status};

/// An endpoint that answers `/task` and `/task/stats` with these bytes.
async fn endpoint(task: Vec<u8>, stats: Vec<u8>) -> Server {
    Server::start(move |head| match head.split_whitespace().nth(1) {
        Some("/v4/1/task") => task.clone(),
        Some("/v4/1/task/stats") => stats.clone(),
        other => panic!("asked for {other:?}"),
    })
    .await
}

async fn recorded(name: &str) -> Server {
    let [task, stats] =
        ["task", "stats"].map(|part| ok(fixture(&format!("{name}_{part}")).as_bytes()));
    endpoint(task, stats).await
}

/// Built from the examples of the Developer Guide in the shape that running tasks show.
fn fixture(name: &str) -> String {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ecs");
    std::fs::read_to_string(format!("{dir}/{name}.json")).unwrap()
}

fn source(server: &Server, quantity: &str) -> Ecs {
    source_at(server.port, quantity)
}

fn source_at(port: u16, quantity: &str) -> Ecs {
    let options = Options {
        ecs_metadata_uri: Some(format!("http://127.0.0.1:{port}/v4/1")),
        ..Options::default()
    };
    Ecs::new(quantity, &options).unwrap()
}

/// The readings as text, `ContainerName=…,… value`, and the problems.
async fn read(source: &Ecs, tick: &Tick) -> Result<(Vec<(String, f64)>, Vec<String>), String> {
    let readings = source
        .readings(tick)
        .await
        .map_err(|e| diagnostics::chain(&e))?;
    let values = readings.readings.iter().map(|reading| {
        let dimensions = cloudwatch_metric::Dimensions::new(reading.dimensions.clone()).unwrap();
        (dimensions.to_string(), reading.value.get())
    });
    let problems = readings.problems.iter().map(|e| diagnostics::chain(&**e));
    Ok((values.collect(), problems.collect()))
}

const CURL: &str = "ContainerName=curl,TaskFamily=curltest,ClusterName=default";

async fn of_curl(name: &str, quantity: &str) -> f64 {
    let server = recorded(name).await;
    let (values, problems) = read(&source(&server, quantity), &Tick::for_test())
        .await
        .unwrap();
    assert_eq!(problems, [""; 0]);
    // Neither the pause container nor those without figures.
    let [(dimensions, value)] = &values[..] else {
        panic!("{values:?}");
    };
    assert_eq!(dimensions, CURL);
    *value
}

#[tokio::test]
async fn cpu_is_what_docker_stats_shows() {
    for (name, [used, all]) in [
        ("ec2_v1", [360_968_065.0 - 359_000_000.0, 1_980_000_000.0]),
        ("ec2_v2", [331_125_000.0 - 325_963_000.0, 1_980_000_000.0]),
        (
            "fargate",
            [2_445_096_927.0 - 2_405_275_582.0, 19_940_000_000.0],
        ),
    ] {
        let cpu = of_curl(name, "cpu").await;
        assert!(
            (cpu - used / all * 2.0 * 100.0).abs() < 0.001,
            "{name}: {cpu}"
        );
    }
}

#[tokio::test]
async fn memory_is_usage_less_inactive_file_under_both_versions_of_control_groups() {
    for (name, memory, limit) in [
        ("ec2_v1", 40_611_840.0 - 946_176.0, 134_217_728.0),
        ("ec2_v2", 65_249_280.0 - 17_641_472.0, 268_435_456.0),
        // No limit on the container: that of the task, 512 MiB.
        ("fargate", 24_264_704.0 - 270_336.0, 536_870_912.0),
    ] {
        assert_eq!(of_curl(name, "memory").await, memory, "{name}");
        let percent = of_curl(name, "memory_percent").await;
        assert!(
            (percent - 100.0 * memory / limit).abs() < 0.001,
            "{name}: {percent}"
        );
    }
}

#[tokio::test]
async fn container_without_any_limit_has_no_percentage() {
    let stats = fixture("ec2_v1_stats").replace("134217728", "9223372036854771712");
    let task = fixture("ec2_v1_task");
    let server = endpoint(ok(task.as_bytes()), ok(stats.as_bytes())).await;
    let percent = read(&source(&server, "memory_percent"), &Tick::for_test()).await;
    assert!(percent.unwrap_err().contains("memory_percent"));
    let memory = read(&source(&server, "memory"), &Tick::for_test()).await;
    assert_eq!(memory.unwrap().0.len(), 1);
}

#[tokio::test]
async fn network_is_the_increase_over_all_interfaces() {
    let bodies = |eth1: &str| fixture("ec2_v1_stats").replace("101869", eth1);
    let counts = Arc::new(Mutex::new(bodies("1000")));
    let answer = counts.clone();
    let task = ok(fixture("ec2_v1_task").as_bytes());
    let server = Server::start(move |head| match head.contains("/stats ") {
        true => ok(answer.lock().unwrap().as_bytes()),
        false => task.clone(),
    })
    .await;
    let source = source(&server, "network_rx");
    // The first sample has nothing to compare with; 84 bytes on eth0 never change.
    let mut steps = Vec::new();
    for eth1 in ["1000", "1500", "1500", "16"] {
        *counts.lock().unwrap() = bodies(eth1);
        let (values, problems) = read(&source, &Tick::for_test()).await.unwrap();
        assert_eq!(problems, [""; 0]);
        steps.push(values);
    }
    let step = |value| vec![(CURL.to_owned(), value)];
    assert_eq!(steps, [vec![], step(500.0), step(0.0), step(100.0)]);
}

#[tokio::test]
async fn tick_asks_the_endpoint_once_for_all_entries() {
    let server = recorded("fargate").await;
    let tick = Tick::for_test();
    let (cpu, memory) = (source(&server, "cpu"), source(&server, "memory"));
    let (a, b) = tokio::join!(cpu.readings(&tick), memory.readings(&tick));
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(server.asked().len(), 2);
    cpu.readings(&Tick::for_test()).await.unwrap();
    assert_eq!(server.asked().len(), 4);
    let other = recorded("ec2_v2").await;
    source(&other, "cpu").readings(&tick).await.unwrap();
    assert_eq!(other.asked().len(), 2);
}

#[tokio::test]
async fn figure_of_a_wrong_type_costs_only_its_own_point() {
    let task = ok(fixture("fargate_task").as_bytes());
    let stats = fixture("fargate_stats").replacen(
        r#""memory_stats": {}"#,
        r#""memory_stats": {"usage": "7\u001b"}"#,
        1,
    );
    let server = endpoint(task, ok(stats.as_bytes())).await;
    let (values, problems) = read(&source(&server, "memory"), &Tick::for_test())
        .await
        .unwrap();
    assert_eq!(values, [(CURL.to_owned(), 23_994_368.0)]);
    let expected = r#"memory of the container "log-router": expected a number at /memory_stats/usage, read "7\u001b""#;
    assert_eq!(problems, [expected]);
}

#[tokio::test]
async fn task_without_any_figure_is_an_error() {
    let task = fixture("fargate_task");
    for stats in [
        "{}",
        r#"{"cd189a933e5849daa93386466019ab50-2495160603":{"cpu_stats":{},"networks":{}}}"#,
    ] {
        let server = endpoint(ok(task.as_bytes()), ok(stats.as_bytes())).await;
        for quantity in QUANTITIES {
            let error = read(&source(&server, quantity), &Tick::for_test())
                .await
                .unwrap_err();
            assert_eq!(
                error,
                format!("no container of the task reports {quantity}")
            );
        }
    }
}

#[tokio::test]
async fn answers_that_describe_no_task_are_errors_that_say_why() {
    let (task, stats) = (fixture("fargate_task"), fixture("fargate_stats"));
    let (task, stats) = (ok(task.as_bytes()), ok(stats.as_bytes()));
    for (task, stats, part) in [
        (
            ok(b"oops\x1b"),
            stats.clone(),
            r#"expected JSON, read "oops\u{1b}""#,
        ),
        (
            task.clone(),
            ok(b"[1]"),
            "expected an object at /, read [1]",
        ),
        (
            ok(b"{}"),
            stats.clone(),
            "expected a text at /Family, read null",
        ),
        (
            ok(br#"{"Family":"f","Cluster":"c","Containers":7}"#),
            stats.clone(),
            "expected a list at /Containers, read 7",
        ),
        (
            ok(br#"{"Family":"f","Cluster":"c","Containers":[null]}"#),
            stats.clone(),
            "expected a text at /DockerId",
        ),
        (status("404 Not Found", "a: b"), stats, "404 Not Found"),
        (
            task,
            ok(&vec![b' '; READ_MAX + 1]),
            "more than 1048576 bytes",
        ),
    ] {
        let server = endpoint(task, stats).await;
        let error = read(&source(&server, "cpu"), &Tick::for_test())
            .await
            .unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    let nobody = source_at(closed_port().await, "cpu");
    let error = read(&nobody, &Tick::for_test()).await.unwrap_err();
    assert!(error.contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn entry_given_up_at_the_timeout_leaves_the_question_to_the_next() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tick = Tick::for_test();
    let (first, second) = (source_at(port, "cpu"), source_at(port, "memory"));
    // Each asks two questions side by side.
    for entry in [first, second] {
        tokio::select! {
            _ = entry.readings(&tick) => unreachable!("nobody answers"),
            asked = async { (listener.accept().await, listener.accept().await) } => {
                assert!(asked.0.is_ok() && asked.1.is_ok());
            }
        }
    }
}

#[tokio::test]
async fn proxies_are_passed_by() {
    let server = recorded("fargate").await;
    let proxy = HttpConfig {
        all_proxy: format!("http://127.0.0.1:{}", closed_port().await),
        ..HttpConfig::default()
    };
    let patience = std::time::Duration::from_secs(5);
    let resources = Arc::new(crate::Resources::new(proxy));
    let tick = Tick::new(Tick::for_test().at, patience, resources);
    source(&server, "cpu").readings(&tick).await.unwrap();
}

#[test]
fn outside_of_ecs_the_error_says_where_it_works() {
    let error = Ecs::new("cpu", &Options::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("ECS_CONTAINER_METADATA_URI_V4"), "{error}");
    let options = Options {
        ecs_metadata_uri: Some("x".to_owned()),
        ..Options::default()
    };
    assert!(Ecs::new("cpu", &options).is_err());
    let error = Ecs::new("memroy", &options).unwrap_err().to_string();
    assert!(error.contains("did you mean ecs:memory?"), "{error}");
}
