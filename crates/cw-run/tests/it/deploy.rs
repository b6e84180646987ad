//! The deployment files say what the program knows.

use std::collections::BTreeSet;
use std::path::Path;

use cw_run::{ALL, Operation};
use serde_json::Value;

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn policy_allows_what_is_asked_for_and_no_more() {
    let policy: Value = serde_json::from_str(&file("iam-policy.json")).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
    let actions: BTreeSet<_> = actions
        .map(|action| action.as_str().unwrap().to_owned())
        .collect();
    let asked = [
        Operation::CreateGroup,
        Operation::PutRetention,
        Operation::CreateStream,
        Operation::PutEvents,
    ];
    let asked: BTreeSet<_> = asked
        .iter()
        .map(|operation| format!("logs:{}", operation.name()))
        .collect();
    assert_eq!(actions, asked);
}

#[test]
fn variables_and_arguments_are_known() {
    for name in ["docker-compose.yaml", "cw-run.service"] {
        let text = file(name);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let variables: Vec<_> = words
            .filter(|word| word.starts_with("CW_RUN_") && *word != "CW_RUN_IMAGE")
            .collect();
        assert!(!variables.is_empty(), "{name}");
        for variable in variables {
            assert!(
                ALL.iter().any(|option| option.variable == variable),
                "{name}: {variable}"
            );
        }
        assert!(
            text.contains("attach") && text.contains("ship=yes"),
            "{name}"
        );
    }
}
