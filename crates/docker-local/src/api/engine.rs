//! The engine about itself.

use serde_json::json;

use crate::answer::Answer;
use crate::request::ReceivedRequest;
use crate::state::SharedState;

/// The version by which a request asks is one of those that are spoken.
pub(super) fn check_version(state: &SharedState, request: &ReceivedRequest) -> Option<Answer> {
    let wanted = request.version.as_ref()?;
    let (oldest, newest) = (&state.versions.oldest, &state.versions.newest);
    if number(wanted) > number(newest) {
        let message = format!(
            "client version {wanted} is too new. Maximum supported API version is {newest}"
        );
        return Some(Answer::error(400, &message));
    }
    (number(wanted) < number(oldest)).then(|| {
        let message = format!(
            "client version {wanted} is too old. Minimum supported API version is {oldest}, \
             please upgrade your client to a newer version"
        );
        // In this case, and only in this, Docker 20.10 says it without JSON.
        Answer::bytes(400, message).header("Content-Type", "text/plain; charset=utf-8")
    })
}

fn number(version: &str) -> (u32, u32) {
    let (major, minor) = version.split_once('.').unwrap_or((version, ""));
    (major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
}

pub(super) fn version(state: &SharedState) -> Answer {
    let versions = &state.versions;
    let version = json!({
        "Version": "20.10.24+dfsg1", "ApiVersion": versions.newest,
        "MinAPIVersion": versions.oldest, "Os": "linux", "Arch": "amd64",
        "Platform": {"Name": ""}, "Components": [], "GitCommit": "5d6db84",
        "GoVersion": "go1.19.8", "KernelVersion": "6.1.0",
        "BuildTime": "2026-05-07T21:09:36.000000000+00:00",
    });
    Answer::of(200, &version)
}

pub(super) fn info(state: &SharedState) -> Answer {
    let inner = state.lock();
    let in_state = |name| {
        let containers = inner.containers.values();
        containers.filter(|c| c.state.name() == name).count()
    };
    let info = json!({
        "ID": "LOCAL", "Name": "docker-local", "ServerVersion": "20.10.24+dfsg1",
        "Containers": inner.containers.len(), "Images": inner.images.len(),
        "ContainersRunning": in_state("running"), "ContainersPaused": in_state("paused"),
        "OSType": "linux", "Architecture": "x86_64", "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs", "CgroupVersion": "1", "Driver": "overlay2",
    });
    Answer::of(200, &info)
}
