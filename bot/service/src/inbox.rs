//! Deliveries and what follows from each.

pub(crate) mod command_context;
pub(crate) mod dead_letter;
pub(crate) mod dispatch;
pub(crate) mod lanes;
pub(crate) mod poll;
pub(crate) mod process;
pub(crate) mod redeliver;
