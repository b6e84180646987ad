use super::*;

fn failures() -> Failures {
    Failures::new(EngineAddress::Unix("/nowhere/docker.sock".into()))
}

fn told(object: Object<'_>, status: u16, message: &str) -> DockerClientError {
    failures().of_answer(
        Call {
            verb: "try",
            object,
        },
        status,
        message,
    )
}

#[test]
fn a_404_names_what_is_missing() {
    use DockerClientError as E;
    let container = Object::Container("a");
    assert!(matches!(
        told(container, 404, "No such container: a"),
        E::ContainerNotFound { .. }
    ));
    assert!(matches!(
        told(Object::Image("i"), 404, "No such image"),
        E::ImageNotFound { .. }
    ));
    assert!(matches!(
        told(Object::Network("n"), 404, "network n not found"),
        E::NetworkNotFound { .. }
    ));
    assert!(matches!(
        told(Object::Volume("v"), 404, "get v: no such volume"),
        E::VolumeNotFound { .. }
    ));
    let path = Object::Path("a", "/x");
    assert!(matches!(
        told(path, 404, "Could not find the file /x"),
        E::PathNotFound { .. }
    ));
    assert!(matches!(
        told(path, 404, "No such container: a"),
        E::ContainerNotFound { .. }
    ));
    // What answers there is no engine.
    assert!(matches!(
        told(container, 404, "404 page not found"),
        E::Engine { status: 404, .. }
    ));
    assert!(!matches!(
        told(container, 404, "No such exec instance: e"),
        E::ContainerNotFound { .. }
    ));
}

#[test]
fn states_and_conflicts_are_told_apart() {
    use DockerClientError as E;
    let container = Object::Container("a");
    for status in [409, 500] {
        let error = told(container, status, "Container f00 is not running");
        assert!(matches!(error, E::NotRunning { ref name } if name == "a"));
    }
    assert!(matches!(
        told(container, 409, "the name is in use"),
        E::Conflict { .. }
    ));
    let error = told(
        container,
        400,
        "client version 1.53 is too new. Maximum supported is 1.41",
    );
    assert!(
        matches!(
            error,
            E::ApiVersion {
                older: "engine",
                ..
            }
        ),
        "{error}"
    );
    let error = told(
        container,
        400,
        "client version 1.41 is too old. Minimum supported is 1.44",
    );
    assert!(
        matches!(
            error,
            E::ApiVersion {
                older: "client",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn only_what_may_pass_is_transient() {
    let container = Object::Container("a");
    for (status, transient) in [
        (500, true),
        (503, true),
        (429, true),
        (400, false),
        (409, false),
        (200, false),
    ] {
        assert_eq!(
            told(container, status, "x").is_transient(),
            transient,
            "{status}"
        );
    }
}

#[test]
fn the_engine_s_words_are_bounded() {
    let error = told(Object::Engine, 500, &"ä".repeat(100_000));
    assert!(error.to_string().len() < LONGEST_MESSAGE + 100);
    assert_eq!(message(br#"{"message":"no"}"#), "no");
    assert_eq!(message(b"<html>"), "<html>");
}

#[tokio::test]
async fn a_socket_that_may_not_be_opened_is_told_with_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    std::fs::write(&socket, "").unwrap();
    let failures = Failures::new(EngineAddress::Unix(socket));
    let call = Call::engine("ping");
    let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    let error = failures.of_transport(call, Box::new(denied)).await;
    assert!(
        matches!(error, DockerClientError::PermissionDenied { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .starts_with("permission denied on unix://"),
        "{error}"
    );
    let gone = io::Error::from(io::ErrorKind::NotFound);
    let error = failures.of_transport(call, Box::new(gone)).await;
    assert!(matches!(error, DockerClientError::EngineUnavailable { .. }) && error.is_transient());
}
