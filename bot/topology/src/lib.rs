//! What the network should be, and what it is.
//!
//! [`Topology`] is the declared network, believed: made only by [`check::check`], so nothing in it overlaps or
//! dangles. [`Observed`] is what a MAAS said, and when. Both speak of the same [`object::Object`]s under the same
//! natural [`object::Key`]s, so that "what is" and "what should be" compare by equality.
//!
//! Nothing here knows a clock, the file system, the network or chance, and nothing awaits.

pub mod address;
pub mod check;
pub mod draft;
pub mod finding;
pub mod object;
pub mod observed;
pub mod plane;
pub mod port;
pub mod schema;
pub mod version;
pub mod write;
mod yaml;

pub use address::{Cidr, Range};
pub use object::{Key, Object};
pub use observed::Observed;
pub use plane::Topology;
