//! What several crates' tests share: random pairs of networks, and the table of counts. Only ever a dev-dependency.
#![expect(clippy::unwrap_used, reason = "tests report failures by panicking")]

pub mod counts;
pub mod pairs;
