//! The program against a scripted engine and a strict local CloudWatch Logs.

// All of this is test code, helpers included.
#![allow(clippy::unwrap_used)]

mod attach;
mod check;
mod checkpoint;
mod deploy;
mod faults;
mod interrupted;
mod names;
mod places;
mod runs;
mod signals;
mod support;
mod taken_up;
mod wrong;
