//! Handles merges, and merges that later ones supersede.
//!
//! Merged changes wait for an operator in the order of their merges. Applying the newest applies all that are waiting, because
//! its commit declares them all: its plan is made again from that commit and names the changes that it includes. A change that
//! a newer one included gets a comment and is never applied again. This module must not know how a plan is applied.

use journal::{CheckConclusion, CheckState, PullRow};
use plan::render::span;
use topology::observed::Timestamp;

use super::Pulls;
use super::declared::declared_at;
use super::merge::Merge;
use super::plan::{record_plan, record_unrequested_plan};
use super::pull::PullRequest;
use super::record::{PullRecord, PullStatus};
use crate::config::Site;
use crate::github_port::RepositoryPort;
use crate::outbox::Conversation;
use crate::reply;
use crate::site::PlanningResult;
use crate::trace::TraceId;

/// The statuses of a pull request whose merge is on the default branch.
const ON_BRANCH: [PullStatus; 3] = [PullStatus::Merged, PullStatus::Running, PullStatus::Applied];

impl Pulls {
    /// Plans a merged pull request again, which then waits for an operator.
    pub(super) async fn merged(
        &self,
        repository: &RepositoryPort,
        merge: &Merge<'_>,
        mut record: PullRecord,
        pull: &PullRequest,
    ) -> anyhow::Result<()> {
        let site = merge.site;
        record.base.clone_from(&pull.base);
        if pull.base != repository.default_branch() {
            // A merge into another branch does not declare this site.
            record.stage = PullStatus::Closed;
            let row = record.row(&site.repository, merge.number, &site.name);
            return self.remember(&row).await;
        }
        record.stage = PullStatus::Merged;
        record.merged_at = Some(self.merge_time_of(merge).await?);
        record.merge_commit = Some(merge.commit.clone());
        self.queue
            .apply_check(
                &site.repository,
                &merge.commit,
                CheckState::InProgress,
                "merged, not applied",
            )
            .await?;
        record.lifted = self.are_limits_lifted(site, pull);
        match self.plan_of(repository, merge, record.lifted).await {
            Ok(Some(result)) => record_unrequested_plan(&mut record, &result),
            // The reviewed plan is kept; `/apply` checks it against MAAS before anything is done.
            Ok(None) => {}
            // Without a reviewed plan there would be nothing to show.
            Err(error) if record.outcome().is_none() => return Err(error),
            Err(error) => {
                tracing::warn!(
                    number = merge.number,
                    "planning the merge failed; `/plan` retries it: {error:#}"
                );
            }
        }
        self.show_merged(merge, &record).await?;
        let digest = record.digest().unwrap_or_default();
        tracing::info!(
            number = merge.number,
            digest,
            "merged; waiting for an operator"
        );
        Ok(())
    }

    /// The time that orders this merge among others: when it was merged, and within one second when its webhook was processed.
    async fn merge_time_of(&self, merge: &Merge<'_>) -> anyhow::Result<Timestamp> {
        let mut time = merge.at.unwrap_or_else(|| (self.clock)());
        let second = time.0.div_euclid(1000);
        for stage in ON_BRANCH {
            let rows = self.journal.pulls_at(&merge.site.name, stage.word());
            for merged in rows.await?.iter().filter_map(|row| row.merged) {
                if merged.0.div_euclid(1000) == second && merged >= time {
                    time = Timestamp(merged.0 + 1);
                }
            }
        }
        Ok(time)
    }

    /// Whether the pull request carries the label that lifts the site's limits.
    fn are_limits_lifted(&self, site: &Site, pull: &PullRequest) -> bool {
        let runtime = self.sites.get(&site.name);
        runtime.is_some_and(|runtime| runtime.lifts(&pull.labels))
    }

    /// The plan for the declaration of a merge commit; `None` if that declaration has errors.
    async fn plan_of(
        &self,
        repository: &RepositoryPort,
        merge: &Merge<'_>,
        lifted: bool,
    ) -> anyhow::Result<Option<PlanningResult>> {
        let Some(runtime) = self.sites.get(&merge.site.name) else {
            return Ok(None);
        };
        let (site, commit) = (merge.site, &merge.commit);
        let declared = declared_at(repository, site, commit, commit).await?;
        let Some(topology) = &declared.topology else {
            return Ok(None);
        };
        let policy = runtime.policy(&declared.runbooks, lifted);
        // Another site may have been merged since.
        let at = (repository, repository.default_branch());
        let result = self.plan_beside(at, runtime, topology, &policy).await?;
        Ok(Some(result))
    }

    /// Stores the record of a merged pull request together with its plan comment, if it has a plan or a refusal.
    pub(crate) async fn show_merged(
        &self,
        merge: &Merge<'_>,
        record: &PullRecord,
    ) -> anyhow::Result<()> {
        let site = merge.site;
        let row = record.row(&site.repository, merge.number, &site.name);
        let Some(outcome) = record.outcome() else {
            return self.remember(&row).await;
        };
        let tree = self.github.tree_url(&site.repository, &merge.commit);
        let setting = record.setting(&site.name, Some(tree));
        let body = reply::plan(&outcome, &setting, &record.rehearsed);
        let waiting = self.waiting_before(site, merge.number, record).await?;
        let body = reply::with_merge_notes(body, &waiting, record.to_be_named);
        self.queue.shown_plan(&row, &body).await
    }

    /// The numbers of the pull requests that were merged earlier and are waiting.
    async fn waiting_before(
        &self,
        site: &Site,
        number: u64,
        record: &PullRecord,
    ) -> anyhow::Result<Vec<i64>> {
        let rows = self.journal.pulls_at(&site.name, PullStatus::Merged.word());
        let mut waiting: Vec<i64> = rows
            .await?
            .iter()
            .filter(|row| row.number != i64::try_from(number).unwrap_or(i64::MAX))
            .filter(|row| row.merged < record.merged_at)
            .map(|row| row.number)
            .collect();
        waiting.sort_unstable();
        Ok(waiting)
    }

    /// A pull request that was merged later into the default branch, if any: an older declaration is never applied over a newer
    /// one.
    pub(crate) async fn newer_than(
        &self,
        site: &Site,
        number: u64,
        record: &PullRecord,
    ) -> anyhow::Result<Option<i64>> {
        for stage in ON_BRANCH {
            let rows = self.journal.pulls_at(&site.name, stage.word()).await?;
            let newer = rows
                .iter()
                .filter(|row| u64::try_from(row.number).ok() != Some(number))
                .find(|row| row.merged > record.merged_at);
            if let Some(newer) = newer {
                return Ok(Some(newer.number));
            }
        }
        Ok(None)
    }

    /// Marks the waiting pull requests that were merged before an applied one as superseded, and comments on them.
    pub(crate) async fn supersede_earlier(&self, site: &Site, by: &PullRow) -> anyhow::Result<()> {
        let waiting = self.journal.pulls_at(&site.name, PullStatus::Merged.word());
        for row in waiting.await? {
            if row.number == by.number || row.merged >= by.merged {
                continue;
            }
            let mut record = PullRecord::of(&row)?;
            let title = format!("carried out with #{}", by.number);
            if let Some(commit) = &record.merge_commit {
                let neutral = CheckState::Completed(CheckConclusion::Neutral);
                self.queue
                    .apply_check(&row.repository, commit, neutral, &title)
                    .await?;
            }
            let number = u64::try_from(row.number)?;
            let conversation = Conversation {
                repository: &row.repository,
                number,
            };
            let key = format!("overtaken/{}/{number}", row.repository);
            let text = reply::superseded(by.number);
            self.queue
                .comment(conversation, key, &TraceId::of_pull(number), &text)
                .await?;
            tracing::info!(
                number,
                by = by.number,
                "a later merge was applied that includes this one"
            );
            record.stage = PullStatus::Superseded;
            if let Some(commit) = record.merge_commit.clone() {
                let merge = Merge {
                    site,
                    number,
                    commit,
                    at: row.merged,
                };
                self.show_merged(&merge, &record).await?;
            } else {
                self.remember(&record.row(&row.repository, number, &row.site))
                    .await?;
            }
        }
        Ok(())
    }

    /// Follows `/plan` on a pull request that is not open: plans its merge commit again. The inner error is the refusal.
    pub(crate) async fn plan_merged(
        &self,
        repository: &RepositoryPort,
        site: &Site,
        pull: &PullRequest,
    ) -> anyhow::Result<Result<(), String>> {
        let number = pull.number;
        let Some(commit) = pull.merge_commit.clone().filter(|_| pull.merged) else {
            return Ok(Err(
                "This pull request is closed; there is nothing to plan.".to_owned(),
            ));
        };
        let merge = Merge {
            site,
            number,
            commit,
            at: pull.merged_at,
        };
        let Some(mut record) = self.record(&site.repository, number).await? else {
            // It was opened and merged while the service was not running.
            let record = PullRecord::new(pull, (self.clock)());
            self.merged(repository, &merge, record, pull).await?;
            let planned = self.record(&site.repository, number).await?;
            return Ok(
                if planned.is_some_and(|record| record.outcome().is_some()) {
                    Ok(())
                } else {
                    Err(
                        "This was merged without a plan, and planebot cannot make one for it."
                            .to_owned(),
                    )
                },
            );
        };
        if record.stage != PullStatus::Merged {
            return Ok(Err(format!(
                "This pull request is {}; there is nothing to plan.",
                record.stage.word()
            )));
        }
        if let Some(newer) = self.newer_than(site, number, &record).await? {
            let newer = span(&format!("#{newer}"));
            return Ok(Err(format!(
                "{newer} was merged later; its plan supersedes this one."
            )));
        }
        record.lifted = self.are_limits_lifted(site, pull);
        let Some(result) = self.plan_of(repository, &merge, record.lifted).await? else {
            return Ok(Err("The merged declaration does not check.".to_owned()));
        };
        record_plan(&mut record, &result);
        self.show_merged(&merge, &record).await?;
        Ok(Ok(()))
    }
}
