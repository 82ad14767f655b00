//! What follows from a merge, and from one merge overtaking another.
//!
//! Merged changes wait for an operator in the order of their merges. The newest carries out all that wait, because its
//! commit declares them all: its plan is made again from that commit and says which changes it includes. What a newer one
//! has carried out says so and is never applied again. It must not know how a plan is carried out.

use journal::{CheckConclusion, CheckState, PullRow as Row};
use plan::render::span;
use topology::observed::Timestamp;

use super::Pulls;
use super::declared::declared_at;
use super::merge::Merge;
use super::plan::{take, take_unasked};
use super::pull::PullRequest;
use super::record::{PullRecord, PullStatus};
use crate::config::Site;
use crate::github_port::RepositoryPort;
use crate::outbox::Conversation;
use crate::reply;
use crate::site::PlanningResult;
use crate::trace::TraceId;

/// Stages of a pull request whose merge counts.
const ON_BRANCH: [PullStatus; 3] = [PullStatus::Merged, PullStatus::Running, PullStatus::Applied];

impl Pulls {
    /// A pull request was merged: it is planned again and waits for an operator.
    pub(super) async fn merged(
        &self,
        repository: &RepositoryPort,
        merge: &Merge<'_>,
        mut record: PullRecord,
        pull: &PullRequest,
    ) -> anyhow::Result<()> {
        let site = merge.site;
        if pull.base == repository.default_branch() {
            record.stage = PullStatus::Merged;
            record.merged_at = Some(self.place_of(merge).await?);
            record.merge_commit = Some(merge.commit.clone());
            self.queue
                .apply_check(
                    &site.repository,
                    &merge.commit,
                    CheckState::InProgress,
                    "merged, not applied",
                )
                .await?;
            match self.plan_of(repository, merge).await {
                Ok(Some(result)) => take_unasked(&mut record, &result),
                // The plan that was reviewed stays; `/apply` looks again before anything is done.
                Ok(None) => {}
                // Where nothing was reviewed there would be nothing to show.
                Err(error) if record.outcome().is_none() => return Err(error),
                Err(error) => {
                    tracing::warn!(
                        number = merge.number,
                        "the merge could not be planned again; `/plan` retries: {error:#}"
                    );
                }
            }
            self.show_merged(merge, &record).await?;
            let digest = record.digest().unwrap_or_default();
            tracing::info!(
                number = merge.number,
                digest,
                "merged, waits for an operator"
            );
        } else {
            // What went to another branch is not what this site is to be.
            record.stage = PullStatus::Closed;
        }
        record.base.clone_from(&pull.base);
        self.remember(&record.row(&site.repository, merge.number, &site.name))
            .await
    }

    /// Its place in the order of merges: when it was merged, and among those of one second, when it was heard.
    async fn place_of(&self, merge: &Merge<'_>) -> anyhow::Result<Timestamp> {
        let mut place = merge.at.unwrap_or_else(|| (self.clock)());
        let second = place.0.div_euclid(1000);
        for stage in ON_BRANCH {
            let rows = self.journal.pulls_at(&merge.site.name, stage.word());
            for merged in rows.await?.iter().filter_map(|row| row.merged) {
                if merged.0.div_euclid(1000) == second && merged >= place {
                    place = Timestamp(merged.0 + 1);
                }
            }
        }
        Ok(place)
    }

    /// The plan for what a merge commit declares; `None` where that does not check.
    async fn plan_of(
        &self,
        repository: &RepositoryPort,
        merge: &Merge<'_>,
    ) -> anyhow::Result<Option<PlanningResult>> {
        let Some(runtime) = self.sites.get(&merge.site.name) else {
            return Ok(None);
        };
        let (site, commit) = (merge.site, &merge.commit);
        let declared = declared_at(repository, site, commit, commit).await?;
        let Some(topology) = &declared.topology else {
            return Ok(None);
        };
        let policy = runtime.policy(&declared.runbooks);
        Ok(Some(runtime.plan(topology, &policy, &mut |_| {}).await?))
    }

    /// The plan comment of a merged pull request.
    pub(crate) async fn show_merged(
        &self,
        merge: &Merge<'_>,
        record: &PullRecord,
    ) -> anyhow::Result<()> {
        let Some(outcome) = record.outcome() else {
            return Ok(());
        };
        let site = merge.site;
        let tree = self.github.tree_url(&site.repository, &merge.commit);
        let setting = record.setting(&site.name, Some(tree));
        let body = reply::plan(&outcome, &setting, &record.rehearsed);
        let waiting = self.waiting_before(site, merge.number, record).await?;
        let body = reply::taking_along(body, &waiting, record.to_be_named);
        let conversation = Conversation {
            repository: &site.repository,
            number: merge.number,
        };
        self.queue
            .plan_comment(conversation, &site.name, &body)
            .await
    }

    /// The numbers of what was merged before and waits.
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

    /// What was merged later and counts, if anything: an older declaration is never applied over a newer one.
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

    /// Tells what was merged before a pull request that is applied now: it was carried out with it.
    pub(crate) async fn overtake(&self, site: &Site, by: &Row) -> anyhow::Result<()> {
        let waiting = self.journal.pulls_at(&site.name, PullStatus::Merged.word());
        for row in waiting.await? {
            if row.number == by.number || row.merged >= by.merged {
                continue;
            }
            let mut record = PullRecord::of(&row)?;
            let words = format!("carried out with #{}", by.number);
            if let Some(commit) = &record.merge_commit {
                let neutral = CheckState::Completed(CheckConclusion::Neutral);
                self.queue
                    .apply_check(&row.repository, commit, neutral, &words)
                    .await?;
            }
            let number = u64::try_from(row.number)?;
            let conversation = Conversation {
                repository: &row.repository,
                number,
            };
            let key = format!("overtaken/{}/{number}", row.repository);
            let text = reply::overtaken(by.number);
            self.queue
                .comment(conversation, key, &TraceId::of_pull(number), &text)
                .await?;
            tracing::info!(number, by = by.number, "carried out with a later merge");
            record.stage = PullStatus::Superseded;
            if let Some(commit) = record.merge_commit.clone() {
                let merge = Merge {
                    site,
                    number,
                    commit,
                    at: row.merged,
                };
                self.show_merged(&merge, &record).await?;
            }
            self.remember(&record.row(&row.repository, number, &row.site))
                .await?;
        }
        Ok(())
    }

    /// `/plan` on a pull request that is not open: planned again, from its merge commit. Says why not, where it is not.
    pub(crate) async fn plan_merged(
        &self,
        repository: &RepositoryPort,
        site: &Site,
        pull: &PullRequest,
    ) -> anyhow::Result<Result<(), String>> {
        let number = pull.number;
        let Some(commit) = pull.merge_commit.clone().filter(|_| pull.merged) else {
            return Ok(Err("This is closed; there is nothing to plan.".to_owned()));
        };
        let merge = Merge {
            site,
            number,
            commit,
            at: pull.merged_at,
        };
        let Some(mut record) = self.record(&site.repository, number).await? else {
            // It was opened and merged while no service ran.
            let record = PullRecord::new(pull, (self.clock)());
            self.merged(repository, &merge, record, pull).await?;
            let planned = self.record(&site.repository, number).await?;
            return Ok(
                if planned.is_some_and(|record| record.outcome().is_some()) {
                    Ok(())
                } else {
                    Err("This was merged without a plan, and no plan can be made of it.".to_owned())
                },
            );
        };
        if record.stage != PullStatus::Merged {
            return Ok(Err(format!(
                "This is {}; there is nothing to plan.",
                record.stage.word()
            )));
        }
        if let Some(newer) = self.newer_than(site, number, &record).await? {
            let newer = span(&format!("#{newer}"));
            return Ok(Err(format!(
                "{newer} was merged later: its plan is the one that counts."
            )));
        }
        let Some(result) = self.plan_of(repository, &merge).await? else {
            return Ok(Err("The merged declaration does not check.".to_owned()));
        };
        take(&mut record, &result);
        self.show_merged(&merge, &record).await?;
        self.remember(&record.row(&site.repository, number, &site.name))
            .await?;
        Ok(Ok(()))
    }
}
