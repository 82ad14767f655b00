//! The table of contents.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests say what went wrong by stopping"
)]

mod abuse;
mod crashes;
mod hazards;
mod house;
mod importing;
mod lab;
mod machines;
mod objects;
mod pairs;
mod planning;
mod reference;
mod regrouping;
mod removal;
mod reports;
mod resizing;
mod seeds;
mod serving;
mod sites;
mod storm;
mod strangers;
mod walk;
mod ways;
mod wording;
