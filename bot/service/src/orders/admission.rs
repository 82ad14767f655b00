//! The gates of admission: looked at in a fixed order, all of them shown.
//!
//! What was reviewed is what runs, or nothing runs: the plan is made again from a fresh look at MAAS and the merged
//! declaration, and its digest must be the one that people read. It must not know how a run begins.

use plan::plan::Plan;
use plan::telling::span;

use crate::command::ShortDigest;
use crate::github_port::time_of;
use crate::history::BRANCH;
use crate::inbox::command_context::CommandContext;
use crate::pulls::merge::Merge;
use crate::pulls::plan::{DeclaredAt, take_unasked};
use crate::pulls::pull::PullRequest;
use crate::pulls::record::{PullRecord, PullStatus};
use crate::reply::Admission;
use crate::roster::Order;
use crate::site::{PlanningResult, SiteRuntime};
use crate::worker::Office;

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

/// What the gates let through.
pub(crate) struct Admitted {
    pub(crate) plan: Plan,
    pub(crate) merge_commit: String,
}

/// A shut gate, with all the others.
pub(crate) struct Shut {
    /// The reason in plain words.
    pub(crate) reason: String,
    /// How every gate stands.
    pub(crate) gates: Vec<Admission>,
    /// What to do.
    pub(crate) next: &'static str,
}

/// Why nothing was admitted.
pub(crate) enum Halt {
    /// A gate is shut.
    Shut(Box<Shut>),
    /// It could not be looked at.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// An order on its way through the gates.
pub(crate) struct Admitting<'a> {
    office: &'a Office,
    heard: &'a CommandContext<'a>,
    gates: Vec<Admission>,
}

impl<'a> Admitting<'a> {
    /// The first two gates: the webhook's signature, and the operator.
    pub(crate) fn of(
        office: &'a Office,
        heard: &'a CommandContext<'a>,
        order: Result<Order, String>,
    ) -> Result<Self, Shut> {
        let mut admitting = Self {
            office,
            heard,
            gates: Vec::new(),
        };
        admitting.pass("the webhook is GitHub's");
        match order {
            Ok(_) => admitting.pass(&format!("{} may", span(&heard.login))),
            Err(why) => {
                return Err(admitting.shut(
                    "Only an operator of this site may say that.",
                    &why,
                    "ask one of the site's operators.",
                ));
            }
        }
        Ok(admitting)
    }

    fn pass(&mut self, facts: &str) {
        let name = NAMES[self.gates.len()];
        self.gates.push(Admission::open(name, facts));
    }

    /// Shuts the gate that is next; those after it are not looked at.
    fn shut(mut self, reason: &str, facts: &str, next: &'static str) -> Shut {
        self.gates
            .push(Admission::shut(NAMES[self.gates.len()], facts));
        let from = self.gates.len();
        self.gates.extend(
            NAMES
                .iter()
                .skip(from)
                .map(|name| Admission::not_looked(name)),
        );
        Shut {
            reason: reason.to_owned(),
            gates: self.gates,
            next,
        }
    }

    fn halt<T>(self, reason: &str, facts: &str, next: &'static str) -> Result<T, Halt> {
        Err(Halt::Shut(Box::new(self.shut(reason, facts, next))))
    }

    /// All the other gates.
    pub(crate) async fn look(self, digest: Option<ShortDigest>) -> Result<Admitted, Halt> {
        let (admitting, merge_commit) = self.merged().await?;
        let (admitting, record, desk) = admitting.newest(&merge_commit).await?;
        let admitting = admitting.reviewed(&record, digest.as_ref()).await?;
        let (admitting, plan) = admitting.unchanged(&merge_commit, record, desk).await?;
        admitting.free().await?;
        Ok(Admitted { plan, merge_commit })
    }

    /// Merged, into the default branch, and still there.
    async fn merged(mut self) -> Result<(Self, String), Halt> {
        let repository = &self.heard.site.repository;
        let pull: PullRequest = self
            .office
            .github
            .pull(repository, self.heard.number)
            .await?;
        let branch = self.office.github.default_branch(repository).await?;
        let Some(merge_commit) = pull.merge_commit.filter(|_| pull.merged) else {
            return self.halt(
                "The pull request is not merged yet.",
                "it is not merged",
                "merge it, then say `/apply` again.",
            );
        };
        if pull.base != branch {
            let facts = format!(
                "it went to {}, and only {} counts",
                span(&pull.base),
                span(&branch)
            );
            return self.halt(
                "It was merged into another branch.",
                &facts,
                "open a pull request for the default branch.",
            );
        }
        if !self
            .office
            .github
            .is_on_branch(repository, &merge_commit, &branch)
            .await?
        {
            let facts = format!(
                "commit {} is not on {} now",
                span(&merge_commit),
                span(&branch)
            );
            return self.halt(
                "The merge is not on the default branch any more.",
                &facts,
                "merge it again.",
            );
        }
        // It may be heard late: what was said of an open pull request is no order to carry out what was merged since.
        let said = self.heard.comment.created_at.as_deref().and_then(time_of);
        if said.is_some() && said < pull.merged_at {
            return self.halt(
                "This was said before the merge.",
                "it was not merged when this was said",
                "say `/apply` again.",
            );
        }
        let short: String = merge_commit.chars().take(10).collect();
        self.pass(&format!("on {} as {}", span(&branch), span(&short)));
        Ok((self, merge_commit))
    }

    /// No newer declaration of this site waits or was applied: neither a pull request's, nor one that came to the branch
    /// without any.
    async fn newest(
        mut self,
        merge_commit: &str,
    ) -> Result<(Self, PullRecord, &'a SiteRuntime), Halt> {
        let record = self.office.record(self.heard).await?;
        let (site, number) = (self.heard.site, self.heard.number);
        let (Some(record), Some(desk)) = (record, self.office.desks.get(&site.name)) else {
            return self.halt(
                "There is no plan to apply.",
                "nothing was planned here",
                "say `/plan`.",
            );
        };
        if let Some(newer) = self.office.newer_than(site, number, &record).await? {
            let facts = format!("#{newer} was merged later and touches this site");
            return self.halt(
                "A later merge has overtaken this one.",
                &facts,
                "say `/apply` on the newest merged pull request; it carries out all that wait.",
            );
        }
        let branch = self.office.github.default_branch(&site.repository).await?;
        let merged = self.office.commit(site, merge_commit, merge_commit).await?;
        let now = self.office.commit(site, &branch, &branch).await?;
        let tree = |commit: DeclaredAt| commit.topology.map(|topology| topology.tree);
        if tree(merged) != tree(now) {
            let facts = format!("{} declares this site otherwise by now", span(&branch));
            return self.halt(
                "A later change of this site's declaration has overtaken this merge.",
                &facts,
                "apply the pull request that was merged last, or open a new one.",
            );
        }
        self.pass("nothing was merged after it");
        Ok((self, record, desk))
    }

    /// Whether the history has more runs of this plan than the store: then the store is a backup from before them.
    async fn is_known_elsewhere(&self, digest: &str) -> anyhow::Result<bool> {
        let (site, number) = (self.heard.site, self.heard.number);
        let recorded = self.office.github.recorded_runs(site, number, digest);
        let journal = &self.office.journal;
        let known = journal.runs_of(&site.repository, i64::try_from(number)?, digest);
        Ok(recorded.await? > known.await?)
    }

    /// The plan here is the one that was named, and was not carried out before.
    async fn reviewed(
        mut self,
        record: &PullRecord,
        digest: Option<&ShortDigest>,
    ) -> Result<Self, Halt> {
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
                "The plan became another one after it was read.",
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
                "look at the history; what is to be done still is a pull request of its own.",
            );
        }
        self.pass(&format!("{} as reviewed", span(&reviewed)));
        Ok(self)
    }

    /// Looked at afresh, the plan is the same.
    async fn unchanged(
        mut self,
        merge_commit: &str,
        record: PullRecord,
        desk: &SiteRuntime,
    ) -> Result<(Self, Plan), Halt> {
        let site = self.heard.site;
        let commit = self.office.commit(site, merge_commit, merge_commit).await?;
        let Some(topology) = &commit.topology else {
            let facts = "the merged declaration is wrong";
            return self.halt(
                "The merged declaration does not check.",
                facts,
                "mend it in a new pull request.",
            );
        };
        let survey = desk
            .survey(topology, &desk.policy(&commit.runbooks), &mut |_| {})
            .await?;
        let reviewed = digest_of(record.plan.as_ref());
        let now = digest_of(survey.outcome.as_ref().ok());
        let same =
            survey.outcome.is_ok() && now == reviewed && survey.rehearsed.failures.is_empty();
        if !same {
            self.show_anew(merge_commit, record, &survey).await?;
            let facts = format!("reviewed {}, now {}", span(&reviewed), span(&now));
            return self.halt(
                "MAAS, or the merged declaration, is not what this plan was made for.",
                &facts,
                "read the new plan above; if it is right, say its digest.",
            );
        }
        match survey.outcome {
            Ok(plan) if plan.read_only.is_none() => {
                self.pass("looked at just now");
                Ok((self, plan))
            }
            Ok(plan) => self.halt(
                "This plan is for reading only.",
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
        survey: &PlanningResult,
    ) -> anyhow::Result<()> {
        let site = self.heard.site;
        merge_commit.clone_into(&mut record.commit);
        record.merge_commit = Some(merge_commit.to_owned());
        take_unasked(&mut record, survey);
        let merge = Merge {
            site,
            number: self.heard.number,
            commit: merge_commit.to_owned(),
            at: record.merged_at,
        };
        self.office.show_merged(&merge, &record).await?;
        let row = record.row(&site.repository, self.heard.number, &site.name);
        self.office.remember(&row).await
    }

    /// The window is open, and nobody else writes.
    async fn free(mut self) -> Result<(), Halt> {
        let site = self.heard.site;
        let now = (self.office.clock)();
        if !site.policy.is_open(now) {
            return self.halt(
                "Changes are not made at this hour.",
                "shut now",
                "come back when the window is open.",
            );
        }
        self.pass("open");
        if self
            .office
            .journal
            .take(&site.name, &self.office.owner, site.policy.lease_ms(), now)
            .await?
            .is_none()
        {
            return self.halt(
                "Another run writes to this MAAS.",
                "held by another worker",
                "wait until it is over.",
            );
        }
        Ok(())
    }
}

fn digest_of(plan: Option<&Plan>) -> String {
    plan.map_or_else(|| "no plan".to_owned(), |plan| plan.digest.to_string())
}
