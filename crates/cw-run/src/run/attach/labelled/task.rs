//! The task of one container: follows it, and what went wrong again.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use docker_client::{DockerClientError, LogCursor};
use futures_util::FutureExt;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::cloudwatch_manager::LogsService;
use crate::docker_manager as manager;
use crate::failure::RunError;
use crate::run::session::Session;
use crate::ship::{Begin, Followed};

/// An engine that is busy or away is asked again after so long, then less and less often.
pub(super) const AGAIN: Duration = Duration::from_millis(500);
pub(super) const AGAIN_MAX: Duration = Duration::from_secs(30);

/// How far one container came.
pub(super) struct Shipped {
    pub(super) id: String,
    pub(super) place: Option<LogCursor>,
    pub(super) result: Result<(), RunError>,
}

/// Ships until the container has ended, or it is told to halt.
pub(super) async fn ship<S: LogsService>(
    session: Session<S>,
    id: String,
    mut begin: Begin,
    mut halt: watch::Receiver<bool>,
) -> Shipped {
    let mut place = None;
    let mut delay = AGAIN;
    loop {
        let followed = Followed::default();
        let shipping = follow(&session, &id, begin.clone(), &mut halt, &followed);
        let result = AssertUnwindSafe(shipping).catch_unwind().await;
        let result = result.unwrap_or_else(|_told_by_the_hook| {
            // What was read and not accepted went with it, and is read again.
            session.shipping.tally.unread(followed.lines_held());
            begin.cursor = followed.accepted().or(begin.cursor.take());
            begin.accepted = true;
            Err(RunError::Panicked)
        });
        let has_panicked = matches!(result, Err(RunError::Panicked));
        if !has_panicked {
            place = followed.place().or(place);
        }
        let failure = match result {
            Err(failure) if (has_panicked || is_transient(&failure)) && !*halt.borrow() => failure,
            result => return Shipped { id, place, result },
        };
        warn!(
            id,
            error = diagnostics::chain(&failure),
            "cannot read the container's log, it is tried again"
        );
        if !has_panicked && place.is_some() && place != begin.cursor {
            begin.cursor = place.clone();
            delay = AGAIN;
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => delay = (delay * 2).min(AGAIN_MAX),
            () = halted(&mut halt) => {}
        }
    }
}

/// The engine may be over it in a while.
pub(super) fn is_transient(failure: &RunError) -> bool {
    matches!(failure, RunError::Docker { source, .. } if source.is_transient())
}

async fn follow<S: LogsService>(
    session: &Session<S>,
    id: &str,
    begin: Begin,
    halt: &mut watch::Receiver<bool>,
    followed: &Followed,
) -> Result<(), RunError> {
    let info = match session.docker.get_container_info(id).await {
        Ok(info) => info,
        Err(DockerClientError::ContainerNotFound { .. }) => {
            warn!(id, "a container was removed before its log was read");
            return Ok(());
        }
        Err(error) => return Err(manager::docker("look at the container")(error)),
    };
    manager::check_log(&info)?;
    let streams = session.set_up(&info).await?;
    let (group, stream) = (&streams.stdout.group, &streams.stdout.stream);
    info!(container = info.name, id, group, stream, "shipping");
    if let Some(checkpoint) = &session.shipping.checkpoint {
        checkpoint.begin(id).await;
    }
    let mut following = session.follow(&info, &streams, begin, followed);
    let shipped = tokio::select! {
        shipped = &mut following.shipped => shipped,
        () = halted(halt) => {
            following.halt();
            (&mut following.shipped).await
        }
    };
    match shipped {
        Ok(_) => Ok(()),
        Err(DockerClientError::ContainerNotFound { .. }) => {
            warn!(
                id,
                "a container was removed before its log was read to the end"
            );
            Ok(())
        }
        Err(error) => Err(manager::docker("read the container's log")(error)),
    }
}

async fn halted(halt: &mut watch::Receiver<bool>) {
    // Whoever could halt it is gone, too, then.
    let _ = halt.wait_for(|halted| *halted).await.map(drop);
}
