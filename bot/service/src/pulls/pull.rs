//! A pull request as GitHub describes it now. It must not know what planebot has recorded about it.

use topology::observed::Timestamp;

/// The current state of a pull request at GitHub.
pub(crate) struct PullRequest {
    pub(crate) number: u64,
    pub(crate) open: bool,
    pub(crate) merged: bool,
    pub(crate) merge_commit: Option<String>,
    /// When it was merged, by GitHub's clock.
    pub(crate) merged_at: Option<Timestamp>,
    pub(crate) head: String,
    pub(crate) base: String,
    pub(crate) author: Option<u64>,
    /// The names of its labels.
    pub(crate) labels: Vec<String>,
}
