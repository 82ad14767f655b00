//! Orders: apply, done, abort. It must not know which gates an order passes.

use journal::{JournalError, NewRun, Run};
use plan::plan::Plan;
use plan::run::{Fact, Progress};
use plan::telling::span;
use serde::{Deserialize, Serialize};

use super::Office;
use super::admission::{Admitted, Admitting, Halt, Shut};
use super::hear::Heard;
use super::record::{Record, Stage};
use super::survey::take;
use crate::command::{Command, Digest};
use crate::keeping::LEASE_MS;
use crate::reply::{self, RunSetting};
use crate::roster::Order;

/// What a run needs besides its plan, kept with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunRecord {
    /// The format's version.
    pub(super) v: u32,
    pub(super) plan: Plan,
    pub(super) merge_commit: String,
    pub(super) by: String,
}

impl RunRecord {
    pub(super) fn of(run: &Run) -> anyhow::Result<Self> {
        Ok(serde_json::from_str(&run.new.record)?)
    }

    pub(super) fn setting(&self, site: &str) -> RunSetting {
        RunSetting {
            site: site.to_owned(),
            by: self.by.clone(),
            merge_commit: self.merge_commit.clone(),
        }
    }
}

impl Office {
    pub(super) async fn order(
        &self,
        heard: &Heard<'_>,
        command: Command,
        order: Result<Order, String>,
    ) -> anyhow::Result<()> {
        match command {
            Command::Apply(digest) => self.apply(heard, digest, order).await,
            Command::Done { gate, evidence } => self.done(heard, gate, evidence, order).await,
            Command::Abort => self.abort(heard, order).await,
            Command::Plan | Command::Status | Command::Why(_) | Command::Help => Ok(()),
        }
    }

    async fn refuse(&self, heard: &Heard<'_>, shut: &Shut) -> anyhow::Result<()> {
        let body = reply::not_applied(&shut.reason, &shut.gates, shut.next);
        self.answer(
            &heard.site.repository,
            heard.comment,
            body,
            Some("confused"),
        )
        .await
    }

    async fn turn_away(&self, heard: &Heard<'_>, reason: &str) -> anyhow::Result<()> {
        self.answer(
            &heard.site.repository,
            heard.comment,
            reply::turned_away(reason),
            Some("confused"),
        )
        .await
    }

    /// The right to write for this site; without it, who asked is told so.
    async fn lease_for(&self, heard: &Heard<'_>) -> anyhow::Result<Option<journal::Lease>> {
        let lease = self
            .journal
            .take(&heard.site.name, &self.owner, LEASE_MS, (self.clock)())
            .await?;
        if lease.is_none() {
            let reason = "Another worker holds the right to write to this MAAS.";
            self.turn_away(heard, reason).await?;
        }
        Ok(lease)
    }

    async fn apply(
        &self,
        heard: &Heard<'_>,
        digest: Option<Digest>,
        order: Result<Order, String>,
    ) -> anyhow::Result<()> {
        let admitting = match Admitting::of(self, heard, order) {
            Ok(admitting) => admitting,
            Err(shut) => return self.refuse(heard, &shut).await,
        };
        let run = self
            .run_of(heard.site, heard.number)
            .await?
            .filter(|run| run.ended.is_none());
        if let Some(run) = run {
            return self.resume(heard, &run, digest.as_ref()).await;
        }
        match admitting.look(digest).await {
            Ok(admitted) => self.begin(heard, admitted).await,
            Err(Halt::Shut(shut)) => self.refuse(heard, &shut).await,
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    async fn begin(&self, heard: &Heard<'_>, admitted: Admitted) -> anyhow::Result<()> {
        let site = heard.site;
        let record = RunRecord {
            v: 1,
            plan: admitted.plan,
            merge_commit: admitted.merge_commit,
            by: heard.login.clone(),
        };
        let new = NewRun {
            site: site.name.clone(),
            repository: site.repository.clone(),
            pull: Some(i64::try_from(heard.number)?),
            digest: record.plan.digest.to_string(),
            record: serde_json::to_string(&record)?,
        };
        let first = Fact::Began {
            by: heard.login.clone(),
        };
        match self.journal.begin(&new, &first, (self.clock)()).await {
            Ok(_) => {}
            Err(JournalError::Busy) => {
                return self
                    .turn_away(heard, "Another run of this site is not over.")
                    .await;
            }
            Err(error) => return Err(error.into()),
        }
        self.set_stage(&site.repository, heard.number, Stage::Running)
            .await?;
        self.owe_apply_check(&site.repository, &record.merge_commit, None, "applying")
            .await?;
        self.react(&site.repository, heard.comment.id, "rocket")
            .await
    }

    async fn resume(
        &self,
        heard: &Heard<'_>,
        run: &Run,
        digest: Option<&Digest>,
    ) -> anyhow::Result<()> {
        if digest.is_some_and(|digest| digest.as_str() != run.new.digest) {
            return self
                .turn_away(
                    heard,
                    &format!("The run of {} is not over.", span(&run.new.digest)),
                )
                .await;
        }
        let facts = self.journal.facts(run.id).await?;
        if Progress::of(&facts).stopped.is_none() {
            return self
                .turn_away(heard, "The run is under way; nothing is stopped.")
                .await;
        }
        let Some(lease) = self.lease_for(heard).await? else {
            return Ok(());
        };
        self.journal
            .add(
                run.id,
                &lease,
                &Fact::Resumed {
                    by: heard.login.clone(),
                },
                (self.clock)(),
            )
            .await?;
        self.react(&heard.site.repository, heard.comment.id, "rocket")
            .await
    }

    async fn done(
        &self,
        heard: &Heard<'_>,
        gate: plan::gate::GateName,
        evidence: Option<String>,
        order: Result<Order, String>,
    ) -> anyhow::Result<()> {
        if let Err(why) = order {
            return self
                .turn_away(
                    heard,
                    &format!("Only an operator of this site may say that: {why}."),
                )
                .await;
        }
        let run = self
            .run_of(heard.site, heard.number)
            .await?
            .filter(|run| run.ended.is_none());
        let Some(run) = run else {
            return self.turn_away(heard, "No run waits here.").await;
        };
        let facts = self.journal.facts(run.id).await?;
        let record = RunRecord::of(&run)?;
        let progress = Progress::of(&facts);
        let waiting = reply::waiting_gate(&record.plan, &facts, &progress).map(|gate| gate.name);
        if waiting != Some(gate) || progress.stopped.is_some() {
            let at = waiting.map_or_else(
                || "at no gate".to_owned(),
                |gate| format!("at gate `{}`", gate.word()),
            );
            return self
                .turn_away(
                    heard,
                    &format!(
                        "The run does not wait at gate `{}`; it waits {at}.",
                        gate.word()
                    ),
                )
                .await;
        }
        let Some(lease) = self.lease_for(heard).await? else {
            return Ok(());
        };
        let claim = Fact::Claimed {
            gate,
            by: heard.login.clone(),
            evidence,
        };
        self.journal
            .add(run.id, &lease, &claim, (self.clock)())
            .await?;
        Ok(())
    }

    async fn abort(&self, heard: &Heard<'_>, order: Result<Order, String>) -> anyhow::Result<()> {
        if let Err(why) = order {
            return self
                .turn_away(
                    heard,
                    &format!("Only an operator of this site may say that: {why}."),
                )
                .await;
        }
        let run = self
            .run_of(heard.site, heard.number)
            .await?
            .filter(|run| run.ended.is_none());
        let Some(run) = run else {
            return self.turn_away(heard, "No run is under way here.").await;
        };
        let Some(lease) = self.lease_for(heard).await? else {
            return Ok(());
        };
        self.journal
            .add(
                run.id,
                &lease,
                &Fact::Aborted {
                    by: heard.login.clone(),
                },
                (self.clock)(),
            )
            .await?;
        let record = RunRecord::of(&run)?;
        self.owe_progress(&run, &record).await?;
        self.owe_apply_check(
            &heard.site.repository,
            &record.merge_commit,
            Some("cancelled"),
            "aborted",
        )
        .await?;
        self.set_stage(&heard.site.repository, heard.number, Stage::Merged)
            .await?;
        self.journal.release(&lease).await?;
        self.react(&heard.site.repository, heard.comment.id, "rocket")
            .await
    }

    /// Plans a merged pull request again, from its merge commit.
    pub(super) async fn replan_merged(&self, heard: &Heard<'_>) -> anyhow::Result<()> {
        let record = match self.record(heard).await? {
            Some(record) => Some(record),
            None => self.unheard_merge(heard).await?,
        };
        let (Some(mut record), Some(desk)) = (record, self.desks.get(&heard.site.name)) else {
            return self.turn_away(heard, "Nothing was planned here.").await;
        };
        let Some(merge_commit) = record
            .merge_commit
            .clone()
            .filter(|_| record.stage == Stage::Merged)
        else {
            return self
                .turn_away(
                    heard,
                    &format!("This is {}; there is nothing to plan.", record.stage.word()),
                )
                .await;
        };
        let commit = self
            .commit(heard.site, &merge_commit, &merge_commit)
            .await?;
        let Some(topology) = &commit.topology else {
            return self
                .turn_away(heard, "The merged declaration does not check.")
                .await;
        };
        let survey = desk
            .survey(topology, &desk.policy(&commit.runbooks), &mut |_| {})
            .await?;
        take(&mut record, &survey);
        self.journal
            .put_pull(&record.row(&heard.site.repository, heard.number, &heard.site.name))
            .await?;
        let setting = record.setting(
            &heard.site.name,
            Some(self.tree_url(&heard.site.repository, &merge_commit)),
        );
        let body = reply::plan(&survey.outcome, &setting, &survey.rehearsed);
        self.owe_plan_comment(&heard.site.repository, heard.number, &heard.site.name, body)
            .await
    }

    /// What is to be remembered of a merge that nobody told of: every webhook of the pull request was lost.
    async fn unheard_merge(&self, heard: &Heard<'_>) -> anyhow::Result<Option<Record>> {
        let pull = self
            .github
            .pull(&heard.site.repository, heard.number)
            .await?;
        let Some(merge_commit) = pull.merge_commit.filter(|_| pull.merged) else {
            return Ok(None);
        };
        let now = (self.clock)();
        Ok(Some(Record {
            v: 1,
            stage: Stage::Merged,
            commit: merge_commit.clone(),
            base: pull.base,
            merge_commit: Some(merge_commit),
            author: pull.author,
            plan: None,
            refused: None,
            rehearsed: plan::telling::Rehearsed::default(),
            read_at: now,
            merged_at: Some(now),
        }))
    }

    pub(super) async fn set_stage(
        &self,
        repository: &str,
        number: u64,
        stage: Stage,
    ) -> anyhow::Result<()> {
        if let Some(row) = self
            .journal
            .pull(repository, i64::try_from(number)?)
            .await?
        {
            let mut record = Record::of(&row)?;
            record.stage = stage;
            self.journal
                .put_pull(&record.row(repository, number, &row.site))
                .await?;
        }
        Ok(())
    }

    /// The newest run of a pull request.
    pub(super) async fn run_of(
        &self,
        site: &crate::config::Site,
        number: u64,
    ) -> anyhow::Result<Option<Run>> {
        let number = i64::try_from(number)?;
        let runs = self.journal.runs(&site.name, 50).await?;
        Ok(runs
            .into_iter()
            .find(|run| run.new.pull == Some(number) && run.new.repository == site.repository))
    }
}
