//! `stats`

use docker_client::{ContainerStats, DockerApiClient};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::Failure;
use crate::print::{Printer, binary, decimal};

const HEAD: [&str; 7] = [
    "NAME",
    "CPU %",
    "MEM USAGE / LIMIT",
    "MEM %",
    "NET I/O",
    "BLOCK I/O",
    "PIDS",
];
/// The engine takes a second or two for each; so many are asked at once.
const AT_ONCE: usize = 32;

pub(super) async fn run(
    client: &DockerApiClient,
    mut names: Vec<String>,
    once: bool,
    json: bool,
    printer: &mut Printer,
) -> Result<u8, Failure> {
    if names.is_empty() {
        let list = client.list_containers(false).await?;
        names = list.into_iter().map(|container| container.name).collect();
    }
    loop {
        let asked = stream::iter(names.clone()).map(async |name: String| {
            let stats = client.stats(&name).await?;
            Ok::<_, Failure>((name, stats))
        });
        let all: Vec<_> = asked.buffered(AT_ONCE).try_collect().await?;
        if json {
            let documents = all.iter().map(|(name, stats)| document(name, stats));
            printer.json(&Value::Array(documents.collect()))?;
        } else {
            let rows: Vec<_> = all.iter().map(|(name, stats)| row(name, stats)).collect();
            printer.table(&HEAD, &rows, |_, _| None)?;
        }
        printer.flush()?;
        if once || names.is_empty() {
            return Ok(0);
        }
    }
}

fn row(name: &str, stats: &ContainerStats) -> Vec<String> {
    vec![
        name.to_owned(),
        format!("{:.2}%", stats.cpu_percent),
        format!(
            "{} / {}",
            binary(stats.memory_bytes),
            binary(stats.memory_limit_bytes)
        ),
        format!("{:.2}%", stats.memory_percent),
        format!(
            "{} / {}",
            decimal(stats.network_rx_bytes),
            decimal(stats.network_tx_bytes)
        ),
        format!(
            "{} / {}",
            decimal(stats.block_read_bytes),
            decimal(stats.block_write_bytes)
        ),
        stats.pids.to_string(),
    ]
}

fn document(name: &str, stats: &ContainerStats) -> Value {
    json!({
        "name": name,
        "read": stats.read.map(|time| time.to_string()),
        "cpu_percent": stats.cpu_percent,
        "memory_bytes": stats.memory_bytes,
        "memory_limit_bytes": stats.memory_limit_bytes,
        "memory_percent": stats.memory_percent,
        "network_rx_bytes": stats.network_rx_bytes,
        "network_tx_bytes": stats.network_tx_bytes,
        "block_read_bytes": stats.block_read_bytes,
        "block_write_bytes": stats.block_write_bytes,
        "pids": stats.pids,
    })
}
