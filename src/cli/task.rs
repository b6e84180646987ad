//! Which task of Amazon ECS this is, where dimensions ask for it. Without an answer the points
//! would go out under other names, so there is no going on without.

use std::time::Duration;

use diagnostics::chain;
use metric_source::{SampleError, TaskIdentity, task_identity};
use settings::{Environment, Place, Problem};
use tokio::time::{sleep, timeout};

use crate::config::{Task, retry};
use crate::publish::Retry;

/// The agent's address.
const URI: &str = "ECS_CONTAINER_METADATA_URI_V4";

/// The longest that one answer is waited for: the agent is on the same machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// The task, if this text or a variable may ask for it. Asked as often as a request is made.
pub(super) async fn task(environment: &Environment, crontab: &str) -> Result<Task, Problem> {
    let Some(uri) = environment.variable(URI) else {
        return Ok(Task::NotInEcs);
    };
    let mut values = environment
        .names()
        .filter_map(|name| environment.variable(name));
    if !Task::is_meant(crontab) && !values.any(Task::is_meant) {
        return Ok(Task::Unasked);
    }
    let asked = ask(uri, retry(environment)).await;
    asked.map(Task::Known).map_err(|(attempts, failure)| {
        let why = chain(&*failure).replace(uri.trim_end_matches('/'), &format!("${{{URI}}}"));
        let message = format!(
            "the task metadata endpoint did not tell which task this is, and task:id and the \
             like in dimensions need it; it was asked {attempts} times: {why}"
        );
        Problem::new(Place::Setting(URI.to_owned()), message)
    })
}

/// What is known without asking.
pub(super) fn unasked(environment: &Environment) -> Task {
    match environment.variable(URI) {
        Some(_) => Task::Unasked,
        None => Task::NotInEcs,
    }
}

async fn ask(uri: &str, retry: Retry) -> Result<TaskIdentity, (u32, SampleError)> {
    let mut retries = 0;
    loop {
        let failure = match timeout(PATIENCE, task_identity(uri)).await {
            Ok(Ok(identity)) => return Ok(identity),
            Ok(Err(failure)) => failure,
            Err(late) => late.into(),
        };
        if retries == retry.max {
            return Err((retries + 1, failure));
        }
        sleep(retry.delay(retries, None, &mut rand::rng())).await;
        retries += 1;
    }
}
