//! Plans: how to change an observed network into a declared one, and what a run does next.
//!
//! [`Plan::between`] is a pure function of observed MAAS, declared topology and policy; [`run::next_move`] is a pure
//! function of plan, facts and time. Nothing here uses a clock, the network, a file or SQL, and nothing is async; this
//! crate's manifest guarantees that the planner has no side effects.

pub mod audit;
mod builder;
mod carve;
pub mod critic;
pub mod departures;
pub mod desired;
pub mod dropped;
pub mod gate;
mod gating;
mod hazards;
mod hosts;
mod jumphost;
mod limits;
pub mod network;
pub mod notes;
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
mod strangers;
pub mod strategy;
mod undeclared;
pub mod waiting;
mod warnings;

pub use audit::audit;
pub use plan::{Digest, Plan, PlanPolicy, RefusedPlan};
pub use refusal::Refusal;
