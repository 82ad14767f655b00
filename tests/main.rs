//! The table of contents.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests say what went wrong by stopping"
)]

mod crashes;
mod house;
mod importing;
mod lab;
mod objects;
mod planning;
mod seeds;
mod strangers;
mod walk;
