//! Commands that lead to writes.

pub(crate) mod admission;
pub(crate) mod order;
