//! What the tests share: the program as a process, the ends of a run as fakes, and a
//! web server to read values from.

mod fakes;
mod log;
mod publisher;
mod web;

pub(crate) use fakes::{
    FakeClock, FakeSink, FakeSource, Put, at, config, controls, crontab, no_answer, refused,
    run_for,
};
pub(crate) use log::{Capture, text};
pub(crate) use publisher::{Ended, PATIENCE, Publisher, Setup};
pub(crate) use web::{Answer, Web, closed_place};

use cloudwatch_local::CloudWatchLocal;

/// An endpoint that knows the credentials of [`Setup`].
pub(crate) async fn endpoint() -> CloudWatchLocal {
    CloudWatchLocal::builder().start().await.unwrap()
}
