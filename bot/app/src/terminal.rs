//! The commands that look at a MAAS from a terminal: audit, plan, rehearse, apply.
//!
//! The same planner, rehearsal and executor as the service, and the same words. Answers go to `out`, progress to `tell`.
//! It must not know how arguments are spelt.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use journal::{Journal, NewRun, RunId};
use plan::plan::{Plan, Policy, Refused};
use plan::run::{Fact, Move, Progress, next_move};
use plan::runbook::Runbook;
use plan::telling::{self, Setting};
use serde_json::json;
use topology::plane::Topology;

use crate::clock::Clock;
use crate::desk::{Desk, Survey, declared, runbooks};
use crate::executor::{Ledger as _, Stage};
use crate::keeping::{Keeping, LEASE_MS, Right};
use crate::rehearse::told;

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    Text,
    /// The very comment.
    Markdown,
    /// For programs.
    Json,
}

/// A site, a declaration, and how to speak.
pub struct Terminal<'a> {
    /// The site.
    pub desk: Desk,
    /// The folder of the declaration.
    pub folder: PathBuf,
    /// The folder of the runbooks.
    pub runbooks: PathBuf,
    /// How a plan is printed.
    pub format: Format,
    /// What time it is.
    pub clock: &'a Clock,
    /// Hears progress, a line each.
    pub tell: &'a mut (dyn FnMut(String) + Send),
}

/// Exit codes: what scripts rely on.
pub mod exit {
    /// Done, or nothing to do.
    pub const OK: u8 = 0;
    /// Findings, or any error.
    pub const WRONG: u8 = 1;
    /// There are changes, or drift.
    pub const CHANGES: u8 = 2;
    /// Refused.
    pub const REFUSED: u8 = 3;
    /// Stopped, or waiting for a person.
    pub const WAITING: u8 = 4;
}

struct Ready {
    topology: Topology,
    runbooks: Vec<Runbook>,
    policy: Policy,
}

impl Terminal<'_> {
    fn ready(&self) -> anyhow::Result<Ready> {
        let found = declared(&self.folder)?;
        let runbooks = runbooks(&self.runbooks)?;
        let Some(topology) = found.topology else {
            let errors: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
            bail!(
                "the declaration in `{}` is wrong:\n\n{}",
                self.folder.display(),
                errors.join("\n")
            );
        };
        let policy = self.desk.policy(&runbooks);
        Ok(Ready {
            topology,
            runbooks,
            policy,
        })
    }

    async fn survey(&mut self, ready: &Ready) -> anyhow::Result<Survey> {
        (self.tell)(format!("observing {}", self.desk.site.maas_url));
        self.desk
            .survey(&ready.topology, &ready.policy, &mut |_| {})
            .await
    }

    /// One line per plane.
    pub async fn audit(&mut self, out: &mut dyn Write) -> anyhow::Result<u8> {
        let ready = self.ready()?;
        let observed = crate::executor::observe(&self.desk.client.eyes(), &ready.topology)
            .await
            .context("observing MAAS")?;
        let audit = match Plan::between(&observed, &ready.topology, &ready.policy) {
            Ok(plan) => plan.audit,
            Err(refused) => refused.audit,
        };
        match self.format {
            Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&audit)?)?,
            Format::Text | Format::Markdown => write!(out, "{}", telling::audit_text(&audit))?,
        }
        let quiet = audit.iter().all(|line| {
            matches!(
                line.standing,
                plan::audit::Standing::Skip | plan::audit::Standing::Undeclared
            )
        });
        Ok(if quiet { exit::OK } else { exit::CHANGES })
    }

    /// The plan, its digest, its rehearsal.
    pub async fn plan(&mut self, out: &mut dyn Write) -> anyhow::Result<u8> {
        let ready = self.ready()?;
        let survey = self.survey(&ready).await?;
        self.print(&survey, out)?;
        Ok(match &survey.outcome {
            Err(_) => exit::REFUSED,
            Ok(_) if !survey.rehearsed.failures.is_empty() => exit::REFUSED,
            Ok(plan) if plan.steps.is_empty() => exit::OK,
            Ok(_) => exit::CHANGES,
        })
    }

    fn print(&self, survey: &Survey, out: &mut dyn Write) -> anyhow::Result<()> {
        let site = &self.desk.site.name;
        let setting = Setting {
            site: site.clone(),
            commit: None,
            tree_url: None,
            read_at: survey.observed.at,
            merged: false,
        };
        match (self.format, &survey.outcome) {
            (Format::Json, outcome) => writeln!(
                out,
                "{}",
                serde_json::to_string_pretty(&as_json(outcome, survey))?
            )?,
            (Format::Markdown, Ok(plan)) => write!(
                out,
                "{}",
                telling::markdown(plan, &setting, &survey.rehearsed)
            )?,
            (Format::Markdown, Err(refused)) => {
                write!(out, "{}", telling::refusal_markdown(refused, &setting))?;
            }
            (Format::Text, Ok(plan)) => write!(
                out,
                "{}",
                telling::text(plan, site, Some(&survey.rehearsed))
            )?,
            (Format::Text, Err(refused)) => {
                write!(out, "{}", telling::refusal_text(refused, site))?;
            }
        }
        Ok(())
    }

    /// Plays the plan in the lab and prints what happens.
    pub async fn rehearse(&mut self, out: &mut dyn Write) -> anyhow::Result<u8> {
        let ready = self.ready()?;
        let mut lines = Vec::new();
        let survey = self
            .desk
            .survey(&ready.topology, &ready.policy, &mut |line| lines.push(line))
            .await?;
        for line in lines {
            writeln!(out, "{line}")?;
        }
        if let Err(refused) = &survey.outcome {
            write!(
                out,
                "{}",
                telling::refusal_text(refused, &self.desk.site.name)
            )?;
            Ok(exit::WRONG)
        } else {
            writeln!(out, "\n{}", telling::rehearsal(&survey.rehearsed))?;
            Ok(if survey.rehearsed.failures.is_empty() {
                exit::OK
            } else {
                exit::WRONG
            })
        }
    }

    /// The same run as the service's, from a terminal, journalled: begins it, or goes on with it. `done` is a gate whose
    /// work is done, with what is given as evidence.
    pub async fn apply(
        &mut self,
        journal: &Journal,
        digest: &str,
        done: Option<(plan::gate::GateName, Option<String>)>,
        out: &mut dyn Write,
    ) -> anyhow::Result<u8> {
        let ready = self.ready()?;
        let site = self.desk.site.name.clone();
        let owner = format!("terminal-{}", std::process::id());
        let now = (self.clock)();
        let Some(lease) = journal.take(&site, &owner, LEASE_MS, now).await? else {
            writeln!(
                out,
                "refused: another worker holds the right to write to `{site}`; nothing was changed"
            )?;
            return Ok(exit::REFUSED);
        };
        let begun = self.begin(journal, &lease, &ready, digest, out).await?;
        let Some((run, plan)) = begun else {
            journal.release(&lease).await?;
            return Ok(exit::REFUSED);
        };
        let code = self
            .carry_out(journal, lease.clone(), run, &plan, &ready, done, out)
            .await;
        journal.release(&lease).await?;
        code
    }

    /// The run to carry out: the one that is not over, or a new one of exactly that digest.
    async fn begin(
        &mut self,
        journal: &Journal,
        lease: &journal::Lease,
        ready: &Ready,
        digest: &str,
        out: &mut dyn Write,
    ) -> anyhow::Result<Option<(RunId, Plan)>> {
        let site = self.desk.site.name.clone();
        let open = journal
            .open_runs()
            .await?
            .into_iter()
            .find(|run| run.new.site == site);
        if let Some(run) = open {
            return self.go_on(journal, lease, &run, digest, out).await;
        }
        let survey = self.survey(ready).await?;
        let plan = match &survey.outcome {
            Ok(plan)
                if plan.digest.to_string() == digest
                    && survey.rehearsed.failures.is_empty()
                    && plan.read_only.is_none() =>
            {
                plan.clone()
            }
            Ok(plan) if plan.digest.to_string() == digest => {
                self.print(&survey, out)?;
                writeln!(
                    out,
                    "refused: this plan is for reading only; nothing was changed"
                )?;
                return Ok(None);
            }
            Ok(plan) => {
                self.print(&survey, out)?;
                writeln!(
                    out,
                    "refused: the plan is {} now, not {digest}; nothing was changed",
                    plan.digest
                )?;
                return Ok(None);
            }
            Err(_) => {
                self.print(&survey, out)?;
                return Ok(None);
            }
        };
        let new = NewRun {
            site,
            repository: String::new(),
            pull: None,
            digest: digest.to_owned(),
            record: serde_json::to_string(&plan)?,
        };
        let run = journal
            .begin(
                &new,
                &Fact::Began {
                    by: "a terminal".to_owned(),
                },
                (self.clock)(),
            )
            .await?;
        Ok(Some((run, plan)))
    }

    /// Goes on with the run that is not over, if it is that one.
    async fn go_on(
        &self,
        journal: &Journal,
        lease: &journal::Lease,
        run: &journal::Run,
        digest: &str,
        out: &mut dyn Write,
    ) -> anyhow::Result<Option<(RunId, Plan)>> {
        if run.new.digest != digest || run.new.pull.is_some() {
            writeln!(
                out,
                "refused: the run of {} is not over; go on with it where it was begun, or abort it",
                run.new.digest
            )?;
            return Ok(None);
        }
        let plan: Plan =
            serde_json::from_str(&run.new.record).context("reading the plan of the open run")?;
        let facts = journal.facts(run.id).await?;
        if Progress::of(&facts).stopped.is_some() {
            let resumed = Fact::Resumed {
                by: "a terminal".to_owned(),
            };
            journal.add(run.id, lease, &resumed, (self.clock)()).await?;
        }
        Ok(Some((run.id, plan)))
    }

    #[expect(clippy::too_many_arguments, reason = "one call, from one place")]
    async fn carry_out(
        &mut self,
        journal: &Journal,
        mut lease: journal::Lease,
        run: RunId,
        plan: &Plan,
        ready: &Ready,
        done: Option<(plan::gate::GateName, Option<String>)>,
        out: &mut dyn Write,
    ) -> anyhow::Result<u8> {
        if let Some((gate, evidence)) = done {
            let claim = Fact::Claimed {
                gate,
                by: "a terminal".to_owned(),
                evidence,
            };
            journal.add(run, &lease, &claim, (self.clock)()).await?;
        }
        loop {
            let now = (self.clock)();
            lease = journal
                .take(&lease.site, &lease.owner, LEASE_MS, now)
                .await?
                .context("the right to write was lost to another worker")?;
            let facts = journal.facts(run).await?;
            let next = next_move(plan, &facts, now, self.desk.pace());
            match &next {
                Move::Over => return Ok(ended(&facts, out)?),
                Move::Wait => return waits(plan, &facts, &ready.runbooks, out),
                Move::Rest(until) => {
                    let length = u64::try_from(until.0 - now.0).unwrap_or(0);
                    (self.tell)(format!("resting {} s", length.div_ceil(1000)));
                    tokio::time::sleep(std::time::Duration::from_millis(length)).await;
                    continue;
                }
                Move::Make(_)
                | Move::Ask(_)
                | Move::Examine(_)
                | Move::Verify { .. }
                | Move::Stop { .. }
                | Move::Finish => {}
            }
            writeln!(out, "{}", told(plan, &next))?;
            let right = Right {
                lease: &lease,
                clock: self.clock,
            };
            let witness = self.desk.witness(&next).await;
            let stage = Stage {
                plan,
                topology: &ready.topology,
                policy: &ready.policy,
                client: &self.desk.client,
                lease: &right,
                witness: &witness,
            };
            let mut keeping = Keeping {
                journal,
                run,
                lease: &lease,
                clock: self.clock,
            };
            stage.make(&next, &mut keeping).await?;
            drop(keeping.facts().await?);
        }
    }
}

/// What a person is told where the run waits for one.
fn waits(
    plan: &Plan,
    facts: &[plan::run::Noted],
    runbooks: &[Runbook],
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let progress = Progress::of(facts);
    if let Some(why) = progress.stopped {
        writeln!(out, "stopped: {why}\nThe same command goes on from here.")?;
        return Ok(exit::WAITING);
    }
    let Some(gate) = plan
        .gates
        .iter()
        .find(|gate| !progress.opened.contains(&gate.name))
    else {
        return Ok(exit::WAITING);
    };
    if let Some(runbook) = runbooks.iter().find(|runbook| runbook.gate == gate.name) {
        writeln!(out, "\n{}", runbook.rendered(gate))?;
    }
    for task in &gate.tasks {
        writeln!(out, "- {task}")?;
    }
    if let Some(Fact::NotYet { missing, .. }) = facts.last().map(|noted| &noted.fact) {
        writeln!(out, "\nnot yet:")?;
        for line in missing {
            writeln!(out, "- {line}")?;
        }
    }
    writeln!(
        out,
        "\nwaiting at gate {}: when it is done, the same command with `--done {}`",
        gate.name.word(),
        gate.name.word()
    )?;
    Ok(exit::WAITING)
}

fn ended(facts: &[plan::run::Noted], out: &mut dyn Write) -> std::io::Result<u8> {
    let finished = facts.iter().any(|noted| noted.fact == Fact::Finished);
    if finished {
        writeln!(out, "applied, and proved twice: no changes")?;
        Ok(exit::OK)
    } else {
        writeln!(out, "the run was aborted")?;
        Ok(exit::WAITING)
    }
}

/// The plan as JSON: `digest`, `verdict`, `steps`, `gates`, `refusals` at the top.
pub fn as_json(outcome: &Result<Plan, Refused>, survey: &Survey) -> serde_json::Value {
    match outcome {
        Ok(plan) => {
            let verdict = match (plan.steps.is_empty(), survey.rehearsed.failures.is_empty()) {
                (true, _) => "no-changes",
                (false, true) => "changes",
                (false, false) => "refused",
            };
            json!({
                "digest": plan.digest, "verdict": verdict, "steps": plan.steps, "gates": plan.gates, "refusals": [],
                "audit": plan.audit, "warnings": plan.warnings, "read_only": plan.read_only, "rehearsal": survey.rehearsed,
                "maas_version": plan.maas_version, "tree": plan.tree,
            })
        }
        Err(refused) => json!({
            "digest": null, "verdict": "refused", "steps": [], "gates": [], "refusals": refused.refusals,
            "audit": refused.audit, "warnings": [],
        }),
    }
}

/// The default place of the journal for a site that is named on the command line only.
pub fn store_beside(folder: &Path) -> String {
    format!("sqlite://{}", folder.join(".planebot.db").display())
}
