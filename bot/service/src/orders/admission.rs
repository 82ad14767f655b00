//! The admission gates of `/apply`: checked in a fixed order, and all of them shown.
//!
//! Only the plan that was reviewed is applied: the plan is made again from a fresh observation of MAAS and the merged
//! declaration, and its digest must equal that of the reviewed plan. It must not know how a run begins.

use plan::plan::Plan;
use plan::render::span;

use super::{CommandContext, Orders};
use crate::command::ShortDigest;
use crate::github_port::time_of;
use crate::history::BRANCH;
use crate::pulls::declared::{DeclaredAt, declared_at};
use crate::pulls::merge::Merge;
use crate::pulls::record::{PullRecord, PullStatus};
use crate::pulls::record_unrequested_plan;
use crate::reply::GateResult;
use crate::roster::Order;
use crate::runs::Admitted;
use crate::site::PlanningResult;

/// The gates, in the order in which they are checked.
const NAMES: [&str; 8] = [
    "signature",
    "operator",
    "merged",
    "no newer merge",
    "digest",
    "MAAS unchanged",
    "window",
    "lease",
];

/// The results when a gate is closed.
pub(super) struct Closed {
    /// The reason, as a sentence.
    pub(super) reason: String,
    /// The result of every gate.
    pub(super) gates: Vec<GateResult>,
    /// What the operator can do.
    pub(super) next: &'static str,
}

/// Why an order was not admitted.
pub(super) enum Halt {
    /// A gate is closed.
    Closed(Box<Closed>),
    /// A gate could not be checked.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The gates that an order has passed so far.
pub(super) struct Admission<'a> {
    orders: &'a Orders,
    context: &'a CommandContext<'a>,
    gates: Vec<GateResult>,
}

impl<'a> Admission<'a> {
    /// Starts with the first gate passed: the HTTP server accepts only deliveries with GitHub's signature.
    pub(super) fn new(orders: &'a Orders, context: &'a CommandContext<'a>) -> Self {
        let mut admission = Self {
            orders,
            context,
            gates: Vec::new(),
        };
        admission.pass("GitHub signed the webhook");
        admission
    }

    /// The author of the order is an operator.
    pub(super) fn check_operator(&mut self, order: Result<Order, String>) -> Result<Order, Closed> {
        match order {
            Ok(order) => {
                self.pass(&format!("{} is an operator", span(self.context.login())));
                Ok(order)
            }
            Err(why) => Err(self.close(
                "Only an operator of this site may do that.",
                &why,
                "ask one of the site's operators.",
            )),
        }
    }

    fn pass(&mut self, facts: &str) {
        let name = NAMES[self.gates.len()];
        self.gates.push(GateResult::passed(name, facts));
    }

    /// Closes the next gate; the gates after it are not checked.
    fn close(&mut self, reason: &str, facts: &str, next: &'static str) -> Closed {
        let mut gates = std::mem::take(&mut self.gates);
        gates.push(GateResult::closed(NAMES[gates.len()], facts));
        let from = gates.len();
        gates.extend(
            NAMES
                .iter()
                .skip(from)
                .map(|name| GateResult::not_checked(name)),
        );
        Closed {
            reason: reason.to_owned(),
            gates,
            next,
        }
    }

    fn halt<T>(&mut self, reason: &str, facts: &str, next: &'static str) -> Result<T, Halt> {
        Err(Halt::Closed(Box::new(self.close(reason, facts, next))))
    }

    /// Checks the remaining gates.
    pub(super) async fn check_all(mut self, digest: Option<ShortDigest>) -> Result<Admitted, Halt> {
        let merge_commit = self.check_merged().await?;
        let (record, declared) = self.check_newest(&merge_commit).await?;
        self.check_reviewed(&record, digest.as_ref()).await?;
        let plan = self
            .check_unchanged(&merge_commit, record, &declared)
            .await?;
        self.check_window_and_lease().await?;
        Ok(Admitted { plan, merge_commit })
    }

    /// The pull request was merged into the default branch, and the merge is still on it.
    async fn check_merged(&mut self) -> Result<String, Halt> {
        let repository = self.context.repository;
        let pull = repository.pull(self.context.number()).await?;
        let branch = repository.default_branch();
        let Some(merge_commit) = pull.merge_commit.filter(|_| pull.merged) else {
            return self.halt(
                "The pull request is not merged yet.",
                "it is not merged",
                "merge it, then comment `/apply` again.",
            );
        };
        if pull.base != branch {
            let facts = format!(
                "it was merged into {}; only {} is applied",
                span(&pull.base),
                span(branch)
            );
            return self.halt(
                "It was merged into another branch.",
                &facts,
                "open a pull request against the default branch.",
            );
        }
        if !repository.is_on_branch(&merge_commit, branch).await? {
            let facts = format!("commit {} is not on {}", span(&merge_commit), span(branch));
            return self.halt(
                "The merge is no longer on the default branch.",
                &facts,
                "merge it again.",
            );
        }
        // The webhook may arrive late: an `/apply` that was written before the merge must not apply it.
        let written = self.context.comment.created_at.as_deref().and_then(time_of);
        if written.is_some() && written < pull.merged_at {
            return self.halt(
                "This was written before the merge.",
                "it was not merged when this was written",
                "comment `/apply` again.",
            );
        }
        let short: String = merge_commit.chars().take(10).collect();
        self.pass(&format!("on {} as {}", span(branch), span(&short)));
        Ok(merge_commit)
    }

    /// No newer declaration of this site is waiting or was applied, whether it was merged or pushed to the branch directly.
    async fn check_newest(&mut self, merge_commit: &str) -> Result<(PullRecord, DeclaredAt), Halt> {
        let (site, number) = (self.context.site(), self.context.number());
        let pulls = &self.orders.pulls;
        let Some(record) = pulls.record(&site.repository, number).await? else {
            return self.halt(
                "There is no plan to apply.",
                "nothing was planned here",
                "say `/plan`.",
            );
        };
        if let Some(newer) = pulls.newer_than(site, number, &record).await? {
            let facts = format!("#{newer} was merged later and touches this site");
            return self.halt(
                "A later merge supersedes this one.",
                &facts,
                "comment `/apply` on the newest merged pull request; it includes all that are waiting.",
            );
        }
        let repository = self.context.repository;
        let branch = repository.default_branch();
        let merged = declared_at(repository, site, merge_commit, merge_commit).await?;
        let now = declared_at(repository, site, branch, branch).await?;
        if tree_of(&merged) != tree_of(&now) {
            let facts = format!("{} now declares this site differently", span(branch));
            return self.halt(
                "A later change to this site's declaration supersedes this merge.",
                &facts,
                "apply the pull request that was merged last, or open a new one.",
            );
        }
        self.pass("nothing was merged after it");
        Ok((record, merged))
    }

    /// Whether the history branch has more runs of this plan than the store: then the store was restored from a backup that is
    /// older than those runs.
    async fn has_unknown_runs(&self, digest: &str) -> anyhow::Result<bool> {
        let (site, number) = (self.context.site(), self.context.number());
        let recorded = self
            .context
            .repository
            .recorded_runs(&site.name, number, digest);
        let journal = &self.orders.journal;
        let known = journal.count_runs(&site.repository, i64::try_from(number)?, digest);
        Ok(recorded.await? > known.await?)
    }

    /// The plan is the one that the order names, and was not applied before.
    async fn check_reviewed(
        &mut self,
        record: &PullRecord,
        digest: Option<&ShortDigest>,
    ) -> Result<(), Halt> {
        if record.stage == PullStatus::Applied {
            return self.halt(
                "This is already applied.",
                "it was applied",
                "nothing to do.",
            );
        }
        let reviewed = digest_of(record.plan.as_ref());
        if let Some(given) = digest.filter(|given| given.as_str() != reviewed) {
            let facts = format!(
                "the command names {}, {} was reviewed",
                span(given.as_str()),
                span(&reviewed)
            );
            return self.halt(
                "That is not the plan in this conversation.",
                &facts,
                "read the plan above, then name its digest in `/apply`.",
            );
        }
        if record.to_be_named && digest.is_none() {
            let facts = format!("{} is not the plan that was reviewed", span(&reviewed));
            return self.halt(
                "The plan changed after it was reviewed.",
                &facts,
                "read the plan above; if it is right, name its digest in `/apply`.",
            );
        }
        if let Some(digest) = record.digest()
            && self.has_unknown_runs(&digest).await?
        {
            let facts = format!(
                "{} has a run of {} that is not in this store",
                span(BRANCH),
                span(&digest)
            );
            return self.halt(
                "The history branch has an earlier run of this plan; the store is older than that run.",
                &facts,
                "check the history; open a new pull request for what is left to do.",
            );
        }
        self.pass(&format!("{} as reviewed", span(&reviewed)));
        Ok(())
    }

    /// The plan is the same when it is made again from a fresh observation.
    async fn check_unchanged(
        &mut self,
        merge_commit: &str,
        record: PullRecord,
        declared: &DeclaredAt,
    ) -> Result<Plan, Halt> {
        let Some(topology) = &declared.topology else {
            return self.halt(
                "The merged declaration does not check.",
                "the merged declaration has findings",
                "fix it in a new pull request.",
            );
        };
        let runtime = self.context.runtime;
        let policy = runtime.policy(&declared.runbooks, record.lifted);
        let repository = self.context.repository;
        let at = (repository, repository.default_branch());
        let pulls = &self.orders.pulls;
        let result = pulls.plan_beside(at, runtime, topology, &policy).await?;
        let reviewed = digest_of(record.plan.as_ref());
        let now = digest_of(result.outcome.as_ref().ok());
        let same =
            result.outcome.is_ok() && now == reviewed && result.rehearsed.failures.is_empty();
        if !same {
            self.show_new_plan(merge_commit, record, &result).await?;
            let facts = format!("reviewed {}, now {}", span(&reviewed), span(&now));
            return self.halt(
                "MAAS, or the merged declaration, has changed since this plan was made.",
                &facts,
                "read the new plan above; if it is right, name its digest in `/apply`.",
            );
        }
        match result.outcome {
            Ok(plan) if plan.read_only.is_none() => {
                self.pass("observed just now");
                Ok(plan)
            }
            Ok(plan) => self.halt(
                "This plan is read-only.",
                &plan.read_only.unwrap_or_default(),
                "see the plan above.",
            ),
            Err(_) => self.halt("There is no plan.", "no plan", "see above."),
        }
    }

    /// Replaces the reviewed plan with the current one in the record and in the comment.
    async fn show_new_plan(
        &self,
        merge_commit: &str,
        mut record: PullRecord,
        result: &PlanningResult,
    ) -> anyhow::Result<()> {
        let (site, number) = (self.context.site(), self.context.number());
        merge_commit.clone_into(&mut record.commit);
        record.merge_commit = Some(merge_commit.to_owned());
        record_unrequested_plan(&mut record, result);
        let merge = Merge {
            site,
            number,
            commit: merge_commit.to_owned(),
            at: record.merged_at,
        };
        self.orders.pulls.show_merged(&merge, &record).await
    }

    /// The change window is open, and no other worker holds the lease.
    async fn check_window_and_lease(&mut self) -> Result<(), Halt> {
        let site = self.context.site();
        if !site.policy.is_open((self.orders.clock)()) {
            return self.halt(
                "The change window is closed.",
                "closed now",
                "comment `/apply` again when the window is open.",
            );
        }
        self.pass("open");
        let runs = &self.orders.runs;
        if let Some(other) = runs.other_run_on_the_maas_of(self.context.runtime).await? {
            return self.halt(
                "Another run writes to this MAAS.",
                &other,
                "comment `/apply` again when that run has ended.",
            );
        }
        if runs.lease(site).await?.is_none() {
            return self.halt(
                "Another run writes to this MAAS.",
                "held by another worker",
                "wait until it ends.",
            );
        }
        Ok(())
    }
}

fn tree_of(declared: &DeclaredAt) -> Option<&str> {
    let topology = declared.topology.as_ref();
    topology.map(|topology| topology.tree.as_str())
}

fn digest_of(plan: Option<&Plan>) -> String {
    plan.map_or_else(|| "no plan".to_owned(), |plan| plan.digest.to_string())
}
