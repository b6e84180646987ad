//! Tests of the whole program through its public interface.

// All of this is test code, helpers included.
#![allow(clippy::unwrap_used)]

mod check;
mod health;
