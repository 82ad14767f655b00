//! The declared network and the observed network.
//!
//! [`Topology`] is the declared network. Only [`check::check`] makes one, so nothing in it overlaps and every reference
//! resolves. [`Observed`] is what a MAAS answered, and when. Both use the same [`object::Object`]s under the same natural
//! [`object::Key`]s, so the two compare by equality.
//!
//! This crate is pure: no clock, no file system, no network, no randomness, nothing async.

pub mod address;
pub mod check;
pub mod draft;
pub mod finding;
pub mod object;
pub mod observed;
pub mod plane;
pub mod port;
pub mod removed;
pub mod schema;
pub mod shared;
pub mod version;
pub mod write;
mod yaml;

pub use address::{Cidr, Range};
pub use object::{Key, Object};
pub use observed::Observed;
pub use plane::Topology;
