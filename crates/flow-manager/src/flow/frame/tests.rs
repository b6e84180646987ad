//! Frames, as they are read and written.

use proptest::prelude::*;

use super::*;

fn refused(line: &str) -> CloseCode {
    FromFlow::parse(line.as_bytes()).unwrap_err().code
}

#[test]
fn frames_of_a_flow_are_read_and_what_is_not_known_is_ignored() {
    let read = |line: &str| FromFlow::parse(line.as_bytes()).unwrap();
    let hello = read(r#"{"type":"hello","version":1,"session":"s","new":{}}"#);
    assert!(matches!(hello, FromFlow::Hello { version: 1, session } if session == "s"));
    let event = read(r#"{"data":{"done": 3},"name":"progress","seq":18,"type":"event"}"#);
    let FromFlow::Event {
        seq: 18,
        event: FlowEvent::Event { name, data },
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!((&*name, data.get()), ("progress", r#"{"done": 3}"#));
    let bare = read(r#"{"type":"event","seq":1,"name":"n"}"#);
    assert!(
        matches!(bare, FromFlow::Event { event: FlowEvent::Event { data, .. }, .. } if data.get() == "{}")
    );
    let failed =
        read(r#"{"type":"reply","id":"m1","ok":false,"error":{"code":"busy","message":"…"}}"#);
    assert!(
        matches!(failed, FromFlow::Reply { reply: Reply::Failed { error }, .. } if error.code == "busy")
    );
    assert!(matches!(read(r#"{"type":"pong"}"#), FromFlow::Pong));
    assert!(matches!(
        read(r#"{"type":"x","seq":"no number"}"#),
        FromFlow::Other
    ));
}

#[test]
fn what_is_wrong_with_a_line_has_a_code() {
    let deep = format!(
        r#"{{"type":"event","seq":1,"name":"n","data":{}{}}}"#,
        "[".repeat(64),
        "]".repeat(64)
    );
    for (line, code) in [
        ("", CloseCode::BadJson),
        ("{", CloseCode::BadJson),
        ("{} x", CloseCode::BadJson),
        (&deep, CloseCode::BadJson),
        ("[]", CloseCode::BadField),
        ("{}", CloseCode::BadField),
        (r#"{"type":1}"#, CloseCode::BadField),
        (r#"{"type":"hello","version":1}"#, CloseCode::BadField),
        (
            r#"{"type":"event","seq":0,"name":"n"}"#,
            CloseCode::BadField,
        ),
        (
            r#"{"type":"event","seq":-1,"name":"n"}"#,
            CloseCode::BadField,
        ),
        (r#"{"type":"event","seq":1,"name":""}"#, CloseCode::BadField),
        (
            r#"{"type":"reply","id":"m1","ok":false}"#,
            CloseCode::BadField,
        ),
    ] {
        assert_eq!(refused(line), code, "{line}");
    }
    assert_eq!(
        FromFlow::parse(b"\xff").unwrap_err().code,
        CloseCode::BadJson
    );
}

#[test]
fn frames_to_a_flow_are_one_line_each() {
    let data = RawValue::from_string("{\"a\":\n1}".to_owned()).unwrap();
    let frame = ToFlow::Message {
        id: "m1",
        command: "dump",
        data: &data,
        reply: true,
    };
    let expected = "{\"type\":\"message\",\"id\":\"m1\",\"command\":\"dump\",\"data\":{\"a\": 1},\"reply\":true}\n";
    assert_eq!(frame.line(), expected);
    assert_eq!(ToFlow::Ping.line(), "{\"type\":\"ping\"}\n");
    assert_eq!(
        ToFlow::Ack { seq: 19 }.line(),
        "{\"type\":\"ack\",\"seq\":19}\n"
    );
}

#[test]
fn reply_is_told_with_data_or_with_an_error() {
    let done = Reply::Done {
        data: json::empty_object(),
    };
    assert_eq!(json::raw(&done).get(), r#"{"ok":true,"data":{}}"#);
    let error = FlowError {
        code: "busy".to_owned(),
        message: "…".to_owned(),
    };
    let failed = json::raw(&Reply::Failed { error });
    assert_eq!(
        failed.get(),
        r#"{"ok":false,"error":{"code":"busy","message":"…"}}"#
    );
}

proptest! {
    #![proptest_config(test_support::cases(512))]

    #[test]
    fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = FromFlow::parse(&line);
    }

    #[test]
    fn no_frame_like_line_panics(
        kind in "hello|reply|event|actor|pong|x",
        seq in any::<i64>(), name in ".{0,10}", ok in any::<bool>(),
    ) {
        let line = serde_json::json!({"type": kind, "seq": seq, "name": name, "id": name, "ok": ok,
            "actor": name, "event": name, "version": seq, "session": name});
        let _ = FromFlow::parse(line.to_string().as_bytes());
    }

    #[test]
    fn what_is_sent_is_one_line_of_json(text in ".{0,40}") {
        let data = json::raw(&text);
        let line = ToFlow::Message { id: "1", command: &text, data: &data, reply: false }.line();
        prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        prop_assert_eq!(value["command"].as_str(), Some(&*text));
    }
}
