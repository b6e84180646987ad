use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use docker_client::DockerApiClient;
use docker_local::{Container, DockerLocal};

use super::*;
use crate::cloudwatch_manager::StreamName;
use crate::run::Stop;
use crate::ship::Shipping;
use crate::testing::FakeLogs;
use crate::verdict::Operation;
use crate::{Request, parse_arguments};

fn name() -> StreamName {
    StreamName {
        group: "g".to_owned(),
        stream: "s".to_owned(),
    }
}

/// A session with what carries the label, and what asks it to stop.
async fn session(
    engine: &DockerLocal,
    service: FakeLogs,
) -> (Session<FakeLogs>, watch::Sender<bool>) {
    let words =
        "cw-run attach --label ship=yes --group g --stream s --no-create --flush-interval 100ms";
    let words = words.split(' ').map(std::ffi::OsString::from);
    let request = parse_arguments(words, &settings::Environment::default());
    let Ok(Request::Do(job)) = request else {
        panic!("{request:?}");
    };
    let (ask, asked) = watch::channel(false);
    let session = Session {
        shipping: Arc::new(Shipping::new(Arc::new(service), &job, None, None)),
        job: Arc::new(*job),
        docker: DockerApiClient::connect_to(&engine.url()).await.unwrap(),
        stop: Stop::new(asked),
    };
    (session, ask)
}

#[tokio::test]
async fn container_whose_task_panicked_is_taken_up_again() {
    let engine = DockerLocal::builder().start().await.unwrap();
    let web = engine.add(Container::named("web").label("ship", "yes").running());
    web.stdout("a\n");
    let service = FakeLogs::with(&name());
    let has_panicked = Arc::new(AtomicBool::new(false));
    let panicked = has_panicked.clone();
    service.rule(move |operation, _| {
        let is_setup = operation == Operation::DescribeStreams;
        assert!(
            !is_setup || panicked.swap(true, Ordering::Relaxed),
            "a test"
        );
        None
    });
    let (session, ask) = session(&engine, service).await;
    let labels = ["ship=yes".to_owned()];
    let arrived = async {
        while session.shipping.service.messages(&name()).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ask.send_replace(true);
    };
    let shipped = Labelled::new(&session, &labels, None).run();
    let both = async { tokio::join!(shipped, arrived).0 };
    let code = tokio::time::timeout(Duration::from_secs(30), both).await;
    assert_eq!(code.unwrap().unwrap(), 0);
    assert!(has_panicked.load(Ordering::Relaxed));
    assert_eq!(session.shipping.service.messages(&name()), ["a"]);
}

#[tokio::test]
async fn places_of_containers_whose_removal_was_not_heard_of_are_forgotten() {
    let engine = DockerLocal::builder().start().await.unwrap();
    let web = engine.add(Container::named("web").label("ship", "yes").exited(0));
    let (session, _ask) = session(&engine, FakeLogs::with(&name())).await;
    let labels = ["ship=yes".to_owned()];
    let mut labelled = Labelled::new(&session, &labels, None);
    for id in [web.id(), "gone"] {
        labelled.ended.insert(id.to_owned(), LogCursor::default());
    }
    labelled.take_up_listed(true).await.unwrap();
    let known: Vec<_> = labelled.ended.keys().collect();
    assert_eq!(known, [web.id()]);
}
