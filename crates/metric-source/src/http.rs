//! `http://…` and `https://…`: a number in the body of an answer, and the client that
//! other sources ask with.

use cloudwatch_metric::Value;

use super::computing::{self, Stopped};
use super::{NumberError, Options, Sampling, Source, Tick, json, number};

mod client;
mod connect;
mod error;
mod headers;
mod names;
mod url;

pub(crate) use client::{HttpClient, Page, Request};
pub(crate) use error::HttpError;
pub(crate) use headers::{HeadersError, HeadersFile};
pub(crate) use url::HttpUrl;
pub(crate) use url::ParseUrlError;

/// `http://host/path` and `http://host/path#/json/pointer`.
#[derive(Debug)]
pub(super) struct Http {
    url: HttpUrl,
    headers: HeadersFile,
    pointer: Option<json::Pointer>,
}

/// Why a text names no page.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ParseHttpError {
    #[error(transparent)]
    Url(#[from] ParseUrlError),
    #[error(transparent)]
    Pointer(#[from] json::ParsePointerError),
}

/// Why a page gave no value.
#[derive(Debug, thiserror::Error)]
enum PageError {
    #[error(transparent)]
    Headers(#[from] HeadersError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("the body of {url}")]
    Stopped { url: HttpUrl, source: Stopped },
    #[error("the body of {url}")]
    Number { url: HttpUrl, source: NumberError },
    #[error("the body of {url}")]
    Json {
        url: HttpUrl,
        source: json::JsonError,
    },
}

impl Http {
    pub(super) fn new(text: &str, options: &Options) -> Result<Self, ParseHttpError> {
        let (url, pointer) = json::split_pointer(text)?;
        Ok(Self {
            url: url.parse()?,
            headers: HeadersFile::new(options),
            pointer,
        })
    }

    async fn value(&self, client: &HttpClient) -> Result<Value, PageError> {
        let mut request = Request::new(self.url.clone());
        request.headers = self.headers.read(client.files()).await?;
        let Page { text, .. } = client.get(&request).await?;
        let (url, pointer) = (self.url.clone(), self.pointer.clone());
        let number = computing::by_size(text.len(), move |_| match pointer {
            Some(pointer) => pointer
                .number_in(&text)
                .map_err(|source| PageError::Json { url, source }),
            None => number(&text).map_err(|source| PageError::Number { url, source }),
        });
        number.await.map_err(|source| PageError::Stopped {
            url: self.url.clone(),
            source,
        })?
    }
}

impl Source for Http {
    fn sample<'a>(&'a self, tick: &'a Tick) -> Sampling<'a> {
        Box::pin(async { Ok(self.value(&tick.resources.http).await?.into()) })
    }
}

#[cfg(test)]
pub(crate) mod server;
#[cfg(test)]
mod tests;
