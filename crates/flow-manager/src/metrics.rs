//! Figures for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::containers::ContainerManager;
use crate::failure::ErrorCode;
use crate::flow::SocketCommunicationHandler;
use crate::hub::Hub;

/// What is counted.
#[derive(Debug, Default)]
pub struct Metrics {
    refused_clients: AtomicU64,
    /// By the code of the failure; `ok` for none.
    requests: Mutex<BTreeMap<&'static str, u64>>,
}

impl Metrics {
    pub(crate) fn refused_client(&self) {
        self.refused_clients.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn request(&self, failed: Option<ErrorCode>) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests
            .entry(failed.map_or("ok", ErrorCode::as_str))
            .or_default() += 1;
    }

    /// The text of a page.
    #[must_use]
    pub fn page(
        &self,
        containers: &ContainerManager,
        sockets: &SocketCommunicationHandler,
        hub: &Hub,
    ) -> String {
        let mut page = String::new();
        let mut figure = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
            let _ = writeln!(
                page,
                "# HELP flow_manager_{name} {help}\n# TYPE flow_manager_{name} {kind}"
            );
            for (labels, value) in values {
                let _ = writeln!(page, "flow_manager_{name}{labels} {value}");
            }
        };
        let one = |value: u64| [(String::new(), value)];
        let engine = u64::from(containers.engine_is_there());
        figure(
            "engine_up",
            "gauge",
            "Whether Docker answers.",
            &one(engine),
        );
        figure(
            "clients",
            "gauge",
            "Connected clients.",
            &one(hub.clients() as u64),
        );
        figure(
            "flows_connected",
            "gauge",
            "Connected flows.",
            &one(sockets.connected() as u64),
        );
        let states = containers.counts();
        let states: Vec<_> = states
            .into_iter()
            .map(|(state, count)| (format!("{{state=\"{state}\"}}"), count as u64))
            .collect();
        figure("containers", "gauge", "Containers by state.", &states);
        let refused = self.refused_clients.load(Ordering::Relaxed);
        figure(
            "refused_clients_total",
            "counter",
            "Clients without a right token.",
            &one(refused),
        );
        let requests = self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let requests: Vec<_> = requests
            .into_iter()
            .map(|(code, count)| (format!("{{code=\"{code}\"}}"), count))
            .collect();
        figure(
            "requests_total",
            "counter",
            "Requests by their outcome.",
            &requests,
        );
        page
    }
}
