//! A small, strict CloudWatch endpoint on this machine, for tests and demonstrations.
