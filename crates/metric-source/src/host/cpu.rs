//! `host:cpu`: the share of the CPU time there was that has been used.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::cgroup;
use super::error::HostError;
use super::root::{KernelFile, Root};

/// How long the first sample measures, for want of an earlier one: twenty ticks of
/// the kernel's accounting, and far below `SOURCE_TIMEOUT`.
const FIRST: Duration = Duration::from_millis(200);

/// Remembers the counters of the last sample.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    last: Mutex<Option<Counters>>,
}

/// The kernel's counters at one moment. They only ever grow.
#[derive(Clone, Copy, Debug)]
enum Counters {
    Machine { busy: u64, all: u64 },
    Container { cpu: cgroup::Cpu, at: Instant },
}

impl Cpu {
    /// Percent of the machine, or of the quota, since the last sample.
    pub(super) async fn percent(&self, root: &Root) -> Result<f64, HostError> {
        if let Some(percent) = self.since_last(root)? {
            return Ok(percent);
        }
        tokio::time::sleep(FIRST).await;
        self.since_last(root)?.ok_or(HostError::CpuStandsStill)
    }

    fn since_last(&self, root: &Root) -> Result<Option<f64>, HostError> {
        let now = Counters::read(root)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(last.replace(now).and_then(|last| now.percent_since(last)))
    }

    /// What the percentage is of.
    pub(super) fn describe(root: &Root) -> Result<String, HostError> {
        Ok(match Counters::read(root)? {
            Counters::Container { cpu, .. } => format!(
                "CPU of the container, limit {} CPUs ({})",
                cpu.cpus, cpu.version
            ),
            Counters::Machine { .. } => "CPU of the machine".to_owned(),
        })
    }
}

impl Counters {
    /// The container's counters if a quota leaves it less than the machine has.
    fn read(root: &Root) -> Result<Self, HostError> {
        let stat = KernelFile::read(root.proc.join("stat"))?;
        match cgroup::cpu(root, machine_cpus(&stat))? {
            Some(cpu) => {
                let at = Instant::now();
                Ok(Self::Container { cpu, at })
            }
            None => Self::of_machine(&stat),
        }
    }

    /// The sum over all CPUs: user, nice, system, idle, iowait, irq, softirq, steal
    /// (proc_stat(5)). Guest time follows, but is part of user and nice already.
    fn of_machine(stat: &KernelFile) -> Result<Self, HostError> {
        let line = stat.text.lines().find_map(|line| line.strip_prefix("cpu "));
        let times: Option<Vec<u64>> = line.and_then(|line| {
            let words = line.split_whitespace().take(8);
            words.map(|word| word.parse().ok()).collect()
        });
        let counters = times.and_then(|times| {
            let (idle, waiting) = (times.get(3)?, times.get(4)?);
            let all = times
                .iter()
                .try_fold(0u64, |all, time| all.checked_add(*time))?;
            let busy = all - idle - waiting;
            Some(Self::Machine { busy, all })
        });
        counters.ok_or_else(|| stat.unexpected("a line of CPU times"))
    }

    /// None if no time went by, or if the two cannot be compared: a limit was set or
    /// lifted, or a counter went back (idle time does, on some machines).
    #[expect(
        clippy::cast_precision_loss,
        reason = "differences stay far below 2^53"
    )]
    fn percent_since(self, last: Self) -> Option<f64> {
        let share = match (last, self) {
            (Self::Machine { busy: b0, all: a0 }, Self::Machine { busy, all }) => {
                busy.checked_sub(b0)? as f64 / all.checked_sub(a0)? as f64
            }
            (
                Self::Container {
                    cpu: last,
                    at: then,
                },
                Self::Container { cpu, at },
            ) => {
                let used = cpu.used.checked_sub(last.used)?;
                used.as_secs_f64() / (cpu.cpus * (at - then).as_secs_f64())
            }
            _ => return None,
        };
        // A quota may be overdrawn for a moment, by what was not used before.
        share.is_finite().then(|| (100.0 * share).min(100.0))
    }
}

/// Each CPU has a line of its own below that of their sum.
#[expect(clippy::cast_precision_loss, reason = "a number of CPUs")]
fn machine_cpus(stat: &KernelFile) -> f64 {
    let is_one = |line: &&str| {
        let number = line
            .strip_prefix("cpu")
            .and_then(|rest| rest.bytes().next());
        number.is_some_and(|byte| byte.is_ascii_digit())
    };
    stat.text.lines().filter(is_one).count() as f64
}
