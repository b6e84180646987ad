//! `host:memory` and `host:swap`: the share in use.

use super::cgroup;
use super::error::HostError;
use super::root::{KernelFile, Root};

/// Bytes in use, of those there are for the container or the machine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Usage {
    used: u64,
    all: u64,
    limited_by: Option<cgroup::Version>,
}

impl Usage {
    /// The container's memory if a limit leaves it less than the machine has.
    pub(super) fn of_memory(root: &Root) -> Result<Self, HostError> {
        Self::read(root, cgroup::memory, ["MemTotal", "MemAvailable"])
    }

    /// The same of swap.
    pub(super) fn of_swap(root: &Root) -> Result<Self, HostError> {
        Self::read(root, cgroup::swap, ["SwapTotal", "SwapFree"])
    }

    fn read(
        root: &Root,
        limited: fn(&Root, u64) -> Result<Option<cgroup::Bytes>, HostError>,
        [all, free]: [&str; 2],
    ) -> Result<Self, HostError> {
        let meminfo = KernelFile::read(root.proc.join("meminfo"))?;
        let bytes = |name| meminfo.named(name).map(|kib| kib.saturating_mul(1024));
        let all = bytes(all)?;
        Ok(match limited(root, all)? {
            Some(container) => Self {
                used: container.used,
                all: container.limit,
                limited_by: Some(container.version),
            },
            None => Self {
                used: all.saturating_sub(bytes(free)?),
                all,
                limited_by: None,
            },
        })
    }

    /// Where there is nothing to use (a machine without swap) nothing is used.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
    pub(super) fn percent(&self) -> f64 {
        match self.all {
            0 => 0.0,
            all => 100.0 * self.used as f64 / all as f64,
        }
    }

    /// What the percentage is of.
    pub(super) fn describe(&self, what: &str) -> String {
        let mib = self.all.div_ceil(1024 * 1024);
        match self.limited_by {
            Some(version) => format!("{what} of the container, limit {mib} MiB ({version})"),
            None => format!("{what} of the machine, {mib} MiB"),
        }
    }
}
