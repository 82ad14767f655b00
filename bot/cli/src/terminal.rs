//! Audit, plan, rehearse and apply from a terminal.
//!
//! They use the same planner, rehearsal, executor and texts as the service. Results go to `out`, progress to `progress`. It
//! must not know the options of the commands.

mod apply;
mod beside;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use plan::plan::{Plan, PlanPolicy, RefusedPlan};
use plan::render::{self, PlanHeader};
use plan::runbook::Runbook;
use serde_json::json;
use service::site::{PlanningResult, SiteRuntime, declared, runbooks};
use topology::plane::Topology;
use topology::port::Clock;

pub use apply::ApplyRequest;
pub use beside::SiteBeside;

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// For people, with colour on a terminal
    #[default]
    Text,
    /// For comments on GitHub
    Markdown,
    /// For programs
    Json,
}

/// One site, its declaration, and how its results are printed.
pub struct TerminalSession<'a> {
    /// The site and its MAAS client.
    pub site: SiteRuntime,
    /// The other sites of the configuration.
    pub beside: Vec<SiteBeside>,
    /// The folder of the declaration.
    pub folder: PathBuf,
    /// The folder of the runbooks.
    pub runbooks: PathBuf,
    /// How results are printed; `apply` always prints text.
    pub format: OutputFormat,
    /// The current time, for leases and facts.
    pub clock: &'a Clock,
    /// Receives progress messages, a line each.
    pub progress: &'a mut (dyn FnMut(String) + Send),
}

/// Exit codes. Scripts rely on them.
pub mod exit_code {
    /// Done, or no changes.
    pub const OK: u8 = 0;
    /// An error, or findings.
    pub const ERROR: u8 = 1;
    /// Changes, or drift.
    pub const CHANGES: u8 = 2;
    /// The plan or the order was refused.
    pub const REFUSED: u8 = 3;
    /// The run stopped, or waits for a person.
    pub const WAITING: u8 = 4;
}

/// What is read from the folders.
struct LoadedDeclaration {
    topology: Topology,
    runbooks: Vec<Runbook>,
    policy: PlanPolicy,
}

impl TerminalSession<'_> {
    fn load(&self) -> anyhow::Result<LoadedDeclaration> {
        let found = declared(&self.folder)?;
        let runbooks = runbooks(&self.runbooks)?;
        let Some(topology) = found.topology else {
            let errors: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
            bail!(
                "the declaration in `{}` has errors:\n\n{}",
                self.folder.display(),
                errors.join("\n")
            );
        };
        let policy = self.site.policy(&runbooks);
        Ok(LoadedDeclaration {
            topology,
            runbooks,
            policy,
        })
    }

    async fn plan_and_rehearse(
        &mut self,
        loaded: &LoadedDeclaration,
    ) -> anyhow::Result<PlanningResult> {
        (self.progress)(format!("reading {}", self.site.site.maas_url));
        self.plan_beside(loaded, &mut |_| {}).await
    }

    /// Prints one line per plane.
    pub async fn audit(&mut self, out: &mut dyn Write) -> anyhow::Result<u8> {
        let loaded = self.load()?;
        let observed = execution::executor::observe(&self.site.client.reader(), &loaded.topology)
            .await
            .context("reading MAAS")?;
        let (audit, waits) = match Plan::between(&observed, &loaded.topology, &loaded.policy) {
            Ok(plan) => (plan.audit, plan.waits),
            Err(refused) => (refused.audit, Vec::new()),
        };
        let text = render::audit_text(&audit) + &render::waiting_text(&waits);
        match self.format {
            OutputFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&audit)?)?,
            OutputFormat::Text => write!(out, "{text}")?,
            OutputFormat::Markdown => writeln!(out, "{}", render::fence("text", &text))?,
        }
        let in_sync = audit.iter().all(|line| {
            matches!(
                line.standing,
                plan::audit::AuditStatus::Skip | plan::audit::AuditStatus::Undeclared
            )
        });
        Ok(if in_sync && waits.is_empty() {
            exit_code::OK
        } else {
            exit_code::CHANGES
        })
    }

    /// Prints the plan, its digest and its rehearsal.
    pub async fn plan(&mut self, out: &mut dyn Write) -> anyhow::Result<u8> {
        let loaded = self.load()?;
        let result = self.plan_and_rehearse(&loaded).await?;
        self.print(&result, out)?;
        Ok(match &result.outcome {
            Err(_) => exit_code::REFUSED,
            Ok(_) if !result.rehearsed.failures.is_empty() => exit_code::REFUSED,
            Ok(plan) if plan.steps.is_empty() && plan.waits.is_empty() => exit_code::OK,
            Ok(_) => exit_code::CHANGES,
        })
    }

    fn print(&self, result: &PlanningResult, out: &mut dyn Write) -> anyhow::Result<()> {
        let site = &self.site.site.name;
        let setting = PlanHeader {
            site: site.clone(),
            commit: None,
            tree_url: None,
            read_at: result.observed.at,
            status: plan::render::ApplyStatus::Open,
        };
        match (self.format, &result.outcome) {
            (OutputFormat::Json, outcome) => writeln!(
                out,
                "{}",
                serde_json::to_string_pretty(&as_json(outcome, result))?
            )?,
            (OutputFormat::Markdown, Ok(plan)) => write!(
                out,
                "{}",
                render::markdown(plan, &setting, &result.rehearsed)
            )?,
            (OutputFormat::Markdown, Err(refused)) => {
                write!(out, "{}", render::refusal_markdown(refused, &setting))?;
            }
            (OutputFormat::Text, Ok(plan)) => {
                write!(out, "{}", render::text(plan, site, Some(&result.rehearsed)))?;
            }
            (OutputFormat::Text, Err(refused)) => {
                write!(out, "{}", render::refusal_text(refused, site))?;
            }
        }
        Ok(())
    }

    /// Carries the plan out in the lab and prints what happens.
    pub async fn rehearse(&mut self, out: &mut dyn Write) -> anyhow::Result<u8> {
        let loaded = self.load()?;
        let mut lines = Vec::new();
        let mut report = |line| lines.push(line);
        let result = self.plan_beside(&loaded, &mut report).await?;
        let succeeded = result.outcome.is_ok() && result.rehearsed.failures.is_empty();
        let summary = match &result.outcome {
            Err(refused) => render::refusal_text(refused, &self.site.site.name),
            Ok(_) => format!("{}\n", render::rehearsal(&result.rehearsed)),
        };
        let text = format!("{}\n\n{summary}", lines.join("\n"));
        match self.format {
            OutputFormat::Text => write!(out, "{text}")?,
            OutputFormat::Markdown => writeln!(out, "{}", render::fence("text", &text))?,
            OutputFormat::Json => {
                let whole = json!({"sound": succeeded, "transcript": lines, "rehearsal": result.rehearsed, "plan": as_json(&result.outcome, &result)});
                writeln!(out, "{}", serde_json::to_string_pretty(&whole)?)?;
            }
        }
        Ok(if succeeded {
            exit_code::OK
        } else {
            exit_code::ERROR
        })
    }
}

/// The plan as JSON, with the keys `digest`, `verdict`, `steps`, `gates` and `refusals`, which scripts rely on.
pub fn as_json(outcome: &Result<Plan, RefusedPlan>, result: &PlanningResult) -> serde_json::Value {
    match outcome {
        Ok(plan) => {
            let verdict = match (plan.steps.is_empty(), result.rehearsed.failures.is_empty()) {
                (true, _) if plan.waits.is_empty() => "no-changes",
                (true, _) => "waits",
                (false, true) => "changes",
                (false, false) => "refused",
            };
            json!({
                "digest": plan.digest, "verdict": verdict, "steps": steps_as_json(plan), "gates": plan.gates, "refusals": [],
                "audit": plan.audit, "warnings": plan.warnings, "waits": plan.waits, "read_only": plan.read_only, "rehearsal": result.rehearsed,
                "maas_version": plan.maas_version, "tree": plan.tree,
            })
        }
        Err(refused) => json!({
            "digest": null, "verdict": "refused", "steps": [], "gates": [], "refusals": refused.refusals,
            "audit": refused.audit, "warnings": [],
        }),
    }
}

/// The steps, each with its line as people read it, which has host names for system ids.
fn steps_as_json(plan: &Plan) -> Vec<serde_json::Value> {
    let steps = plan.steps.iter().map(|step| {
        let mut whole = json!(step);
        whole["line"] = json!(render::step_line(plan, step));
        whole
    });
    steps.collect()
}

/// The URL of the journal for a site without a configuration: a hidden file in the declaration's folder.
pub fn default_store(folder: &Path) -> String {
    format!("sqlite://{}", folder.join(".planebot.db").display())
}
