//! A crontab in a variable, where no file can be mounted.

use crate::support::{Setup, endpoint, text};

/// Blank lines count, those at the beginning too.
const CONTENT: &str = "\n# What the shop sells.\nMETRIC_NAMESPACE=Shop\n\n\
    * * * * * name=Sold value=3 dimensions=Stage=prod\n\
    * * * * * name=Open value=1 namespace=Doors\n";

#[tokio::test]
async fn metrics_of_a_variable_are_published_as_those_of_a_file() {
    let endpoint = endpoint().await;
    let setup = Setup::new(&endpoint.url()).arg("once");
    let ended = setup.with("CRONTAB_CONTENT", CONTENT).finish().await;
    assert_eq!(ended.code(), Some(0), "{ended:#?}");
    let mut points = endpoint.points();
    points.sort_by(|a, b| a.name.cmp(&b.name));
    let told = |point: &cloudwatch_local::ReceivedPoint| {
        (
            point.namespace.to_string(),
            point.name.clone(),
            point.value(),
        )
    };
    let told: Vec<_> = points.iter().map(told).collect();
    let expected = [("Doors", "Open", 1.0), ("Shop", "Sold", 3.0)];
    let expected = expected.map(|(space, name, value)| (space.to_owned(), name.to_owned(), value));
    assert_eq!(told, expected);
    assert_eq!(text(&ended.line("started"), "crontab"), "CRONTAB_CONTENT");
}

#[tokio::test]
async fn problems_of_a_variable_are_told_by_its_lines() {
    let content = format!("{CONTENT}* * * * * nmae=A value=1\n61 * * * * name=B value=2\n");
    let setup = Setup::new("http://127.0.0.1:1").with("CRONTAB_CONTENT", content);
    for command in ["run", "check"] {
        let ended = setup.clone().arg(command).finish().await;
        assert_eq!(ended.code(), Some(78), "{ended:#?}");
        let told = format!("{ended:?}");
        for place in ["CRONTAB_CONTENT:7:11", "CRONTAB_CONTENT:8:1"] {
            assert!(told.contains(place), "{place}: {told}");
        }
    }
}

#[tokio::test]
async fn crontab_in_two_places_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), CONTENT).unwrap();
    let setup = Setup::new("http://127.0.0.1:1")
        .with("CRONTAB_CONTENT", CONTENT)
        .with("CRONTAB", file.path().display())
        .arg("run");
    let ended = setup.finish().await;
    assert_eq!(ended.code(), Some(78), "{ended:#?}");
    let line = ended.line("invalid configuration");
    assert_eq!(text(&line, "setting"), "CRONTAB_CONTENT");
    assert!(text(&line, "problem").contains("leave one out"), "{line}");
}
