//! Carries a plan out: one move at a time, the evidence at its gates, and the rehearsal of all of it.
//!
//! It knows plans and MAAS. It must not know GitHub, the journal, or who gave an order.

pub mod evidence;
pub mod executor;
mod occupants;
pub mod rehearse;
