//! Orders: apply, done, abort. Every gate of admission is looked at in a fixed order, and all of them are shown.

use journal::{JournalError, NewRun, Run};
use plan::plan::Plan;
use plan::run::{Fact, Progress};
use plan::telling::span;
use serde::{Deserialize, Serialize};

use super::Office;
use super::hear::Heard;
use super::record::{Record, Stage};
use super::survey::take;
use crate::command::{Command, Digest};
use crate::keeping::LEASE_MS;
use crate::reply::{self, Admission, RunSetting};
use crate::roster::Order;

/// What a run needs besides its plan, kept with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunRecord {
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

/// What the gates of admission let through.
struct Admitted {
    plan: Plan,
    merge_commit: String,
}

/// The gates, all shown: those after the first shut one are not looked at.
struct Gates(Vec<Admission>);

const NAMES: [&str; 8] = [
    "signature",
    "operator",
    "merged",
    "digest",
    "MAAS unchanged",
    "no newer plan",
    "window",
    "lease",
];

impl Gates {
    fn refuse(mut self, name: &'static str, facts: impl Into<String>) -> Vec<Admission> {
        self.0.push(Admission::shut(name, facts));
        let from = self.0.len();
        self.0.extend(
            NAMES
                .iter()
                .skip(from)
                .map(|name| Admission::not_looked(name)),
        );
        self.0
    }

    fn pass(&mut self, name: &'static str, facts: impl Into<String>) {
        self.0.push(Admission::open(name, facts));
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

    async fn refuse(
        &self,
        heard: &Heard<'_>,
        reason: &str,
        gates: &[Admission],
        next: &str,
    ) -> anyhow::Result<()> {
        let body = reply::not_applied(reason, gates, next);
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

    async fn apply(
        &self,
        heard: &Heard<'_>,
        digest: Option<Digest>,
        order: Result<Order, String>,
    ) -> anyhow::Result<()> {
        let mut gates = Gates(Vec::new());
        gates.pass("signature", "the webhook is GitHub's");
        if let Err(why) = &order {
            let shut = gates.refuse("operator", why.clone());
            return self
                .refuse(
                    heard,
                    "Only an operator of this site may say that.",
                    &shut,
                    "ask one of the site's operators.",
                )
                .await;
        }
        gates.pass("operator", format!("{} may", span(&heard.login)));
        if let Some(run) = self
            .run_of(heard.site, heard.number)
            .await?
            .filter(|run| run.ended.is_none())
        {
            return self.resume(heard, &run, digest.as_ref()).await;
        }
        match self.admission(heard, digest, gates).await? {
            Err((reason, gates, next)) => self.refuse(heard, &reason, &gates, &next).await,
            Ok(admitted) => self.begin(heard, admitted).await,
        }
    }

    /// The gates behind the operator. The plan is made again from a fresh look: what was reviewed is what runs, or nothing.
    async fn admission(
        &self,
        heard: &Heard<'_>,
        digest: Option<Digest>,
        mut gates: Gates,
    ) -> anyhow::Result<Result<Admitted, (String, Vec<Admission>, String)>> {
        let no = |reason: &str, gates: Vec<Admission>, next: &str| {
            Ok(Err((reason.to_owned(), gates, next.to_owned())))
        };
        let site = heard.site;
        let pull = self.github.pull(&site.repository, heard.number).await?;
        let branch = self.github.default_branch(&site.repository).await?;
        let Some(merge_commit) = pull.merge_commit.clone().filter(|_| pull.merged) else {
            let gates = gates.refuse("merged", "it is not merged");
            return no(
                "The pull request is not merged yet.",
                gates,
                "merge it, then say `/apply` again.",
            );
        };
        if pull.base != branch {
            let gates = gates.refuse(
                "merged",
                format!(
                    "it went to {}, and only {} counts",
                    span(&pull.base),
                    span(&branch)
                ),
            );
            return no(
                "It was merged into another branch.",
                gates,
                "open a pull request for the default branch.",
            );
        }
        if !self
            .github
            .is_on_branch(&site.repository, &merge_commit, &branch)
            .await?
        {
            let gates = gates.refuse(
                "merged",
                format!(
                    "commit {} is not on {} now",
                    span(&merge_commit),
                    span(&branch)
                ),
            );
            return no(
                "The merge is not on the default branch any more.",
                gates,
                "merge it again.",
            );
        }
        gates.pass(
            "merged",
            format!(
                "on {} as {}",
                span(&branch),
                span(&merge_commit.chars().take(10).collect::<String>())
            ),
        );
        let (Some(mut record), Some(desk)) =
            (self.record(heard).await?, self.desks.get(&site.name))
        else {
            let gates = gates.refuse("digest", "nothing was planned here");
            return no("There is no plan to apply.", gates, "say `/plan`.");
        };
        if record.stage == Stage::Applied {
            let gates = gates.refuse("digest", "it was applied");
            return no("This is applied already.", gates, "nothing to do.");
        }
        let reviewed = record.plan.as_ref().map(|plan| plan.digest.to_string());
        if let Some(given) = &digest
            && reviewed.as_deref() != Some(given.as_str())
        {
            let gates = gates.refuse(
                "digest",
                format!(
                    "{} was said, {} was reviewed",
                    span(given.as_str()),
                    span(reviewed.as_deref().unwrap_or("no plan"))
                ),
            );
            return no(
                "That is not the plan that stands in this conversation.",
                gates,
                "read the plan above, and say its digest.",
            );
        }
        gates.pass(
            "digest",
            format!(
                "{} as reviewed",
                span(reviewed.as_deref().unwrap_or("none"))
            ),
        );
        let commit = self.commit(site, &merge_commit, &merge_commit).await?;
        let Some(topology) = &commit.topology else {
            let gates = gates.refuse("MAAS unchanged", "the merged declaration is wrong");
            return no(
                "The merged declaration does not check.",
                gates,
                "mend it in a new pull request.",
            );
        };
        let survey = desk
            .survey(topology, &desk.policy(&commit.runbooks), &mut |_| {})
            .await?;
        let now = survey
            .outcome
            .as_ref()
            .ok()
            .map(|plan| plan.digest.to_string());
        if now.is_none() || now != reviewed || !survey.rehearsed.failures.is_empty() {
            record.commit.clone_from(&merge_commit);
            record.merge_commit = Some(merge_commit.clone());
            take(&mut record, &survey);
            self.journal
                .put_pull(&record.row(&site.repository, heard.number, &site.name))
                .await?;
            let setting = record.setting(
                &site.name,
                Some(self.tree_url(&site.repository, &merge_commit)),
            );
            let body = reply::plan(&survey.outcome, &setting, &survey.rehearsed);
            self.owe_plan_comment(&site.repository, heard.number, &site.name, body)
                .await?;
            let facts = format!(
                "reviewed {}, now {}",
                span(reviewed.as_deref().unwrap_or("no plan")),
                span(now.as_deref().unwrap_or("no plan"))
            );
            let gates = gates.refuse("MAAS unchanged", facts);
            return no(
                "MAAS, or the merged declaration, is not what this plan was made for.",
                gates,
                "read the new plan above; if it is right, say its digest.",
            );
        }
        let Ok(plan) = survey.outcome else {
            return no(
                "There is no plan.",
                gates.refuse("MAAS unchanged", "no plan"),
                "read above.",
            );
        };
        if let Some(why) = &plan.read_only {
            return no(
                "This plan is for reading only.",
                gates.refuse("MAAS unchanged", why.clone()),
                "read above.",
            );
        }
        gates.pass("MAAS unchanged", "looked at just now");
        let merged = self
            .journal
            .pulls_at(&site.name, Stage::Merged.word())
            .await?;
        let number = i64::try_from(heard.number)?;
        if let Some(newer) = merged
            .iter()
            .find(|other| other.number != number && other.merged > record.merged_at)
        {
            let gates = gates.refuse(
                "no newer plan",
                format!("#{} was merged later and touches this site", newer.number),
            );
            return no(
                "A later merge has overtaken this one.",
                gates,
                "say `/apply` on the newest merged pull request; it carries all of them out.",
            );
        }
        gates.pass("no newer plan", "none was merged after it");
        if !site.policy.is_open((self.clock)()) {
            return no(
                "Changes are not made at this hour.",
                gates.refuse("window", "shut now"),
                "come back when the window is open.",
            );
        }
        gates.pass("window", "open");
        if self
            .journal
            .take(&site.name, &self.owner, LEASE_MS, (self.clock)())
            .await?
            .is_none()
        {
            return no(
                "Another run writes to this MAAS.",
                gates.refuse("lease", "held by another worker"),
                "wait until it is over.",
            );
        }
        Ok(Ok(Admitted { plan, merge_commit }))
    }

    async fn begin(&self, heard: &Heard<'_>, admitted: Admitted) -> anyhow::Result<()> {
        let site = heard.site;
        let record = RunRecord {
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
        let Some(lease) = self
            .journal
            .take(&heard.site.name, &self.owner, LEASE_MS, (self.clock)())
            .await?
        else {
            return self
                .turn_away(
                    heard,
                    "Another worker holds the right to write to this MAAS.",
                )
                .await;
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
        let Some(lease) = self
            .journal
            .take(&heard.site.name, &self.owner, LEASE_MS, (self.clock)())
            .await?
        else {
            return self
                .turn_away(
                    heard,
                    "Another worker holds the right to write to this MAAS.",
                )
                .await;
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
        let Some(lease) = self
            .journal
            .take(&heard.site.name, &self.owner, LEASE_MS, (self.clock)())
            .await?
        else {
            return self
                .turn_away(
                    heard,
                    "Another worker holds the right to write to this MAAS.",
                )
                .await;
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
        let record = self.record(heard).await?;
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
