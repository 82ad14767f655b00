//! The gates of admission: checked in a fixed order, all of them shown.
//!
//! What was reviewed is what runs, or nothing runs: the plan is made again from a fresh observation of MAAS and the merged
//! declaration, and its digest must be the one that people read. It must not know how a run begins.

use plan::plan::Plan;
use plan::render::span;

use super::{CommandContext, Orders};
use crate::command::ShortDigest;
use crate::github_port::time_of;
use crate::history::BRANCH;
use crate::pulls::declared::{DeclaredAt, declared_at};
use crate::pulls::merge::Merge;
use crate::pulls::record::{PullRecord, PullStatus};
use crate::pulls::take_unasked;
use crate::reply::GateResult;
use crate::roster::Order;
use crate::runs::Admitted;
use crate::site::PlanningResult;

/// The gates, in order.
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

/// A gate that is closed, with all the others.
pub(super) struct Closed {
    /// The reason in plain words.
    pub(super) reason: String,
    /// What every gate says.
    pub(super) gates: Vec<GateResult>,
    /// What to do.
    pub(super) next: &'static str,
}

/// Why nothing was admitted.
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

/// An order on its way through the gates.
pub(super) struct Admission<'a> {
    orders: &'a Orders,
    context: &'a CommandContext<'a>,
    gates: Vec<GateResult>,
}

impl<'a> Admission<'a> {
    /// The first gate has been passed: the delivery carries GitHub's signature.
    pub(super) fn new(orders: &'a Orders, context: &'a CommandContext<'a>) -> Self {
        let mut admission = Self {
            orders,
            context,
            gates: Vec::new(),
        };
        admission.pass("the webhook is GitHub's");
        admission
    }

    /// Whoever gave the order is an operator.
    pub(super) fn operator(&mut self, order: Result<Order, String>) -> Result<Order, Closed> {
        match order {
            Ok(order) => {
                self.pass(&format!("{} may", span(self.context.login())));
                Ok(order)
            }
            Err(why) => Err(self.close(
                "Only an operator of this site may say that.",
                &why,
                "ask one of the site's operators.",
            )),
        }
    }

    fn pass(&mut self, facts: &str) {
        let name = NAMES[self.gates.len()];
        self.gates.push(GateResult::passed(name, facts));
    }

    /// Closes the gate that is next; those after it are not checked.
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

    /// All the other gates.
    pub(super) async fn pass_all(mut self, digest: Option<ShortDigest>) -> Result<Admitted, Halt> {
        let merge_commit = self.merged().await?;
        let (record, declared) = self.newest(&merge_commit).await?;
        self.reviewed(&record, digest.as_ref()).await?;
        let plan = self.unchanged(&merge_commit, record, &declared).await?;
        self.free().await?;
        Ok(Admitted { plan, merge_commit })
    }

    /// Merged, into the default branch, and still there.
    async fn merged(&mut self) -> Result<String, Halt> {
        let repository = self.context.repository;
        let pull = repository.pull(self.context.number()).await?;
        let branch = repository.default_branch();
        let Some(merge_commit) = pull.merge_commit.filter(|_| pull.merged) else {
            return self.halt(
                "The pull request is not merged yet.",
                "it is not merged",
                "merge it, then say `/apply` again.",
            );
        };
        if pull.base != branch {
            let facts = format!(
                "it was merged into {}, and only {} counts",
                span(&pull.base),
                span(branch)
            );
            return self.halt(
                "It was merged into another branch.",
                &facts,
                "open a pull request for the default branch.",
            );
        }
        if !repository.is_on_branch(&merge_commit, branch).await? {
            let facts = format!(
                "commit {} is not on {} now",
                span(&merge_commit),
                span(branch)
            );
            return self.halt(
                "The merge is not on the default branch any more.",
                &facts,
                "merge it again.",
            );
        }
        // The webhook may arrive late: `/apply` written before the merge does not carry out what was merged afterwards.
        let written = self.context.comment.created_at.as_deref().and_then(time_of);
        if written.is_some() && written < pull.merged_at {
            return self.halt(
                "This was said before the merge.",
                "it was not merged when this was said",
                "say `/apply` again.",
            );
        }
        let short: String = merge_commit.chars().take(10).collect();
        self.pass(&format!("on {} as {}", span(branch), span(&short)));
        Ok(merge_commit)
    }

    /// No newer declaration of this site waits or was applied: neither a pull request's, nor one that was pushed to the
    /// branch without any.
    async fn newest(&mut self, merge_commit: &str) -> Result<(PullRecord, DeclaredAt), Halt> {
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
                "A later merge has overtaken this one.",
                &facts,
                "say `/apply` on the newest merged pull request; it carries out all that wait.",
            );
        }
        let repository = self.context.repository;
        let branch = repository.default_branch();
        let merged = declared_at(repository, site, merge_commit, merge_commit).await?;
        let now = declared_at(repository, site, branch, branch).await?;
        if tree_of(&merged) != tree_of(&now) {
            let facts = format!("{} declares this site differently now", span(branch));
            return self.halt(
                "A later change of this site's declaration has overtaken this merge.",
                &facts,
                "apply the pull request that was merged last, or open a new one.",
            );
        }
        self.pass("nothing was merged after it");
        Ok((record, merged))
    }

    /// Whether the history has more runs of this plan than the store: then the store is a backup from before them.
    async fn is_known_elsewhere(&self, digest: &str) -> anyhow::Result<bool> {
        let (site, number) = (self.context.site(), self.context.number());
        let recorded = self
            .context
            .repository
            .recorded_runs(&site.name, number, digest);
        let journal = &self.orders.journal;
        let known = journal.count_runs(&site.repository, i64::try_from(number)?, digest);
        Ok(recorded.await? > known.await?)
    }

    /// The plan here is the one that was named, and was not carried out before.
    async fn reviewed(
        &mut self,
        record: &PullRecord,
        digest: Option<&ShortDigest>,
    ) -> Result<(), Halt> {
        if record.stage == PullStatus::Applied {
            return self.halt(
                "This is applied already.",
                "it was applied",
                "nothing to do.",
            );
        }
        let reviewed = digest_of(record.plan.as_ref());
        if let Some(given) = digest.filter(|given| given.as_str() != reviewed) {
            let facts = format!(
                "{} was said, {} was reviewed",
                span(given.as_str()),
                span(&reviewed)
            );
            return self.halt(
                "That is not the plan that stands in this conversation.",
                &facts,
                "read the plan above, and say its digest.",
            );
        }
        if record.to_be_named && digest.is_none() {
            let facts = format!("{} is not the plan that was reviewed", span(&reviewed));
            return self.halt(
                "The plan changed after it was read.",
                &facts,
                "read the plan above; if it is right, say its digest.",
            );
        }
        if let Some(digest) = record.digest()
            && self.is_known_elsewhere(&digest).await?
        {
            let facts = format!(
                "{} has a run of {} that this store does not know",
                span(BRANCH),
                span(&digest)
            );
            return self.halt(
                "This plan was carried out before, as the history says; the store is older than that.",
                &facts,
                "look at the history; what is still to be done needs a pull request of its own.",
            );
        }
        self.pass(&format!("{} as reviewed", span(&reviewed)));
        Ok(())
    }

    /// Made again from a fresh observation, the plan is the same.
    async fn unchanged(
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
        let policy = runtime.policy(&declared.runbooks);
        let result = runtime.plan(topology, &policy, &mut |_| {}).await?;
        let reviewed = digest_of(record.plan.as_ref());
        let now = digest_of(result.outcome.as_ref().ok());
        let same =
            result.outcome.is_ok() && now == reviewed && result.rehearsed.failures.is_empty();
        if !same {
            self.show_anew(merge_commit, record, &result).await?;
            let facts = format!("reviewed {}, now {}", span(&reviewed), span(&now));
            return self.halt(
                "MAAS, or the merged declaration, has changed since this plan was made.",
                &facts,
                "read the new plan above; if it is right, say its digest.",
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
                "read above.",
            ),
            Err(_) => self.halt("There is no plan.", "no plan", "read above."),
        }
    }

    /// Shows the plan as it is now, in place of the one that was reviewed.
    async fn show_anew(
        &self,
        merge_commit: &str,
        mut record: PullRecord,
        result: &PlanningResult,
    ) -> anyhow::Result<()> {
        let (site, number) = (self.context.site(), self.context.number());
        merge_commit.clone_into(&mut record.commit);
        record.merge_commit = Some(merge_commit.to_owned());
        take_unasked(&mut record, result);
        let merge = Merge {
            site,
            number,
            commit: merge_commit.to_owned(),
            at: record.merged_at,
        };
        let pulls = &self.orders.pulls;
        pulls.show_merged(&merge, &record).await?;
        let row = record.row(&site.repository, number, &site.name);
        pulls.remember(&row).await
    }

    /// The window is open, and nobody else writes.
    async fn free(&mut self) -> Result<(), Halt> {
        let site = self.context.site();
        if !site.policy.is_open((self.orders.clock)()) {
            return self.halt(
                "Changes are not made at this hour.",
                "closed now",
                "come back when the window is open.",
            );
        }
        self.pass("open");
        if self.orders.runs.lease(site).await?.is_none() {
            return self.halt(
                "Another run writes to this MAAS.",
                "held by another worker",
                "wait until it has ended.",
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
