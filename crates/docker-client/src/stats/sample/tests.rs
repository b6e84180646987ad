use proptest::prelude::*;

use super::*;

/// What Docker 20.10 answered on a host with cgroup v1, without the fields of no use here. The
/// page cache has been set apart as read once, so that it counts as inactive.
const CGROUP_V1: &str = r#"{"read":"2026-11-21T17:23:26.157501566Z","preread":"2026-11-21T17:23:24.48549911Z",
"pids_stats":{"current":1},"blkio_stats":{"io_service_bytes_recursive":[
{"major":8,"minor":0,"op":"Read","value":4096},{"major":8,"minor":0,"op":"Write","value":20971520},
{"major":8,"minor":0,"op":"Sync","value":1},{"major":8,"minor":0,"op":"Total","value":20975616}],
"io_serviced_recursive":[]},"num_procs":0,"storage_stats":{},
"cpu_stats":{"cpu_usage":{"total_usage":2731783110,"percpu_usage":[608832813,2122950297],
"usage_in_kernelmode":160000000,"usage_in_usermode":2570000000},"system_cpu_usage":10322500000000,"online_cpus":2},
"precpu_stats":{"cpu_usage":{"total_usage":2138992292,"percpu_usage":[608832813,1530159479]},
"system_cpu_usage":10319380000000,"online_cpus":2},
"memory_stats":{"usage":22233088,"max_usage":23146496,"stats":{"active_file":0,"cache":20971520,
"hierarchical_memory_limit":9223372036854771712,"inactive_file":7,"rss":61440,"total_cache":20971520,
"total_inactive_file":20971520,"total_rss":61440},"limit":25276502016},"name":"/a","id":"af2f",
"networks":{"eth0":{"rx_bytes":806,"tx_bytes":10},"eth1":{"rx_bytes":1,"tx_bytes":2}}}"#;

/// The same of an engine on a host with cgroup v2: no processor apart, small letters.
const CGROUP_V2: &str = r#"{"read":"2026-11-21T10:00:01.5Z","pids_stats":{"current":3,"limit":18446744073709551615},
"blkio_stats":{"io_service_bytes_recursive":[{"major":259,"minor":0,"op":"read","value":8192},
{"major":259,"minor":0,"op":"write","value":12288}],"io_serviced_recursive":null},
"cpu_stats":{"cpu_usage":{"total_usage":500000000,"usage_in_kernelmode":1,"usage_in_usermode":2},
"system_cpu_usage":40000000000,"online_cpus":4,"throttling_data":{}},
"precpu_stats":{"cpu_usage":{"total_usage":250000000},"system_cpu_usage":36000000000,"online_cpus":4},
"memory_stats":{"usage":1540096,"stats":{"anon":86016,"file":1048576,"active_file":700416,"inactive_file":348160},
"limit":4194304},"networks":{"eth0":{"rx_bytes":5,"tx_bytes":6}}}"#;

fn figures(json: &str) -> ContainerStats {
    Sample::parse(json.as_bytes()).unwrap().figures()
}

#[test]
fn figures_of_cgroup_v1_are_those_of_docker_stats() {
    let stats = figures(CGROUP_V1);
    // 592,790,818 ns of 3,120,000,000 ns that two processors had together.
    assert!(
        (stats.cpu_percent - 37.999_411).abs() < 1e-6,
        "{}",
        stats.cpu_percent
    );
    assert_eq!(stats.memory_bytes, 22_233_088 - 20_971_520);
    assert_eq!(stats.memory_limit_bytes, 25_276_502_016);
    assert_eq!((stats.network_rx_bytes, stats.network_tx_bytes), (807, 12));
    assert_eq!(
        (stats.block_read_bytes, stats.block_write_bytes),
        (4096, 20_971_520)
    );
    assert_eq!(stats.pids, 1);
    assert_eq!(
        stats.read.unwrap().to_string(),
        "2026-11-21T17:23:26.157501566Z"
    );
}

#[test]
fn figures_of_cgroup_v2_are_those_of_docker_stats() {
    let stats = figures(CGROUP_V2);
    assert!(
        (stats.cpu_percent - 25.0).abs() < 1e-9,
        "{}",
        stats.cpu_percent
    );
    assert_eq!(stats.memory_bytes, 1_540_096 - 348_160);
    assert!(
        (stats.memory_percent - 28.417_969).abs() < 1e-6,
        "{}",
        stats.memory_percent
    );
    assert_eq!(
        (stats.block_read_bytes, stats.block_write_bytes),
        (8192, 12_288)
    );
    assert_eq!(stats.pids, 3);
}

#[test]
fn processors_are_counted_where_the_engine_does_not_say_how_many() {
    let json = CGROUP_V1.replace(r#""online_cpus":2"#, r#""online_cpus":0"#);
    assert!((figures(&json).cpu_percent - 37.999_411).abs() < 1e-6);
}

#[test]
fn a_container_that_does_not_run_uses_nothing() {
    let json = r#"{"read":"0001-01-01T00:00:00Z","pids_stats":{},"blkio_stats":{"io_service_bytes_recursive":null},
        "cpu_stats":{"cpu_usage":{"total_usage":0}},"precpu_stats":{"cpu_usage":{"total_usage":0}},"memory_stats":{}}"#;
    assert_eq!(figures(json), ContainerStats::default());
}

#[test]
fn a_cache_that_is_more_than_is_used_is_left_in() {
    let json = r#"{"memory_stats":{"usage":5,"stats":{"inactive_file":9}}}"#;
    assert_eq!(figures(json).memory_bytes, 5);
}

proptest! {
    #[test]
    fn no_numbers_panic(numbers in prop::array::uniform8(any::<u64>())) {
        let [a, b, c, d, e, f, g, h] = numbers;
        let stats = figures(&format!(
            r#"{{"cpu_stats":{{"cpu_usage":{{"total_usage":{a}}},"system_cpu_usage":{b},"online_cpus":3}},
            "precpu_stats":{{"cpu_usage":{{"total_usage":{c}}},"system_cpu_usage":{d}}},
            "memory_stats":{{"usage":{e},"limit":{f},"stats":{{"inactive_file":{g}}}}},
            "networks":{{"a":{{"rx_bytes":{h}}},"b":{{"rx_bytes":{h}}}}}}}"#
        ));
        prop_assert!(stats.cpu_percent >= 0.0 && stats.memory_bytes <= e);
    }
}
