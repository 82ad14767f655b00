//! The stored record of a pull request: what GitHub does not know about it. It must not know how the record is used.

use serde::{Deserialize, Serialize};

use journal::PullRow;
use plan::dropped::DroppedPlane;
use plan::plan::{Plan, RefusedPlan};
use plan::render::{ApplyStatus, PlanHeader, Rehearsed};
use topology::observed::Timestamp;

use super::pull::PullRequest;

/// The status of a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullStatus {
    /// A plan, a refusal or findings were posted.
    Planned,
    /// Merged, waiting for an operator.
    Merged,
    /// A run is in progress or has stopped.
    Running,
    /// Applied and proved.
    Applied,
    /// A later merge that includes it was applied.
    Superseded,
    /// Closed without a merge, or its run was aborted.
    Closed,
}

impl PullStatus {
    /// The word under which it is stored.
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

/// The record. It is versioned; rows of every past version can be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PullRecord {
    /// The format's version.
    pub v: u32,
    /// Its status.
    pub stage: PullStatus,
    /// The commit that was planned: the head, or the merge commit once merged.
    pub commit: String,
    /// The branch that it targets.
    pub base: String,
    /// The hash of the merge commit, once merged.
    pub merge_commit: Option<String>,
    /// The id of the account that opened it.
    pub author: Option<u64>,
    pub plan: Option<Plan>,
    /// The refusal, if planning was refused.
    pub refused: Option<RefusedPlan>,
    /// The result of the plan's rehearsal.
    pub rehearsed: Rehearsed,
    /// When MAAS was read.
    pub read_at: Timestamp,
    /// When it was merged, adjusted so that merges within one second keep their order.
    pub merged_at: Option<Timestamp>,
    /// The plan changed without a request after people reviewed it: an order has to name its digest.
    #[serde(default)]
    pub to_be_named: bool,
    /// Whether a label lifted the site's limits when it was last looked at.
    #[serde(default)]
    pub lifted: bool,
    /// What it no longer declares, and what stays in MAAS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<DroppedPlane>,
}

impl PullRecord {
    /// The first record of a pull request.
    pub(crate) fn new(pull: &PullRequest, now: Timestamp) -> Self {
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
            dropped: Vec::new(),
            lifted: false,
        }
    }

    /// Serializes it into a row.
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

    /// Drops the plan, which finished work no longer needs.
    pub(crate) fn without_plan(self) -> Self {
        Self {
            plan: None,
            refused: None,
            rehearsed: Rehearsed::default(),
            ..self
        }
    }

    /// Reads it from a row.
    pub fn of(pull: &PullRow) -> anyhow::Result<Self> {
        Ok(serde_json::from_str(&pull.record)?)
    }

    /// What the plan comment shows besides the plan.
    pub fn setting(&self, site: &str, tree_url: Option<String>) -> PlanHeader {
        PlanHeader {
            site: site.to_owned(),
            commit: Some(self.commit.clone()),
            tree_url,
            read_at: self.read_at,
            dropped: self.dropped.clone(),
            status: match (self.stage, &self.merge_commit) {
                (PullStatus::Applied | PullStatus::Superseded, _) => ApplyStatus::Applied,
                (_, Some(_)) => ApplyStatus::Merged,
                (_, None) => ApplyStatus::Open,
            },
        }
    }

    /// The digest of its plan, if there is one.
    pub fn digest(&self) -> Option<String> {
        self.plan.as_ref().map(|plan| plan.digest.to_string())
    }

    /// The plan or the refusal, if there is either.
    pub fn outcome(&self) -> Option<Result<Plan, RefusedPlan>> {
        match (&self.plan, &self.refused) {
            (Some(plan), _) => Some(Ok(plan.clone())),
            (None, Some(refused)) => Some(Err(refused.clone())),
            (None, None) => None,
        }
    }
}
