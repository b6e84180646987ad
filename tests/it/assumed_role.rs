//! A role that is assumed with the credentials that are found.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use cloudwatch_local::Credentials;
use cw_publisher::clock::Clock;
use cw_publisher::ticker::SystemClock;

use crate::support::{Answer, Ended, Setup, Web, endpoint, text};

const ROLE: &str = "arn:aws:iam::123456789012:role/publisher";

/// What the STS answers with (STS API Reference, `AssumeRole`).
fn assumed(key: &str, expires_in: TimeDelta) -> Answer {
    let expiration = (SystemClock.now() + expires_in).format("%Y-%m-%dT%H:%M:%SZ");
    Answer::ok(format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/publisher/x</Arn>\
         <AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser><Credentials>\
         <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>of-{key}</SecretAccessKey>\
         <SessionToken>token-{key}</SessionToken><Expiration>{expiration}</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>"
    ))
}

fn refused(code: &str, message: &str) -> Answer {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    Answer::status("403 Forbidden", body)
}

fn keys(key: &str) -> Credentials {
    Credentials::new(key, &format!("of-{key}")).with_session_token(&format!("token-{key}"))
}

fn setup(url: &str, sts: &Web) -> Setup {
    Setup::new(url)
        .without("AWS_ENDPOINT_URL")
        .with("AWS_ENDPOINT_URL_CLOUDWATCH", url)
        .with("AWS_ENDPOINT_URL_STS", format!("http://{}", sts.place()))
        .with("ASSUME_ROLE_ARN", ROLE)
}

#[tokio::test]
async fn points_are_signed_with_the_role_and_the_role_is_asked_for_with_the_keys() {
    let endpoint = endpoint().await;
    endpoint.add_credentials(keys("ASIAROLE"));
    endpoint.remove_credentials("test");
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let requests = asked.clone();
    let sts = Web::start(move |request| {
        requests.lock().unwrap().push(request.to_owned());
        assumed("ASIAROLE", TimeDelta::hours(1))
    })
    .await;
    let publisher = setup(&endpoint.url(), &sts)
        .with("ASSUME_ROLE_EXTERNAL_ID", "shop:42")
        .with("SCHEDULE", "* * * * * *")
        .start();
    endpoint.received_at_least(4).await;
    let ended = publisher.stopped().await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let requests = endpoint.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.access_key == "ASIAROLE")
    );
    let asked = asked.lock().unwrap();
    // Once to see that it is given, once to sign.
    assert_eq!(asked.len(), 2, "it is not asked for with every request");
    for part in [
        "Credential=test/",
        "Action=AssumeRole&",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fpublisher",
        "RoleSessionName=cw-publisher",
        "ExternalId=shop%3A42",
    ] {
        assert!(asked[0].contains(part), "{part}: {}", asked[0]);
    }
    let output = format!("{ended:?}");
    assert!(!output.contains("of-ASIA") && !output.contains("token-ASIA"));
}

#[tokio::test]
async fn role_is_asked_for_again_before_it_expires() {
    let endpoint = endpoint().await;
    let calls = Arc::<AtomicUsize>::default();
    for number in 0..50 {
        endpoint.add_credentials(keys(&format!("ASIA{number}")));
    }
    let count = calls.clone();
    let sts = Web::start(move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed).min(49);
        assumed(&format!("ASIA{number}"), TimeDelta::seconds(11))
    })
    .await;
    let publisher = setup(&endpoint.url(), &sts)
        .with("SCHEDULE", "* * * * * *")
        .start();
    // The SDK renews at a random moment of the last ten seconds.
    for received in 5.. {
        endpoint.received_at_least(received).await;
        let requests = endpoint.requests();
        let renewed = requests
            .iter()
            .any(|request| request.access_key != requests[0].access_key);
        if renewed {
            break;
        }
        assert!(received < 30, "one key for {received} points");
    }
    let ended = publisher.stopped().await;
    assert_eq!(ended.code(), Some(0));
    assert_eq!(endpoint.refused().len(), 0);
    assert!(ended.lines("publish failed").is_empty());
}

async fn told(sts: &Web, setup: impl FnOnce(Setup) -> Setup) -> Ended {
    let endpoint = endpoint().await;
    let given = self::setup(&endpoint.url(), sts).with("RETRY_MAX", 1);
    let ended = setup(given).arg("once").finish().await;
    assert!(endpoint.requests().is_empty());
    ended
}

#[tokio::test]
async fn refusal_is_told_with_what_the_service_said_and_what_to_do() {
    let sts = Web::start(|_| refused("AccessDenied", "User is not authorized")).await;
    let ended = told(&sts, |setup| setup).await;
    assert_eq!(ended.code(), Some(1), "{ended:#?}");
    let line = ended.line("credentials unavailable, continuing without");
    for part in [
        ROLE,
        "ASSUME_ROLE_EXTERNAL_ID",
        "allowed sts:AssumeRole",
        "AccessDenied",
        "User is not authorized",
    ] {
        assert!(text(&line, "error").contains(part), "{part}: {line}");
    }
}

#[tokio::test]
async fn role_without_credentials_to_assume_it_with_ends_with_78() {
    let sts = Web::start(|_| panic!("nothing is there to sign with")).await;
    let ended = told(&sts, |setup| {
        setup
            .without("AWS_ACCESS_KEY_ID")
            .without("AWS_SECRET_ACCESS_KEY")
            .with("AWS_CONFIG_FILE", "/dev/null")
            .with("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    });
    let ended = ended.await;
    assert_eq!(ended.code(), Some(78), "{ended:#?}");
    ended.line("no credentials");
}

#[tokio::test]
async fn check_names_the_role_and_asks_nobody() {
    let sts = Web::start(|_| panic!("check has no network")).await;
    let setup = setup("http://127.0.0.1:1", &sts).with("ASSUME_ROLE_EXTERNAL_ID", "shop:42");
    let ended = setup.clone().arg("check").finish().await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let line = format!("Role         {ROLE} (ASSUME_ROLE_ARN)");
    assert!(ended.output.contains(&line), "{ended:#?}");
    assert!(!format!("{ended:?}").contains("shop:42"));
    let ended = setup.arg("check").arg("--json").finish().await;
    let document: serde_json::Value = serde_json::from_str(&ended.output.concat()).unwrap();
    assert_eq!(document["credentials"]["role"], ROLE);
}

#[tokio::test]
async fn role_of_web_identity_alone_draws_a_warning_that_names_what_assumes_one() {
    let setup = Setup::new("http://127.0.0.1:1").with("AWS_ROLE_ARN", ROLE);
    let ended = setup.arg("once").arg("--dry-run").finish().await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let warnings = ended.lines("configuration looks wrong");
    let of_role = |line: &&serde_json::Value| text(line, "setting") == "AWS_ROLE_ARN";
    let problem = text(warnings.iter().find(of_role).unwrap(), "problem");
    for name in [
        "ASSUME_ROLE_ARN",
        "ASSUME_ROLE_EXTERNAL_ID",
        "ASSUME_ROLE_SESSION_NAME",
    ] {
        assert!(problem.contains(name), "{problem}");
    }
}
