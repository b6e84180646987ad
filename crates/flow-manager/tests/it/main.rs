//! Through the program itself, against a scripted engine: what leaves the process.

// All of this is test code, helpers included.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod client;
mod faults;
mod flows;
mod lifecycle;
mod logs;
mod protocol;
mod requests;
mod security;
mod strangers;
mod support;
