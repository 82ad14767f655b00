//! What is remembered of a pull request, beside what GitHub knows.

use journal::PullRow;
use plan::plan::{Plan, RefusedPlan};
use plan::render::{ApplyStatus, PlanHeader, Rehearsed};
use serde::{Deserialize, Serialize};
use topology::observed::Timestamp;

/// Where a pull request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullStatus {
    /// A plan, a refusal or findings were posted.
    Planned,
    /// Merged, waiting for an operator.
    Merged,
    /// A run is under way, or stopped.
    Running,
    /// Applied and proved.
    Applied,
    /// A later merge carried it out.
    Superseded,
    /// Closed without a merge, or its run was aborted.
    Closed,
}

impl PullStatus {
    /// The word, as it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Merged => "merged",
            Self::Running => "running",
            Self::Applied => "applied",
            Self::Superseded => "superseded",
            Self::Closed => "closed",
        }
    }
}

/// What is remembered. Versioned: rows of every past version are read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PullRecord {
    /// The format's version.
    pub v: u32,
    /// Where it stands.
    pub stage: PullStatus,
    /// The commit that was planned: the head, or the merge commit once merged.
    pub commit: String,
    /// The branch it goes to.
    pub base: String,
    /// The merge commit.
    pub merge_commit: Option<String>,
    /// Who opened it, by number.
    pub author: Option<u64>,
    /// The plan, if there is one.
    pub plan: Option<Plan>,
    /// Why there is none.
    pub refused: Option<RefusedPlan>,
    /// What its rehearsal found.
    pub rehearsed: Rehearsed,
    /// When MAAS was read.
    pub read_at: Timestamp,
    /// When it was merged.
    pub merged_at: Option<Timestamp>,
    /// The plan became another one by itself, after people read it: an order has to name its digest.
    #[serde(default)]
    pub to_be_named: bool,
}

impl PullRecord {
    /// A pull request of which nothing is remembered yet.
    pub(crate) fn new(pull: &crate::pulls::pull::PullRequest, now: Timestamp) -> Self {
        Self {
            v: 1,
            stage: PullStatus::Planned,
            commit: pull.head.clone(),
            base: pull.base.clone(),
            merge_commit: None,
            author: pull.author,
            plan: None,
            refused: None,
            rehearsed: Rehearsed::default(),
            read_at: now,
            merged_at: None,
            to_be_named: false,
        }
    }

    /// As a row.
    pub fn row(&self, repository: &str, number: u64, site: &str) -> PullRow {
        PullRow {
            repository: repository.to_owned(),
            number: i64::try_from(number).unwrap_or(i64::MAX),
            site: site.to_owned(),
            merged: self.merged_at,
            stage: self.stage.word().to_owned(),
            record: serde_json::to_string(self)
                .expect("a record is made of strings, numbers and lists"),
        }
    }

    /// What is left of one that is over.
    pub(crate) fn without_plan(self) -> Self {
        Self {
            plan: None,
            refused: None,
            rehearsed: Rehearsed::default(),
            ..self
        }
    }

    /// From a row.
    pub fn of(pull: &PullRow) -> anyhow::Result<Self> {
        Ok(serde_json::from_str(&pull.record)?)
    }

    /// What stands around its plan in a comment.
    pub fn setting(&self, site: &str, tree_url: Option<String>) -> PlanHeader {
        PlanHeader {
            site: site.to_owned(),
            commit: Some(self.commit.clone()),
            tree_url,
            read_at: self.read_at,
            status: match (self.stage, &self.merge_commit) {
                (PullStatus::Applied | PullStatus::Superseded, _) => ApplyStatus::Applied,
                (_, Some(_)) => ApplyStatus::Merged,
                (_, None) => ApplyStatus::Open,
            },
        }
    }

    /// The digest of its plan, where it has one.
    pub fn digest(&self) -> Option<String> {
        self.plan.as_ref().map(|plan| plan.digest.to_string())
    }

    /// The plan or the refusal.
    pub fn outcome(&self) -> Option<Result<Plan, RefusedPlan>> {
        match (&self.plan, &self.refused) {
            (Some(plan), _) => Some(Ok(plan.clone())),
            (None, Some(refused)) => Some(Err(refused.clone())),
            (None, None) => None,
        }
    }
}
