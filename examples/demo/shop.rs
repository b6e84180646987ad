//! A shop with something to measure: it writes files, and the crontab says what to publish.

use std::io;
use std::path::{Path, PathBuf};

use rand::RngExt;
use tempfile::TempDir;

/// The most orders that wait.
const QUEUE_MAX: i32 = 99;

/// The shop; its files go when it is dropped.
pub(crate) struct Shop {
    folder: TempDir,
    crontab_path: PathBuf,
    queue: i32,
}

impl Shop {
    pub(crate) fn open() -> io::Result<Self> {
        let folder = TempDir::new()?;
        let shop = Self {
            crontab_path: folder.path().join("crontab"),
            folder,
            queue: QUEUE_MAX / 2,
        };
        std::fs::write(&shop.crontab_path, shop.crontab())?;
        shop.write()?;
        Ok(shop)
    }

    /// What is published, and when.
    pub(crate) fn crontab(&self) -> String {
        let folder = self.folder.path().display();
        format!(
            "\
METRIC_NAMESPACE=Shop
METRIC_DIMENSIONS=Stage=demo
*   * * * * *  name=Heartbeat    value=1
*   * * * * *  name=QueueDepth   value=file:{folder}/queue  dimensions=Queue=orders
*   * * * * *  name=Till         value=file:{folder}/shop.json#/till/euros  unit=None
*   * * * * *  name=Temperature  value=random:18.0-24.0  unit=None
*/5 * * * * *  name=Latency      value=random:5-40  unit=Milliseconds
*/5 * * * * *  name=Clock        value=timestamp    unit=Seconds
"
        )
    }

    pub(crate) fn crontab_path(&self) -> &Path {
        &self.crontab_path
    }

    /// A little time passes: customers come and go.
    pub(crate) fn step(&mut self) -> io::Result<()> {
        let change = rand::rng().random_range(-7..=7);
        self.queue = (self.queue + change).clamp(0, QUEUE_MAX);
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        self.replace("queue", &self.queue.to_string())?;
        let euros = 12.5 + f64::from(QUEUE_MAX - self.queue) * 3.25;
        self.replace("shop.json", &format!(r#"{{"till": {{"euros": {euros}}}}}"#))
    }

    /// Whoever reads the file at this moment finds the old content or the new one.
    fn replace(&self, name: &str, content: &str) -> io::Result<()> {
        let new = self.folder.path().join(format!("{name}.new"));
        std::fs::write(&new, content)?;
        std::fs::rename(new, self.folder.path().join(name))
    }
}
