//! `ecs:cpu`, `ecs:memory`, `ecs:memory_percent`, `ecs:network_rx`, `ecs:network_tx`:
//! of each container of the task that this process runs in, from the task metadata
//! endpoint version 4 (Amazon ECS Developer Guide).
//!
//! Each container gives a point of its own, told apart by the dimensions
//! `ContainerName`, `TaskFamily` and `ClusterName`. A container that has not run for
//! long or has stopped has no figures and gives none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cloudwatch_metric::{Dimension, MetricError, Value};
use diagnostics::{Hidden, did_you_mean, nearest};
use tokio::sync::OnceCell;

use super::computing::{self, Stopped};
use super::http::{HttpClient, HttpError, HttpUrl, ParseUrlError, Request};
use super::{Options, Reading, Readings, Sampling, Source, Tick};

mod identity;
mod task;

pub use identity::{TaskIdentity, task_identity};

use task::{Container, Direction, FigureError, Task, TaskError};

#[derive(Debug)]
pub(super) struct Ecs {
    quantity: Quantity,
    task: HttpUrl,
    stats: HttpUrl,
    /// Dimensions that the entry has itself.
    own_dimensions: Vec<String>,
}

#[derive(Debug)]
enum Quantity {
    Cpu,
    Memory,
    MemoryPercent,
    Network(Direction, Counters),
}

/// The last count of each container, by its id.
type Counters = Mutex<HashMap<String, f64>>;

/// What stands behind `ecs:`.
const QUANTITIES: &[&str] = &[
    "cpu",
    "memory",
    "memory_percent",
    "network_rx",
    "network_tx",
];

/// Why a text names nothing that a task of ECS has.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseEcsError {
    #[error(
        "ecs: has no such figure{} there are {}",
        did_you_mean(nearest(.given.as_str(), QUANTITIES.iter().copied()).map(|name| format!("ecs:{name}"))),
        all_quantities()
    )]
    Unknown { given: Hidden },
    #[error(
        "ecs:{given} works only in a task of Amazon ECS, where ECS_CONTAINER_METADATA_URI_V4 is \
         set (container agent 1.39.0 or later, Fargate platform 1.4.0 or later), and it is not \
         set here"
    )]
    NotInEcs { given: String },
    #[error("ECS_CONTAINER_METADATA_URI_V4 is no URL")]
    Url(#[source] ParseUrlError),
}

/// Why the task gave no value.
#[derive(Debug, thiserror::Error)]
enum EcsError {
    #[error(transparent)]
    Fetch(#[from] Arc<FetchError>),
    #[error("no container of the task reports {quantity}")]
    Absent { quantity: &'static str },
    #[error("{quantity} of the container {container:?}")]
    Figure {
        quantity: &'static str,
        container: String,
        source: FigureError,
    },
    #[error("{quantity} of the container {container:?}")]
    Value {
        quantity: &'static str,
        container: String,
        source: MetricError,
    },
}

/// Why the endpoint gave no task.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("ask the ECS task metadata endpoint")]
    Http { source: HttpError },
    #[error("understand the ECS task metadata endpoint")]
    Task { source: TaskError },
    #[error("understand the ECS task metadata endpoint")]
    Stopped { source: Stopped },
}

impl Ecs {
    pub(super) fn new(text: &str, options: &Options) -> Result<Self, ParseEcsError> {
        let quantity = match text {
            "cpu" => Quantity::Cpu,
            "memory" => Quantity::Memory,
            "memory_percent" => Quantity::MemoryPercent,
            "network_rx" => Quantity::Network(Direction::In, Counters::default()),
            "network_tx" => Quantity::Network(Direction::Out, Counters::default()),
            _ => {
                return Err(ParseEcsError::Unknown {
                    given: Hidden::new(text),
                });
            }
        };
        let uri = options.ecs_metadata_uri.as_deref();
        let uri = uri.ok_or_else(|| ParseEcsError::NotInEcs { given: text.into() })?;
        let uri = uri.trim_end_matches('/');
        let url = |path| format!("{uri}{path}").parse().map_err(ParseEcsError::Url);
        Ok(Self {
            quantity,
            task: url("/task")?,
            stats: url("/task/stats")?,
            own_dimensions: options.own_dimensions.clone(),
        })
    }

    async fn readings(&self, tick: &Tick) -> Result<Readings, EcsError> {
        // The endpoint is on a link-local address, which no proxy reaches.
        let task = tick.ecs.task(self, &tick.resources.direct).await?;
        let quantity = self.quantity.name();
        let mut all = Readings::default();
        let mut figures = Vec::new();
        for container in &task.containers {
            match self.quantity.of(container, &task) {
                Ok(Some(figure)) => figures.push((container, figure)),
                Ok(None) => {}
                Err(source) => all.problems.push(Box::new(EcsError::Figure {
                    quantity,
                    container: container.name.clone(),
                    source,
                })),
            }
        }
        if figures.is_empty() && all.problems.is_empty() {
            return Err(EcsError::Absent { quantity });
        }
        if let Quantity::Network(_, last) = &self.quantity {
            figures = increases(figures, last);
        }
        for (container, figure) in figures {
            match Value::try_from(figure) {
                Ok(value) => all.readings.push(Reading {
                    dimensions: self.dimensions(container),
                    ..value.into()
                }),
                Err(source) => all.problems.push(Box::new(EcsError::Value {
                    quantity,
                    container: container.name.clone(),
                    source,
                })),
            }
        }
        Ok(all)
    }

    /// Those of the container that the entry does not have itself: `COMMON_DIMENSIONS` may
    /// name the family and the cluster, too.
    fn dimensions(&self, container: &Container) -> Vec<Dimension> {
        let dimensions = container.dimensions.iter();
        let is_own = |of: &Dimension| self.own_dimensions.iter().any(|own| own == of.name());
        dimensions.filter(|of| !is_own(of)).cloned().collect()
    }

    async fn fetch(&self, client: &HttpClient) -> Result<Task, FetchError> {
        let [task, stats] = [&self.task, &self.stats].map(|url| Request::new(url.clone()));
        let (task, stats) = tokio::try_join!(client.get(&task), client.get(&stats))
            .map_err(|source| FetchError::Http { source })?;
        let size = task.text.len() + stats.text.len();
        let read = computing::by_size(size, move |_| Task::read(&task.text, &stats.text));
        let read = read
            .await
            .map_err(|source| FetchError::Stopped { source })?;
        read.map_err(|source| FetchError::Task { source })
    }
}

impl Source for Ecs {
    fn sample<'a>(&'a self, tick: &'a Tick) -> Sampling<'a> {
        Box::pin(async { Ok(self.readings(tick).await?) })
    }

    fn describe(&self) -> Option<String> {
        Some(match self.quantity {
            Quantity::Cpu => "CPU of each container of the ECS task, 100 is one CPU".to_owned(),
            _ => format!("{} of each container of the ECS task", self.quantity.name()),
        })
    }
}

impl Quantity {
    fn name(&self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::MemoryPercent => "memory_percent",
            Self::Network(Direction::In, _) => "network_rx",
            Self::Network(Direction::Out, _) => "network_tx",
        }
    }

    fn of(&self, container: &Container, task: &Task) -> Result<Option<f64>, FigureError> {
        match self {
            Self::Cpu => container.cpu_percent(),
            Self::Memory => container.memory(),
            Self::MemoryPercent => {
                let (used, limit) = (container.memory()?, container.memory_limit(task)?);
                Ok(used.zip(limit).map(|(used, limit)| 100.0 * used / limit))
            }
            Self::Network(direction, _) => container.network(*direction),
        }
    }
}

/// The increase since the last sample of each container that was there then. A total
/// below the last one started again from 0.
fn increases<'a>(totals: Vec<(&'a Container, f64)>, last: &Counters) -> Vec<(&'a Container, f64)> {
    let now = totals
        .iter()
        .map(|(c, total)| (c.id.clone(), *total))
        .collect();
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    let last = std::mem::replace(&mut *last, now);
    let increase = |(container, total): (&'a Container, f64)| {
        let before = *last.get(&container.id)?;
        let increase = if total < before {
            total
        } else {
            total - before
        };
        Some((container, increase))
    };
    totals.into_iter().filter_map(increase).collect()
}

/// The task as the endpoint describes it in one tick, for all entries.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<HashMap<HttpUrl, Arc<OnceCell<Answer>>>>);

type Answer = Result<Arc<Task>, Arc<FetchError>>;

impl Answers {
    /// Whoever comes first asks, the others wait; if the first gives up, the next asks.
    async fn task(&self, ecs: &Ecs, client: &HttpClient) -> Answer {
        let answer = {
            let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            answers.entry(ecs.task.clone()).or_default().clone()
        };
        let ask = || async { ecs.fetch(client).await.map(Arc::new).map_err(Arc::new) };
        answer.get_or_init(ask).await.clone()
    }
}

fn all_quantities() -> String {
    let all: Vec<_> = QUANTITIES
        .iter()
        .map(|name| format!("ecs:{name}"))
        .collect();
    all.join(", ")
}

#[cfg(test)]
mod tests;
