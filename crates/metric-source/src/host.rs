//! `host:cpu`, `host:memory`, `host:swap`, `host:disk:/path` (percent, 0 to 100),
//! `host:load1` and `host:uptime` (seconds).
//!
//! Where a control group leaves this process less CPU, memory or swap than the machine
//! has, the percentage is of that limit: 100 is the point at which the container is
//! slowed down or killed. So under `docker run --cpus 0.5`, `host:cpu` is twice what
//! `docker stats` shows, which counts in CPUs of the machine; `host:memory` is the same.
//! CPU is the mean since the last tick; at the first one, over a fifth of a second.

use std::str::FromStr;

use cloudwatch_metric::Value;
use diagnostics::{Hidden, did_you_mean, nearest};

use super::{Sampling, Source, Tick};

mod cgroup;
mod cpu;
mod disk;
mod error;
mod memory;
mod root;

use cpu::Cpu;
use disk::Disk;
use error::HostError;
use memory::Usage;
use root::{KernelFile, Root};

#[derive(Debug)]
pub(super) struct Host {
    quantity: Quantity,
    root: Root,
}

#[derive(Debug)]
enum Quantity {
    Cpu(Cpu),
    Memory,
    Swap,
    Load1,
    Disk(Disk),
    Uptime,
}

/// What stands behind `host:`.
const QUANTITIES: &[&str] = &["cpu", "memory", "swap", "load1", "disk:/path", "uptime"];

/// Why a text names nothing that a host has.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseHostError {
    #[error(
        "host: has no such figure{} there are {}",
        did_you_mean(nearest(.given.as_str(), QUANTITIES.iter().copied()).map(|name| format!("host:{name}"))),
        all_quantities()
    )]
    Unknown { given: Hidden },
    #[error("the path is not absolute, write host:disk:/path")]
    NotAbsolute,
    #[error("host:{given} is read from Linux's /proc, here only host:disk:/path works")]
    OnlyOnLinux { given: &'static str },
}

impl FromStr for Host {
    type Err = ParseHostError;

    fn from_str(text: &str) -> Result<Self, ParseHostError> {
        let quantity = match text.split_once(':').unwrap_or((text, "")) {
            ("disk", path) if path.starts_with('/') => Quantity::Disk(Disk::new(path.into())),
            ("disk", _) => return Err(ParseHostError::NotAbsolute),
            _ => Quantity::of_linux(text)?,
        };
        Ok(Self {
            quantity,
            root: Root::default(),
        })
    }
}

impl Quantity {
    fn of_linux(text: &str) -> Result<Self, ParseHostError> {
        let (given, quantity) = match text {
            "cpu" => ("cpu", Self::Cpu(Cpu::default())),
            "memory" => ("memory", Self::Memory),
            "swap" => ("swap", Self::Swap),
            "load1" => ("load1", Self::Load1),
            "uptime" => ("uptime", Self::Uptime),
            _ => {
                return Err(ParseHostError::Unknown {
                    given: Hidden::new(text),
                });
            }
        };
        if cfg!(target_os = "linux") {
            Ok(quantity)
        } else {
            Err(ParseHostError::OnlyOnLinux { given })
        }
    }
}

impl Host {
    async fn value(&self) -> Result<Value, HostError> {
        let first = |path| KernelFile::read(self.root.proc.join(path))?.first();
        let number = match &self.quantity {
            Quantity::Cpu(cpu) => cpu.percent(&self.root).await?,
            Quantity::Memory => Usage::of_memory(&self.root)?.percent(),
            Quantity::Swap => Usage::of_swap(&self.root)?.percent(),
            Quantity::Load1 => first("loadavg")?,
            Quantity::Disk(disk) => disk.percent().await?,
            Quantity::Uptime => first("uptime")?,
        };
        Ok(Value::try_from(number)?)
    }

    fn described(&self) -> Result<String, HostError> {
        let root = &self.root;
        Ok(match &self.quantity {
            Quantity::Cpu(_) => Cpu::describe(root)?,
            Quantity::Memory => Usage::of_memory(root)?.describe("memory"),
            Quantity::Swap => Usage::of_swap(root)?.describe("swap"),
            Quantity::Load1 => "load of the machine".to_owned(),
            Quantity::Disk(disk) => {
                let path = disk.path().display();
                format!("space of the file system that holds {path}")
            }
            Quantity::Uptime => "uptime of the machine".to_owned(),
        })
    }
}

impl Source for Host {
    fn sample<'a>(&'a self, _: &'a Tick) -> Sampling<'a> {
        Box::pin(async { Ok(self.value().await?.into()) })
    }

    fn describe(&self) -> Option<String> {
        self.described().ok()
    }
}

fn all_quantities() -> String {
    let all: Vec<_> = QUANTITIES
        .iter()
        .map(|name| format!("host:{name}"))
        .collect();
    all.join(", ")
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
