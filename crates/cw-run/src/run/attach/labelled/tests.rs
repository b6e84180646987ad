use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use docker_client::DockerApiClient;
use docker_local::{Container, DockerLocal};

use super::*;
use crate::cloudwatch_manager::StreamName;
use crate::run::Stop;
use crate::ship::Shipping;
use crate::testing::FakeLogs;
use crate::verdict::Operation;
use crate::{Request, parse_arguments};

#[tokio::test]
async fn container_whose_task_panicked_is_taken_up_again() {
    let engine = DockerLocal::builder().start().await.unwrap();
    let web = engine.add(Container::named("web").label("ship", "yes").running());
    web.stdout("a\n");
    let words =
        "cw-run attach --label ship=yes --group g --stream s --no-create --flush-interval 100ms";
    let words = words.split(' ').map(std::ffi::OsString::from);
    let request = parse_arguments(words, &settings::Environment::default());
    let Ok(Request::Do(job)) = request else {
        panic!("{request:?}");
    };
    let name = StreamName {
        group: "g".to_owned(),
        stream: "s".to_owned(),
    };
    let service = FakeLogs::with(&name);
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
    let (ask, asked) = watch::channel(false);
    let session = Session {
        shipping: Arc::new(Shipping::new(Arc::new(service), &job, None, None)),
        job: Arc::new(*job),
        docker: DockerApiClient::connect_to(&engine.url()).await.unwrap(),
        stop: Stop::new(asked),
    };
    let labels = ["ship=yes".to_owned()];
    let arrived = async {
        while session.shipping.service.messages(&name).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ask.send_replace(true);
    };
    let shipped = Labelled::new(&session, &labels, None).run();
    let both = async { tokio::join!(shipped, arrived).0 };
    let code = tokio::time::timeout(Duration::from_secs(30), both).await;
    assert_eq!(code.unwrap().unwrap(), 0);
    assert!(has_panicked.load(Ordering::Relaxed));
    assert_eq!(session.shipping.service.messages(&name), ["a"]);
}
