//! What a test asks of the engine and tells it to do.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::answer::Answer;
use crate::container::Container;
use crate::fault::{Fault, Faults};
use crate::handle::ContainerHandle;
use crate::pattern::Pattern;
use crate::request::ReceivedRequest;
use crate::server::DockerLocal;
use crate::state::Inner;

/// How long a test waits for what should come at once: long enough for a crowded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What it has.
impl DockerLocal {
    /// Adds a container, and its image.
    pub fn add(&self, container: Container) -> ContainerHandle {
        let id = self.state.change(|inner| inner.add(container));
        ContainerHandle::new(id, self.state.clone())
    }

    /// The container of this id or name, if there is one: one that was created over the API,
    /// for example.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<ContainerHandle> {
        let id = self.state.lock().resolve(name)?;
        Some(ContainerHandle::new(id, self.state.clone()))
    }

    /// Knows this image. Containers of it do nothing when they are started.
    pub fn add_image(&self, name: &str) {
        self.state
            .change(|inner| inner.images.insert(name.to_owned(), None));
    }

    /// Knows this image, and does this when a container of it is started.
    ///
    /// ```no_run
    /// # fn example(engine: docker_local::DockerLocal) {
    /// engine.add_program("hello:1", |container| {
    ///     container.stdout("hello\n");
    ///     container.exit(0);
    /// });
    /// # }
    /// ```
    pub fn add_program(
        &self,
        image: &str,
        program: impl Fn(&ContainerHandle) + Send + Sync + 'static,
    ) {
        let program = Some(Arc::new(program) as _);
        self.state
            .change(|inner| inner.images.insert(image.to_owned(), program));
    }

    /// Tells an event; its time is added.
    pub fn emit(&self, event: Value) {
        self.state.change(|inner| {
            let nanos = inner.now();
            inner.events.push(nanos, event);
        });
    }

    /// Forgets the events so far, as an engine does that was started anew.
    pub fn forget_events(&self) {
        self.state.change(|inner| inner.events.forget());
    }
}

/// What it received.
impl DockerLocal {
    /// All requests, whatever became of them, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.state.lock().requests.clone()
    }

    /// Those that a pattern means: `GET /containers/*/logs`.
    ///
    /// # Panics
    /// As all that takes a pattern: if it is none.
    #[must_use]
    pub fn requests_to(&self, pattern: &str) -> Vec<ReceivedRequest> {
        let pattern = Pattern::parse(pattern);
        let inner = self.state.lock();
        let meant = inner
            .requests
            .iter()
            .filter(|r| pattern.matches(&r.method, &r.path));
        meant.cloned().collect()
    }

    /// Waits until this many requests arrived in all that a pattern means.
    ///
    /// # Panics
    /// After 30 s, saying what did arrive. The tokio clock must run.
    pub async fn requests_at_least(&self, pattern: &str, count: usize) {
        let meant = Pattern::parse(pattern);
        let seen = |inner: &Inner| {
            let meant = inner
                .requests
                .iter()
                .filter(|r| meant.matches(&r.method, &r.path));
            meant.count()
        };
        let done = self.state.until(|inner| seen(inner) >= count);
        if timeout(PATIENCE, done).await.is_err() {
            let inner = self.state.lock();
            let all: Vec<_> = inner
                .requests
                .iter()
                .map(|r| (&r.method, &r.target))
                .collect();
            let seen = seen(&inner);
            panic!("waited {PATIENCE:?} for {count} of {pattern:?}, got {seen}; all: {all:?}");
        }
    }

    /// How many connections were opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.lock().connections
    }
}

/// What it is told.
impl DockerLocal {
    /// The next requests that the pattern means meet these faults, one each.
    pub fn fail_next(&self, pattern: &str, faults: impl IntoIterator<Item = Fault>) {
        let pattern = Pattern::parse(pattern);
        self.state
            .change(|inner| inner.faults.queue(pattern, faults));
    }

    /// Every request that the pattern means meets this fault, once those of
    /// [`fail_next`](Self::fail_next) are used up. The newest such order holds.
    pub fn fail_always(&self, pattern: &str, fault: Fault) {
        let pattern = Pattern::parse(pattern);
        self.state
            .change(|inner| inner.faults.stand(pattern, fault));
    }

    /// Requests meet the fault that the rule gives them, if any.
    pub fn fail_when(
        &self,
        rule: impl Fn(&ReceivedRequest) -> Option<Fault> + Send + Sync + 'static,
    ) {
        self.state
            .change(|inner| inner.faults.set_rule(Arc::new(rule)));
    }

    /// Answers this from now on to what the pattern means: what the engine does not know by
    /// itself, such as networks and volumes.
    pub fn answer(&self, pattern: &str, answer: Answer) {
        self.fail_always(pattern, Fault::answer(answer));
    }

    /// How many faults of [`fail_next`](Self::fail_next) are yet to be met.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.state.lock().faults.left()
    }

    /// Ends all misbehaviour and forgets all made-up answers. Requests that hang go on hanging.
    pub fn heal(&self) {
        self.state.change(|inner| inner.faults = Faults::default());
    }
}
