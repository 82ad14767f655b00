//! Executes a plan, checks the evidence at its gates, and rehearses both against the lab.
//!
//! It knows plans and MAAS. It must not know GitHub, the journal, or who gave an order.

mod containers;
pub mod evidence;
pub mod executor;
pub mod ledger;
mod occupants;
pub mod rehearse;
