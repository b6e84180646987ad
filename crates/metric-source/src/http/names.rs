//! The resolver of the client, on threads that nothing else needs.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use blocking_io::Names;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

/// The resolver that all requests share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolver(Names);

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let names = self.0.clone();
        Box::pin(async move { Ok(names.addresses(name.as_str()).await?.into_iter()) })
    }
}

#[cfg(test)]
impl Resolver {
    /// A resolver that gives no answer before something is sent or the sender is dropped,
    /// and counts the names that it was asked for.
    pub(crate) fn silent() -> (
        Self,
        std::sync::mpsc::Sender<()>,
        std::sync::Arc<std::sync::atomic::AtomicUsize>,
    ) {
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::sync::mpsc;
        use std::sync::{Arc, Mutex};

        let (release, released) = mpsc::channel();
        let (released, asked) = (Mutex::new(released), Arc::<AtomicUsize>::default());
        let count = asked.clone();
        let names = Names::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = released.lock().map(|released| released.recv());
            Err(io::ErrorKind::TimedOut.into())
        });
        (Self(names), release, asked)
    }
}
