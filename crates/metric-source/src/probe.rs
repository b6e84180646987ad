//! `up:tcp://host:port`, `up:https://…`: 1 or 0, whether something answers.
//! `latency:tcp://…`, `latency:https://…`: the milliseconds until it did.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use cloudwatch_metric::{MetricError, Value};
use http::Uri;
use tokio::time::{Instant, timeout};

use super::http::{
    HeadersError, HeadersFile, HttpClient, HttpError, HttpUrl, ParseUrlError, Request,
};
use super::{Options, Sampling, Source, Tick};

/// The part of `SOURCE_TIMEOUT` after which `up` is 0. The rest is left to say so: the
/// caller drops whoever takes all of it, and then there is no point at all.
const PATIENCE: f64 = 0.9;

/// 1 or 0. What keeps this side from asking at all is an error, not a 0.
#[derive(Debug)]
pub(super) struct Up(Probe);

/// Milliseconds. What does not answer has no latency, hence no point.
#[derive(Debug)]
pub(super) struct Latency(Probe);

#[derive(Debug)]
struct Probe {
    target: Target,
    headers: HeadersFile,
}

/// What is asked for a sign of life.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Tcp(Uri),
    Http(HttpUrl),
}

/// Why a text is nothing that can be probed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseProbeError {
    #[error("a target is missing, write tcp://host:port, http://host/path or https://host/path")]
    Missing,
    #[error(
        "the target begins with no scheme, write tcp://host:port, http://host/path or https://host/path"
    )]
    NoScheme,
    #[error(
        "the scheme of the target is not known here, write tcp://host:port, http://host/path or https://host/path"
    )]
    Scheme,
    #[error("the target is no tcp://host:port")]
    Tcp,
    #[error("the port is missing, write tcp://host:port")]
    NoPort,
    #[error("the port is no number from 1 to 65535, write tcp://host:port")]
    Port,
    #[error(transparent)]
    Url(#[from] ParseUrlError),
}

/// Why a target is not up, or why this could not be found out.
#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error("connect to {to}")]
    Connect {
        to: Uri,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{target} did not answer within {} ms", .limit.as_millis())]
    TimedOut { target: String, limit: Duration },
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Headers(#[from] HeadersError),
    #[error(transparent)]
    Latency(#[from] MetricError),
}

impl ProbeError {
    fn is_of_this_side(&self) -> bool {
        match self {
            Self::Http(error) => error.is_of_this_side(),
            Self::Headers(_) | Self::Latency(_) => true,
            Self::Connect { .. } | Self::TimedOut { .. } => false,
        }
    }
}

impl Up {
    pub(super) fn new(text: &str, options: &Options) -> Result<Self, ParseProbeError> {
        Probe::new(text, options).map(Self)
    }

    async fn value(&self, tick: &Tick) -> Result<Value, ProbeError> {
        let limit = tick.timeout.mul_f64(PATIENCE);
        let asking = self.0.ask(&tick.resources.http);
        let answer = timeout(limit, asking).await.unwrap_or_else(|_| {
            let target = self.0.target.to_string();
            Err(ProbeError::TimedOut { target, limit })
        });
        match answer {
            Ok(()) => Ok(Value::try_from(1.0)?),
            Err(error) if error.is_of_this_side() => Err(error),
            Err(error) => {
                // A 0 is an answer, not a failure; why it is 0 helps whoever looks for it.
                tracing::debug!(error = diagnostics::chain(&error), "target is not up");
                Ok(Value::try_from(0.0)?)
            }
        }
    }
}

impl Latency {
    pub(super) fn new(text: &str, options: &Options) -> Result<Self, ParseProbeError> {
        Probe::new(text, options).map(Self)
    }

    async fn value(&self, tick: &Tick) -> Result<Value, ProbeError> {
        let start = Instant::now();
        self.0.ask(&tick.resources.http).await?;
        Ok(Value::try_from(start.elapsed().as_secs_f64() * 1000.0)?)
    }
}

impl Probe {
    fn new(text: &str, options: &Options) -> Result<Self, ParseProbeError> {
        Ok(Self {
            target: text.parse()?,
            headers: HeadersFile::new(options),
        })
    }

    /// Returns once a connection is made or, over HTTP, the status is there and good.
    async fn ask(&self, client: &HttpClient) -> Result<(), ProbeError> {
        match &self.target {
            Target::Tcp(to) => client.open(to).await.map_err(|source| ProbeError::Connect {
                to: to.clone(),
                source,
            }),
            Target::Http(url) => {
                let mut request = Request::new(url.clone());
                request.headers = self.headers.read(client.files()).await?;
                let status = client.status(&request).await?;
                if status.is_success() || status.is_redirection() {
                    return Ok(());
                }
                let url = url.clone();
                Err(HttpError::Status { url, status }.into())
            }
        }
    }
}

impl Source for Up {
    fn sample<'a>(&'a self, tick: &'a Tick) -> Sampling<'a> {
        Box::pin(async { Ok(self.value(tick).await?.into()) })
    }
}

impl Source for Latency {
    fn sample<'a>(&'a self, tick: &'a Tick) -> Sampling<'a> {
        Box::pin(async { Ok(self.value(tick).await?.into()) })
    }
}

impl FromStr for Target {
    type Err = ParseProbeError;

    fn from_str(text: &str) -> Result<Self, ParseProbeError> {
        match text.split_once("://") {
            Some(("tcp", _)) => {
                let uri: Uri = text.parse().map_err(|_| ParseProbeError::Tcp)?;
                let authority = uri.authority().ok_or(ParseProbeError::Tcp)?;
                let is_more = uri.path().len() > 1 || uri.query().is_some() || text.contains('@');
                if authority.host().is_empty() || is_more {
                    return Err(ParseProbeError::Tcp);
                }
                let port = authority.as_str()[authority.host().len()..].trim_start_matches(':');
                if port.is_empty() {
                    return Err(ParseProbeError::NoPort);
                }
                let is_digits = port.bytes().all(|byte| byte.is_ascii_digit());
                if !is_digits || !port.parse::<u16>().is_ok_and(|port| port > 0) {
                    return Err(ParseProbeError::Port);
                }
                Ok(Self::Tcp(uri))
            }
            Some(("http" | "https", _)) => Ok(Self::Http(text.parse()?)),
            Some(_) => Err(ParseProbeError::Scheme),
            None if text.is_empty() => Err(ParseProbeError::Missing),
            None => Err(ParseProbeError::NoScheme),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(uri) => uri.fmt(f),
            Self::Http(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
