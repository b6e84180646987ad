//! The `filters` of a request: names with the values that are wanted.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::request::ReceivedRequest;

#[derive(Clone, Debug, Default)]
pub(crate) struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    /// Both forms: `{"label":["a"]}` and the older `{"label":{"a":true}}`.
    pub(crate) fn parse(request: &ReceivedRequest) -> Option<Self> {
        let text = request.query("filters").unwrap_or_default();
        if text.is_empty() {
            return Some(Self::default());
        }
        let Value::Object(object) = serde_json::from_str(text).ok()? else {
            return None;
        };
        let texts = |value: &Value| match value {
            Value::Array(list) => {
                let texts = list.iter().filter_map(Value::as_str);
                Some(texts.map(str::to_owned).collect())
            }
            Value::Object(set) => Some(set.keys().cloned().collect()),
            _ => None,
        };
        let pairs = object.iter();
        let pairs = pairs.map(|(name, value)| Some((name.clone(), texts(value)?)));
        pairs.collect::<Option<_>>().map(Self)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether one of the values is wanted, or all are, for none is named.
    pub(crate) fn any(&self, name: &str, wanted: impl Fn(&str) -> bool) -> bool {
        let values = self.0.get(name);
        values.is_none_or(|values| values.iter().any(|value| wanted(value)))
    }

    /// Whether all the labels that are wanted, `name` or `name=value`, are there.
    pub(crate) fn labels<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        let values = self.0.get("label").into_iter().flatten();
        values
            .into_iter()
            .all(|wanted| match wanted.split_once('=') {
                Some((name, value)) => get(name) == Some(value),
                None => get(wanted).is_some(),
            })
    }
}
