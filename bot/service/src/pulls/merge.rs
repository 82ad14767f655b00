//! The merge of a pull request.

use topology::observed::Timestamp;

use crate::config::Site;

/// A pull request that was merged.
pub(crate) struct Merge<'a> {
    pub(crate) site: &'a Site,
    pub(crate) number: u64,
    pub(crate) commit: String,
    /// When, by GitHub's clock, where it is known: merges are told late and out of order.
    pub(crate) at: Option<Timestamp>,
}
