//! What a test asks of the endpoint and tells it to do.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::credentials::Credentials;
use crate::fault::{Blame, Fault, Faults, poisoned};
use crate::journal::{Attempt, RefusedRequest};
use crate::logs::Logs;
use crate::page;
use crate::server::CloudWatchLocal;
use crate::state::{ClockOffset, Inner};
use crate::store::{ReceivedPoint, ReceivedRequest, Series};

/// How long a test waits for what should come at once: long enough for a crowded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What it received. Log events, and requests about them, are told by [`Logs`].
impl CloudWatchLocal {
    /// What it received and is told about logs.
    #[must_use]
    pub fn logs(&self) -> Logs<'_> {
        Logs::new(&self.state)
    }

    /// All accepted points, in the order they came in.
    #[must_use]
    pub fn points(&self) -> Vec<ReceivedPoint> {
        let requests = self.requests();
        requests.iter().flat_map(|r| r.points.clone()).collect()
    }

    /// All accepted requests, in the order they were accepted.
    #[must_use]
    pub fn requests(&self) -> Vec<Arc<ReceivedRequest>> {
        self.state
            .lock()
            .metrics
            .store
            .requests
            .iter()
            .cloned()
            .collect()
    }

    /// All requests that were answered with an error of the service's form, by a rule or
    /// on command.
    #[must_use]
    pub fn refused(&self) -> Vec<RefusedRequest> {
        let inner = self.state.lock();
        inner.metrics.journal.refused().cloned().collect()
    }

    /// All requests to put points, whatever became of them, in the order of arrival.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        let inner = self.state.lock();
        inner.metrics.journal.attempts().cloned().collect()
    }

    /// The accepted points by metric, sorted by namespace, name and dimensions.
    #[must_use]
    pub fn series(&self) -> Vec<Series> {
        self.state.lock().metrics.store.series().cloned().collect()
    }

    /// The same as JSON, as `GET /series` shows it.
    #[must_use]
    pub fn series_json(&self) -> String {
        page::series(&self.state.lock()).to_string()
    }

    /// How many connections were opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.lock().connections
    }

    /// Waits until this many requests arrived in all, whatever became of them.
    ///
    /// # Panics
    /// As all `…_at_least`: after 30 s, saying what did arrive. The tokio clock must run.
    pub async fn requests_at_least(&self, count: usize) {
        let seen = |inner: &Inner| inner.metrics.journal.attempts_seen();
        self.at_least(count, "requests", seen).await;
    }

    /// Waits until this many points were accepted in all.
    ///
    /// # Panics
    /// After 30 s, saying what did arrive.
    pub async fn received_at_least(&self, points: usize) {
        let accepted = |inner: &Inner| inner.metrics.store.points_accepted;
        self.at_least(points, "accepted points", accepted).await;
    }

    /// Waits until this many requests were refused in all.
    ///
    /// # Panics
    /// After 30 s, saying what did arrive.
    pub async fn refused_at_least(&self, count: usize) {
        let refused = |inner: &Inner| inner.metrics.journal.refused_seen();
        self.at_least(count, "refused requests", refused).await;
    }

    async fn at_least(&self, count: usize, what: &str, seen: impl Fn(&Inner) -> usize) {
        let done = self.state.until(|inner| seen(inner) >= count);
        if timeout(PATIENCE, done).await.is_err() {
            let seen = seen(&self.state.lock());
            panic!(
                "waited {PATIENCE:?} for {count} {what}, got {seen}; attempts: {:?}; refused: {:?}",
                self.attempts(),
                self.refused()
            );
        }
    }
}

/// What it is told. Faults are met by requests to put points; those about logs have
/// [faults of their own](Logs).
impl CloudWatchLocal {
    /// The next requests meet these faults, one each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().metrics.faults.queue(None, faults);
    }

    /// Every request meets this fault, once those of [`fail_next`](Self::fail_next) are used up.
    pub fn fail_always(&self, fault: Fault) {
        self.state.lock().metrics.faults.stand(fault);
    }

    /// Good requests meet the fault that the rule gives them, if any.
    pub fn fail_when(
        &self,
        rule: impl Fn(&ReceivedRequest) -> Option<Fault> + Send + Sync + 'static,
    ) {
        self.state.lock().metrics.faults.set_rule(Arc::new(rule));
    }

    /// Refuses requests that hold a point for which `is_bad` is true, all or nothing, with
    /// `InvalidParameterValue`.
    pub fn poison(
        &self,
        is_bad: impl Fn(&ReceivedPoint) -> bool + Send + Sync + 'static,
        blame: Blame,
    ) {
        let poison = move |request: &ReceivedRequest| poisoned(request, &is_bad, blame);
        self.state
            .lock()
            .metrics
            .faults
            .set_poison(Arc::new(poison));
    }

    /// How many faults of [`fail_next`](Self::fail_next) are yet to be met.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.state.lock().metrics.faults.queued()
    }

    /// Ends all misbehaviour. Requests that hang go on hanging.
    pub fn heal(&self) {
        self.state.lock().metrics.faults = Faults::default();
    }

    /// Reads no faster than so many bytes a second, over all connections and whatever they are
    /// about; as fast as they come if no rate is named. What systems buffer between the two
    /// sides is beside that.
    pub fn read_at(&self, bytes_per_second: Option<NonZeroU64>) {
        self.state.pace.set(bytes_per_second, Instant::now());
    }

    /// Knows these credentials from now on; replaces those of the same access key.
    pub fn add_credentials(&self, credentials: Credentials) {
        self.state.lock().keyring.add(credentials);
    }

    /// Knows this access key no more.
    pub fn remove_credentials(&self, access_key: &str) {
        self.state.lock().keyring.remove(access_key);
    }

    /// Puts the endpoint's clock ahead of the machine's.
    pub fn set_clock_ahead(&self, ahead: Duration) {
        let behind = Duration::ZERO;
        self.state.lock().clock_offset = ClockOffset { ahead, behind };
    }

    /// Puts the endpoint's clock behind the machine's.
    pub fn set_clock_behind(&self, behind: Duration) {
        let ahead = Duration::ZERO;
        self.state.lock().clock_offset = ClockOffset { ahead, behind };
    }
}
