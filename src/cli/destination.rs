//! Where the points go: to CloudWatch, or into the log.

use aws_connection::SdkFiles;

use crate::cloudwatch::CloudWatch;
use crate::config::Config;
use crate::dry_run::DryRun;
use crate::outbox::Batch;
use crate::publish::{RequestError, Sink};

/// One type for all sinks of the program: it would hold the whole run once for each, and
/// its size is bounded.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    CloudWatch(CloudWatch),
    DryRun(DryRun),
}

impl Destination {
    pub(super) fn new(config: &Config, files: SdkFiles, dry_run: bool) -> Self {
        if dry_run {
            Self::DryRun(DryRun)
        } else {
            Self::CloudWatch(CloudWatch::new(config, files))
        }
    }
}

impl Sink for Destination {
    fn is_dry(&self) -> bool {
        match self {
            Self::CloudWatch(sink) => sink.is_dry(),
            Self::DryRun(sink) => sink.is_dry(),
        }
    }

    async fn ready(&self) -> Result<(), RequestError> {
        match self {
            Self::CloudWatch(sink) => sink.ready().await,
            Self::DryRun(sink) => sink.ready().await,
        }
    }

    async fn put(&self, batch: &Batch) -> Result<(), RequestError> {
        match self {
            Self::CloudWatch(sink) => sink.put(batch).await,
            Self::DryRun(sink) => sink.put(batch).await,
        }
    }
}
