//! A program and what it starts, as one process group that ends as a whole.
//!
//! The program leads a group of its own. The group is killed as soon as its leader
//! has ended or nobody waits for it any more, and its members are reaped. Reaping
//! matters when this process is PID 1, as in its image: there the kernel hands it
//! the members that outlive their parents, and each would stay a zombie for good.
//!
//! Deliberately absent: the hunt for processes that leave the group (`setsid`,
//! daemons). They are not killed, and as PID 1 this process does not reap them:
//! waiting for any child whatsoever would steal the exit codes that other parts of
//! the process wait for. `docker run --init` serves who needs them reaped.
//!
//! A thread waits, not a `SIGCHLD` handler, so signal handlers elsewhere do not
//! matter here, and the thread is also where starting may block (a program on a
//! network file system). The leader is only reaped under the lock, after the kill:
//! while it is not, the kernel gives its number to nobody else, so that no stranger
//! can be hit.

use std::io;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blocking_io::Thread;
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, waitid, waitpgid,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A started program: what it prints, and how it will have ended.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
    /// Resolves once the leader has ended and the rest of its group is killed.
    pub(super) ended: oneshot::Receiver<io::Result<ExitStatus>>,
}

/// Kills the group when dropped, whatever it is doing.
#[derive(Debug)]
pub(super) struct Group {
    phase: Arc<Mutex<Phase>>,
    started: oneshot::Receiver<io::Result<Started>>,
}

#[derive(Debug)]
enum Phase {
    Starting,
    Running(Pid),
    /// The leader is reaped; its number may belong to a stranger.
    Over,
    /// Dropped before the program was up: it is to be killed at once.
    Abandoned,
}

impl Group {
    /// Starts a program, without input and with its output piped, on a thread.
    pub(super) fn start(command: Command, thread: Thread) -> Self {
        // The thread ends soon after the group does; see `Drop`.
        Self::supervised(command, thread).0
    }

    fn supervised(command: Command, thread: Thread) -> (Self, JoinHandle<()>) {
        let phase = Arc::new(Mutex::new(Phase::Starting));
        let (log_started, started) = oneshot::channel();
        let thread = thread.run({
            let phase = Arc::clone(&phase);
            move || supervise(command, &phase, log_started)
        });
        (Self { phase, started }, thread)
    }

    /// Waits until the program is up.
    pub(super) async fn started(&mut self) -> io::Result<Started> {
        (&mut self.started)
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the supervising thread is gone")))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let mut phase = lock(&self.phase);
        match *phase {
            Phase::Running(leader) => kill(leader),
            Phase::Starting => *phase = Phase::Abandoned,
            Phase::Over | Phase::Abandoned => {}
        }
    }
}

fn supervise(
    command: Command,
    phase: &Mutex<Phase>,
    log_started: oneshot::Sender<io::Result<Started>>,
) {
    let mut child = match spawn(command) {
        Ok(child) => child,
        Err(error) => {
            let _ = log_started.send(Err(error));
            return;
        }
    };
    let leader = Pid::from_child(&child);
    let (log_ended, ended) = oneshot::channel();
    let abandoned = {
        let mut phase = lock(phase);
        let abandoned = matches!(*phase, Phase::Abandoned);
        *phase = Phase::Running(leader);
        abandoned
    };
    let pipes = child.stdout.take().zip(child.stderr.take());
    match pipes {
        Some((stdout, stderr)) if !abandoned => {
            let _ = log_started.send(Ok(Started {
                stdout,
                stderr,
                ended,
            }));
        }
        _ => kill(leader),
    }
    let status = end(&mut child, leader, phase);
    let _ = log_ended.send(status);
    reap(leader);
}

fn spawn(mut command: Command) -> io::Result<Child> {
    use std::os::unix::process::CommandExt;

    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Waits until the leader has ended, kills what is left of its group, and only then
/// reaps it.
fn end(child: &mut Child, leader: Pid, phase: &Mutex<Phase>) -> io::Result<ExitStatus> {
    let peek = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(waitid(WaitId::Pid(leader), peek), Err(Errno::INTR)) {}
    let mut phase = lock(phase);
    kill(leader);
    let status = child.wait();
    *phase = Phase::Over;
    status
}

/// Takes the exit codes of the members that the kernel handed to this process. There
/// are none unless it is PID 1; then each is dead or about to be.
fn reap(group: Pid) {
    loop {
        match waitpgid(group, WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// RequestError means that no member is left.
fn kill(leader: Pid) {
    let _ = kill_process_group(leader, Signal::KILL);
}

fn lock(phase: &Mutex<Phase>) -> MutexGuard<'_, Phase> {
    phase.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::threads::THREADS;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    /// A pipe with a name. Its end tells that the last process that held it is dead.
    fn fifo() -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        let path = path.display().to_string();
        (dir, path)
    }

    async fn byte_then_end(path: String, act: impl FnOnce() + Send + 'static) {
        tokio::task::spawn_blocking(move || {
            let mut pipe = std::fs::File::open(path).unwrap();
            let mut byte = [0];
            pipe.read_exact(&mut byte).unwrap();
            act();
            assert_eq!(pipe.read(&mut byte).unwrap(), 0, "a process is still there");
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn dropping_the_group_kills_children_too() {
        let (_dir, path) = fifo();
        let group = Group::start(
            shell(&format!("(printf x; exec sleep 1000) > {path} & wait")),
            THREADS.free().await,
        );
        byte_then_end(path, move || drop(group)).await;
    }

    #[tokio::test]
    async fn children_left_behind_are_killed_when_the_leader_ends() {
        let (_dir, path) = fifo();
        let script = format!("{{ sleep 1000 & printf x; }} > {path}; exit 3");
        let mut group = Group::start(shell(&script), THREADS.free().await);
        byte_then_end(path, || {}).await;
        let status = group.started().await.unwrap().ended.await.unwrap();
        assert_eq!(status.unwrap().code(), Some(3));
    }

    #[tokio::test]
    async fn group_dropped_while_it_starts_is_killed() {
        let (group, thread) = Group::supervised(shell("exec sleep 1000"), THREADS.free().await);
        drop(group);
        thread.await.unwrap();
    }

    /// As PID 1 does, a subreaper inherits processes whose parents have ended.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn inherited_members_are_reaped() {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
        let (mut group, thread) = Group::supervised(
            shell("sleep 1000 & sleep 1000 & echo $$"),
            THREADS.free().await,
        );
        let mut started = group.started().await.unwrap();
        let mut printed = String::new();
        started.stdout.read_to_string(&mut printed).unwrap();
        thread.await.unwrap();
        let leader = Pid::from_raw(printed.trim().parse().unwrap()).unwrap();
        let left = waitpgid(leader, WaitOptions::NOHANG);
        assert_eq!(left.unwrap_err(), Errno::CHILD);
    }
}
