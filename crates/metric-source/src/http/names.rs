//! Names of hosts and their addresses, on threads that nothing else needs: the system's
//! resolver waits for half a minute and more if no name server answers.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use blocking_io::Calls;

/// How many names may be under way at a time. The others wait for as long as their source
/// does.
pub(crate) const RESOLVING_MAX: usize = 16;

/// The resolver that all clients share.
#[derive(Clone)]
pub(crate) struct Names {
    calls: Calls<String, Answer>,
    resolve: Arc<Resolve>,
}

type Answer = Result<Arc<[SocketAddr]>, Arc<io::Error>>;
type Resolve = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

impl Default for Names {
    fn default() -> Self {
        // The port is not asked for: the client puts its own in.
        Self::new(|name| Ok((name, 0).to_socket_addrs()?.collect()))
    }
}

impl Names {
    fn new(resolve: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self {
            calls: Calls::new(RESOLVING_MAX),
            resolve: Arc::new(resolve),
        }
    }

    async fn addresses(self, name: String) -> io::Result<vec::IntoIter<SocketAddr>> {
        let (asked, resolve) = (name.clone(), self.resolve);
        let call = move || resolve(&asked).map(Into::into).map_err(Arc::new);
        match self.calls.answer(name, call).await? {
            Ok(addresses) => Ok(Vec::from(&*addresses).into_iter()),
            Err(error) => Err(io::Error::new(error.kind(), error)),
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

impl Service<Name> for Names {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.clone().addresses(name.as_str().to_owned()))
    }
}

#[cfg(test)]
impl Names {
    /// A resolver that gives no answer before something is sent or the sender is dropped,
    /// and counts the names that it was asked for.
    pub(crate) fn silent() -> (
        Self,
        std::sync::mpsc::Sender<()>,
        Arc<std::sync::atomic::AtomicUsize>,
    ) {
        use std::sync::Mutex;
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::sync::mpsc;

        let (release, released) = mpsc::channel();
        let (released, asked) = (Mutex::new(released), Arc::<AtomicUsize>::default());
        let count = asked.clone();
        let names = Self::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = released.lock().map(|released| released.recv());
            Err(io::ErrorKind::TimedOut.into())
        });
        (names, release, asked)
    }
}
