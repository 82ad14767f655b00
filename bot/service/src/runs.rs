//! Runs: moved a step at a time, and published.

pub mod ledger;
pub mod publish;
pub(crate) mod step;
