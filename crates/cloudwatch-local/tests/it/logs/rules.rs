//! What is refused for what it is, each rule from both sides.

use aws_sdk_cloudwatchlogs::types::LogGroupClass;

use super::{GROUP, client, client_as, error, prepared, raw};

const INVALID: &str = "InvalidParameterException";

#[tokio::test]
async fn names_of_groups_keep_their_pattern() {
    let endpoint = crate::support::endpoint().await;
    let client = client(&endpoint);
    for name in ["a", "/aws-like.a_B#9", "awsx/a", &"g".repeat(512)] {
        let create = client.create_log_group().log_group_name(name);
        create.send().await.unwrap();
    }
    for (name, words) in [
        ("", "length greater than or equal to 1"),
        (&*"g".repeat(513), "length less than or equal to 512"),
        ("a b", r"regular expression pattern: [\.\-_/#A-Za-z0-9]+"),
        ("grün", "regular expression pattern"),
        ("a:b", "regular expression pattern"),
        ("a*", "regular expression pattern"),
        ("aws/a", "reserved for AWS"),
        ("AWS/a", "reserved for AWS"),
    ] {
        let (code, message) = error(client.create_log_group().log_group_name(name).send().await);
        assert_eq!(code, INVALID, "{name}");
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(endpoint.logs().groups().len(), 4);
}

#[tokio::test]
async fn names_of_streams_keep_their_pattern() {
    let (endpoint, client) = prepared().await;
    for name in ["a", "[$LATEST] ü b/c", &"ü".repeat(512)] {
        super::create_stream(&client, name).await;
    }
    for (name, words) in [
        ("", "length greater than or equal to 1"),
        (&*"s".repeat(513), "length less than or equal to 512"),
        ("a:b", "regular expression pattern: [^:*]*"),
        ("a*b", "regular expression pattern: [^:*]*"),
    ] {
        let create = client
            .create_log_stream()
            .log_group_name(GROUP)
            .log_stream_name(name);
        let (code, message) = error(create.send().await);
        assert_eq!(code, INVALID, "{name}");
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(endpoint.logs().groups()[0].streams.len(), 4);
}

#[tokio::test]
async fn all_problems_of_a_request_are_told_together() {
    let (_endpoint, client) = prepared().await;
    let sent = raw(
        &client,
        "Logs_20140328.CreateLogStream",
        r#"{"logStreamName":"a:b"}"#,
    )
    .await;
    let (status, code, message) = sent.unwrap_err();
    assert_eq!((status, &*code), (400, INVALID));
    assert_eq!(
        message,
        "2 validation errors detected: Value null at 'logGroupName' failed to satisfy constraint: \
         Member must not be null; Value 'a:b' at 'logStreamName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [^:*]*"
    );
}

#[tokio::test]
async fn retention_is_one_of_the_days_of_the_service() {
    let (endpoint, client) = prepared().await;
    let put = |days| {
        client
            .put_retention_policy()
            .log_group_name(GROUP)
            .retention_in_days(days)
    };
    for days in [
        1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557,
        2922, 3288, 3653,
    ] {
        put(days).send().await.unwrap();
        assert_eq!(
            endpoint.logs().groups()[0].retention_days,
            Some(days.into())
        );
    }
    for days in [0, -1, 2, 4, 364, 366, 3652, 3654] {
        let (code, message) = error(put(days).send().await);
        assert_eq!(code, INVALID);
        assert!(
            message.contains("'retentionInDays'") && message.contains("1, 3, 5"),
            "{message}"
        );
    }
    let sent = raw(
        &client,
        "Logs_20140328.PutRetentionPolicy",
        r#"{"logGroupName":"group"}"#,
    );
    assert!(sent.await.unwrap_err().2.contains("'retentionInDays'"));
}

#[tokio::test]
async fn class_is_one_of_three() {
    let endpoint = crate::support::endpoint().await;
    let client = client(&endpoint);
    for (name, class) in [
        ("a", LogGroupClass::Standard),
        ("b", LogGroupClass::InfrequentAccess),
        ("c", LogGroupClass::Delivery),
    ] {
        let create = client.create_log_group().log_group_name(name);
        create.log_group_class(class).send().await.unwrap();
    }
    let create = client
        .create_log_group()
        .log_group_name("d")
        .log_group_class("ARCHIVE".into());
    let (code, message) = error(create.send().await);
    assert_eq!(code, INVALID);
    assert!(
        message.contains("[STANDARD, INFREQUENT_ACCESS, DELIVERY]"),
        "{message}"
    );
}

#[tokio::test]
async fn groups_of_other_classes_than_standard_cannot_be_read() {
    let endpoint = crate::support::endpoint().await;
    let client = client(&endpoint);
    for class in [LogGroupClass::InfrequentAccess, LogGroupClass::Delivery] {
        let name = class.as_str();
        let create = client.create_log_group().log_group_name(name);
        create.log_group_class(class.clone()).send().await.unwrap();
        let create = client
            .create_log_stream()
            .log_group_name(name)
            .log_stream_name("s");
        create.send().await.unwrap();
        let sent = client.filter_log_events().log_group_name(name).send().await;
        let error_of_filter = sent.unwrap_err();
        let meta = aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata::code(&error_of_filter);
        assert_eq!(meta, Some("InvalidOperationException"));
        let get = client
            .get_log_events()
            .log_group_name(name)
            .log_stream_name("s");
        let (code, message) = error(get.send().await);
        assert_eq!(code, "InvalidOperationException");
        assert!(message.contains(name), "{message}");
    }
}

#[tokio::test]
async fn retention_of_the_class_delivery_stays_two_days() {
    let endpoint = crate::support::endpoint().await;
    let client = client(&endpoint);
    let create = client.create_log_group().log_group_name(GROUP);
    let create = create.log_group_class(LogGroupClass::Delivery);
    create.send().await.unwrap();
    let put = client.put_retention_policy().log_group_name(GROUP);
    let sent = put.retention_in_days(7).send().await;
    assert_eq!(error(sent).0, "InvalidOperationException");
    let delete = client.delete_retention_policy().log_group_name(GROUP);
    assert_eq!(error(delete.send().await).0, "InvalidOperationException");
    assert_eq!(endpoint.logs().groups()[0].retention_days, Some(2));
}

#[tokio::test]
async fn key_is_an_arn_of_at_most_256_characters() {
    let endpoint = crate::support::endpoint().await;
    let client = client(&endpoint);
    let arn = |length: usize| format!("{:k<length$}", "arn:aws:kms:eu-west-1:0:key/");
    let create = |name: &str, key: &str| {
        let create = client.create_log_group().log_group_name(name);
        create.kms_key_id(key).send()
    };
    create("a", &arn(256)).await.unwrap();
    for key in [&*arn(257), "alias/key", "1234abcd"] {
        assert_eq!(error(create("b", key).await).0, INVALID, "{key}");
    }
}

#[tokio::test]
async fn tags_are_fifty_and_keep_their_pattern() {
    let (endpoint, client) = prepared().await;
    let arn = "arn:aws:logs:eu-west-1:000000000000:log-group:group";
    let tag = |tags: Vec<(String, String)>| {
        let tag = client.tag_resource().resource_arn(arn);
        tag.set_tags(Some(tags.into_iter().collect())).send()
    };
    let one = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    for (key, value) in [
        ("k".repeat(128), "v".repeat(256)),
        ("Größe +-=._:/@ 1".to_owned(), String::new()),
        ("awsx".to_owned(), "aws:value".to_owned()),
    ] {
        tag(one(&key, &value)).await.unwrap();
        let untag = client.untag_resource().resource_arn(arn).tag_keys(key);
        untag.send().await.unwrap();
    }
    for (key, value) in [
        (String::new(), "v".to_owned()),
        ("k".repeat(129), "v".to_owned()),
        ("k".to_owned(), "v".repeat(257)),
        ("k?".to_owned(), "v".to_owned()),
        ("k".to_owned(), "v\n".to_owned()),
        ("aws:k".to_owned(), "v".to_owned()),
    ] {
        assert_eq!(
            error(tag(one(&key, &value)).await).0,
            INVALID,
            "{key} {value}"
        );
    }
    let many =
        |range: std::ops::Range<i32>| range.map(|n| (n.to_string(), "v".to_owned())).collect();
    assert_eq!(error(tag(many(0..51)).await).0, INVALID);
    assert_eq!(error(tag(Vec::new()).await).0, INVALID);
    tag(many(0..50)).await.unwrap();
    tag(many(0..1)).await.unwrap();
    assert_eq!(error(tag(many(50..51)).await).0, "TooManyTagsException");
    #[allow(deprecated)]
    let by_name = client
        .tag_log_group()
        .log_group_name(GROUP)
        .tags("other", "v");
    assert_eq!(error(by_name.send().await).0, INVALID);
    assert_eq!(endpoint.logs().groups()[0].tags.len(), 50);
    let missing = client.tag_resource().tags("a", "b");
    let missing = missing.resource_arn(format!("{arn}2")).send().await;
    assert_eq!(error(missing).0, "ResourceNotFoundException");
}

#[tokio::test]
async fn pages_have_a_size_of_the_service() {
    let (_endpoint, client) = prepared().await;
    for (limit, is_good) in [(1, true), (50, true), (0, false), (51, false), (-1, false)] {
        let groups = client.describe_log_groups().limit(limit).send().await;
        let streams = client
            .describe_log_streams()
            .log_group_name(GROUP)
            .limit(limit);
        assert_eq!(groups.is_ok(), is_good, "{limit}");
        assert_eq!(streams.send().await.is_ok(), is_good, "{limit}");
    }
    for (limit, is_good) in [(1, true), (10_000, true), (0, false), (10_001, false)] {
        let get = client
            .get_log_events()
            .log_group_name(GROUP)
            .log_stream_name("stream");
        let filter = client.filter_log_events().log_group_name(GROUP);
        assert_eq!(get.limit(limit).send().await.is_ok(), is_good, "{limit}");
        assert_eq!(filter.limit(limit).send().await.is_ok(), is_good, "{limit}");
    }
}

#[tokio::test]
async fn other_operations_and_bodies_are_refused_by_code() {
    let (endpoint, client) = prepared().await;
    for target in [
        "Logs_20140328.StartQuery",
        "Logs_20140328.",
        "Logs_20150101.PutLogEvents",
        "x",
    ] {
        let (status, code, _) = raw(&client, target, "{}").await.unwrap_err();
        assert_eq!(
            (status, &*code),
            (400, "UnknownOperationException"),
            "{target}"
        );
    }
    for body in ["", "{", "[]", r#"{"logGroupName":7}"#, "{}{}"] {
        let sent = raw(&client, "Logs_20140328.CreateLogGroup", body).await;
        let (status, code, _) = sent.unwrap_err();
        assert_eq!((status, &*code), (400, "SerializationException"), "{body}");
    }
    let refused = endpoint.logs().refused();
    assert_eq!(refused[0].operation, "StartQuery");
    assert!(
        endpoint.attempts().is_empty(),
        "they are no requests about metrics"
    );
}

#[tokio::test]
async fn signature_is_checked_and_refused_as_this_service_does() {
    let (endpoint, _client) = prepared().await;
    for (key, secret, refusal) in [
        ("test", "wrong", "InvalidSignatureException"),
        ("nobody", "test", "UnrecognizedClientException"),
    ] {
        let client = client_as(&endpoint.url(), key, secret);
        let sent = client.create_log_group().log_group_name("a").send().await;
        let status = sent.as_ref().unwrap_err().raw_response().unwrap().status();
        assert_eq!((error(sent).0.as_str(), status.as_u16()), (refusal, 400));
    }
    // Signed for metrics, it is not signed for logs.
    let metrics = crate::support::client(&endpoint);
    let put = metrics
        .put_metric_data()
        .namespace("Ns")
        .metric_data(crate::support::datum("A", 1.0));
    let put = put.customize().mutate_request(|request| {
        let headers = request.headers_mut();
        headers.insert("x-amz-target", "Logs_20140328.DescribeLogGroups");
    });
    put.send().await.unwrap_err();
    let last = endpoint.logs().refused().pop().unwrap().refusal;
    assert_eq!(last.code, "InvalidSignatureException");
    assert!(last.message.contains("'logs'"), "{last:?}");
    assert_eq!(endpoint.logs().groups().len(), 1);
}
