//! What a checkpoint belongs to: the arguments that say what runs and where its lines go.

use std::fmt::Write;

use ring::digest::{Context, SHA256};

use super::options::ALL;
use super::reader::Reader;
use crate::job::Target;

/// A digest, for the arguments may hold secrets. Every part has its length before it.
pub(super) fn of(reader: &mut Reader<'_>, target: &Target) -> String {
    let mut digest = Context::new(&SHA256);
    let mut part = |text: &str| {
        digest.update(&(text.len() as u64).to_le_bytes());
        digest.update(text.as_bytes());
    };
    part(if reader.given.attach { "attach" } else { "run" });
    for option in ALL.iter().filter(|option| option.identity) {
        for value in reader.values(option.name) {
            part(option.name);
            part(&value.text);
        }
    }
    for word in reader.given.words.iter().chain(&reader.given.command) {
        part(word);
    }
    if let Target::Run(run) = target {
        // Values of ours that `--env NAME` takes, and what the files say.
        for (name, value) in &run.container.env {
            part(name);
            part(value);
        }
    }
    let bytes = digest.finish();
    bytes.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
