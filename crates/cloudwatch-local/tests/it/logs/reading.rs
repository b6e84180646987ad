//! Events read back.

use super::{GROUP, STREAM, create_stream, error, event, now_ms, prepared, put, put_to, say};

fn texts<'a>(messages: impl Iterator<Item = Option<&'a str>>) -> Vec<&'a str> {
    messages.map(Option::unwrap).collect()
}

#[tokio::test]
async fn stream_is_read_from_its_head_page_by_page_and_followed() {
    let (_endpoint, client) = prepared().await;
    let at = now_ms();
    let events = (0..5).map(|n| event(at + n, n.to_string()));
    put(&client, events.collect()).await.unwrap();
    let page = async |token: Option<String>| {
        let get = client
            .get_log_events()
            .log_group_name(GROUP)
            .log_stream_name(STREAM);
        let get = get.start_from_head(true).limit(2).set_next_token(token);
        let page = get.send().await.unwrap();
        let read: Vec<_> = page
            .events()
            .iter()
            .map(|e| e.message().unwrap().to_owned())
            .collect();
        (read, page.next_forward_token)
    };
    let (first, token) = page(None).await;
    let (second, token) = page(token).await;
    let (third, token) = page(token).await;
    assert_eq!([first, second, third].concat(), ["0", "1", "2", "3", "4"]);
    let (none, same) = page(token.clone()).await;
    assert_eq!(
        (none.len(), &same),
        (0, &token),
        "at the end the token stays"
    );
    put(&client, vec![event(at + 9, "later")]).await.unwrap();
    assert_eq!(page(same).await.0, ["later"]);
}

#[tokio::test]
async fn stream_is_read_from_its_end_backwards() {
    let (_endpoint, client) = prepared().await;
    let at = now_ms();
    let events = (0..5).map(|n| event(at + n, n.to_string()));
    put(&client, events.collect()).await.unwrap();
    let page = async |token: Option<String>| {
        let get = client
            .get_log_events()
            .log_group_name(GROUP)
            .log_stream_name(STREAM);
        get.limit(2).set_next_token(token).send().await.unwrap()
    };
    let last = page(None).await;
    assert_eq!(texts(last.events().iter().map(|e| e.message())), ["3", "4"]);
    let before = page(last.next_backward_token.clone()).await;
    assert_eq!(
        texts(before.events().iter().map(|e| e.message())),
        ["1", "2"]
    );
    let first = page(before.next_backward_token.clone()).await;
    assert_eq!(texts(first.events().iter().map(|e| e.message())), ["0"]);
    let none = page(first.next_backward_token.clone()).await;
    assert!(none.events().is_empty());
    assert_eq!(none.next_backward_token, first.next_backward_token);
    let again = page(before.next_forward_token).await;
    assert_eq!(
        texts(again.events().iter().map(|e| e.message())),
        ["3", "4"]
    );
}

#[tokio::test]
async fn empty_stream_has_tokens_that_find_what_comes() {
    let (_endpoint, client) = prepared().await;
    let get = || {
        client
            .get_log_events()
            .log_group_name(GROUP)
            .log_stream_name(STREAM)
    };
    for from_head in [true, false] {
        let empty = get().start_from_head(from_head).send().await.unwrap();
        assert!(empty.next_backward_token.is_some());
        say(&client, &["new"]).await;
        let next = get()
            .start_from_head(true)
            .set_next_token(empty.next_forward_token);
        assert!(
            !next.send().await.unwrap().events().is_empty(),
            "{from_head}"
        );
    }
    let bad = get().next_token("f/1").send().await;
    assert_eq!(error(bad).0, "InvalidParameterException");
    let missing = client
        .get_log_events()
        .log_group_name(GROUP)
        .log_stream_name("none");
    assert_eq!(error(missing.send().await).0, "ResourceNotFoundException");
}

#[tokio::test]
async fn times_bound_what_is_read() {
    let (_endpoint, client) = prepared().await;
    let at = now_ms();
    let events = (0..4).map(|n| event(at + n, n.to_string()));
    put(&client, events.collect()).await.unwrap();
    let get = client
        .get_log_events()
        .log_group_name(GROUP)
        .log_stream_name(STREAM);
    let get = get
        .start_time(at + 1)
        .end_time(at + 3)
        .send()
        .await
        .unwrap();
    assert_eq!(
        texts(get.events().iter().map(|e| e.message())),
        ["1", "2"],
        "without the end"
    );
    let filter = client.filter_log_events().log_group_name(GROUP);
    let filter = filter
        .start_time(at + 1)
        .end_time(at + 3)
        .send()
        .await
        .unwrap();
    assert_eq!(
        texts(filter.events().iter().map(|e| e.message())),
        ["1", "2", "3"],
        "with the end"
    );
    let turned = client.filter_log_events().log_group_name(GROUP);
    let turned = turned.start_time(at + 3).end_time(at).send().await.unwrap();
    assert!(turned.events().is_empty());
    let negative = client
        .filter_log_events()
        .log_group_name(GROUP)
        .start_time(-1);
    let negative = negative.send().await.unwrap_err();
    assert!(format!("{negative:?}").contains("'startTime'"));
}

#[tokio::test]
async fn page_holds_a_mebibyte_of_events() {
    let (_endpoint, client) = prepared().await;
    for _ in 0..3 {
        put(&client, vec![event(now_ms(), "x".repeat(600_000))])
            .await
            .unwrap();
    }
    let get = client
        .get_log_events()
        .log_group_name(GROUP)
        .log_stream_name(STREAM);
    let get = get.start_from_head(true).send().await.unwrap();
    assert_eq!(get.events().len(), 1);
    let filter = client
        .filter_log_events()
        .log_group_name(GROUP)
        .send()
        .await
        .unwrap();
    assert_eq!(filter.events().len(), 1);
    assert!(filter.next_token().is_some());
}

#[tokio::test]
async fn group_is_searched_over_its_streams_in_order_of_time() {
    let (_endpoint, client) = prepared().await;
    let at = now_ms();
    for stream in ["web/1", "web/2", "db"] {
        create_stream(&client, stream).await;
    }
    for (stream, times) in [("web/1", [0, 3]), ("web/2", [1, 4]), ("db", [2, 5])] {
        let events = times.map(|n| event(at + n, format!("ERROR {n}"))).to_vec();
        put_to(&client, stream, events).await.unwrap();
    }
    let search = || client.filter_log_events().log_group_name(GROUP);
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let page = search()
            .limit(4)
            .set_next_token(token)
            .send()
            .await
            .unwrap();
        found.extend(
            page.events()
                .iter()
                .map(|e| e.message().unwrap().to_owned()),
        );
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(
        found,
        [
            "ERROR 0", "ERROR 1", "ERROR 2", "ERROR 3", "ERROR 4", "ERROR 5"
        ]
    );

    let prefix = search()
        .log_stream_name_prefix("web/")
        .send()
        .await
        .unwrap();
    let streams = prefix.events().iter().map(|e| e.log_stream_name());
    assert_eq!(texts(streams), ["web/1", "web/2", "web/1", "web/2"]);
    let named = search()
        .log_stream_names("db")
        .log_stream_names("web/1")
        .log_stream_names("db");
    let named = named.send().await.unwrap();
    let messages = named.events().iter().map(|e| e.message());
    assert_eq!(
        texts(messages),
        ["ERROR 0", "ERROR 2", "ERROR 3", "ERROR 5"]
    );
    let ids: std::collections::HashSet<_> = named.events().iter().map(|e| e.event_id()).collect();
    assert_eq!(ids.len(), 4);

    let both = search()
        .log_stream_names("db")
        .log_stream_name_prefix("d")
        .send()
        .await;
    let both = both.unwrap_err();
    assert!(format!("{both:?}").contains("mutually exclusive"));
    let missing = search().log_stream_names("none").send().await.unwrap_err();
    assert!(
        missing
            .into_service_error()
            .is_resource_not_found_exception()
    );
}

#[tokio::test]
async fn newest_events_come_first_if_asked_for() {
    let (_endpoint, client) = prepared().await;
    let at = now_ms();
    create_stream(&client, "b").await;
    put(&client, vec![event(at, "0"), event(at + 2, "2")])
        .await
        .unwrap();
    put_to(&client, "b", vec![event(at + 1, "1"), event(at + 3, "3")])
        .await
        .unwrap();
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let page = client
            .filter_log_events()
            .log_group_name(GROUP)
            .start_from_head(false);
        let page = page.limit(3).set_next_token(token).send().await.unwrap();
        found.extend(
            page.events()
                .iter()
                .map(|e| e.message().unwrap().to_owned()),
        );
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(found, ["3", "2", "1", "0"]);
}

#[tokio::test]
async fn search_takes_terms_phrases_options_and_exclusions_and_refuses_the_rest() {
    let (_endpoint, client) = prepared().await;
    say(
        &client,
        &[
            "GET /a 200",
            "GET /b 500 server error",
            "POST /a 500",
            "note \"x\"",
        ],
    )
    .await;
    let search = |pattern: &str| {
        let filter = client.filter_log_events().log_group_name(GROUP);
        filter.filter_pattern(pattern).send()
    };
    for (pattern, count) in [
        ("", 4),
        ("GET", 2),
        ("500 GET", 1),
        ("?GET ?POST", 3),
        ("GET -500", 1),
        ("-GET", 2),
        (r#""server error""#, 1),
        (r#""/a" 500"#, 1),
        (r#""\"x\"""#, 1),
        ("get", 0),
    ] {
        let found = search(pattern).await.unwrap();
        assert_eq!(found.events().len(), count, "{pattern}");
    }
    for pattern in [
        "{ $.a = 1 }",
        "[ip, user]",
        "%a+%",
        "/a",
        "\"open",
        &"x".repeat(1025),
    ] {
        let error = search(pattern).await.unwrap_err().into_service_error();
        assert!(
            error.is_invalid_parameter_exception(),
            "{pattern}: {error:?}"
        );
    }
    assert!(search(&"x".repeat(1024)).await.is_ok());
}

#[tokio::test]
async fn search_names_at_most_a_hundred_streams() {
    let (_endpoint, client) = prepared().await;
    for (count, is_good) in [(100, true), (101, false), (0, false)] {
        let names = vec![STREAM.to_owned(); count];
        let filter = client.filter_log_events().log_group_name(GROUP);
        let sent = filter.set_log_stream_names(Some(names)).send().await;
        assert_eq!(sent.is_ok(), is_good, "{count}");
    }
}
