use diagnostics::chain;

use super::*;
use crate::text::shown_with;

const SECRET: &str = "Sw0rdf1sh";

/// A text in which each `[NAME=value]` came from a variable.
fn made(template: &str) -> (String, Vec<FromVariable>) {
    let mut parts = template.split('[');
    let mut text = parts.next().unwrap().to_owned();
    let mut variables = Vec::new();
    for part in parts {
        let (variable, rest) = part.split_once(']').unwrap();
        let (name, value) = variable.split_once('=').unwrap();
        variables.push(FromVariable {
            name: name.into(),
            range: text.len()..text.len() + value.len(),
        });
        text += value;
        text += rest;
    }
    (text, variables)
}

#[test]
fn source_is_shown_with_the_names_of_its_variables() {
    for (template, expected) in [
        ("[N=42]", Some("${N}")),
        ("random:[LOW=1]-[HIGH=6]", Some("random:${LOW}-${HIGH}")),
        ("file:/run/[POD=a b]/depth", Some("file:/run/${POD}/depth")),
        ("host:disk:[DIR=/data]", Some("host:disk:${DIR}")),
        (
            "http://[HOST=db.example]:[PORT=8080]/[TOKEN=Sw0rdf1sh]#/a",
            Some("http://${HOST}:${PORT}/${TOKEN}#/a"),
        ),
        ("[BASE=https://h:1/x]/stats", Some("${BASE}/stats")),
        ("http://u:[PASSWORD=x/y]@h/?t=[T=1]", Some("http://h/?…")),
        (
            "prometheus:http://h/m#[NAME=up]{a=\"[ZONE=b]\"}",
            Some("prometheus:http://h/m#${NAME}{a=\"${ZONE}\"}"),
        ),
        ("exec:/bin/x --pw [PASSWORD=x]", Some("exec:/bin/x …")),
        ("[URL=http://u:p@h/]", Some("${URL}/")),
        ("[COMMAND=exec:/bin/x --pw s]", Some("${COMMAND}")),
        ("[KIND=exec:]/bin/x --pw s", None),
    ] {
        let (text, variables) = made(template);
        let shown = shown_with(&text, &variables);
        assert_eq!(shown.as_deref(), expected, "{template}");
    }
}

#[test]
fn refusal_says_nothing_of_what_a_variable_stands_for() {
    for (template, part) in [
        ("[V=Sw0rdf1sh:x]", "neither a number nor a source"),
        ("[V=Sw:0rdf1sh]", "neither a number nor a source"),
        ("fiel:/[V=Sw0rdf1sh]", "did you mean file?"),
        ("file:[V=Sw0rdf1sh]", "not absolute"),
        ("http://h:[V=Sw0rdf1sh]/", "the URL is malformed"),
        ("http://[V=h:Sw0rdf1sh]/", "look at their values"),
        ("exec:/bin/x '[V=Sw0rdf1sh]", "quote"),
        ("random:[V=9]-[W=1]", "look at their values"),
    ] {
        let (text, variables) = made(template);
        let error = parse_with(&text, &variables, &Options::default()).unwrap_err();
        let error = chain(&error);
        assert!(error.contains(part), "{template}: {error}");
        assert!(!error.contains("Sw"), "{template}: {error}");
    }
}

#[tokio::test]
async fn failure_names_the_variable_in_the_place_of_its_value() {
    for (template, part) in [
        ("file:/nowhere/[V=Sw0rdf1sh]", "read /nowhere/${V}"),
        (
            "http://127.0.0.1:1/[V=Sw0rdf1sh]",
            "http://127.0.0.1:1/${V}",
        ),
        ("exec:/nowhere/[V=Sw0rdf1sh] x", "/nowhere/${V}"),
    ] {
        let (text, variables) = made(template);
        let source = parse_with(&text, &variables, &Options::default()).unwrap();
        let error = source.sample(&Tick::for_test()).await.unwrap_err();
        let told = format!("{} {source:?} {error:?}", chain(&*error));
        assert!(told.contains(part), "{template}: {told}");
        assert!(!told.contains(SECRET), "{template}: {told}");
    }
}

#[tokio::test]
async fn value_that_a_variable_gives_is_read() {
    let (text, variables) = made("[N=42]");
    let source = parse_with(&text, &variables, &Options::default()).unwrap();
    let readings = source.sample(&Tick::for_test()).await.unwrap().readings;
    let expected = cloudwatch_metric::Value::try_from(42.0).unwrap();
    assert_eq!(readings, [expected.into()]);
}
