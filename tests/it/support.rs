//! What the tests share: the program as a process, and the ends of a run as fakes.

mod fakes;
mod log;
mod publisher;

pub(crate) use fakes::{
    FakeClock, FakeSink, FakeSource, Put, at, config, controls, crontab, no_answer, refused,
    run_for,
};
pub(crate) use log::{Capture, text};
pub(crate) use publisher::{Ended, PATIENCE, Publisher, Setup};

use cloudwatch_local::CloudWatchLocal;

/// An endpoint that knows the credentials of [`Setup`].
pub(crate) async fn endpoint() -> CloudWatchLocal {
    CloudWatchLocal::builder().start().await.unwrap()
}
