//! Pull requests: planned, merged, recorded.

pub(crate) mod merge;
pub(crate) mod merged;
pub(crate) mod plan;
pub(crate) mod pull;
pub mod record;
pub(crate) mod several;
pub(crate) mod unreadable;
