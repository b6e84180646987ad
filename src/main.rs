//! The command line of cw-publisher.

fn main() {}
