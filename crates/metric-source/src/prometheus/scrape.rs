//! One scrape an endpoint and tick, whatever the number of entries that want its series.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use tokio::sync::OnceCell;

use crate::http::{HeadersError, HeadersFile, HttpClient, HttpError, HttpUrl, Page, Request};

/// Asks for OpenMetrics first, as Prometheus does.
const ACCEPT: &str =
    "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// Where metrics are served and what is said to be let in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) url: HttpUrl,
    pub(crate) headers: HeadersFile,
}

/// The scrapes of one tick. They go with the tick, so that no page is held between ticks.
#[derive(Debug, Default)]
pub(crate) struct Scrapes(Mutex<HashMap<Endpoint, Arc<OnceCell<Scrape>>>>);

type Scrape = Result<Arc<Page>, Arc<ScrapeError>>;

/// Why an endpoint gave no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScrapeError {
    #[error(transparent)]
    Headers(#[from] HeadersError),
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl Scrapes {
    /// The page of an endpoint. Whoever comes first asks for it, the others wait; if the
    /// first gives up, the next asks.
    pub(crate) async fn page(&self, endpoint: &Endpoint, client: &HttpClient) -> Scrape {
        let scrape = {
            let mut scrapes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            scrapes.entry(endpoint.clone()).or_default().clone()
        };
        // Only who asks needs the memory of a request, and thousands may wait.
        let ask = || async {
            let asked = Box::pin(ask(endpoint, client)).await;
            asked.map(Arc::new).map_err(Arc::new)
        };
        scrape.get_or_init(ask).await.clone()
    }
}

async fn ask(endpoint: &Endpoint, client: &HttpClient) -> Result<Page, ScrapeError> {
    let mut request = Request::new(endpoint.url.clone());
    request.accept = HeaderValue::from_static(ACCEPT);
    request.headers = endpoint.headers.read(client.files()).await?;
    Ok(client.get(&request).await?)
}
