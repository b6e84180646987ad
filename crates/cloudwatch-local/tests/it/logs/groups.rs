//! Groups, streams, retention and tags: made, changed, listed and deleted.

use aws_sdk_cloudwatchlogs::types::{LogGroupClass, OrderBy};
use cloudwatch_local::CloudWatchLocal;

use super::{GROUP, STREAM, client, create_stream, error, event, now_ms, prepared, put_to, say};

#[tokio::test]
async fn group_is_described_as_it_was_made() {
    let endpoint = crate::support::endpoint().await;
    let client = client(&endpoint);
    let key = "arn:aws:kms:eu-west-1:000000000000:key/k";
    let create = client.create_log_group().log_group_name("/app/web");
    let create = create.kms_key_id(key).tags("team", "shop");
    let create = create.log_group_class(LogGroupClass::InfrequentAccess);
    let before = now_ms();
    create.send().await.unwrap();
    let retention = client.put_retention_policy().log_group_name("/app/web");
    retention.retention_in_days(7).send().await.unwrap();

    let described = client.describe_log_groups().send().await.unwrap();
    let [group] = described.log_groups() else {
        panic!("{described:?}")
    };
    assert_eq!(group.log_group_name(), Some("/app/web"));
    let arn = "arn:aws:logs:eu-west-1:000000000000:log-group:/app/web";
    assert_eq!(group.log_group_arn(), Some(arn));
    assert_eq!(group.arn(), Some(&*format!("{arn}:*")));
    assert_eq!(
        (group.kms_key_id(), group.retention_in_days()),
        (Some(key), Some(7))
    );
    assert_eq!(
        group.log_group_class(),
        Some(&LogGroupClass::InfrequentAccess)
    );
    assert!(group.creation_time().unwrap() >= before);
    assert_eq!(group.stored_bytes(), Some(0));

    let [inspected] = &endpoint.logs().groups()[..] else {
        panic!()
    };
    assert_eq!(
        (&*inspected.name, &*inspected.class),
        ("/app/web", "INFREQUENT_ACCESS")
    );
    assert_eq!(inspected.retention_days, Some(7));
    assert_eq!(inspected.tags["team"], "shop");

    let delete = client.delete_retention_policy().log_group_name("/app/web");
    delete.send().await.unwrap();
    assert_eq!(endpoint.logs().groups()[0].retention_days, None);
}

#[tokio::test]
async fn second_of_a_name_is_refused_and_what_is_not_there_is_not_found() {
    let (_endpoint, client) = prepared().await;
    let sent = client.create_log_group().log_group_name(GROUP).send().await;
    let (code, message) = error(sent);
    assert_eq!(
        (&*code, &*message),
        (
            "ResourceAlreadyExistsException",
            "The specified log group already exists"
        )
    );
    let create = client
        .create_log_stream()
        .log_group_name(GROUP)
        .log_stream_name(STREAM);
    assert_eq!(
        error(create.send().await).0,
        "ResourceAlreadyExistsException"
    );

    let missing = "ResourceNotFoundException";
    let create = client
        .create_log_stream()
        .log_group_name("none")
        .log_stream_name(STREAM);
    assert_eq!(error(create.send().await).0, missing);
    let sent = client
        .delete_log_group()
        .log_group_name("none")
        .send()
        .await;
    assert_eq!(error(sent).0, missing);
    let delete = client
        .delete_log_stream()
        .log_group_name(GROUP)
        .log_stream_name("none");
    assert_eq!(error(delete.send().await).0, missing);
    let sent = client
        .describe_log_streams()
        .log_group_name("none")
        .send()
        .await;
    assert_eq!(error(sent).0, missing);
    let retention = client.put_retention_policy().log_group_name("none");
    assert_eq!(
        error(retention.retention_in_days(1).send().await).0,
        missing
    );
    let retention = client.delete_retention_policy().log_group_name("none");
    assert_eq!(error(retention.send().await).0, missing);
    #[allow(deprecated)]
    let list = client.list_tags_log_group().log_group_name("none");
    assert_eq!(error(list.send().await).0, missing);
}

#[tokio::test]
async fn what_was_deleted_is_gone_with_its_events() {
    let (endpoint, client) = prepared().await;
    create_stream(&client, "other").await;
    say(&client, &["a", "b"]).await;
    put_to(&client, "other", vec![event(now_ms(), "c")])
        .await
        .unwrap();
    let delete = client
        .delete_log_stream()
        .log_group_name(GROUP)
        .log_stream_name(STREAM);
    delete.send().await.unwrap();
    assert!(endpoint.logs().events(GROUP, STREAM).is_empty());
    let left = endpoint.logs().arrived(1, 10);
    assert_eq!(left.iter().map(|e| &*e.message).collect::<Vec<_>>(), ["c"]);
    let described = client.describe_log_groups().send().await.unwrap();
    assert_eq!(described.log_groups()[0].stored_bytes(), Some(1));

    // A stream of the same name begins anew.
    create_stream(&client, STREAM).await;
    assert!(endpoint.logs().events(GROUP, STREAM).is_empty());
    client
        .delete_log_group()
        .log_group_name(GROUP)
        .send()
        .await
        .unwrap();
    assert!(endpoint.logs().groups().is_empty());
    assert!(endpoint.logs().arrived(1, 10).is_empty());
    assert_eq!(endpoint.logs().events_accepted(), 3);
}

#[tokio::test]
async fn groups_are_listed_by_prefix_part_and_class_page_by_page() {
    let endpoint = crate::support::endpoint().await;
    let client = client(&endpoint);
    for name in ["b/2", "a/1", "b/1", "b/3", "c/b"] {
        let create = client.create_log_group().log_group_name(name);
        let class = match name {
            "b/3" => LogGroupClass::Delivery,
            _ => LogGroupClass::Standard,
        };
        create.log_group_class(class).send().await.unwrap();
    }
    let names = |output: &aws_sdk_cloudwatchlogs::operation::describe_log_groups::DescribeLogGroupsOutput| {
        let groups = output.log_groups().iter();
        groups.map(|g| g.log_group_name().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let page = client
        .describe_log_groups()
        .log_group_name_prefix("b/")
        .limit(2);
    let page = page.send().await.unwrap();
    assert_eq!(names(&page), ["b/1", "b/2"]);
    let next = client
        .describe_log_groups()
        .log_group_name_prefix("b/")
        .limit(2);
    let next = next
        .next_token(page.next_token().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(names(&next), ["b/3"]);
    assert_eq!(next.next_token(), None);

    let part = client
        .describe_log_groups()
        .log_group_name_pattern("b")
        .send()
        .await;
    assert_eq!(names(&part.unwrap()), ["b/1", "b/2", "b/3", "c/b"]);
    let class = client
        .describe_log_groups()
        .log_group_class(LogGroupClass::Delivery);
    assert_eq!(names(&class.send().await.unwrap()), ["b/3"]);

    let both = client.describe_log_groups().log_group_name_prefix("b");
    let both = both.log_group_name_pattern("b").send().await;
    assert_eq!(error(both).0, "InvalidParameterException");
    let token = client.describe_log_groups().next_token("xyz").send().await;
    assert_eq!(error(token).0, "InvalidParameterException");
}

#[tokio::test]
async fn streams_are_listed_by_name_or_by_time_page_by_page() {
    let (_endpoint, client) = prepared().await;
    let at = now_ms();
    for (stream, age) in [("x/1", 3000), ("x/3", 1000), ("x/2", 2000)] {
        create_stream(&client, stream).await;
        put_to(&client, stream, vec![event(at - age, "m")])
            .await
            .unwrap();
    }
    let mut names = Vec::new();
    let mut token = None;
    loop {
        let page = client.describe_log_streams().log_group_name(GROUP).limit(3);
        let page = page.order_by(OrderBy::LastEventTime).descending(true);
        let page = page.set_next_token(token).send().await.unwrap();
        names.extend(
            page.log_streams()
                .iter()
                .map(|s| s.log_stream_name().unwrap().to_owned()),
        );
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["x/3", "x/2", "x/1", STREAM]);

    let page = client.describe_log_streams().log_group_name(GROUP);
    let page = page.log_stream_name_prefix("x/").send().await.unwrap();
    let [first, ..] = page.log_streams() else {
        panic!("{page:?}")
    };
    assert_eq!(page.log_streams().len(), 3);
    assert_eq!(first.log_stream_name(), Some("x/1"));
    assert_eq!(first.first_event_timestamp(), Some(at - 3000));
    assert_eq!(first.last_event_timestamp(), Some(at - 3000));
    assert!(first.last_ingestion_time().unwrap() >= at);
    assert!(first.upload_sequence_token().is_some());
    assert!(
        first
            .arn()
            .unwrap()
            .ends_with(":log-group:group:log-stream:x/1")
    );

    let arn = "arn:aws:logs:eu-west-1:000000000000:log-group:group";
    let by_arn = client
        .describe_log_streams()
        .log_group_identifier(arn)
        .send()
        .await;
    assert_eq!(by_arn.unwrap().log_streams().len(), 4);
    let both = client
        .describe_log_streams()
        .log_group_name(GROUP)
        .log_group_identifier(arn);
    assert_eq!(error(both.send().await).0, "InvalidParameterException");
    let mixed = client.describe_log_streams().log_group_name(GROUP);
    let mixed = mixed
        .log_stream_name_prefix("x")
        .order_by(OrderBy::LastEventTime);
    assert_eq!(error(mixed.send().await).0, "InvalidParameterException");
}

#[tokio::test]
async fn tags_are_set_replaced_listed_and_removed_by_name_and_by_arn() {
    let (_endpoint, client) = prepared().await;
    let arn = "arn:aws:logs:eu-west-1:000000000000:log-group:group";
    #[allow(deprecated)]
    client
        .tag_log_group()
        .log_group_name(GROUP)
        .tags("a", "1")
        .tags("b", "")
        .send()
        .await
        .unwrap();
    client
        .tag_resource()
        .resource_arn(arn)
        .tags("a", "2")
        .tags("c", "3")
        .send()
        .await
        .unwrap();
    client
        .untag_resource()
        .resource_arn(arn)
        .tag_keys("b")
        .tag_keys("none")
        .send()
        .await
        .unwrap();
    let listed = client
        .list_tags_for_resource()
        .resource_arn(arn)
        .send()
        .await
        .unwrap();
    #[allow(deprecated)]
    let same = client
        .list_tags_log_group()
        .log_group_name(GROUP)
        .send()
        .await
        .unwrap();
    let mut tags: Vec<_> = listed.tags().unwrap().iter().collect();
    tags.sort();
    assert_eq!(
        tags,
        [
            (&"a".to_owned(), &"2".to_owned()),
            (&"c".to_owned(), &"3".to_owned())
        ]
    );
    assert_eq!(same.tags(), listed.tags());
    let policy = client
        .list_tags_for_resource()
        .resource_arn(format!("{arn}:*"));
    assert_eq!(error(policy.send().await).0, "InvalidParameterException");
}

#[tokio::test]
async fn groups_and_streams_have_a_quota() {
    let endpoint = CloudWatchLocal::builder()
        .log_quotas(1, 2)
        .start()
        .await
        .unwrap();
    let client = client(&endpoint);
    super::prepare(&client).await;
    let sent = client
        .create_log_group()
        .log_group_name("second")
        .send()
        .await;
    assert_eq!(error(sent).0, "LimitExceededException");
    create_stream(&client, "second").await;
    let third = client
        .create_log_stream()
        .log_group_name(GROUP)
        .log_stream_name("third");
    assert_eq!(error(third.send().await).0, "LimitExceededException");
    client
        .delete_log_group()
        .log_group_name(GROUP)
        .send()
        .await
        .unwrap();
    super::prepare(&client).await;
}
