//! States, as the engine tells them.

use super::*;

#[tokio::test]
async fn states_are_told_as_the_engine_tells_them() {
    let fixture = Fixture::start().await;
    let id = fixture.create("web").await;
    let container = fixture.engine.container("web").unwrap();
    fixture.manager.start_container("web").await.unwrap();
    container.set_health("healthy");
    until(|| fixture.manager.inner.lock().get(&id).unwrap().health == ContainerHealth::Healthy)
        .await;
    container.exit(1);
    until(|| {
        fixture
            .states()
            .iter()
            .any(|told| told == "web running exited")
    })
    .await;
    // Somebody else starts and removes it.
    container.restart();
    until(|| {
        fixture
            .states()
            .iter()
            .any(|told| told == "web exited running")
    })
    .await;
    container.remove();
    until(|| fixture.containers() == 0).await;
    until(|| fixture.folders().is_empty()).await;
}

#[tokio::test]
async fn states_of_an_instant_are_answered() {
    let fixture = Fixture::start().await;
    fixture.create("web").await;
    let container = fixture.engine.container("web").unwrap();
    for state in [State::Removing, State::Dead] {
        container.set_state(state);
        let manager = &fixture.manager;
        for failure in [
            manager.start_container("web").await.unwrap_err(),
            manager
                .restart_container("web", Duration::ZERO)
                .await
                .unwrap_err(),
            manager.pause_container("web").await.unwrap_err(),
        ] {
            assert_eq!(failure.code, ErrorCode::InvalidState, "{failure}");
        }
    }
    fixture.manager.delete_container("web", true).await.unwrap();
    assert!(fixture.folders().is_empty());
}

#[tokio::test]
async fn clock_that_was_put_back_does_not_hide_what_the_engine_says() {
    let fixture = Fixture::start().await;
    let id = fixture.create("web").await;
    // As if it had been created an hour later than now.
    let later = Timestamp::from_nanos(crate::time::Moment::now().0.nanos() + 3_600_000_000_000);
    fixture
        .manager
        .inner
        .change(&id, |entry| entry.as_of = later);
    let status = fixture.manager.start_container("web").await.unwrap();
    assert_eq!(status.state, ContainerState::Running);
    fixture.engine.container("web").unwrap().exit(1);
    until(|| {
        let states = fixture.states();
        states.iter().any(|told| told == "web running exited")
    })
    .await;
}

#[tokio::test]
async fn event_from_before_the_engine_was_asked_is_no_news() {
    let fixture = Fixture::start().await;
    let asked = fixture.create("asked").await;
    fixture.create("other").await;
    for name in ["asked", "other"] {
        fixture.manager.start_container(name).await.unwrap();
    }
    // As if the engine had been asked later than what it tells now.
    let later = Timestamp::from_nanos(crate::time::Moment::now().0.nanos() + 3_600_000_000_000);
    fixture
        .manager
        .inner
        .change(&asked, |entry| entry.as_of = later);
    for name in ["asked", "other"] {
        fixture.engine.container(name).unwrap().exit(1);
    }
    // Events come in order: the second is told, so the first was there.
    until(|| {
        fixture
            .states()
            .iter()
            .any(|told| told == "other running exited")
    })
    .await;
    assert!(
        !fixture
            .states()
            .iter()
            .any(|told| told == "asked running exited")
    );
}

#[tokio::test]
async fn flow_that_comes_and_goes_is_told_at_a_bounded_rate() {
    let fixture = Fixture::start().await;
    fixture.create("web").await;
    let socket = fixture.manager.list_containers().unwrap()[0]
        .socket_path
        .clone();
    let before = fixture.states().len();
    let begun = std::time::Instant::now();
    let coming_and_going = async {
        loop {
            // It is refused when too many wait already.
            if let Ok(mut flow) = try_connect(&socket).await {
                let hello = b"{\"type\":\"hello\",\"version\":1,\"session\":\"s\"}\n";
                let _ = flow.write_all(hello).await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let second = Duration::from_secs(1);
    let _ = tokio::time::timeout(second, coming_and_going).await;
    let told = fixture.states().len() - before;
    let accepted = 8 + begun.elapsed().as_millis() / 100 + 1;
    let bound = 2..=2 * accepted;
    assert!(bound.contains(&(told as u128)), "{told} of {accepted}");
}

#[tokio::test]
async fn connection_that_takes_over_changes_nothing() {
    let fixture = Fixture::start().await;
    fixture.create("web").await;
    let socket = fixture.manager.list_containers().unwrap()[0]
        .socket_path
        .clone();
    let before = fixture.states().len();
    let mut flows = Vec::new();
    for session in ["a", "b", "c"] {
        let mut flow = connect(&socket).await;
        let hello = json!({"type": "hello", "version": 1, "session": session});
        flow.write_all(format!("{hello}\n").as_bytes())
            .await
            .unwrap();
        let mut welcome = [0; 17];
        flow.read_exact(&mut welcome).await.unwrap();
        flows.push(flow);
    }
    until(|| fixture.states().len() > before).await;
    assert_eq!(fixture.states().len(), before + 1);
}

#[tokio::test]
async fn statistics_are_read_once_for_all_who_ask_at_once() {
    let fixture = Fixture::start().await;
    let id = fixture.create("web").await;
    let stopped = fixture.manager.get_container_status("web").await.unwrap();
    assert_eq!((stopped.resource_usage, stopped.uptime), (None, None));
    fixture.manager.start_container("web").await.unwrap();
    let asked: Vec<_> = (0..1000)
        .map(|_| fixture.manager.get_container_status(&id))
        .collect();
    for status in futures_util::future::join_all(asked).await {
        assert!(status.unwrap().resource_usage.is_some());
    }
    assert_eq!(
        fixture.engine.requests_to("GET /containers/*/stats").len(),
        1
    );
}
