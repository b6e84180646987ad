//! What a failed request to AWS means, and when it is sent again. Nothing here sends or
//! waits: the program asks for the verdict on a failure and for the delay before a retry.
//!
//! ```
//! use std::time::Duration;
//!
//! use retry_policy::{RequestError, RequestErrorKind, Retry, Verdict};
//!
//! let throttled = RequestError::from(RequestErrorKind::Rejected {
//!     status: 400,
//!     code: "Throttling".to_owned(),
//!     message: "Rate exceeded".to_owned(),
//!     retry_after: None,
//! });
//! assert_eq!(throttled.verdict(), Verdict::Retry { after: None });
//! let retry = Retry { max: 3, base: Duration::from_secs(1), cap: Duration::from_secs(20) };
//! assert!(retry.delay(0, None, &mut rand::rng()) <= Duration::from_secs(1));
//! ```

mod backoff;
mod failure;
mod verdict;

pub use backoff::Retry;
pub use failure::{RequestError, RequestErrorKind};
pub use verdict::{Remedy, Verdict};
