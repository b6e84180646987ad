//! The engine as a client sees it that has nothing in common with it but HTTP.

// All of this is test code, helpers included.
#![allow(clippy::unwrap_used)]

mod containers;
mod events;
mod exec;
mod faults;
mod logs;
mod support;
