//! Listing and creating containers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Call, conflict};
use crate::answer::Answer;
use crate::container::{Container, LogDriver, State};
use crate::filters::Filters;
use crate::state::Inner;

impl Call<'_> {
    pub(super) fn list(&self) -> Answer {
        let Some(filters) = Filters::parse(self.request) else {
            return Answer::error(400, "invalid filter");
        };
        let all = self.request.flag("all") || filters.has("status");
        let limit = self
            .request
            .query("limit")
            .and_then(|limit| limit.parse().ok());
        let inner = self.state.lock();
        let mut found: Vec<_> = inner.containers.iter().collect();
        // The newest first.
        found.sort_by_key(|(_, container)| std::cmp::Reverse(container.created));
        let wanted = found.into_iter().filter(|(id, container)| {
            let image = |wanted: &str| without_tag(wanted) == without_tag(&container.image);
            (all || limit.is_some() || container.state.is_running())
                && filters.any("status", |wanted| wanted == container.state.name())
                && filters.any("name", |wanted| {
                    container.name.contains(wanted.trim_matches('/'))
                })
                && filters.any("id", |wanted| id.starts_with(wanted))
                && filters.any("ancestor", image)
                && filters.labels(|name| container.labels.get(name).map(|value| &**value))
        });
        let limit = limit.unwrap_or(usize::MAX);
        let list: Vec<_> = wanted.take(limit).map(|(id, c)| summary(id, c)).collect();
        Answer::of(200, &Value::Array(list))
    }

    pub(super) fn create(&self) -> Answer {
        let body = self.request.json();
        let Some(image) = body["Image"].as_str() else {
            return Answer::error(400, "No command specified");
        };
        let wanted = self.request.query("name").unwrap_or_default();
        if !wanted.is_empty() && !is_name(wanted) {
            let message = format!(
                "Invalid container name ({wanted}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
            );
            return Answer::error(400, &message);
        }
        self.state.change(|inner| {
            if inner.image(image).is_none() {
                let tag = if image.contains(':') { "" } else { ":latest" };
                return Answer::error(404, &format!("No such image: {image}{tag}"));
            }
            if let Some(taken) = inner.named(wanted) {
                return conflict(&format!(
                    "Conflict. The container name \"/{wanted}\" is already in use by container \
                     \"{taken}\". You have to remove (or rename) that container to be able to \
                     reuse that name."
                ));
            }
            let mut container = from_config(image, body.clone());
            let made_up = format!("local_{}", inner.containers.len() + 1);
            container.name = if wanted.is_empty() {
                made_up
            } else {
                wanted.to_owned()
            };
            let id = inner.add(container);
            Answer::of(201, &json!({"Id": id, "Warnings": []}))
        })
    }
}

impl Inner {
    /// Takes in a container, in whatever state it is.
    pub(crate) fn add(&mut self, mut container: Container) -> String {
        let now = self.now();
        let id = container.id.take().unwrap_or_else(|| self.new_id());
        container.id = Some(id.clone());
        container.created = now;
        if container.state != State::Created {
            container.started = now;
        }
        match container.state {
            state if state.is_running() => container.pid = 4242,
            State::Exited | State::Dead => container.finished = now,
            _ => {}
        }
        self.images.entry(container.image.clone()).or_insert(None);
        self.containers.insert(id.clone(), container);
        self.emit(&id, "create");
        id
    }

    pub(crate) fn named(&self, name: &str) -> Option<&str> {
        let mut all = self.containers.iter();
        let found = all.find(|(_, container)| container.name == name);
        found.map(|(id, _)| &**id)
    }
}

fn from_config(image: &str, body: Value) -> Container {
    let list = |name: &str| {
        let items = body[name].as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let labels = body["Labels"].as_object().into_iter().flatten();
    let labels = labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.into())));
    let labels: BTreeMap<String, String> = labels.collect();
    let mut container = Container::named("").image(image);
    container.command = list("Cmd");
    container.environment = list("Env");
    container.labels = labels;
    container.tty = body["Tty"] == true;
    container.log_driver = match body["HostConfig"]["LogConfig"]["Type"].as_str() {
        Some("local") => LogDriver::Local,
        Some("none") => LogDriver::None,
        _ => LogDriver::JsonFile,
    };
    container.config = body;
    container
}

fn summary(id: &str, container: &Container) -> Value {
    let state = container.state;
    let text = match state {
        State::Created => "Created".to_owned(),
        State::Running => "Up 1 second".to_owned(),
        State::Paused => "Up 1 second (Paused)".to_owned(),
        State::Restarting => format!("Restarting ({}) 1 second ago", container.exit_code),
        State::Removing => "Removal In Progress".to_owned(),
        State::Exited => format!("Exited ({}) 1 second ago", container.exit_code),
        State::Dead => "Dead".to_owned(),
    };
    let text = match &container.health {
        Some(health) if state == State::Running => format!("{text} ({health})"),
        _ => text,
    };
    json!({
        "Id": id,
        "Names": [format!("/{}", container.name)],
        "Image": container.image,
        "ImageID": format!("sha256:{:0>64}", "1"),
        "Command": container.command.join(" "),
        "Created": container.created / 1_000_000_000,
        "Ports": [],
        "Labels": container.labels,
        "State": state.name(),
        "Status": text,
        "HostConfig": {"NetworkMode": "default"},
        "NetworkSettings": {"Networks": {}},
        "Mounts": [],
    })
}

fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let name = name.strip_prefix('/').unwrap_or(name);
    name.len() > 1 && name.as_bytes()[0].is_ascii_alphanumeric() && name.bytes().all(inner)
}

fn without_tag(image: &str) -> &str {
    image.strip_suffix(":latest").unwrap_or(image)
}
