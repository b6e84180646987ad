//! Names of hosts and their addresses: the system's resolver waits for half a minute and
//! more if no name server answers.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::Calls;

/// How many names may be under way at a time. The others wait for as long as who asks does.
pub const RESOLVING_MAX: usize = 16;

/// A resolver. Clones share what is under way.
#[derive(Clone)]
pub struct Names {
    calls: Calls<String, Answer>,
    resolve: Arc<Resolve>,
}

type Answer = Result<Arc<[SocketAddr]>, Arc<io::Error>>;
type Resolve = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The system's.
impl Default for Names {
    fn default() -> Self {
        // The port is not asked for: the client puts its own in.
        Self::new(|name| Ok((name, 0).to_socket_addrs()?.collect()))
    }
}

impl Names {
    /// One that asks `resolve`, which may block.
    pub fn new(
        resolve: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            calls: Calls::new(RESOLVING_MAX),
            resolve: Arc::new(resolve),
        }
    }

    /// The addresses of a host, with the port 0.
    pub async fn addresses(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        let (asked, resolve) = (name.to_owned(), self.resolve.clone());
        let call = move || resolve(&asked).map(Into::into).map_err(Arc::new);
        match self.calls.answer(name.to_owned(), call).await? {
            Ok(addresses) => Ok(Vec::from(&*addresses)),
            Err(error) => Err(io::Error::new(error.kind(), error)),
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}
