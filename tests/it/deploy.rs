//! The files in `deploy/` against what they speak of: each setting is read as the program
//! reads it, and users, ports, paths and times are those of the program, of the
//! `Dockerfile` and of `iam-policy.json`.
//!
//! Whether they are what Kubernetes, AWS, Compose and systemd take is told by programs of
//! theirs, in `tests/peer/test_deploy.py` and `tests/image/test_compose.py`.

mod cloudformation;
mod compose;
mod ecs;
mod image;
mod kubernetes;
mod program;
mod systemd;
mod yaml;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The content of a file of this repository.
fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("read {path}: {error}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The text at a JSON pointer.
#[track_caller]
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} of {value:#}"))
}

/// The elements of the list at a JSON pointer; none if it is not there.
#[track_caller]
fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    match value.pointer(pointer) {
        None => &[],
        Some(Value::Array(elements)) => elements,
        Some(other) => panic!("{pointer} is no list but {other:#}"),
    }
}

/// `15s`, as Docker and systemd write it.
#[track_caller]
fn seconds(text: &str) -> Duration {
    let count = text.strip_suffix('s').and_then(|count| count.parse().ok());
    Duration::from_secs(count.unwrap_or_else(|| panic!("{text:?} is no number of seconds")))
}

#[test]
fn readme_tells_of_every_file_and_of_no_other() {
    let mut files = Vec::new();
    walk(&root().join("deploy"), &mut files);
    let readme = file("deploy/README.md");
    for path in &files {
        let path = path.strip_prefix(root().join("deploy")).unwrap();
        let link = format!("]({})", path.display());
        assert!(
            path == "README.md" || readme.contains(&link),
            "deploy/README.md has no link {link}"
        );
    }
    for link in readme.split("](").skip(1) {
        let target = link.split(')').next().unwrap();
        assert!(
            target.contains("://") || root().join("deploy").join(target).exists(),
            "deploy/README.md links to {target}, which is not there"
        );
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}
