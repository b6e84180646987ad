use std::ffi::OsString;

use super::*;

fn credentials(json: &str) -> Credentials {
    serde_json::from_str(json).unwrap()
}

fn decoded(header: Option<String>) -> serde_json::Value {
    serde_json::from_slice(&BASE64_URL_SAFE.decode(header.unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn what_docker_login_wrote_is_sent() {
    let auth = BASE64_STANDARD.encode("me:p:w\u{e4}");
    let json = format!(
        r#"{{"auths":{{"{HUB}":{{"auth":"{auth}"}},"https://ghcr.io":{{"auth":"{auth}"}}}}}}"#
    );
    let credentials = credentials(&json);
    for (domain, registry) in [
        (None, HUB),
        (Some("docker.io"), HUB),
        (Some("ghcr.io"), "ghcr.io"),
    ] {
        let sent = decoded(credentials.for_registry(domain).await.unwrap());
        assert_eq!(sent["username"], "me");
        assert_eq!(sent["password"], "p:w\u{e4}");
        assert_eq!(sent["serveraddress"], registry);
    }
    assert_eq!(
        credentials.for_registry(Some("quay.io")).await.unwrap(),
        None
    );
    assert_eq!(
        decoded(credentials.for_all().await.unwrap())
            .as_object()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_token_goes_before_a_password() {
    let credentials = credentials(r#"{"auths":{"a.io":{"auth":"eA==","identitytoken":"t"}}}"#);
    let sent = decoded(credentials.for_registry(Some("a.io")).await.unwrap());
    assert_eq!(sent["identitytoken"], "t");
    assert!(sent.get("password").is_none());
}

#[tokio::test]
async fn what_is_wrong_is_told_without_the_secret() {
    for auth in ["c2VjcmV0", "not base64!"] {
        let json = format!(r#"{{"auths":{{"a.io":{{"auth":"{auth}"}}}}}}"#);
        let error = credentials(&json)
            .for_registry(Some("a.io"))
            .await
            .unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("a.io") && !text.contains("secret") && !text.contains(auth),
            "{text}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, r#"{"auths":"hunter2"}"#).unwrap();
    let error = Credentials::read(&path).await.err().unwrap();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn no_file_is_no_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let none = Credentials::read(&folder.path().join("config.json"))
        .await
        .unwrap();
    assert_eq!(none.for_registry(None).await.unwrap(), None);
    assert_eq!(none.for_all().await.unwrap(), None);
}

#[tokio::test]
async fn a_helper_that_is_not_there_is_told() {
    let name = "no-such-helper";
    let credentials = credentials(&format!(r#"{{"credHelpers":{{"a.io":"{name}"}}}}"#));
    let error = credentials.for_registry(Some("a.io")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("docker-credential-no-such-helper"),
        "{error}"
    );
    assert!(ask("../x", "a.io").await.is_err());
}

#[test]
fn the_file_is_where_the_environment_says() {
    let env = |pairs: &'static [(&str, &str)]| {
        move |name: &str| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        }
    };
    assert_eq!(
        file(&env(&[("HOME", "/h")])),
        Some("/h/.docker/config.json".into())
    );
    let both = env(&[("HOME", "/h"), ("DOCKER_CONFIG", "/c")]);
    assert_eq!(file(&both), Some("/c/config.json".into()));
    assert_eq!(file(&env(&[])), None);
}
