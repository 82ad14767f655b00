//! What follows from a merge, and from one merge overtaking another.
//!
//! Merged changes wait for an operator in the order of their merges. The newest carries out all that wait, because its
//! commit declares them all: so its plan is made again from that commit and says whom it takes along. What a newer one
//! has carried out is told so, and never applied again. It must not know how a plan is carried out.

use journal::{Pull as Row, Reply, ReplyKind};
use plan::telling::span;
use topology::observed::Timestamp;

use crate::config::Site;
use crate::inbox::command_context::CommandContext;
use crate::pulls::merge::Merge;
use crate::pulls::plan::{take, take_unasked};
use crate::pulls::pull::PullRequest;
use crate::pulls::record::{PullRecord, PullStatus};
use crate::reply;
use crate::site::PlanningResult;
use crate::worker::Office;

/// Stages of a pull request whose merge counts.
const ON_BRANCH: [PullStatus; 3] = [PullStatus::Merged, PullStatus::Running, PullStatus::Applied];

impl Office {
    /// A pull request was merged: it is planned again and waits for an operator.
    pub(crate) async fn merged(
        &self,
        merge: &Merge<'_>,
        mut record: PullRecord,
        pull: &PullRequest,
    ) -> anyhow::Result<()> {
        let site = merge.site;
        let repository = &site.repository;
        if pull.base == self.github.default_branch(repository).await? {
            record.stage = PullStatus::Merged;
            record.merged_at = Some(self.place_of(merge).await?);
            record.merge_commit = Some(merge.commit.clone());
            self.owe_apply_check(repository, &merge.commit, None, "merged, not applied")
                .await?;
            match self.survey_of(merge).await {
                Ok(Some(survey)) => take_unasked(&mut record, &survey),
                // The plan that was reviewed stays; `/apply` looks again before anything is done.
                Ok(None) => {}
                // Where nothing was reviewed there would be nothing to show.
                Err(error) if record.outcome().is_none() => return Err(error),
                Err(error) => {
                    tracing::warn!(number = merge.number, "not planned again: {error:#}");
                }
            }
            self.show_merged(merge, &record).await?;
        } else {
            // What went to another branch is not what this site is to be.
            record.stage = PullStatus::Closed;
        }
        record.base.clone_from(&pull.base);
        self.remember(&record.row(repository, merge.number, &site.name))
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

    /// Looks, plans and rehearses what a merge commit declares; `None` where that does not check.
    async fn survey_of(&self, merge: &Merge<'_>) -> anyhow::Result<Option<PlanningResult>> {
        let Some(desk) = self.desks.get(&merge.site.name) else {
            return Ok(None);
        };
        let commit = self
            .commit(merge.site, &merge.commit, &merge.commit)
            .await?;
        let Some(topology) = &commit.topology else {
            return Ok(None);
        };
        let policy = desk.policy(&commit.runbooks);
        Ok(Some(desk.survey(topology, &policy, &mut |_| {}).await?))
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
        let tree = self.tree_url(&site.repository, &merge.commit);
        let setting = record.setting(&site.name, Some(tree));
        let body = reply::plan(&outcome, &setting, &record.rehearsed);
        let waiting = self.waiting_before(site, merge.number, record).await?;
        let body = reply::taking_along(body, &waiting, record.to_be_named);
        self.owe_plan_comment(&site.repository, merge.number, &site.name, body)
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
                self.owe_apply_check(&row.repository, commit, Some("neutral"), &words)
                    .await?;
            }
            let reply = Reply {
                key: format!("overtaken/{}/{}", row.repository, row.number),
                repository: row.repository.clone(),
                kind: ReplyKind::Comment,
                target: Some(row.number),
                body: reply::overtaken(by.number),
            };
            self.journal.owe(&reply, (self.clock)()).await?;
            record.stage = PullStatus::Superseded;
            let number = u64::try_from(row.number)?;
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

    /// `/plan` on a pull request that is not open: planned again, from its merge commit.
    pub(crate) async fn replan_merged(
        &self,
        heard: &CommandContext<'_>,
        pull: &PullRequest,
    ) -> anyhow::Result<()> {
        let (site, number) = (heard.site, heard.number);
        let Some(commit) = pull.merge_commit.clone().filter(|_| pull.merged) else {
            return self
                .turn_away(heard, "This is closed; there is nothing to plan.")
                .await;
        };
        let merge = Merge {
            site,
            number,
            commit,
            at: pull.merged_at,
        };
        let Some(mut record) = self.record(heard).await? else {
            // It came and went while nobody listened.
            let record = PullRecord::new(pull, (self.clock)());
            self.merged(&merge, record, pull).await?;
            let planned = self.record(heard).await?;
            if planned.is_some_and(|record| record.outcome().is_some()) {
                return Ok(());
            }
            let reason = "This was merged without a plan, and there is none to make of it.";
            return self.turn_away(heard, reason).await;
        };
        if record.stage != PullStatus::Merged {
            let reason = format!("This is {}; there is nothing to plan.", record.stage.word());
            return self.turn_away(heard, &reason).await;
        }
        if let Some(newer) = self.newer_than(site, number, &record).await? {
            let newer = span(&format!("#{newer}"));
            let reason = format!("{newer} was merged later: its plan is the one that counts.");
            return self.turn_away(heard, &reason).await;
        }
        let Some(survey) = self.survey_of(&merge).await? else {
            return self
                .turn_away(heard, "The merged declaration does not check.")
                .await;
        };
        take(&mut record, &survey);
        self.show_merged(&merge, &record).await?;
        self.remember(&record.row(&site.repository, number, &site.name))
            .await
    }
}
