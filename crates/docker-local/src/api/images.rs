//! Images: those that are known, and pulling what is not.

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

use super::Call;
use crate::answer::{Answer, Reply};
use crate::state::Inner;

impl Call<'_> {
    /// Every image can be pulled; a fault is for those that cannot.
    pub(super) fn pull(&self) -> Reply {
        let name = self.request.query("fromImage").unwrap_or_default();
        let tag = self.request.query("tag").filter(|tag| !tag.is_empty());
        let last = name.rsplit('/').next().unwrap_or_default();
        let name = match tag {
            Some(tag) if tag.contains(':') => format!("{name}@{tag}"),
            Some(tag) => format!("{name}:{tag}"),
            None if last.contains(':') => name.to_owned(),
            None => format!("{name}:latest"),
        };
        self.state.change(|inner| {
            inner.images.entry(name.clone()).or_insert(None);
        });
        let lines = [
            json!({"status": format!("Pulling from {name}"), "id": "latest"}),
            json!({"status": "Downloading", "progressDetail": {"current": 1, "total": 2}, "progress": "[=> ]", "id": "0123456789ab"}),
            json!({"status": "Pull complete", "progressDetail": {}, "id": "0123456789ab"}),
            json!({"status": format!("Status: Downloaded newer image for {name}")}),
        ];
        let lines = lines.map(|line| Bytes::from(format!("{line}\r\n")));
        Reply::pieces(stream::iter(lines)).header("Content-Type", "application/json")
    }

    pub(super) fn images(&self) -> Answer {
        let inner = self.state.lock();
        let images = inner.images.keys().map(|name| details(name));
        Answer::of(200, &Value::Array(images.collect()))
    }

    pub(super) fn image(&self, name: &str) -> Answer {
        match self.state.lock().image(name) {
            Some(name) => Answer::of(200, &details(name)),
            None => Answer::error(404, &format!("No such image: {name}")),
        }
    }
}

impl Inner {
    /// The full name of an image, if it is known.
    pub(crate) fn image(&self, name: &str) -> Option<&str> {
        let latest = format!("{name}:latest");
        let found = self.images.get_key_value(name);
        let found = found.or_else(|| self.images.get_key_value(&latest));
        found.map(|(name, _)| &**name)
    }
}

fn details(name: &str) -> Value {
    json!({
        "Id": format!("sha256:{:0>64}", "1"),
        "RepoTags": [name],
        "RepoDigests": [],
        "ParentId": "", "Parent": "",
        "Created": "2026-01-01T00:00:00Z",
        "Size": 1024, "VirtualSize": 1024, "SharedSize": -1, "Containers": -1,
        "Os": "linux", "Architecture": "amd64",
        "Labels": {},
        "Config": {"Env": [], "Cmd": ["run"], "Labels": {}},
        "RootFS": {"Type": "layers", "Layers": []},
    })
}
