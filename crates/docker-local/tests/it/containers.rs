//! Versions, the lifecycle, and what is refused, in the words of Docker 20.10.24.

use docker_local::{Answer, Container, DockerLocal, State};
use serde_json::json;

use crate::support::{delete, engine, get, post};

#[tokio::test]
async fn only_versions_that_are_spoken_are_served() {
    let engine = DockerLocal::builder()
        .versions("1.24", "1.41")
        .start()
        .await
        .unwrap();
    let ping = get(&engine, "/_ping").await;
    assert_eq!(
        (ping.status, ping.header("Api-Version")),
        (200, Some("1.41"))
    );
    assert_eq!(
        get(&engine, "/v1.41/containers/json").await.json(),
        json!([])
    );
    let new = get(&engine, "/v1.42/info").await;
    let message = "client version 1.42 is too new. Maximum supported API version is 1.41";
    assert_eq!((new.status, &*new.message()), (400, message));
    let old = get(&engine, "/v1.9/info").await;
    let message = "client version 1.9 is too old. Minimum supported API version is 1.24, \
                   please upgrade your client to a newer version";
    assert_eq!((old.status, &*old.body), (400, message.as_bytes()));
}

#[tokio::test]
async fn container_goes_through_its_life() {
    let engine = engine().await;
    engine.add_program("hello:1", |container| container.stdout("hello\n"));
    let body = r#"{"Image":"hello:1","Cmd":["run"],"Labels":{"a":"b"},"Env":["K=v"]}"#;
    let made = post(&engine, "/v1.41/containers/create?name=web", body).await;
    assert_eq!(made.status, 201);
    let id = made.json()["Id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 64);
    let steps = [
        ("start", 204, "running"),
        ("start", 304, "running"),
        ("pause", 204, "paused"),
        ("pause", 409, "paused"),
        ("unpause", 204, "running"),
        ("stop", 204, "exited"),
        ("stop", 304, "exited"),
        ("restart", 204, "running"),
        ("kill", 204, "exited"),
        ("kill", 409, "exited"),
    ];
    for (step, status, state) in steps {
        let answer = post(&engine, &format!("/v1.41/containers/web/{step}"), "").await;
        assert_eq!(answer.status, status, "{step}");
        let details = get(&engine, &format!("/v1.41/containers/{}/json", &id[..12])).await;
        assert_eq!(details.json()["State"]["Status"], state, "{step}");
    }
    let details = get(&engine, "/v1.41/containers/web/json").await.json();
    assert_eq!(details["State"]["ExitCode"], 137);
    assert_eq!(details["Config"]["Env"], json!(["K=v"]));
    assert_eq!(details["Config"]["Labels"], json!({"a": "b"}));
    assert_eq!(delete(&engine, "/v1.41/containers/web").await.status, 204);
    let gone = get(&engine, "/v1.41/containers/web/json").await;
    assert_eq!(
        (gone.status, &*gone.message()),
        (404, "No such container: web")
    );
}

#[tokio::test]
async fn creation_is_refused_for_a_name_or_an_image() {
    let engine = engine().await;
    engine.add(Container::named("web"));
    let create = async |name: &str, image: &str| {
        let body = json!({"Image": image}).to_string();
        post(
            &engine,
            &format!("/v1.41/containers/create?name={name}"),
            &body,
        )
        .await
    };
    let taken = create("web", "fixture:1").await;
    assert_eq!(taken.status, 409);
    assert!(
        taken
            .message()
            .starts_with("Conflict. The container name \"/web\" is already in use")
    );
    let missing = create("new", "nope").await;
    assert_eq!(
        (missing.status, &*missing.message()),
        (404, "No such image: nope:latest")
    );
    assert_eq!(create("a%2Fb", "fixture:1").await.status, 400);
    assert_eq!(create("new", "fixture:1").await.status, 201);
}

#[tokio::test]
async fn states_of_an_instant_last_as_long_as_a_test_wants() {
    let engine = engine().await;
    let container = engine.add(Container::named("web").running());
    for (state, running) in [
        (State::Removing, false),
        (State::Dead, false),
        (State::Restarting, true),
    ] {
        container.set_state(state);
        let details = get(&engine, "/v1.41/containers/web/json").await.json();
        assert_eq!(details["State"]["Status"], state.name());
        assert_eq!(details["State"]["Running"], running, "{state:?}");
    }
    container.set_state(State::Removing);
    let again = delete(&engine, "/v1.41/containers/web?force=1").await;
    assert_eq!(again.status, 409);
    assert!(again.message().ends_with("is already in progress"));
    assert_eq!(
        post(&engine, "/v1.41/containers/web/start", "")
            .await
            .status,
        409
    );
}

#[tokio::test]
async fn list_takes_filters_in_both_forms() {
    let engine = engine().await;
    engine.add(Container::named("one").running().label("a", "1"));
    engine.add(Container::named("two").exited(3).label("a", "2"));
    let names = async |query: &str| {
        let list = get(&engine, &format!("/v1.41/containers/json?{query}"))
            .await
            .json();
        let names = list.as_array().unwrap().iter();
        names
            .map(|c| c["Names"][0].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["/one"]);
    assert_eq!(names("all=1").await, ["/two", "/one"]);
    assert_eq!(names("all=1&limit=1").await, ["/two"]);
    assert_eq!(
        names("filters={%22status%22:[%22exited%22]}").await,
        ["/two"]
    );
    assert_eq!(
        names("all=1&filters={%22label%22:{%22a=1%22:true}}").await,
        ["/one"]
    );
    assert_eq!(
        names("all=1&filters={%22label%22:[%22a%22],%22name%22:[%22tw%22]}").await,
        ["/two"]
    );
}

#[tokio::test]
async fn wait_is_answered_when_it_happened() {
    let engine = engine().await;
    let container = engine.add(Container::named("web").running());
    let waiting = post(&engine, "/v1.41/containers/web/wait", "");
    let ending = async {
        engine.requests_at_least("POST /containers/*/wait", 1).await;
        container.exit(7);
    };
    let (answer, ()) = tokio::join!(waiting, ending);
    assert_eq!(answer.json()["StatusCode"], 7);
}

#[tokio::test]
async fn made_up_answers_stand_for_what_is_not_known() {
    let engine = engine().await;
    assert_eq!(get(&engine, "/v1.41/networks").await.status, 404);
    engine.answer("GET /networks", Answer::json(200, r#"[{"Name":"bridge"}]"#));
    assert_eq!(
        get(&engine, "/v1.41/networks").await.json()[0]["Name"],
        "bridge"
    );
    engine.heal();
    assert_eq!(get(&engine, "/v1.41/networks").await.status, 404);
}

#[tokio::test]
async fn requests_are_on_record() {
    let engine = engine().await;
    get(&engine, "/v1.41/containers/json?all=1").await;
    post(&engine, "/v1.41/containers/web/start", "{}").await;
    let [list] = &engine.requests_to("GET /containers/json")[..] else {
        panic!("{:?}", engine.requests());
    };
    assert_eq!(
        (list.version.as_deref(), list.query("all")),
        (Some("1.41"), Some("1"))
    );
    assert_eq!(engine.requests().len(), 2);
    assert_eq!(engine.requests()[1].json(), json!({}));
}
