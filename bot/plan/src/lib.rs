//! How to get from one network to the other, and what next.
//!
//! [`Plan::between`](plan::Plan::between) is a pure function of (observed MAAS, declared topology, policy); [`run::next_move`] is a pure function of
//! (plan, facts, now). Nothing here knows a clock, the network, a file or SQL, and nothing awaits: the sentence *the
//! planner cannot touch the world* is kept by this crate's manifest.

mod carve;
mod drafting;
pub mod gate;
mod jumphost;
pub mod network;
pub mod pairing;
pub mod refusal;
pub mod run;
pub mod step;
pub mod wanted;
