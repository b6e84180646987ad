use retry_policy::RequestErrorKind;

use super::*;
use crate::testing::{FakeLogs, refusal};

fn name() -> StreamName {
    StreamName {
        group: "g".to_owned(),
        stream: "s".to_owned(),
    }
}

fn logs() -> Vec<Event> {
    vec![Event::new("hello", 1)]
}

#[tokio::test]
async fn what_is_there_already_is_a_success() {
    let fake = FakeLogs::default();
    for _ in 0..2 {
        create_cloudwatch_log_group(&fake, "g", &GroupSettings::default())
            .await
            .unwrap();
        create_cloudwatch_log_stream(&fake, "g", "s").await.unwrap();
    }
    let refused = create_cloudwatch_log_stream(&fake, "other", "s")
        .await
        .unwrap_err();
    assert_eq!(refused.verdict(), Verdict::Missing);
}

#[tokio::test]
async fn expected_token_is_sent_once_and_a_repeat_is_a_success() {
    let fake = FakeLogs::with(&name());
    fake.fail_put(PutRefused {
        failure: refusal(400, "InvalidSequenceTokenException"),
        expected_token: Some("7".to_owned()),
    });
    put_logs_to_cloudwatch(&fake, &name(), &logs())
        .await
        .unwrap();
    assert_eq!(fake.tokens(), [None, Some("7".to_owned())]);
    for _ in 0..2 {
        fake.fail_put(PutRefused {
            failure: refusal(400, "InvalidSequenceTokenException"),
            expected_token: Some("8".to_owned()),
        });
    }
    let refused = put_logs_to_cloudwatch(&fake, &name(), &logs())
        .await
        .unwrap_err();
    assert_eq!(
        (refused.verdict(), fake.tokens().len()),
        (Verdict::Token, 4)
    );
    fake.fail_put(refusal(400, "DataAlreadyAcceptedException").into());
    put_logs_to_cloudwatch(&fake, &name(), &logs())
        .await
        .unwrap();
    assert_eq!(fake.messages(&name()), ["hello"]);
}

#[tokio::test]
async fn other_refusals_come_back() {
    let fake = FakeLogs::with(&name());
    fake.fail_put(RequestError::from(RequestErrorKind::NoResponse).into());
    let refused = put_logs_to_cloudwatch(&fake, &name(), &logs())
        .await
        .unwrap_err();
    assert_eq!(refused.verdict(), Verdict::Retry { after: None });
    assert!(fake.messages(&name()).is_empty());
}
