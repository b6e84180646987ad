//! The client against a scripted engine that misbehaves.

// All of this is test code, helpers included.
#![allow(clippy::unwrap_used)]

mod archive;
mod command;
mod cuts;
mod errors;
mod events;
mod exec;
mod follow;
mod lifecycle;
mod logs_service;
mod silence;
mod support;
