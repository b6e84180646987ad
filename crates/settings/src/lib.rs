//! Settings from environment variables: each with its name, its default and its meaning in
//! one place, and every problem found in one pass. It neither reads the environment of the
//! process, which is given to it, nor any file.
//!
//! ```
//! use std::time::Duration;
//!
//! use settings::{Environment, Reader};
//!
//! settings::settings! {
//!     POLL_INTERVAL = "10s", "how often it is looked";
//!     POLL_MAX = "3", "how often it is looked in vain";
//! }
//!
//! let variables = [("POLL_INTERVAL", "soon"), ("POLL_MAX", "0"), ("POLL_INTERVALL", "2s")];
//! let environment: Environment = variables.map(|(n, v)| (n.into(), v.into())).into_iter().collect();
//! let mut reader = Reader::new(&environment);
//! let interval = reader.duration(POLL_INTERVAL, Duration::ZERO, Duration::from_secs(60));
//! let max = reader.count(POLL_MAX, 1, 10);
//! reader.unknown_variables("POLL_", ALL);
//! assert_eq!((interval, max), (None, None));
//! assert_eq!(reader.findings.problems.len(), 2);
//! assert_eq!(
//!     reader.findings.warnings[0].to_string(),
//!     "POLL_INTERVALL: is not known, did you mean POLL_INTERVAL?"
//! );
//! ```

mod environment;
mod problem;
mod reader;
mod setting;
mod value;

pub use environment::Environment;
pub use problem::{Diagnostics, Place, Problem, log_problems, log_warnings};
pub use reader::Reader;
pub use setting::Setting;
pub use value::{Brief, ValueError, bytes, count, digits, duration, switch};
