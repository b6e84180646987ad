//! CloudWatch Logs: what a request asks for, the rules of the service, groups, streams and
//! events.
//!
//! Limits and their words are those of the CloudWatch Logs API Reference as of 2026, and of
//! answers of the service that users have reported where the reference is silent.

mod call;
mod events;
mod groups;
mod input;
mod inspect;
mod merged;
mod names;
mod operation;
mod pages;
mod pattern;
mod problems;
mod put;
mod received;
mod store;
mod streams;
mod tags;
mod token;

pub use call::{LogsRequest, SentEvent};
pub use inspect::{LogGroup, LogStream, Logs};
pub use received::{ReceivedBatch, ReceivedEvent};

pub(crate) use call::Call;
pub(crate) use pages::{EVENTS_PAGE, GROUPS_PAGE, events_page, groups_page};
pub(crate) use store::{Keep, LogStore};
