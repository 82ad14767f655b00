//! How to get from one network to the other, and what next.
//!
//! [`Plan::between`] is a pure function of (observed MAAS, declared topology, policy); [`run::next_move`] is a pure function of
//! (plan, facts, now). Nothing here knows a clock, the network, a file or SQL, and nothing awaits: the sentence *the
//! planner cannot touch the world* is kept by this crate's manifest.

pub mod audit;
mod builder;
mod carve;
pub mod critic;
pub mod desired;
pub mod gate;
mod gating;
mod hazards;
mod jumphost;
pub mod network;
mod occupants;
pub mod pairing;
pub mod plan;
pub mod planner;
pub mod refusal;
pub mod render;
pub mod run;
pub mod runbook;
mod snippets;
pub mod step;
pub mod strategy;
mod warnings;

pub use audit::audit;
pub use plan::{Digest, Plan, PlanPolicy, RefusedPlan};
pub use refusal::Refusal;
