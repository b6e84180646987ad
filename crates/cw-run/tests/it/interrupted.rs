//! An engine that is away, slow or busy at the wrong moment.

use docker_local::{Container, Fault};

use crate::support::{World, end, eventually, numbered, signal, text};

async fn labelled_ends(world: &World, child: tokio::process::Child, expected: &[&str]) {
    eventually("all is there", || world.messages().len() >= expected.len()).await;
    signal(&child, "TERM").await;
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.messages(), expected);
}

fn shipped(name: &str) -> Container {
    Container::named(name).label("ship", "yes")
}

#[tokio::test]
async fn lines_that_the_engine_could_not_give_in_time_are_told() {
    for is_away in [false, true] {
        let mut world = World::new().await;
        let web = world.engine.add(Container::named("web").running());
        if !is_away {
            world
                .engine
                .fail_always("GET /containers/*/logs", Fault::hang());
        }
        let child = world.start(&["attach", "web", "--drain-timeout", "4s"]);
        eventually("it follows", || {
            !world
                .engine
                .requests_to("GET /containers/*/logs")
                .is_empty()
        })
        .await;
        if is_away {
            world.engine.stop().await;
        }
        web.stdout(text(0..10));
        signal(&child, "TERM").await;
        let ended = end(child).await;
        assert_eq!(ended.code, Some(124), "away: {is_away}, {ended:?}");
    }
}

#[tokio::test]
async fn engine_that_comes_back_within_the_drain_gives_its_lines() {
    let mut world = World::new().await;
    let web = world.engine.add(Container::named("web").running());
    let child = world.start(&["attach", "web"]);
    eventually("it follows", || {
        !world
            .engine
            .requests_to("GET /containers/*/logs")
            .is_empty()
    })
    .await;
    world.engine.stop().await;
    web.stdout(text(0..10));
    web.stdout("no end");
    signal(&child, "TERM").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    world.engine.restart().await.unwrap();
    let ended = end(child).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.messages()[..10], numbered(0..10));
}

#[tokio::test]
async fn busy_engine_is_asked_again_for_the_list() {
    let mut world = World::new().await;
    let web = world.engine.add(shipped("web").running());
    web.stdout("first\n");
    let child = world.start(&["attach", "--label", "ship=yes"]);
    world.arrived(1).await;
    world.engine.stop().await;
    let other = world.engine.add(shipped("other").running());
    other.stdout("second\n");
    let busy = [Fault::error(500, "busy")];
    world.engine.fail_next("GET /containers/json", busy);
    world.engine.restart().await.unwrap();
    labelled_ends(&world, child, &["first", "second"]).await;
}

#[tokio::test]
async fn container_that_could_not_be_looked_at_is_looked_at_again() {
    let world = World::new().await;
    let busy = [Fault::error(500, "busy")];
    world.engine.fail_next("GET /containers/*/json", busy);
    world.engine.add(shipped("web").running()).stdout("first\n");
    let child = world.start(&["attach", "--label", "ship=yes"]);
    labelled_ends(&world, child, &["first"]).await;
}

#[tokio::test]
async fn old_container_that_ran_while_the_events_were_lost_is_shipped() {
    let mut world = World::new().await;
    let old = world.engine.add(shipped("old").exited(0));
    let web = world.engine.add(shipped("web").running());
    web.stdout("first\n");
    // The list has whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let child = world.start(&["attach", "--label", "ship=yes"]);
    world.arrived(1).await;
    world.engine.stop().await;
    old.restart();
    old.stdout("short run\n");
    old.exit(0);
    world.engine.restart().await.unwrap();
    labelled_ends(&world, child, &["first", "short run"]).await;
}
