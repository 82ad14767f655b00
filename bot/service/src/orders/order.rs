//! Orders: apply, done, abort. It must not know which gates an order passes.

use journal::{JournalError, NewRun, Run};
use plan::plan::Plan;
use plan::run::{Fact, Noted, Progress};
use plan::telling::span;
use serde::{Deserialize, Serialize};

use crate::command::{Command, ShortDigest};
use crate::inbox::command_context::{CommandContext, answer_key, reaction_key};
use crate::orders::admission::{Admitted, Admitting, Halt, Shut};
use crate::pulls::record::{PullRecord, PullStatus};
use crate::reply;
use crate::reply::RunSetting;
use crate::roster::Order;
use crate::worker::Office;

/// What a run needs besides its plan, kept with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    /// The format's version.
    pub(crate) v: u32,
    pub(crate) plan: Plan,
    pub(crate) merge_commit: String,
    pub(crate) by: String,
}

impl RunRecord {
    pub(crate) fn of(run: &Run) -> anyhow::Result<Self> {
        Ok(serde_json::from_str(&run.new.record)?)
    }

    pub(crate) fn setting(&self, site: &str) -> RunSetting {
        RunSetting {
            site: site.to_owned(),
            by: self.by.clone(),
            merge_commit: self.merge_commit.clone(),
        }
    }
}

impl CommandContext<'_> {
    /// Whether the run goes on by this person's last word.
    fn ordered(&self, facts: &[Noted]) -> bool {
        facts.iter().rev().find_map(|noted| {
            if let Fact::Began { by } | Fact::Resumed { by } = &noted.fact {
                return Some(*by == self.login);
            }
            None
        }) == Some(true)
    }
}

impl Office {
    pub(crate) async fn order(
        &self,
        heard: &CommandContext<'_>,
        command: Command,
        order: Result<Order, String>,
    ) -> anyhow::Result<()> {
        // What became of the run since is no answer to an order that was followed, or turned away.
        if heard.again && self.was_decided(heard).await? {
            return Ok(());
        }
        match command {
            Command::Apply(digest) => self.apply(heard, digest, order).await,
            Command::Done { gate, evidence } => self.done(heard, gate, evidence, order).await,
            Command::Abort => self.abort(heard, order).await,
            Command::Plan | Command::Status | Command::Why(_) | Command::Help => Ok(()),
        }
    }

    /// Whether this order was taken up before, or turned away; what is owed for the latter is owed whole.
    async fn was_decided(&self, heard: &CommandContext<'_>) -> anyhow::Result<bool> {
        let (repository, comment) = (&heard.site.repository, heard.comment.id);
        let mark = reaction_key(repository, comment, "rocket");
        if self.journal.reply(&mark).await?.is_some() {
            return Ok(true);
        }
        let answer = answer_key(repository, comment);
        if self.journal.reply(&answer).await?.is_none() {
            return Ok(false);
        }
        self.react(repository, comment, "confused").await?;
        Ok(true)
    }

    async fn refuse(&self, heard: &CommandContext<'_>, shut: &Shut) -> anyhow::Result<()> {
        let body = reply::not_applied(&shut.reason, &shut.gates, shut.next);
        self.answer(
            &heard.site.repository,
            heard.comment,
            body,
            Some("confused"),
        )
        .await
    }

    pub(crate) async fn turn_away(
        &self,
        heard: &CommandContext<'_>,
        reason: &str,
    ) -> anyhow::Result<()> {
        self.answer(
            &heard.site.repository,
            heard.comment,
            reply::turned_away(reason),
            Some("confused"),
        )
        .await
    }

    /// The right to write for this site; without it, who asked is told so.
    async fn lease_for(
        &self,
        heard: &CommandContext<'_>,
    ) -> anyhow::Result<Option<journal::Lease>> {
        let (site, length) = (&heard.site.name, heard.site.policy.lease_ms());
        let lease = self
            .journal
            .take(site, &self.owner, length, (self.clock)())
            .await?;
        if lease.is_none() {
            let reason = "Another worker holds the right to write to this MAAS.";
            self.turn_away(heard, reason).await?;
        }
        Ok(lease)
    }

    async fn apply(
        &self,
        heard: &CommandContext<'_>,
        digest: Option<ShortDigest>,
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

    async fn begin(&self, heard: &CommandContext<'_>, admitted: Admitted) -> anyhow::Result<()> {
        let site = heard.site;
        if let Some(desk) = self.desks.get(&site.name) {
            self.tell_newest(&site.name, desk).await?;
        }
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
                let open = self.journal.open_runs().await?;
                let other = open
                    .iter()
                    .filter(|run| run.new.site == site.name)
                    .find_map(|run| run.new.pull);
                let whose = match other {
                    Some(number) => {
                        format!("The run of #{number} is not over: go on with it or end it there.")
                    }
                    None => {
                        "A run of this site that was begun at a terminal is not over.".to_owned()
                    }
                };
                return self.turn_away(heard, &whose).await;
            }
            Err(error) => return Err(error.into()),
        }
        self.react(&site.repository, heard.comment.id, "rocket")
            .await
    }

    async fn resume(
        &self,
        heard: &CommandContext<'_>,
        run: &Run,
        digest: Option<&ShortDigest>,
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
            if heard.again && heard.ordered(&facts) {
                return self
                    .react(&heard.site.repository, heard.comment.id, "rocket")
                    .await;
            }
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
        heard: &CommandContext<'_>,
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
        let claim = Fact::Claimed {
            gate,
            by: heard.login.clone(),
            evidence,
        };
        if heard.again && facts.last().is_some_and(|noted| noted.fact == claim) {
            return Ok(());
        }
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
        Ok(self
            .journal
            .add(run.id, &lease, &claim, (self.clock)())
            .await?)
    }

    async fn abort(
        &self,
        heard: &CommandContext<'_>,
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
        let newest = self.run_of(heard.site, heard.number).await?;
        let aborted = Fact::Aborted {
            by: heard.login.clone(),
        };
        let Some(run) = newest.as_ref().filter(|run| run.ended.is_none()) else {
            let facts = match &newest {
                Some(run) if heard.again => self.journal.facts(run.id).await?,
                Some(_) | None => Vec::new(),
            };
            if facts.last().is_some_and(|noted| noted.fact == aborted) {
                return self
                    .react(&heard.site.repository, heard.comment.id, "rocket")
                    .await;
            }
            return self.turn_away(heard, "No run is under way here.").await;
        };
        let Some(lease) = self.lease_for(heard).await? else {
            return Ok(());
        };
        self.journal
            .add(run.id, &lease, &aborted, (self.clock)())
            .await?;
        self.journal.release(&lease).await?;
        self.react(&heard.site.repository, heard.comment.id, "rocket")
            .await
    }

    pub(crate) async fn set_stage(
        &self,
        repository: &str,
        number: u64,
        stage: PullStatus,
    ) -> anyhow::Result<()> {
        if let Some(row) = self
            .journal
            .pull(repository, i64::try_from(number)?)
            .await?
        {
            let mut record = PullRecord::of(&row)?;
            if record.stage != stage {
                record.stage = stage;
                self.remember(&record.row(repository, number, &row.site))
                    .await?;
            }
        }
        Ok(())
    }

    /// The newest run of a pull request.
    pub(crate) async fn run_of(
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
