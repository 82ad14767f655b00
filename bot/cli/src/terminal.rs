//! The commands that look at a MAAS from a terminal: audit, plan, rehearse, apply.
//!
//! The same planner, rehearsal and executor as the service, and the same words. Answers go to `out`, progress to `tell`.
//! It must not know how arguments are spelt.

mod apply;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use plan::plan::{Plan, PlanPolicy, RefusedPlan};
use plan::render::{self, PlanHeader};
use plan::runbook::Runbook;
use serde_json::json;
use topology::plane::Topology;

use service::site::{PlanningResult, SiteRuntime, declared, runbooks};
use topology::port::Clock;

pub use apply::ApplyRequest;

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
    pub desk: SiteRuntime,
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
    policy: PlanPolicy,
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

    async fn survey(&mut self, ready: &Ready) -> anyhow::Result<PlanningResult> {
        (self.tell)(format!("observing {}", self.desk.site.maas_url));
        self.desk
            .plan(&ready.topology, &ready.policy, &mut |_| {})
            .await
    }

    /// One line per plane.
    pub async fn audit(&mut self, out: &mut dyn Write) -> anyhow::Result<u8> {
        let ready = self.ready()?;
        let observed = execution::executor::observe(&self.desk.client.reader(), &ready.topology)
            .await
            .context("observing MAAS")?;
        let audit = match Plan::between(&observed, &ready.topology, &ready.policy) {
            Ok(plan) => plan.audit,
            Err(refused) => refused.audit,
        };
        match self.format {
            Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&audit)?)?,
            Format::Text => write!(out, "{}", render::audit_text(&audit))?,
            Format::Markdown => {
                writeln!(
                    out,
                    "{}",
                    render::fence("text", &render::audit_text(&audit))
                )?;
            }
        }
        let quiet = audit.iter().all(|line| {
            matches!(
                line.standing,
                plan::audit::AuditStatus::Skip | plan::audit::AuditStatus::Undeclared
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

    fn print(&self, survey: &PlanningResult, out: &mut dyn Write) -> anyhow::Result<()> {
        let site = &self.desk.site.name;
        let setting = PlanHeader {
            site: site.clone(),
            commit: None,
            tree_url: None,
            read_at: survey.observed.at,
            status: plan::render::ApplyStatus::Open,
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
                render::markdown(plan, &setting, &survey.rehearsed)
            )?,
            (Format::Markdown, Err(refused)) => {
                write!(out, "{}", render::refusal_markdown(refused, &setting))?;
            }
            (Format::Text, Ok(plan)) => {
                write!(out, "{}", render::text(plan, site, Some(&survey.rehearsed)))?
            }
            (Format::Text, Err(refused)) => {
                write!(out, "{}", render::refusal_text(refused, site))?;
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
            .plan(&ready.topology, &ready.policy, &mut |line| lines.push(line))
            .await?;
        let sound = survey.outcome.is_ok() && survey.rehearsed.failures.is_empty();
        let told = match &survey.outcome {
            Err(refused) => render::refusal_text(refused, &self.desk.site.name),
            Ok(_) => format!("{}\n", render::rehearsal(&survey.rehearsed)),
        };
        let text = format!("{}\n\n{told}", lines.join("\n"));
        match self.format {
            Format::Text => write!(out, "{text}")?,
            Format::Markdown => writeln!(out, "{}", render::fence("text", &text))?,
            Format::Json => {
                let whole = json!({"sound": sound, "transcript": lines, "rehearsal": survey.rehearsed, "plan": as_json(&survey.outcome, &survey)});
                writeln!(out, "{}", serde_json::to_string_pretty(&whole)?)?;
            }
        }
        Ok(if sound { exit::OK } else { exit::WRONG })
    }
}

/// The plan as JSON: `digest`, `verdict`, `steps`, `gates`, `refusals` at the top.
pub fn as_json(outcome: &Result<Plan, RefusedPlan>, survey: &PlanningResult) -> serde_json::Value {
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
