//! The merge of a pull request, as a value. It must not know what follows from it.

use topology::observed::Timestamp;

use crate::config::Site;

/// A pull request that was merged.
pub(crate) struct Merge<'a> {
    pub(crate) site: &'a Site,
    pub(crate) number: u64,
    pub(crate) commit: String,
    /// When it was merged, by GitHub's clock, if known: webhooks of merges arrive late and out of order.
    pub(crate) at: Option<Timestamp>,
}
