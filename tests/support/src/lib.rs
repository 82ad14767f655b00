//! Test data that several crates' tests share. Only ever a dev-dependency.
#![expect(clippy::unwrap_used, reason = "tests report failures by panicking")]

pub mod pairs;
