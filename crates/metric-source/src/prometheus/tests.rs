use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::http::server::{Server, closed_port, ok, status};
use crate::{Reading, SampleError};

/// A server that gives these pages one after the other, the last one ever after.
async fn pages(pages: &'static [&'static str]) -> Server {
    let next = AtomicUsize::new(0);
    Server::start(move |_| {
        let page = next.fetch_add(1, Ordering::Relaxed).min(pages.len() - 1);
        ok(pages[page].as_bytes())
    })
    .await
}

fn source(server: &Server, selector: &str, options: &Options) -> Prometheus {
    let text = format!("{}#{selector}", server.url("/metrics"));
    Prometheus::new(&text, options).unwrap()
}

/// Each reading as `suffix{label=value} number`.
fn shown(readings: &[Reading]) -> Vec<String> {
    let line = |reading: &Reading| {
        let labels: Vec<_> = reading
            .dimensions
            .iter()
            .map(|d| format!("{}={}", d.name(), d.value()))
            .collect();
        let labels = labels.join(",");
        format!("{}{{{labels}}} {}", reading.suffix, reading.value)
    };
    readings.iter().map(line).collect()
}

fn told(error: &SampleError) -> String {
    diagnostics::chain(&**error)
}

/// The readings of one tick, which must be without problems.
async fn tick(source: &Prometheus) -> Vec<String> {
    let readings = source.sample(&Tick::for_test()).await.unwrap();
    assert!(readings.problems.is_empty(), "{:?}", readings.problems);
    shown(&readings.readings)
}

async fn error(source: &Prometheus) -> String {
    told(&source.sample(&Tick::for_test()).await.unwrap_err())
}

#[tokio::test]
async fn gauges_are_published_with_their_labels() {
    let server =
        pages(&["# TYPE t gauge\nt{room=\"a\",gone=\"\"} 20\nt{room=\"b\"} -3\nu 4\n"]).await;
    let temperature = source(&server, "t", &Options::default());
    assert_eq!(tick(&temperature).await, ["{room=a} 20", "{room=b} -3"]);
    let untyped = source(&server, "u", &Options::default());
    assert_eq!(tick(&untyped).await, ["{} 4"]);
}

#[tokio::test]
async fn counters_are_published_as_their_increase() {
    let server = pages(&[
        "# TYPE c counter\nc{a=\"x\",b=\"y\"} 100\n",
        "# TYPE c counter\nc{b=\"y\",a=\"x\"} 107\nc{a=\"new\"} 5\n",
        "# TYPE c counter\nc{a=\"x\",b=\"y\"} 3\nc{a=\"new\"} 5\n",
        "# TYPE c counter\nc{a=\"new\"} 6\n",
        "# TYPE c counter\nc{a=\"x\",b=\"y\"} 9\nc{a=\"new\"} 6\n",
    ])
    .await;
    let counter = source(&server, "c", &Options::default());
    assert_eq!(tick(&counter).await, [""; 0], "nothing to compare with");
    assert_eq!(tick(&counter).await, ["{b=y,a=x} 7"]);
    assert_eq!(
        tick(&counter).await,
        ["{a=x,b=y} 3", "{a=new} 0"],
        "a reset"
    );
    assert_eq!(tick(&counter).await, ["{a=new} 1"]);
    assert_eq!(
        tick(&counter).await,
        ["{a=new} 0"],
        "a series that came back"
    );
}

#[tokio::test]
async fn failed_scrape_keeps_the_counts() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => ok(b"# TYPE c counter\nc 1\n"),
        1 => status("500 Internal Server Error", "a: b"),
        2 => ok(b"# TYPE c counter\nc NaN\n"),
        _ => ok(b"# TYPE c counter\nc 4\n"),
    })
    .await;
    let counter = source(&server, "c", &Options::default());
    assert_eq!(tick(&counter).await, [""; 0]);
    assert!(error(&counter).await.contains("500 Internal Server Error"));
    let readings = counter.sample(&Tick::for_test()).await.unwrap();
    assert_eq!(readings.problems.len(), 1);
    assert_eq!(tick(&counter).await, ["{} 3"]);
}

#[tokio::test]
async fn histogram_is_published_by_the_increase_of_its_sum_and_count() {
    let server = pages(&[
        "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3\nh_sum 1.5\nh_count 3\n",
        "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 5\nh_sum 2\nh_count 5\n",
    ])
    .await;
    let by_family = source(&server, "h", &Options::default());
    let by_name = source(&server, "h_bucket", &Options::default());
    assert_eq!(tick(&by_family).await, [""; 0]);
    assert_eq!(tick(&by_family).await, ["_sum{} 0.5", "_count{} 2"]);
    assert_eq!(tick(&by_name).await, [""; 0]);
    assert_eq!(tick(&by_name).await, ["{le=+Inf} 0"]);
    let sum = source(&server, "h_sum", &Options::default());
    assert_eq!(tick(&sum).await, [""; 0]);
    assert_eq!(tick(&sum).await, ["{} 0"]);
}

#[tokio::test]
async fn openmetrics_is_read_where_it_is_served() {
    let server = Server::start(|_| {
        let page = "# TYPE c counter\nc_total 1\n# EOF\n";
        let length = page.len();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/openmetrics-text; version=1.0.0\r\n\
             content-length: {length}\r\n\r\n{page}"
        )
        .into_bytes()
    })
    .await;
    let counter = source(&server, "c", &Options::default());
    assert_eq!(tick(&counter).await, [""; 0]);
    assert_eq!(tick(&counter).await, ["{} 0"]);
    let asked = &server.asked()[0];
    assert!(
        asked.contains("accept: application/openmetrics-text;version=1.0.0,"),
        "{asked}"
    );
}

#[tokio::test]
async fn labels_are_kept_and_dropped() {
    let server = pages(&["t{a=\"1\",b=\"2\",c=\"3\"} 1\nt{a=\"1\",b=\"4\",c=\"5\"} 2\n"]).await;
    let keep = Options {
        keep_labels: vec!["a".into(), "b".into()],
        ..Options::default()
    };
    assert_eq!(
        tick(&source(&server, "t", &keep)).await,
        ["{a=1,b=2} 1", "{a=1,b=4} 2"]
    );
    let both = Options {
        drop_labels: vec!["b".into()],
        ..keep
    };
    // Two samples of one metric: CloudWatch aggregates them.
    assert_eq!(
        tick(&source(&server, "t", &both)).await,
        ["{a=1} 1", "{a=1} 2"]
    );
}

#[tokio::test]
async fn label_that_is_a_dimension_already_is_told_with_its_series() {
    let server = pages(&["t{a=\"1\",b=\"2\"} 1\nt{b=\"3\"} 2\n"]).await;
    let own = Options {
        own_dimensions: vec!["a".into()],
        ..Options::default()
    };
    let readings = source(&server, "t", &own);
    let readings = readings.sample(&Tick::for_test()).await.unwrap();
    assert_eq!(shown(&readings.readings), ["{b=3} 2"]);
    let problems: Vec<_> = readings.problems.iter().map(told).collect();
    let [problem] = &problems[..] else {
        panic!("{problems:?}")
    };
    assert!(
        problem.contains("t{a=\"1\",b=\"2\"} has the label a"),
        "{problem}"
    );
    assert!(problem.contains("drop=a "), "{problem}");
    let drop = Options {
        drop_labels: vec!["a".into()],
        ..own
    };
    assert_eq!(
        tick(&source(&server, "t", &drop)).await,
        ["{b=2} 1", "{b=3} 2"]
    );
}

#[tokio::test]
async fn bad_series_costs_only_its_own_point() {
    let server = pages(&[concat!(
        "t{a=\"nan\"} NaN\nt{a=\"good\"} 1\nt{a=\"inf\"} -Inf\nt{a=\"huge\"} 1e300\n",
        "t{a=\"Z\u{fc}rich\"} 1\nt{a=\"a\\nb\"} 1\nt{a=\" \"} 1\n",
    )])
    .await;
    let readings = source(&server, "t", &Options::default());
    let readings = readings.sample(&Tick::for_test()).await.unwrap();
    assert_eq!(shown(&readings.readings), ["{a=good} 1"]);
    let problems: Vec<_> = readings.problems.iter().map(told).collect();
    for (problem, parts) in problems.iter().zip([
        ["t{a=\"nan\"}", "finite"],
        ["t{a=\"inf\"}", "finite"],
        ["t{a=\"huge\"}", "out of range"],
        ["t{a=\"Z\u{fc}rich\"}", "'\u{fc}', only printable ASCII"],
        ["t{a=\"a\\nb\"}", "'\\n', only printable ASCII"],
        ["t{a=\" \"}", "blank"],
    ]) {
        assert!(parts.iter().all(|part| problem.contains(part)), "{problem}");
    }
    assert_eq!(problems.len(), 6);
}

#[tokio::test]
async fn many_problems_are_summed_up() {
    let server = Server::of((0..25).fold(String::new(), |page, i| {
        page + &format!("t{{a=\"{i}\"}} NaN\n")
    }))
    .await;
    let readings = source(&server, "t", &Options::default());
    let problems = readings.sample(&Tick::for_test()).await.unwrap().problems;
    assert_eq!(problems.len(), 11);
    assert!(told(&problems[10]).starts_with("15 more series"));
}

#[tokio::test]
async fn label_and_series_bounds_are_told() {
    let labels: Vec<_> = (0..31).map(|i| format!("l{i}=\"v\"")).collect();
    let server = Server::of(format!("t{{{}}} 1\n", labels.join(","))).await;
    let readings = source(&server, "t", &Options::default());
    let problems = readings.sample(&Tick::for_test()).await.unwrap().problems;
    assert!(
        told(&problems[0]).contains("has 31 labels"),
        "{:?}",
        problems[0]
    );
    let fewer = Options {
        drop_labels: vec!["l0".into()],
        ..Options::default()
    };
    assert_eq!(tick(&source(&server, "t", &fewer)).await.len(), 1);

    let server = pages(&["t{a=\"1\"} 1\nt{a=\"2\"} 1\nt{a=\"1\"} 2\n"]).await;
    let two = Options {
        max_series: 2,
        ..Options::default()
    };
    assert_eq!(
        tick(&source(&server, "t", &two)).await,
        ["{a=1} 2", "{a=2} 1"]
    );
    let one = Options {
        max_series: 1,
        ..Options::default()
    };
    let error = error(&source(&server, "t{a!=''}", &one)).await;
    assert!(error.contains("more than 1 series"), "{error}");
    assert!(error.contains("match t{a!=\"\"}"), "{error}");
}

#[tokio::test]
async fn one_scrape_serves_all_entries_of_a_tick() {
    let server = pages(&["a 1\nb 2\n", "a 3\nb 4\n"]).await;
    let [a, b] = ["a", "b"].map(|name| source(&server, name, &Options::default()));
    let elsewhere = Prometheus::new(&format!("{}#a", server.url("/2")), &Options::default());
    let elsewhere = elsewhere.unwrap();
    let tick = Tick::for_test();
    let (a_readings, b_readings) = tokio::join!(a.sample(&tick), b.sample(&tick));
    assert_eq!(shown(&a_readings.unwrap().readings), ["{} 1"]);
    assert_eq!(shown(&b_readings.unwrap().readings), ["{} 2"]);
    assert_eq!(server.asked().len(), 1);
    elsewhere.sample(&tick).await.unwrap();
    b.sample(&Tick::for_test()).await.unwrap();
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn failed_scrape_is_shared_too() {
    let server = Server::start(|_| status("401 Unauthorized", "a: b")).await;
    let [a, b] = ["a", "b"].map(|name| source(&server, name, &Options::default()));
    let tick = Tick::for_test();
    let (a, b) = tokio::join!(a.sample(&tick), b.sample(&tick));
    for error in [a.unwrap_err(), b.unwrap_err()] {
        assert!(told(&error).contains("401 Unauthorized"), "{error}");
    }
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn page_serves_all_who_were_announced_and_goes_with_the_last_of_them() {
    let server = pages(&["a 1\nb 2\n"]).await;
    let [a, b] = ["a", "b"].map(|name| source(&server, name, &Options::default()));
    let tick = Tick::for_test();
    for source in [&a, &b] {
        source.announce(&tick);
    }
    // One after the other: the page is kept for the second.
    a.sample(&tick).await.unwrap();
    assert!(tick.scrapes.is_held());
    b.sample(&tick).await.unwrap();
    assert!(!tick.scrapes.is_held());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn scrape_that_its_asker_gave_up_is_made_by_the_next() {
    let server = pages(&["a 1\n"]).await;
    let a = source(&server, "a", &Options::default());
    let tick = Tick::for_test();
    let mut first = a.sample(&tick);
    assert!(futures_util::poll!(&mut first).is_pending());
    let other = source(&server, "a", &Options::default());
    let mut second = other.sample(&tick);
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(first);
    assert_eq!(shown(&second.await.unwrap().readings), ["{} 1"]);
}

#[tokio::test]
async fn what_gives_no_series_is_told() {
    for (body, part) in [
        ("other 1\n", "no series of http://127.0.0.1"),
        (
            "<html>",
            "line 1 of the metrics: expected the name of a metric, read \"<html>\"",
        ),
        ("t 1\nt x\n", "line 2 of the metrics: expected a number"),
        ("", "matches t"),
    ] {
        let server = Server::of(body).await;
        let error = error(&source(&server, "t", &Options::default())).await;
        assert!(error.contains(part), "{error}");
    }
    let text = format!("http://127.0.0.1:{}/#t", closed_port().await);
    let nobody = Prometheus::new(&text, &Options::default()).unwrap();
    assert!(error(&nobody).await.contains("Connection refused"));
}

#[test]
fn what_names_no_series_is_refused() {
    for (text, part) in [
        ("http://127.0.0.1/metrics", "no metric is named"),
        ("http://127.0.0.1/metrics#", "no metric is named"),
        ("127.0.0.1/metrics#up", "the URL"),
        ("http://127.0.0.1/metrics#up{", "name of a label"),
    ] {
        let error = Prometheus::new(text, &Options::default()).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}
