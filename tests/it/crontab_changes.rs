//! A crontab whose file changes: it is read again without a signal, whole, and no tick is
//! lost or doubled by it.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloudwatch_local::CloudWatchLocal;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::time::{Instant, interval, sleep};

use crate::support::{Setup, endpoint, text};

const STEADY: &str = "* * * * * * name=Steady value=timestamp\n";

/// The seconds of a metric's points, in order.
fn seconds(endpoint: &CloudWatchLocal, name: &str) -> Vec<i64> {
    let points = endpoint.points();
    let of_name = points.iter().filter(|point| point.name == name);
    let mut seconds: Vec<i64> = of_name.map(|point| point.unix()).collect();
    seconds.sort_unstable();
    seconds
}

fn assert_each_second_once(seconds: &[i64]) {
    let first = *seconds.first().unwrap();
    let all: Vec<i64> = (first..).take(seconds.len()).collect();
    assert_eq!(seconds, all);
}

async fn points_more(endpoint: &CloudWatchLocal, count: usize) {
    let so_far = endpoint.points().len();
    endpoint.received_at_least(so_far + count).await;
}

fn setup(endpoint: &CloudWatchLocal, crontab: &Path) -> Setup {
    Setup::new(&endpoint.url()).with("CRONTAB", crontab.display())
}

/// A volume as the kubelet makes one of a ConfigMap: the file is a link into a folder that is
/// a link itself, and only that is exchanged.
struct ConfigMap {
    volume: TempDir,
    number: u32,
}

impl ConfigMap {
    fn new(crontab: &str) -> Self {
        let volume = TempDir::new().unwrap();
        symlink("..data/crontab", volume.path().join("crontab")).unwrap();
        let mut map = Self { volume, number: 0 };
        map.update(crontab);
        map
    }

    fn crontab(&self) -> PathBuf {
        self.volume.path().join("crontab")
    }

    fn update(&mut self, crontab: &str) {
        let at = |name: &str| self.volume.path().join(name);
        let folder = |number: u32| format!("..2026_{number}");
        let old = folder(self.number);
        self.number += 1;
        let new = folder(self.number);
        std::fs::create_dir(at(&new)).unwrap();
        std::fs::write(at(&new).join("crontab"), crontab).unwrap();
        symlink(&new, at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        let _ = std::fs::remove_dir_all(at(&old));
    }
}

#[tokio::test]
async fn exchanged_config_map_loses_and_doubles_no_tick_under_load() {
    let endpoint = endpoint().await;
    // Enough company that reading takes a while.
    let company = |kind: &str| {
        let lines = (0..2000).map(|n| format!("@yearly name={kind}{n} value=1\n"));
        lines.collect::<String>()
    };
    let crontab = |number: u32| {
        let other = format!("* * * * * * name=Other{number} value=1\n");
        company("Idle") + &other + STEADY
    };
    let mut map = ConfigMap::new(&crontab(0));
    let publisher = setup(&endpoint, &map.crontab())
        .with("PUBLISH_ON_START", "false")
        .start();
    points_more(&endpoint, 2).await;

    let began = Instant::now();
    let mut beat = interval(Duration::from_millis(3500));
    let mut updates = 0;
    while began.elapsed() < Duration::from_secs(30) {
        beat.tick().await;
        updates += 1;
        map.update(&crontab(updates));
    }
    let last = format!("Other{updates}");
    while seconds(&endpoint, &last).is_empty() {
        points_more(&endpoint, 1).await;
    }
    let ended = publisher.stopped().await;
    assert_eq!(ended.code(), Some(0));
    let steady = seconds(&endpoint, "Steady");
    assert_each_second_once(&steady);
    assert!(steady.len() >= 30, "{steady:?}");
    for number in 0..=updates {
        let other = seconds(&endpoint, &format!("Other{number}"));
        assert!(!other.is_empty(), "update {number} was not taken");
        assert_each_second_once(&other);
    }
    let taken = ended.lines("crontab reloaded").len();
    assert_eq!(taken, updates as usize, "each update is read once");
    for message in ["ticks missed", "crontab rejected, keeping the old one"] {
        assert_eq!(ended.lines(message).len(), 0, "{message}");
    }
}

#[tokio::test]
async fn bad_file_is_told_once_and_the_old_one_kept_until_a_good_one_comes() {
    let endpoint = endpoint().await;
    let folder = TempDir::new().unwrap();
    let crontab = folder.path().join("crontab");
    // As an editor does it.
    let save = |content: &str| {
        let new = folder.path().join("new");
        std::fs::write(&new, content).unwrap();
        std::fs::rename(new, &crontab).unwrap();
    };
    save(STEADY);
    let publisher = setup(&endpoint, &crontab).start();
    points_more(&endpoint, 2).await;
    save("* * * * * * nmae=Bad value=1\n");
    let line = publisher
        .line("crontab rejected, keeping the old one")
        .await;
    assert!(
        text(&line, "problem").contains("did you mean name?"),
        "{line}"
    );
    points_more(&endpoint, 4).await;
    std::fs::remove_file(&crontab).unwrap();
    let lines = publisher.lines("crontab rejected, keeping the old one", 2);
    let gone = lines.await;
    assert!(
        gone.iter()
            .any(|line| text(line, "problem").contains("No such file"))
    );
    points_more(&endpoint, 4).await;
    save(&format!("* * * * * * name=New value=1\n{STEADY}"));
    publisher.line("crontab reloaded").await;
    while seconds(&endpoint, "New").is_empty() {
        points_more(&endpoint, 1).await;
    }
    let ended = publisher.stopped().await;
    assert_eq!(
        ended.lines("crontab rejected, keeping the old one").len(),
        2
    );
    assert_eq!(ended.lines("crontab reloaded").len(), 1);
    assert_each_second_once(&seconds(&endpoint, "Steady"));
}

#[tokio::test]
async fn file_that_is_being_written_is_not_taken_by_halves() {
    let endpoint = endpoint().await;
    let folder = TempDir::new().unwrap();
    let crontab = folder.path().join("crontab");
    std::fs::write(&crontab, STEADY).unwrap();
    let publisher = setup(&endpoint, &crontab).start();
    points_more(&endpoint, 2).await;
    // Every piece of it is a good crontab, of another value.
    let mut file = std::fs::File::create(&crontab).unwrap();
    write!(file, "{STEADY}* * * * * * name=Slow value=1").unwrap();
    for _ in 0..12 {
        sleep(Duration::from_millis(400)).await;
        file.write_all(b"0").unwrap();
    }
    drop(file);
    while seconds(&endpoint, "Slow").is_empty() {
        points_more(&endpoint, 1).await;
    }
    let ended = publisher.stopped().await;
    let points = endpoint.points();
    let mut slow = points.iter().filter(|point| point.name == "Slow");
    assert!(slow.all(|point| point.value() == 1e12), "{points:?}");
    assert_eq!(ended.lines("crontab reloaded").len(), 1);
    assert_each_second_once(&seconds(&endpoint, "Steady"));
}

#[tokio::test]
async fn change_waits_for_a_signal_where_reload_is_off() {
    let endpoint = endpoint().await;
    let folder = TempDir::new().unwrap();
    let crontab = folder.path().join("crontab");
    std::fs::write(&crontab, STEADY).unwrap();
    let publisher = setup(&endpoint, &crontab).with("RELOAD", "off").start();
    points_more(&endpoint, 2).await;
    std::fs::write(&crontab, format!("* * * * * * name=New value=1\n{STEADY}")).unwrap();
    points_more(&endpoint, 5).await;
    assert!(seconds(&endpoint, "New").is_empty());
    publisher.signal(Signal::HUP);
    publisher.line("crontab reloaded").await;
    let ended = publisher.stopped().await;
    assert_eq!(ended.lines("crontab reloaded").len(), 1);
}
