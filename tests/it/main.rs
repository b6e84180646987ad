//! Tests of the whole program through its public interface.

#![allow(clippy::unwrap_used)]

mod check;
