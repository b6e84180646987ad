//! What is shown of errors and of text from outside: on one line, of a bounded length, and
//! without the secrets that may stand in it. Nothing is logged or printed here.
//!
//! ```
//! let error = std::io::Error::other("https://me:secret@example.com/ is away");
//! assert_eq!(diagnostics::chain(&error), "https://me:secret@example.com/ is away");
//! assert_eq!(diagnostics::redacted_prefix(&error.to_string()), "https://***@example.com/ is away");
//! ```

mod chain;
mod text;

pub use chain::chain;
pub use text::{
    Hidden, did_you_mean, given, misspelt, nearest, one_line, redact, redacted_prefix,
    redacted_prefix_bytes, shown_path,
};
