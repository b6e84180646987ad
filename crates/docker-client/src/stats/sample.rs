//! The API's JSON of a sample, and the figures that `docker stats` makes of it.

use std::collections::HashMap;

use serde::Deserialize;

use crate::stats::ContainerStats;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sample {
    read: Option<String>,
    cpu_stats: Option<Cpu>,
    precpu_stats: Option<Cpu>,
    memory_stats: Option<Memory>,
    networks: Option<HashMap<String, Network>>,
    blkio_stats: Option<BlockIo>,
    pids_stats: Option<Pids>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cpu {
    cpu_usage: CpuUsage,
    system_cpu_usage: Option<u64>,
    online_cpus: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CpuUsage {
    total_usage: u64,
    percpu_usage: Option<Vec<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Memory {
    usage: Option<u64>,
    limit: Option<u64>,
    stats: Option<HashMap<String, u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    rx_bytes: u64,
    tx_bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BlockIo {
    io_service_bytes_recursive: Option<Vec<BlockIoEntry>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BlockIoEntry {
    op: String,
    value: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pids {
    current: Option<u64>,
}

impl Sample {
    pub(super) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    pub(super) fn figures(&self) -> ContainerStats {
        let memory_bytes = self.memory();
        let limit = self
            .memory_stats
            .as_ref()
            .and_then(|memory| memory.limit)
            .unwrap_or(0);
        let networks = || self.networks.iter().flat_map(HashMap::values);
        ContainerStats {
            read: self
                .read
                .as_deref()
                .filter(|read| !read.starts_with("0001-"))
                .and_then(|read| read.parse().ok()),
            cpu_percent: self.cpu_percent(),
            memory_bytes,
            memory_limit_bytes: limit,
            memory_percent: match limit {
                0 => 0.0,
                limit => memory_bytes as f64 / limit as f64 * 100.0,
            },
            network_rx_bytes: sum(networks().map(|network| network.rx_bytes)),
            network_tx_bytes: sum(networks().map(|network| network.tx_bytes)),
            block_read_bytes: self.block_io('r'),
            block_write_bytes: self.block_io('w'),
            pids: self
                .pids_stats
                .as_ref()
                .and_then(|pids| pids.current)
                .unwrap_or(0),
        }
    }

    /// The container's share of the processors' time since the sample before, as
    /// `calculateCPUPercentUnix` of the `docker` command has it.
    fn cpu_percent(&self) -> f64 {
        let none = Cpu::default();
        let now = self.cpu_stats.as_ref().unwrap_or(&none);
        let before = self.precpu_stats.as_ref().unwrap_or(&none);
        let used = now.cpu_usage.total_usage as f64 - before.cpu_usage.total_usage as f64;
        let passed =
            now.system_cpu_usage.unwrap_or(0) as f64 - before.system_cpu_usage.unwrap_or(0) as f64;
        let processors = match now.online_cpus {
            None | Some(0) => now.cpu_usage.percpu_usage.as_ref().map_or(0, Vec::len) as f64,
            Some(processors) => f64::from(processors),
        };
        if used <= 0.0 || passed <= 0.0 {
            return 0.0;
        }
        used / passed * processors * 100.0
    }

    /// Without the page cache that was not used lately, as `calculateMemUsageUnixNoCache` has
    /// it: under `total_inactive_file` with cgroup v1, `inactive_file` with v2.
    fn memory(&self) -> u64 {
        let Some(memory) = &self.memory_stats else {
            return 0;
        };
        let usage = memory.usage.unwrap_or(0);
        let stat = |name: &str| memory.stats.as_ref()?.get(name).copied();
        let cache = [stat("total_inactive_file"), stat("inactive_file")];
        cache
            .into_iter()
            .flatten()
            .find(|cache| *cache < usage)
            .map_or(usage, |cache| usage - cache)
    }

    fn block_io(&self, initial: char) -> u64 {
        let entries = self
            .blkio_stats
            .as_ref()
            .and_then(|io| io.io_service_bytes_recursive.as_ref());
        sum(entries
            .into_iter()
            .flatten()
            .filter(|entry| {
                entry
                    .op
                    .starts_with([initial, initial.to_ascii_uppercase()])
            })
            .map(|entry| entry.value))
    }
}

fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
