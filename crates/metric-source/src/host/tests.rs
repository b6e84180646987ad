use std::path::Path;
use std::time::Duration;

use super::*;

/// A copy of a tree below `tests/fixtures/host`, to change.
struct Machine(tempfile::TempDir);

impl Machine {
    fn like(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/host");
        copy(&from.join(name), dir.path());
        Self(dir)
    }

    fn host(&self, text: &str) -> Host {
        let mut host: Host = text.parse().unwrap();
        host.root = Root {
            proc: self.0.path().join("proc"),
            sys: self.0.path().join("sys"),
        };
        host
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.path().join(file), text).unwrap();
    }

    async fn read(&self, text: &str) -> Result<f64, String> {
        value(&self.host(text)).await
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

async fn value(host: &Host) -> Result<f64, String> {
    match host.value().await {
        Ok(value) => Ok(value.get()),
        Err(error) => Err(diagnostics::chain(&error)),
    }
}

#[tokio::test]
async fn machine_without_limits_is_read_from_proc() {
    let machine = Machine::like("unlimited");
    // 8,000,000 kB in all, 6,000,000 kB available; swap 2,000,000 kB, 1,500,000 kB free.
    assert_eq!(machine.read("memory").await, Ok(25.0));
    assert_eq!(machine.read("swap").await, Ok(25.0));
    assert_eq!(machine.read("load1").await, Ok(0.42));
    assert_eq!(machine.read("uptime").await, Ok(350_735.47));
    let memory = machine.host("memory").describe();
    assert_eq!(memory.as_deref(), Some("memory of the machine, 7813 MiB"));
    let cpu = machine.host("cpu").describe();
    assert_eq!(cpu.as_deref(), Some("CPU of the machine"));
}

#[tokio::test]
async fn machine_without_swap_uses_none() {
    let machine = Machine::like("v2");
    machine.write("proc/meminfo", "SwapTotal: 0 kB\nSwapFree: 0 kB\n");
    assert_eq!(machine.read("swap").await, Ok(0.0));
}

#[tokio::test]
async fn limited_container_is_measured_against_its_limits() {
    for (name, version) in [("v1", "cgroup v1"), ("v2", "cgroup v2")] {
        let machine = Machine::like(name);
        // 24 MiB used and 8 MiB of them inactive pages of files, of 64 MiB.
        assert_eq!(machine.read("memory").await, Ok(25.0), "{name}");
        // 16 MiB of 64 MiB.
        assert_eq!(machine.read("swap").await, Ok(25.0), "{name}");
        assert_eq!(
            machine.host("memory").describe(),
            Some(format!("memory of the container, limit 64 MiB ({version})"))
        );
        assert_eq!(
            machine.host("cpu").describe(),
            Some(format!("CPU of the container, limit 0.5 CPUs ({version})"))
        );
    }
}

#[tokio::test]
async fn limit_above_the_group_counts_where_it_is_the_tightest() {
    let machine = Machine::like("nested");
    // The pod may use 32 MiB and uses 24 MiB; the container alone may use 64 MiB.
    assert_eq!(machine.read("memory").await, Ok(75.0));
    let cpu = machine.host("cpu").describe().unwrap();
    assert!(cpu.contains("limit 0.25 CPUs"), "{cpu}");
}

#[tokio::test]
async fn limit_beyond_what_the_machine_has_is_none() {
    let machine = Machine::like("v2");
    machine.write("sys/fs/cgroup/memory.max", "9000000000000\n");
    machine.write("sys/fs/cgroup/cpu.max", "400000 100000\n");
    assert_eq!(machine.read("memory").await, Ok(25.0));
    let cpu = machine.host("cpu").describe();
    assert_eq!(cpu.as_deref(), Some("CPU of the machine"));
}

#[tokio::test(start_paused = true)]
async fn cpu_of_the_machine_is_the_busy_share_since_the_last_sample() {
    let machine = Machine::like("unlimited");
    let host = machine.host("cpu");
    let first = async {
        // The first sample has read the file once and waits.
        tokio::task::yield_now().await;
        // user nice system idle iowait irq softirq steal guest guest_nice
        machine.write(
            "proc/stat",
            "cpu  1100 50 300 8100 150 0 50 50 90 0\ncpu0 1\n",
        );
    };
    // 150 more of busy time, 100 of idle time.
    let (value_of_first, ()) = tokio::join!(value(&host), first);
    assert_eq!(value_of_first, Ok(60.0));
    machine.write(
        "proc/stat",
        "cpu  1100 50 300 8190 160 0 50 50 90 0\ncpu0 1\n",
    );
    assert_eq!(value(&host).await, Ok(0.0));
}

#[tokio::test(start_paused = true)]
async fn cpu_of_a_container_is_the_share_of_its_quota_since_the_last_sample() {
    for (name, file, [some, all]) in [
        (
            "v1",
            "cpuacct/cpuacct.usage",
            ["7000000000\n", "23000000000\n"],
        ),
        (
            "v2",
            "cpu.stat",
            ["usage_usec 7000000\nuser_usec 1\n", "usage_usec 23000000\n"],
        ),
    ] {
        let machine = Machine::like(name);
        let host = machine.host("cpu");
        // The fixtures stand still at 1 second of CPU time.
        assert_eq!(value(&host).await, Ok(0.0));
        tokio::time::advance(Duration::from_secs(30)).await;
        machine.write(&format!("sys/fs/cgroup/{file}"), some);
        // 6 seconds of the 15 that half a CPU has in 30.
        assert_eq!(value(&host).await, Ok(40.0), "{name}");
        tokio::time::advance(Duration::from_secs(30)).await;
        machine.write(&format!("sys/fs/cgroup/{file}"), all);
        // 16 seconds, one of them overdrawn.
        assert_eq!(value(&host).await, Ok(100.0), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn counter_that_went_back_starts_a_new_measurement() {
    let machine = Machine::like("v2");
    let host = machine.host("cpu");
    assert_eq!(value(&host).await, Ok(0.0));
    machine.write("sys/fs/cgroup/cpu.stat", "usage_usec 5\n");
    assert_eq!(value(&host).await, Ok(0.0));
}

#[tokio::test(start_paused = true)]
async fn counters_that_stand_still_are_an_error() {
    let error = Machine::like("unlimited").read("cpu").await.unwrap_err();
    assert!(error.contains("stand still"), "{error}");
}

#[tokio::test]
async fn missing_and_garbled_files_are_errors_that_show_them() {
    let machine = Machine::like("v2");
    machine.write("sys/fs/cgroup/memory.max", "lots\x1b\n");
    machine.write("sys/fs/cgroup/cpu.max", "50000\n");
    machine.write("proc/loadavg", "");
    std::fs::remove_file(machine.0.path().join("proc/uptime")).unwrap();
    for (text, parts) in [
        ("memory", ["memory.max", r#"read "lots\u{1b}""#]),
        ("cpu", ["cpu.max", r#"read "50000""#]),
        ("load1", ["loadavg", r#"read """#]),
        ("uptime", ["uptime", "No such file"]),
    ] {
        let error = machine.read(text).await.unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    for stat in [
        "",
        "cpu 1 2 3\n",
        "cpu  a b c d e f g h\n",
        "cpu0 1 2 3 4 5 6 7 8\n",
        "cpu  18446744073709551615 2 3 4 5 6 7 8\n",
    ] {
        machine.write("sys/fs/cgroup/cpu.max", "max 100000\n");
        machine.write("proc/stat", stat);
        let error = machine.read("cpu").await.unwrap_err();
        assert!(error.contains("CPU times"), "{error}");
    }
}

/// Whatever machine the tests run on.
#[tokio::test]
async fn this_machine_has_every_value() {
    for text in ["cpu", "memory", "swap", "disk:/"] {
        let percent = value(&text.parse().unwrap()).await.unwrap();
        assert!((0.0..=100.0).contains(&percent), "{text}: {percent}");
    }
    for text in ["load1", "uptime"] {
        assert!(value(&text.parse().unwrap()).await.unwrap() >= 0.0);
    }
}

#[test]
fn what_a_host_does_not_have_is_refused_with_the_nearest() {
    for (bad, part) in [
        ("memroy", "did you mean host:memory?"),
        ("", "there are host:cpu"),
        ("disk", "host:disk:/path"),
        ("disk:data", "host:disk:/path"),
        ("cpus", "did you mean host:cpu?"),
        ("temperature", "no such figure; there are host:cpu"),
    ] {
        let error = bad.parse::<Host>().unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
