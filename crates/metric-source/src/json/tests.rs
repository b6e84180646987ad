use proptest::prelude::*;
use test_support::cases;

use super::*;

fn at(pointer: &str, document: &str) -> Result<f64, String> {
    let (_, pointer) = split_pointer(pointer).unwrap();
    let number = pointer.unwrap().number_in(document);
    number.map(Value::get).map_err(|e| e.to_string())
}

#[test]
fn pointer_picks_numbers_and_numeric_strings() {
    assert_eq!(at("#/a~1b/0", r#"{"a/b":[7]}"#), Ok(7.0));
    assert_eq!(at("#/n", r#"{"n":"1e2"}"#), Ok(100.0));
}

#[test]
fn other_findings_are_errors_that_show_them() {
    for (document, part) in [
        ("oops", "expected JSON, read \"oops\""),
        (r#"{"m":1}"#, "nothing at /n"),
        (r#"{"n":true}"#, "expected a number at /n, read true"),
        (r#"{"n":1e300}"#, "the number at /n"),
    ] {
        let error = at("#/n", document).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn steps_are_names_and_places() {
    for (pointer, document, found) in [
        ("#/a~1b/~01", r#"{"a/b":{"~1":1}}"#, Ok(1.0)),
        ("#/", r#"{"":2}"#, Ok(2.0)),
        ("#/1", "[1,2,3]", Ok(2.0)),
        ("#/1", r#"{"1":4}"#, Ok(4.0)),
        ("#/n", r#"{"n":1,"n":5}"#, Ok(5.0)),
        ("#/n/m", r#"{"n":{"m":1},"n":2}"#, Err("nothing")),
        ("#/01", "[1,2]", Err("nothing")),
        ("#/+1", "[1,2]", Err("nothing")),
        ("#/-", "[1,2]", Err("nothing")),
        ("#/2", "[1,2]", Err("nothing")),
        ("#/n/m", r#"{"n":1}"#, Err("nothing")),
    ] {
        match (at(pointer, document), found) {
            (Ok(number), Ok(expected)) => assert_eq!(number, expected, "{pointer}"),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (found, _) => panic!("{pointer} in {document}: {found:?}"),
        }
    }
}

#[test]
fn document_that_is_broken_anywhere_is_no_document() {
    let deep = |depth| {
        format!(
            "{{\"n\":1,\"m\":{}{}}}",
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    assert_eq!(at("#/n", &deep(100)), Ok(1.0));
    for broken in [
        r#"{"n":1,"m":}"#,
        r#"{"n":1} 2"#,
        r#"{"n":1,"m":"\ud800"}"#,
        r#"{"n":1,"m":1e999}"#,
        r#"{"n":1"#,
        &deep(128),
        &deep(500_000),
    ] {
        let error = at("#/n", broken).unwrap_err();
        assert!(error.contains("expected JSON"), "{error}");
    }
}

#[test]
fn large_find_is_shown_by_its_beginning() {
    let document = format!("{{\"n\":[{}1]}}", "{},".repeat(300_000));
    let error = at("#/n", &document).unwrap_err();
    assert!(error.contains("read [{},{},"), "{error}");
    assert!(error.ends_with('…') && error.len() < 200, "{error}");
}

#[test]
fn whole_document_has_a_bound() {
    let whole_length = |count: usize| {
        let document = format!("[{}]", vec!["{}"; count].join(","));
        let read = whole(&document).unwrap();
        read.map(|read| read.as_array().unwrap().len())
    };
    assert_eq!(whole_length(1000), Some(1000));
    assert_eq!(whole_length(VALUES_MAX), None);
    whole("{").unwrap_err();
}

/// Documents, mostly; names and places are such that pointers meet them.
fn document() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["", "a", "b", "0", "1", "a/b", "~", "~1", "\u{e9}"]);
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        prop::sample::select(vec![
            "null",
            "true",
            "\"7\"",
            "\" 8 \"",
            "\"\\u00e9\\n\"",
            "1e400",
            "-0",
            "01",
            "\"\\ud800\"",
            "",
            "x",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4);
        let members = prop::collection::vec((name(), inner), 0..4);
        prop_oneof![
            list.prop_map(|list| format!("[{}]", list.join(", "))),
            members.prop_map(|members| {
                let member = |(name, value)| format!("{}:{value}", Json::from(name));
                let members: Vec<_> = members.into_iter().map(member).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn pointer() -> impl Strategy<Value = String> {
    let step = prop::sample::select(vec![
        "", "a", "b", "0", "1", "2", "01", "-", "a~1b", "~0", "~01", "~", "\u{e9}",
    ]);
    prop::collection::vec(step, 1..4).prop_map(|steps| format!("/{}", steps.join("/")))
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn find_is_that_of_who_reads_the_whole_document(
        document in document(),
        pointers in prop::collection::vec(pointer(), 1..4),
    ) {
        let read = serde_json::from_str::<Json>(&document);
        for pointer in pointers {
            let found = Pointer::new(&pointer).find(&document);
            match &read {
                Ok(read) => {
                    let found = found.unwrap();
                    prop_assert_eq!(found.as_ref(), read.pointer(&pointer));
                }
                Err(_) => prop_assert!(found.is_err()),
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]{}:,\"a01.e\\\\ -]{0,40}", pointer in pointer()) {
        let found = Pointer::new(&pointer).find(&text);
        prop_assert_eq!(found.is_ok(), serde_json::from_str::<Json>(&text).is_ok());
    }
}
