//! Prints the samples of an exposition on standard input, one JSON object a line, for comparison with
//! other parsers: `exposition CONTENT-TYPE < FILE`. Times are
//! Unix seconds. On a malformed text it prints why on standard error and fails.

use std::io::Read;
use std::process::ExitCode;

use metric_source::prometheus::{Exposition, Format};

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() -> ExitCode {
    let content_type = std::env::args().nth(1).unwrap_or_default();
    let mut text = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut text) {
        eprintln!("read standard input: {error}");
        return ExitCode::FAILURE;
    }
    for sample in Exposition::new(&text, Format::of(&content_type)) {
        match sample {
            Ok(sample) => println!(
                "{}",
                serde_json::json!({
                    "name": sample.name,
                    "labels": sample.labels.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
                    "value": sample.value.to_string(),
                    "timestamp": sample.timestamp,
                    "family": sample.family(),
                    "kind": format!("{:?}", sample.kind).to_lowercase(),
                })
            ),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
