//! One container, made by us, from its image to its removal.

use std::time::Duration;

use docker_client::{ContainerExit, ContainerInfo, ContainerState, DockerClientError, LogCursor};
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::session::{Following, Patience, Session};
use super::{rest, tell_unshipped};
use crate::cloudwatch_manager::{LogsService, Streams};
use crate::docker_manager as manager;
use crate::failure::{RunError, exit};
use crate::job::RunSettings;
use crate::ship::{Begin, Ended, Followed, Summary};

/// How often it is looked whether anything is accepted.
const LOOK: Duration = Duration::from_secs(1);

/// How the container's part came to its end.
enum Over {
    /// It ended by itself, or was stopped by others.
    Ended(Result<ContainerExit, DockerClientError>),
    /// A signal, or shipping that failed for long, stopped it.
    Stopped(Result<ContainerExit, DockerClientError>),
    /// It runs on.
    Left,
    /// Its log ended before it.
    Unreadable(DockerClientError),
}

/// How far shipping had come when it ended.
struct Left {
    place: Option<LogCursor>,
    summary: Summary,
}

/// Runs it; gives the exit code.
pub(super) async fn run<S: LogsService>(
    session: &Session<S>,
    settings: &RunSettings,
) -> Result<u8, RunError> {
    let (info, streams) = begin(session, settings).await?;
    let id = &info.id;
    info!(
        container = info.name,
        id,
        group = streams.stdout.group,
        stream = streams.stdout.stream,
        "shipping"
    );
    let mut following = session.follow(&info, &streams, Begin::default(), &Followed::default());
    let over = watch(session, settings, id, &mut following).await;
    let patience = match &over {
        Over::Ended(_) => session.while_moving(),
        Over::Stopped(_) => session.until_timeout(),
        Over::Left => {
            following.halt();
            session.until_timeout()
        }
        Over::Unreadable(_) => Patience::Until(tokio::time::Instant::now()),
    };
    let shipped = match over {
        Over::Unreadable(ref _error) => None,
        _ => session.drain(&mut following.shipped, patience).await,
    };
    let left = Left {
        place: following.followed.place(),
        summary: session.shipping.tally.summary(),
    };
    drop(following);
    let code = match over {
        Over::Unreadable(error) => return Err(manager::docker("read the container's log")(error)),
        // It may have ended while its lines were shipped.
        Over::Left if matches!(shipped, Some(Ok(Ended::WithContainer))) => {
            let ended = session.docker.wait_container(id).await;
            code_of(ended.map_err(manager::docker("wait for the container"))?)
        }
        Over::Left => 0,
        Over::Ended(ended) | Over::Stopped(ended) => {
            code_of(ended.map_err(manager::docker("wait for the container"))?)
        }
    };
    finish(session, settings, id, code, shipped, left).await
}

/// What is left of a run whose container has ended, or is left alone.
async fn finish<S: LogsService>(
    session: &Session<S>,
    settings: &RunSettings,
    id: &str,
    code: u8,
    shipped: Option<Result<Ended, DockerClientError>>,
    left: Left,
) -> Result<u8, RunError> {
    let Left { place, summary } = left;
    let ended = match shipped {
        Some(Err(error)) => return Err(manager::docker("read the container's log")(error)),
        Some(Ok(ended)) if summary.lines_held() == 0 => ended,
        shipped => {
            let rest = match shipped {
                Some(_) => rest::Rest::NOTHING,
                None => rest::count(&session.docker, id, place).await,
            };
            return Ok(tell_unshipped(&summary, rest));
        }
    };
    if ended == Ended::Halted {
        info!(id, "the container is left running");
        return Ok(code);
    }
    if let Some(checkpoint) = &session.shipping.checkpoint {
        checkpoint.end(code).await;
    }
    if settings.remove {
        manager::remove(&session.docker, id).await;
    }
    Ok(code)
}

fn code_of(ended: ContainerExit) -> u8 {
    if !ended.error.is_empty() {
        warn!(
            error = diagnostics::one_line(&ended.error),
            "the engine could not wait for the container properly"
        );
    }
    u8::try_from(ended.exit_code).unwrap_or(exit::FAILED)
}

/// The container of the checkpoint, or a new one; it runs, or has run.
async fn begin<S: LogsService>(
    session: &Session<S>,
    settings: &RunSettings,
) -> Result<(ContainerInfo, Streams), RunError> {
    let docker = &session.docker;
    let checkpoint = session.shipping.checkpoint.as_ref();
    let known = match checkpoint {
        Some(checkpoint) => manager::known_container(docker, checkpoint).await?,
        None => None,
    };
    let info = match known {
        Some(info) => {
            info!(
                container = info.name,
                id = info.id,
                "the container of the checkpoint is taken up"
            );
            info
        }
        None => make(session, settings).await?,
    };
    match prepare(session, settings, &info).await {
        Ok(streams) => Ok((info, streams)),
        Err(failure) => {
            // One that never ran would be looked for by nobody.
            if info.state == ContainerState::Created {
                manager::remove(docker, &info.id).await;
                if let Some(checkpoint) = checkpoint {
                    checkpoint.forget(&info.id).await;
                }
            }
            Err(failure)
        }
    }
}

/// What is begun with the engine comes to its end: what it made is known then.
async fn make<S: LogsService>(
    session: &Session<S>,
    settings: &RunSettings,
) -> Result<ContainerInfo, RunError> {
    let docker = &session.docker;
    let mut stop = session.stop.clone();
    tokio::select! {
        pulled = manager::pull_image(docker, settings) => pulled?,
        () = stop.asked() => return Err(RunError::Stopped),
    }
    let id =
        manager::create_container(docker, settings, session.shipping.checkpoint.as_ref()).await?;
    match docker.get_container_info(&id).await {
        Ok(info) => Ok(info),
        Err(error) => {
            manager::remove(docker, &id).await;
            if let Some(checkpoint) = &session.shipping.checkpoint {
                checkpoint.forget(&id).await;
            }
            Err(manager::docker("look at the container")(error))
        }
    }
}

async fn prepare<S: LogsService>(
    session: &Session<S>,
    settings: &RunSettings,
    info: &ContainerInfo,
) -> Result<Streams, RunError> {
    manager::check_log(info)?;
    let mut stop = session.stop.clone();
    let is_made = info.state == ContainerState::Created;
    let streams = tokio::select! {
        streams = session.set_up(info) => streams?,
        // One that runs is stopped by who watches it.
        () = stop.asked(), if is_made => return Err(RunError::Stopped),
    };
    if is_made {
        if stop.is_asked() {
            return Err(RunError::Stopped);
        }
        manager::start_container(&session.docker, settings, &info.id).await?;
    }
    Ok(streams)
}

/// Waits for the container's end, or makes it come.
async fn watch<S: LogsService>(
    session: &Session<S>,
    settings: &RunSettings,
    id: &str,
    following: &mut Following<'_>,
) -> Over {
    let mut stop = session.stop.clone();
    let mut shipped = false;
    let mut wait = Box::pin(session.docker.wait_container(id));
    loop {
        tokio::select! {
            ended = &mut wait => return Over::Ended(ended),
            // Its end is asked for as well: that gives the exit code.
            result = &mut following.shipped, if !shipped => match result {
                Ok(_) => {
                    shipped = true;
                    following.shipped = Box::pin(std::future::ready(Ok(Ended::WithContainer)));
                }
                Err(error) => return Over::Unreadable(error),
            },
            () = stop.asked() => {
                if settings.detach {
                    return Over::Left;
                }
                info!(id, "stopping the container");
                break;
            }
            () = failed_for(session) => {
                error!(id, "nothing can be shipped, the container is stopped as --on-failure=stop asks for");
                break;
            }
        }
    }
    let stopping = async {
        if let Err(error) = session.docker.stop_container(id, None).await {
            warn!(
                id,
                error = diagnostics::chain(&error),
                "cannot stop the container"
            );
        }
        wait.await
    };
    tokio::pin!(stopping);
    loop {
        tokio::select! {
            ended = &mut stopping => return Over::Stopped(ended),
            // What it prints in its grace is shipped meanwhile.
            result = &mut following.shipped, if !shipped => match result {
                Ok(_) => {
                    shipped = true;
                    following.shipped = Box::pin(std::future::ready(Ok(Ended::WithContainer)));
                }
                Err(error) => return Over::Unreadable(error),
            },
        }
    }
}

/// Comes back when nothing was accepted for as long as the settings bear.
async fn failed_for<S: LogsService>(session: &Session<S>) {
    let Some(stop_after) = session.job.delivery.stop_after else {
        return std::future::pending().await;
    };
    while session
        .shipping
        .tally
        .failing_for()
        .is_none_or(|failing| failing < stop_after)
    {
        sleep(LOOK).await;
    }
}
