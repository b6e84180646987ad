//! Containers that are there, and those to come.

use tracing::info;

use super::session::Session;
use super::{rest, tell_unshipped};
use crate::cloudwatch_manager::LogsService;
use crate::docker_manager as manager;
use crate::failure::{RunError, exit};
use crate::job::{AttachSettings, Which};
use crate::ship::{Begin, Followed};

mod labelled;

use labelled::Labelled;

/// Ships until they have ended, or a signal comes.
pub(super) async fn attach<S: LogsService>(
    session: &Session<S>,
    settings: &AttachSettings,
) -> Result<u8, RunError> {
    match &settings.which {
        Which::Named {
            name,
            follow_restarts,
        } => one(session, name, settings.tail, *follow_restarts).await,
        Which::Labelled(labels) => Labelled::new(session, labels, settings.tail).run().await,
    }
}

async fn one<S: LogsService>(
    session: &Session<S>,
    name: &str,
    tail: Option<u64>,
    restarts: bool,
) -> Result<u8, RunError> {
    let docker = &session.docker;
    let info = docker
        .get_container_info(name)
        .await
        .map_err(manager::docker("attach"))?;
    manager::check_log(&info)?;
    let streams = session.set_up(&info).await?;
    let id = &info.id;
    info!(
        container = info.name,
        id,
        group = streams.stdout.group,
        stream = streams.stdout.stream,
        "shipping"
    );
    if let Some(checkpoint) = &session.shipping.checkpoint {
        // One that had the name before is gone.
        checkpoint.keep(|known| known == id).await;
        checkpoint.begin(id).await;
    }
    let begin = Begin {
        tail,
        restarts,
        ..Begin::default()
    };
    let mut following = session.follow(&info, &streams, begin, &Followed::default());
    let mut stop = session.stop.clone();
    let ended = async {
        match restarts {
            true => std::future::pending().await,
            false => docker.wait_container(id).await,
        }
    };
    let mut halted = false;
    let shipped = tokio::select! {
        shipped = &mut following.shipped => Some(shipped),
        _ = ended => session.drain(&mut following.shipped, session.while_moving()).await,
        () = stop.asked() => {
            halted = true;
            following.halt();
            session.drain(&mut following.shipped, session.until_timeout()).await
        }
    };
    let place = following.followed.place();
    let summary = session.shipping.tally.summary();
    drop(following);
    match shipped {
        Some(Ok(_)) if summary.lines_held() == 0 => {}
        Some(Ok(_)) => {
            return Ok(tell_unshipped(&summary, rest::Rest::NOTHING));
        }
        Some(Err(error)) => return Err(manager::docker("read the container's log")(error)),
        None => {
            return Ok(tell_unshipped(
                &summary,
                rest::count(docker, id, place).await,
            ));
        }
    }
    if halted {
        return Ok(0);
    }
    // It may be gone, if it was one that the engine removes at its end.
    let exit_code = docker
        .get_container_info(id)
        .await
        .ok()
        .and_then(|info| info.exit_code);
    Ok(exit_code.map_or(0, |code| u8::try_from(code).unwrap_or(exit::FAILED)))
}
