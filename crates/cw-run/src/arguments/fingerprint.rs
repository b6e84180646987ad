//! What a checkpoint belongs to: the arguments that say what runs and where its lines go.

use std::fmt::Write;

use ring::digest::{Context, SHA256};

use super::options::ALL;
use super::reader::Reader;
use crate::job::Target;

/// The endpoint that serves if the service has none of its own.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// A digest, for the arguments may hold secrets.
pub(super) fn of(reader: &mut Reader<'_>, target: &Target) -> String {
    let mut digest = Context::new(&SHA256);
    let mut part = |text: &str| part(&mut digest, text);
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
        // Folders that were named from where this program runs.
        for mount in &run.container.volumes {
            part(mount);
        }
    }
    if reader.value("endpoint-url").is_none() {
        part(reader.environment.variable(ENDPOINT).unwrap_or_default());
    }
    text(digest)
}

/// The same in a region, which is known when the profile has been read.
pub(crate) fn in_region(fingerprint: &str, region: &str) -> String {
    let mut digest = Context::new(&SHA256);
    part(&mut digest, fingerprint);
    part(&mut digest, region);
    text(digest)
}

/// Every part has its length before it.
fn part(digest: &mut Context, text: &str) {
    digest.update(&(text.len() as u64).to_le_bytes());
    digest.update(text.as_bytes());
}

fn text(digest: Context) -> String {
    let bytes = digest.finish();
    bytes.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
