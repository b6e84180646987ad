//! One scrape an endpoint and tick, whatever the number of entries that want its series.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// The scrapes of one tick. A page goes with the last entry that was announced for it: other
/// sources of the tick may take long.
#[derive(Debug, Default)]
pub(crate) struct Scrapes(Mutex<HashMap<Endpoint, Shared>>);

/// What the entries of one endpoint share.
#[derive(Debug, Default)]
struct Shared {
    scrape: Arc<OnceCell<Scrape>>,
    /// How many of the announced entries are not done with it.
    wanted_by: usize,
}

/// Lets the page of an endpoint go when the last who wants it is done.
pub(crate) struct Done<'a> {
    scrapes: &'a Scrapes,
    endpoint: &'a Endpoint,
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        let mut scrapes = self.scrapes.lock();
        if let Some(shared) = scrapes.get_mut(self.endpoint) {
            shared.wanted_by = shared.wanted_by.saturating_sub(1);
            if shared.wanted_by == 0 {
                scrapes.remove(self.endpoint);
            }
        }
    }
}

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
    fn lock(&self) -> MutexGuard<'_, HashMap<Endpoint, Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a page is held, or asked for.
    #[cfg(test)]
    pub(crate) fn is_held(&self) -> bool {
        !self.lock().is_empty()
    }

    /// One more entry is going to ask for the page of an endpoint.
    pub(crate) fn announce(&self, endpoint: &Endpoint) {
        let mut scrapes = self.lock();
        scrapes.entry(endpoint.clone()).or_default().wanted_by += 1;
    }

    /// An entry has begun to ask, and is done when this is dropped.
    pub(crate) fn begin<'a>(&'a self, endpoint: &'a Endpoint) -> Done<'a> {
        Done {
            scrapes: self,
            endpoint,
        }
    }

    /// The page of an endpoint. Whoever comes first asks for it, the others wait; if the
    /// first gives up, the next asks.
    pub(crate) async fn page(&self, endpoint: &Endpoint, client: &HttpClient) -> Scrape {
        let scrape = {
            let mut scrapes = self.lock();
            scrapes.entry(endpoint.clone()).or_default().scrape.clone()
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
