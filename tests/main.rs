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
#[path = "../bot/plan/tests/laws"]
mod laws {
    #[expect(dead_code, reason = "the planner's laws ask more of it")]
    pub(crate) mod pairs;
}
mod objects;
mod pairs;
mod planning;
mod reports;
mod seeds;
mod storm;
mod walk;
mod ways;
