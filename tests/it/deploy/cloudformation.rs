//! `deploy/cloudformation.yaml`.

use std::collections::BTreeSet;

use cw_publisher::config::setting;
use serde_json::Value;

use super::{json, text, yaml};

fn template() -> Value {
    yaml::document("deploy/cloudformation.yaml")
}

fn properties<'a>(template: &'a Value, resource: &str) -> &'a Value {
    let properties = template.pointer(&format!("/Resources/{resource}/Properties"));
    properties.unwrap_or_else(|| panic!("no resource {resource}"))
}

/// The template's value with the defaults of its parameters.
fn resolved(template: &Value, value: &Value) -> Value {
    if let Some(name) = value.get("Ref").and_then(Value::as_str) {
        return template["Parameters"][name]["Default"].clone();
    }
    match value {
        Value::Object(pairs) => {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(key, value)| (key.clone(), resolved(template, value)));
            Value::Object(pairs.collect())
        }
        Value::Array(elements) => elements.iter().map(|one| resolved(template, one)).collect(),
        other => other.clone(),
    }
}

#[test]
fn policy_is_that_of_iam_policy_json() {
    let template = template();
    let policy = &properties(&template, "PublishPolicy")["PolicyDocument"];
    assert_eq!(resolved(&template, policy), json("iam-policy.json"));
    let attached = &properties(&template, "TaskRole")["ManagedPolicyArns"];
    assert_eq!(attached[0]["Ref"], "PublishPolicy");
}

#[test]
fn alarm_fires_when_the_metric_of_the_defaults_is_missing() {
    let template = template();
    let alarm = resolved(&template, properties(&template, "HeartbeatMissing"));
    assert_eq!(
        text(&alarm, "/Namespace"),
        setting::METRIC_NAMESPACE.default
    );
    assert_eq!(text(&alarm, "/MetricName"), setting::METRIC_NAME.default);
    assert_eq!(text(&alarm, "/TreatMissingData"), "breaching");
    // The period of the default schedule, every minute.
    assert_eq!(setting::SCHEDULE.default, "* * * * *");
    assert_eq!(alarm["Period"], 60);
}

#[test]
fn names_that_are_used_are_defined() {
    let template = template();
    let mut defined = BTreeSet::new();
    for section in ["Parameters", "Resources"] {
        defined.extend(template[section].as_object().unwrap().keys().cloned());
    }
    let mut used = BTreeSet::new();
    collect(&template["Resources"], &mut used);
    collect(&template["Conditions"], &mut used);
    collect(&template["Outputs"], &mut used);
    used.retain(|name| !name.starts_with("AWS::"));
    assert!(
        used.is_subset(&defined),
        "{used:?} are not all in {defined:?}"
    );
    for parameter in template["Parameters"].as_object().unwrap().keys() {
        assert!(used.contains(parameter), "{parameter} is not used");
    }
}

/// The names in `Ref`, `Fn::GetAtt` and `Fn::Sub`.
fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(pairs) => {
            for (key, value) in pairs {
                match (key.as_str(), value.as_str()) {
                    ("Ref", Some(name)) => {
                        names.insert(name.to_owned());
                    }
                    ("Fn::GetAtt", Some(path)) => {
                        names.insert(path.split('.').next().unwrap().to_owned());
                    }
                    ("Fn::Sub", Some(text)) => {
                        let parts = text.split("${").skip(1);
                        names.extend(parts.map(|part| part.split('}').next().unwrap().to_owned()));
                    }
                    _ => collect(value, names),
                }
            }
        }
        Value::Array(elements) => {
            for element in elements {
                collect(element, names);
            }
        }
        _ => {}
    }
}
