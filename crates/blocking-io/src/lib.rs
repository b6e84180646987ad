//! What may never come back, beside the thread that must go on: calls that block, on a bounded
//! number of threads and never two at a time about the same, and on them the one way to read
//! a file that somebody else named, and names of hosts. How long an answer is waited for is the caller's business.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let files = blocking_io::Files::default();
//! let devices = files.read("/dev/zero".as_ref(), 1024).await;
//! assert!(devices.is_err(), "it has no end");
//! # }
//! ```

mod calls;
mod files;
mod names;
mod threads;

pub use calls::{Calls, Lost};
pub use files::{Files, HANGING_MAX, read};
pub use names::{Names, RESOLVING_MAX};
pub use threads::{Thread, Threads};
