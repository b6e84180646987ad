//! YAML as the JSON that it stands for, so that both are asked in one way.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use super::file;

/// The documents of a file. Keys that are given twice are an error of the parser.
pub(super) fn documents(path: &str) -> Vec<Value> {
    let text = file(path);
    let documents = Yaml::load_from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    documents.iter().map(value).collect()
}

/// The only document of a file.
pub(super) fn document(path: &str) -> Value {
    let mut documents = documents(path);
    assert_eq!(documents.len(), 1, "{path}");
    documents.remove(0)
}

fn value(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(flag)) => (*flag).into(),
        Yaml::Value(Scalar::Integer(number)) => (*number).into(),
        Yaml::Value(Scalar::FloatingPoint(number)) => number.into_inner().into(),
        Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
        Yaml::Sequence(elements) => elements.iter().map(value).collect(),
        Yaml::Mapping(pairs) => {
            let pairs = pairs.iter().map(|(key, of_key)| {
                let key = key.as_str().unwrap_or_else(|| panic!("the key {key:?}"));
                (key.to_owned(), value(of_key))
            });
            pairs.collect::<Map<_, _>>().into()
        }
        // CloudFormation's short forms: `!Sub x` is `Fn::Sub: x`.
        Yaml::Tagged(tag, tagged) => match tag.suffix.as_str() {
            "Ref" => json!({ "Ref": value(tagged) }),
            function => json!({ format!("Fn::{function}"): value(tagged) }),
        },
        other => panic!("{other:?} has no form in JSON"),
    }
}
