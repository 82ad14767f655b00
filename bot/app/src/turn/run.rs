//! Open runs: one move at a time, told in the apply comment.

use anyhow::Context as _;
use journal::{Reply, ReplyKind, Run};
use plan::gate::GateName;
use plan::run::{Fact, Move, Noted, next_move};
use plan::runbook::Runbook;
use topology::observed::Timestamp;

use super::order::RunRecord;
use super::record::Stage;
use super::{Office, Turned};
use crate::command::Digest;
use crate::desk::Desk;
use crate::event::{PullNumber, Sha};
use crate::executor::Stage as Acting;
use crate::history;
use crate::keeping::{Keeping, LEASE_MS, Right};
use crate::reply;

impl Office {
    /// Makes one move of one run that can make one; `None` when none can.
    pub(super) async fn move_a_run(&self, now: Timestamp) -> anyhow::Result<Option<Turned>> {
        for run in self
            .journal
            .open_runs()
            .await?
            .into_iter()
            .filter(|run| run.new.pull.is_some())
        {
            let Some(desk) = self.desks.get(&run.new.site) else {
                continue;
            };
            let record = RunRecord::of(&run)?;
            let facts = self.journal.facts(run.id).await?;
            let next = next_move(&record.plan, &facts, now, desk.pace());
            if matches!(next, Move::Wait | Move::Rest(_) | Move::Over) {
                continue;
            }
            self.make(&run, &record, desk, &next).await?;
            return Ok(Some(Turned::Moved));
        }
        Ok(None)
    }

    /// When the next run may move by itself.
    pub(super) async fn next_move_at(&self, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        let mut wake: Option<Timestamp> = None;
        for run in self
            .journal
            .open_runs()
            .await?
            .into_iter()
            .filter(|run| run.new.pull.is_some())
        {
            let Some(desk) = self.desks.get(&run.new.site) else {
                continue;
            };
            let record = RunRecord::of(&run)?;
            let facts = self.journal.facts(run.id).await?;
            if let Move::Rest(until) = next_move(&record.plan, &facts, now, desk.pace()) {
                wake = Some(wake.map_or(until, |wake| wake.min(until)));
            }
        }
        Ok(wake)
    }

    async fn make(
        &self,
        run: &Run,
        record: &RunRecord,
        desk: &Desk,
        next: &Move,
    ) -> anyhow::Result<()> {
        let Some(lease) = self
            .journal
            .take(&run.new.site, &self.owner, LEASE_MS, (self.clock)())
            .await?
        else {
            return Ok(());
        };
        let right = Right {
            lease: &lease,
            clock: &self.clock,
        };
        let mut keeping = Keeping {
            journal: &self.journal,
            run: run.id,
            lease: &lease,
            clock: &self.clock,
        };
        let commit = match next {
            // Only the proof needs the declaration; the steps are fixed.
            Move::Verify { .. } | Move::Ask(_) => Some(
                self.commit(&desk.site, &record.merge_commit, &record.merge_commit)
                    .await?,
            ),
            Move::Make(_)
            | Move::Examine(_)
            | Move::Rest(_)
            | Move::Wait
            | Move::Stop { .. }
            | Move::Finish
            | Move::Over => None,
        };
        let topology = commit
            .as_ref()
            .and_then(|commit| commit.topology.clone())
            .unwrap_or_default();
        let policy = commit
            .as_ref()
            .map(|commit| desk.policy(&commit.runbooks))
            .unwrap_or_default();
        let witness = desk.witness().await;
        let acting = Acting {
            plan: &record.plan,
            topology: &topology,
            policy: &policy,
            client: &desk.client,
            lease: &right,
            witness: &witness,
        };
        if let Move::Finish = next {
            // The history is owed before the end is noted: a cut in between owes it again under the same key.
            self.owe_history(run, record, desk).await?;
        }
        acting.make(next, &mut keeping).await?;
        let facts = self.journal.facts(run.id).await?;
        self.tell(
            run,
            record,
            next,
            &facts,
            commit.map(|commit| commit.runbooks).unwrap_or_default(),
        )
        .await?;
        if let Move::Finish = next {
            self.finish(run, record).await?;
            self.journal.release(&lease).await?;
        }
        Ok(())
    }

    async fn tell(
        &self,
        run: &Run,
        record: &RunRecord,
        next: &Move,
        facts: &[Noted],
        runbooks: Vec<Runbook>,
    ) -> anyhow::Result<()> {
        self.owe_progress(run, record).await?;
        match next {
            Move::Ask(gate) => self.owe_gate(run, record, *gate, &runbooks).await?,
            Move::Examine(gate) => {
                if let Some(Fact::NotYet { missing, .. }) = facts.last().map(|noted| &noted.fact) {
                    let key = format!("gate/{}/{}/not-yet/{}", run.id.0, gate.word(), facts.len());
                    self.owe_comment(run, key, reply::not_yet(gate.word(), missing))
                        .await?;
                }
            }
            Move::Stop { .. } => {
                self.owe_apply_check(
                    &run.new.repository,
                    &record.merge_commit,
                    Some("action_required"),
                    "stopped",
                )
                .await?;
            }
            Move::Make(_)
            | Move::Verify { .. }
            | Move::Rest(_)
            | Move::Wait
            | Move::Finish
            | Move::Over => {}
        }
        Ok(())
    }

    /// The apply comment: the same comment, edited; at most once in five seconds.
    pub(super) async fn owe_progress(&self, run: &Run, record: &RunRecord) -> anyhow::Result<()> {
        let facts = self.journal.facts(run.id).await?;
        let body = reply::progress(&record.plan, &facts, &record.setting(&run.new.site));
        self.owe_comment(run, format!("apply/{}", run.id.0), body)
            .await
    }

    async fn owe_gate(
        &self,
        run: &Run,
        record: &RunRecord,
        name: GateName,
        runbooks: &[Runbook],
    ) -> anyhow::Result<()> {
        let Some(gate) = record.plan.gate(name) else {
            return Ok(());
        };
        // A runbook that changed after the plan was approved is not this plan's.
        let runbook = runbooks
            .iter()
            .find(|runbook| Some(&runbook.pin) == gate.runbook.as_ref());
        let link = runbook.map(|runbook| {
            format!(
                "{}/{}",
                self.tree_url(&run.new.repository, &record.merge_commit),
                runbook.pin.path
            )
        });
        let body = reply::gate(gate, runbook, link.as_deref());
        self.owe_comment(run, format!("gate/{}/{}", run.id.0, name.word()), body)
            .await
    }

    async fn owe_comment(&self, run: &Run, key: String, body: String) -> anyhow::Result<()> {
        let reply = Reply {
            key,
            repository: run.new.repository.clone(),
            kind: ReplyKind::Comment,
            target: run.new.pull,
            body,
        };
        Ok(self.journal.owe(&reply, (self.clock)()).await?)
    }

    async fn finish(&self, run: &Run, record: &RunRecord) -> anyhow::Result<()> {
        self.owe_apply_check(
            &run.new.repository,
            &record.merge_commit,
            Some("success"),
            "applied, proved twice",
        )
        .await?;
        if let Some(number) = run.new.pull {
            self.set_stage(&run.new.repository, u64::try_from(number)?, Stage::Applied)
                .await?;
        }
        Ok(())
    }

    async fn owe_history(&self, run: &Run, record: &RunRecord, desk: &Desk) -> anyhow::Result<()> {
        let facts = self.journal.facts(run.id).await?;
        let observed = desk
            .client
            .eyes()
            .observe(&topology::observed::Scope::default())
            .await?;
        let setting = plan::telling::Setting {
            site: run.new.site.clone(),
            commit: Some(record.merge_commit.clone()),
            tree_url: None,
            read_at: observed.at,
            merged: true,
        };
        let record = history::Record {
            site: run.new.site.clone(),
            began: run.began,
            pull: run
                .new
                .pull
                .and_then(|number| u64::try_from(number).ok())
                .map(PullNumber),
            digest: Digest::parse(&run.new.digest).context("the run's digest is none")?,
            by: record.by.clone(),
            merge: Some(Sha::parse(&record.merge_commit)?),
            outcome: "applied".to_owned(),
            plan_json: serde_json::to_string_pretty(&record.plan)?,
            plan_markdown: plan::telling::markdown(
                &record.plan,
                &setting,
                &plan::telling::Rehearsed::default(),
            ),
            run_json: serde_json::to_string_pretty(&facts)?,
            observed: Some(topology::write::files(&observed, &run.new.site)),
        };
        let content = record.content();
        let body = serde_json::json!({"message": record.message(), "files": content.files, "whole": content.whole}).to_string();
        let reply = Reply {
            key: format!("history/{}", run.id.0),
            repository: run.new.repository.clone(),
            kind: ReplyKind::History,
            target: None,
            body,
        };
        Ok(self.journal.owe(&reply, (self.clock)()).await?)
    }
}
