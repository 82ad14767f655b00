//! The context of a plan comment: the site, the commit, and the state of the pull request.
//!
//! The caller passes it in; nothing here comes from the plan.

use topology::observed::Timestamp;

use crate::dropped::DroppedPlane;

/// The context of a plan in a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanHeader {
    pub site: String,
    /// The head commit, if there is one.
    pub commit: Option<String>,
    /// The URL of the repository's tree at the merge commit, for links to runbooks.
    pub tree_url: Option<String>,
    /// When MAAS was read.
    pub read_at: Timestamp,
    /// The state of the pull request.
    pub status: ApplyStatus,
    /// What the pull request no longer declares, and what stays in MAAS.
    pub dropped: Vec<DroppedPlane>,
}

/// The state of a pull request; it determines what the comment says to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyStatus {
    /// It is open.
    Open,
    /// It is merged and waits for an operator.
    Merged,
    /// It is applied.
    Applied,
}
