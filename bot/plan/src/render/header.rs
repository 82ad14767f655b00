//! What a plan comment says about its surroundings: the site, the commit, and how far the pull request is.
//!
//! Handed in by whoever posts the comment; nothing here is read from a plan.

use topology::observed::Timestamp;

/// What stands around a plan in a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanHeader {
    /// The site.
    pub site: String,
    /// The head commit, where there is one.
    pub commit: Option<String>,
    /// The merge commit at which runbooks are linked: the address of the repository's tree at it.
    pub tree_url: Option<String>,
    /// When MAAS was read.
    pub read_at: Timestamp,
    /// How far the pull request is.
    pub status: ApplyStatus,
}

/// How far a pull request is, as far as its plan comment says what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyStatus {
    /// It is open.
    Open,
    /// It is merged, and waits for an operator.
    Merged,
    /// It is applied.
    Applied,
}
