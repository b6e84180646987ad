//! What the kernel allows this process's control group, versions 1 and 2 (kernel
//! documentation, "Control Group v2" and "Memory Resource Controller").
//!
//! A limit may be set on the group itself or on any group above it (a Kubernetes pod,
//! an ECS task), as far as the container can see; the tightest counts, with the usage
//! of the group it is set on.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::HostError;
use super::root::{KernelFile, Root};

/// A period of the CPU quota where version 1 does not tell it (kernel default).
const PERIOD_US: f64 = 100_000.0;

/// The two interfaces of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "cgroup v1",
            Self::V2 => "cgroup v2",
        })
    }
}

/// How much of a limited amount of bytes is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bytes {
    pub(super) used: u64,
    pub(super) limit: u64,
    pub(super) version: Version,
}

/// CPU time used under a quota.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cpu {
    pub(super) used: Duration,
    /// The quota as a number of CPUs.
    pub(super) cpus: f64,
    pub(super) version: Version,
}

/// The memory limit, if one below what the machine has is set. Pages of files that
/// were not touched for a while do not count as used: the kernel drops them before it
/// runs short.
pub(super) fn memory(root: &Root, machine: u64) -> Result<Option<Bytes>, HostError> {
    let limit_of = |version, group: &Path| {
        limit_in(group.join(match version {
            Version::V1 => "memory.limit_in_bytes",
            Version::V2 => "memory.max",
        }))
    };
    let Some((version, group, limit)) = tightest(root, "memory", machine, limit_of)? else {
        return Ok(None);
    };
    let (usage, inactive) = match version {
        Version::V1 => ("memory.usage_in_bytes", "total_inactive_file"),
        Version::V2 => ("memory.current", "inactive_file"),
    };
    let usage: u64 = KernelFile::read(group.join(usage))?.first()?;
    let inactive = KernelFile::read(group.join("memory.stat"))?.named(inactive)?;
    Ok(Some(Bytes {
        used: usage.saturating_sub(inactive),
        limit,
        version,
    }))
}

/// The swap limit, if one below what the machine has is set. Version 1 limits memory
/// and swap together.
pub(super) fn swap(root: &Root, machine: u64) -> Result<Option<Bytes>, HostError> {
    let limit_of = |version, group: &Path| match version {
        Version::V1 => {
            let both = limit_in(group.join("memory.memsw.limit_in_bytes"))?;
            let memory = limit_in(group.join("memory.limit_in_bytes"))?;
            Ok(both
                .zip(memory)
                .map(|(both, memory)| both.saturating_sub(memory)))
        }
        Version::V2 => limit_in(group.join("memory.swap.max")),
    };
    let Some((version, group, limit)) = tightest(root, "memory", machine, limit_of)? else {
        return Ok(None);
    };
    let used = match version {
        Version::V1 => KernelFile::read(group.join("memory.stat"))?.named("total_swap")?,
        Version::V2 => KernelFile::read(group.join("memory.swap.current"))?.first()?,
    };
    Ok(Some(Bytes {
        used,
        limit,
        version,
    }))
}

/// The CPU quota, if one below what the machine has is set.
pub(super) fn cpu(root: &Root, machine: f64) -> Result<Option<Cpu>, HostError> {
    let Some((version, group, cpus)) = tightest(root, "cpu", machine, quota)? else {
        return Ok(None);
    };
    let used = match version {
        Version::V1 => {
            let group = counted_with(root, &group)?;
            Duration::from_nanos(KernelFile::read(group.join("cpuacct.usage"))?.first()?)
        }
        Version::V2 => {
            let stat = KernelFile::read(group.join("cpu.stat"))?;
            Duration::from_micros(stat.named("usage_usec")?)
        }
    };
    Ok(Some(Cpu {
        used,
        cpus,
        version,
    }))
}

/// The group with the smallest limit that is below `machine`.
fn tightest<T: PartialOrd + Copy>(
    root: &Root,
    controller: &str,
    machine: T,
    limit_of: impl Fn(Version, &Path) -> Result<Option<T>, HostError>,
) -> Result<Option<(Version, PathBuf, T)>, HostError> {
    let Some((version, groups)) = groups(root, controller)? else {
        return Ok(None);
    };
    let mut tightest: Option<(Version, PathBuf, T)> = None;
    for group in groups {
        let Some(limit) = limit_of(version, &group)?.filter(|limit| *limit < machine) else {
            continue;
        };
        // Of equals the outer one counts: it is the one that fills up first.
        if tightest
            .as_ref()
            .is_none_or(|(_, _, least)| limit <= *least)
        {
            tightest = Some((version, group, limit));
        }
    }
    Ok(tightest)
}

/// The group that counts the CPU time of a version 1 group with a quota: the same
/// place in the hierarchy of `cpuacct`, which mostly, but not always, is the same one.
fn counted_with(root: &Root, group: &Path) -> Result<PathBuf, HostError> {
    let both = groups(root, "cpu")?.zip(groups(root, "cpuacct")?);
    let counted = both.and_then(|((_, quotas), (_, counts))| {
        let place = quotas.iter().position(|quota| quota == group)?;
        counts.into_iter().nth(place)
    });
    Ok(counted.unwrap_or_else(|| group.to_owned()))
}

/// The quota of one group as a number of CPUs.
fn quota(version: Version, group: &Path) -> Result<Option<f64>, HostError> {
    match version {
        Version::V1 => {
            let Some(file) = KernelFile::read_if_there(group.join("cpu.cfs_quota_us"))? else {
                return Ok(None);
            };
            let quota: f64 = file.first()?;
            let period = KernelFile::read_if_there(group.join("cpu.cfs_period_us"))?;
            let period = period.map_or(Ok(PERIOD_US), |file| file.first())?;
            Ok((quota > 0.0 && period > 0.0).then(|| quota / period))
        }
        Version::V2 => {
            let Some(file) = KernelFile::read_if_there(group.join("cpu.max"))? else {
                return Ok(None);
            };
            let mut words = file.text.split_whitespace();
            match (words.next(), words.next()) {
                (Some("max"), _) => Ok(None),
                (Some(quota), Some(period)) => ratio(quota, period)
                    .map(Some)
                    .ok_or_else(|| file.unexpected("a quota and its period")),
                _ => Err(file.unexpected("a quota and its period")),
            }
        }
    }
}

fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period) = (quota.parse::<u32>().ok()?, period.parse::<u32>().ok()?);
    (quota > 0 && period > 0).then(|| f64::from(quota) / f64::from(period))
}

/// A limit in bytes; `max` and an absent file set none.
fn limit_in(path: PathBuf) -> Result<Option<u64>, HostError> {
    match KernelFile::read_if_there(path)? {
        Some(file) if file.text.trim() == "max" => Ok(None),
        Some(file) => file.first().map(Some),
        None => Ok(None),
    }
}

/// The groups that a controller applies to this process, its own first.
fn groups(root: &Root, controller: &str) -> Result<Option<(Version, Vec<PathBuf>)>, HostError> {
    let Some(own) = KernelFile::read_if_there(root.proc.join("self/cgroup"))? else {
        return Ok(None);
    };
    let mounts = root.sys.join("fs/cgroup");
    // A line is `number:controllers:path`; version 2 has the number 0 and names none.
    let mut lines = own.text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        rest.split_once(':')
    });
    if mounts.join("cgroup.controllers").exists() {
        let path = lines.find_map(|(names, path)| names.is_empty().then_some(path));
        return Ok(path.map(|path| (Version::V2, up_to_mount(&mounts, path))));
    }
    let line = lines.find(|(names, _)| names.split(',').any(|name| name == controller));
    let Some((names, path)) = line else {
        return Ok(None);
    };
    // Controllers that share a mount have links in their own names, but not everywhere.
    let mount = [controller, names]
        .map(|name| mounts.join(name))
        .into_iter()
        .find(|mount| mount.is_dir());
    Ok(mount.map(|mount| (Version::V1, up_to_mount(&mount, path))))
}

/// The group at `path` and those above it, up to the mount. Inside a container the
/// mount often is the group itself, while the path is the one that the host sees.
fn up_to_mount(mount: &Path, path: &str) -> Vec<PathBuf> {
    let path = path.trim_start_matches('/');
    let outside = path.split('/').any(|part| part == "..");
    let own = mount.join(path);
    if outside || path.is_empty() || !own.is_dir() {
        return vec![mount.to_owned()];
    }
    own.ancestors()
        .take_while(|group| group.starts_with(mount))
        .map(Path::to_owned)
        .collect()
}
