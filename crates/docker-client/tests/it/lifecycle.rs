//! Orders to containers, on the wire.

use std::time::Duration;

use docker_local::{Container, State};

use crate::support::{client, engine};

/// Newer engines refuse a start that has a body.
#[tokio::test]
async fn start_has_no_body_and_is_met_when_it_runs_already() {
    let engine = engine().await;
    let client = client(&engine).await;
    let web = engine.add(Container::named("web"));
    for _ in 0..2 {
        client.start_container("web").await.unwrap();
    }
    assert_eq!(web.state(), Some(State::Running));
    let orders = engine.requests_to("POST /containers/web/start");
    assert_eq!(orders.len(), 2);
    assert!(orders.iter().all(|order| order.body.is_empty()));
}

#[tokio::test]
async fn grace_is_sent_in_seconds_or_left_to_the_container() {
    let engine = engine().await;
    let client = client(&engine).await;
    engine.add(Container::named("web").running());
    for grace in [
        Some(Duration::from_millis(2500)),
        Some(Duration::ZERO),
        None,
    ] {
        client.stop_container("web", grace).await.unwrap();
    }
    let orders = engine.requests_to("POST /containers/web/stop");
    let graces: Vec<_> = orders.iter().map(|order| order.query("t")).collect();
    assert_eq!(graces, [Some("3"), Some("0"), None]);
}
