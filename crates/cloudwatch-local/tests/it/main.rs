//! The endpoint as the SDK sees it.

// All of this is test code, helpers included.
#![allow(clippy::unwrap_used)]

mod arguments;
mod faults;
mod limits;
mod logs;
mod pages;
mod requests;
mod support;
