//! Messages that are owed to GitHub.

pub(crate) mod backoff;
pub(crate) mod rate_limit;
pub(crate) mod send;
