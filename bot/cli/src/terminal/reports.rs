//! Results as JSON, for programs, and the schemas that describe them.
//!
//! Every report is an object whose `format` says which version of its shape it has. A new key leaves the version as it is;
//! a key that goes, or means something else, raises it. It must not know how a report is printed.

use plan::audit::AuditLine;
use plan::plan::{Plan, RefusedPlan};
use plan::render;
use plan::waiting::WaitingItem;
use serde_json::{Value, json};
use service::site::PlanningResult;
use topology::version::MaasVersion;

/// The version of all reports.
pub const FORMAT: u32 = 1;

/// A report that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportSchema {
    /// `planebot plan --format json`
    Plan,
    /// `planebot audit --format json`
    Audit,
    /// `planebot rehearse --format json`
    Rehearse,
    /// `planebot check --format json`
    Check,
    /// `planebot doctor --format json`
    Doctor,
}

impl ReportSchema {
    /// The JSON Schema of the report.
    pub fn text(self) -> &'static str {
        match self {
            Self::Plan => include_str!("reports/plan.schema.json"),
            Self::Audit => include_str!("reports/audit.schema.json"),
            Self::Rehearse => include_str!("reports/rehearse.schema.json"),
            Self::Check => include_str!("reports/check.schema.json"),
            Self::Doctor => include_str!("reports/doctor.schema.json"),
        }
    }
}

/// The plan, or why there is none. Scripts rely on `digest`, `verdict`, `steps`, `gates` and `refusals`.
pub fn plan(outcome: &Result<Plan, RefusedPlan>, result: &PlanningResult) -> Value {
    match outcome {
        Ok(plan) => {
            let verdict = match (plan.steps.is_empty(), result.rehearsed.failures.is_empty()) {
                (true, _) if plan.waits.is_empty() => "no-changes",
                (true, _) => "waits",
                (false, true) => "changes",
                (false, false) => "refused",
            };
            json!({
                "format": FORMAT, "digest": plan.digest, "verdict": verdict, "steps": steps_as_json(plan), "gates": plan.gates,
                "refusals": [], "audit": plan.audit, "warnings": plan.warnings, "waits": plan.waits,
                "read_only": plan.read_only, "rehearsal": result.rehearsed, "maas_version": plan.maas_version,
                "tree": plan.tree,
            })
        }
        Err(refused) => json!({
            "format": FORMAT, "digest": null, "verdict": "refused", "steps": [], "gates": [],
            "refusals": refused.refusals, "audit": refused.audit, "warnings": [], "waits": [],
            "read_only": refused.read_only, "maas_version": result.observed.version,
        }),
    }
}

/// One entry per plane.
pub fn audit(
    lines: &[AuditLine],
    waits: &[WaitingItem],
    read_only: Option<&str>,
    version: &MaasVersion,
) -> Value {
    json!({
        "format": FORMAT, "planes": lines, "waits": waits, "read_only": read_only, "maas_version": version,
    })
}

/// What the rehearsal did, with the plan.
pub fn rehearsal(succeeded: bool, transcript: &[String], result: &PlanningResult) -> Value {
    json!({
        "format": FORMAT, "sound": succeeded, "transcript": transcript, "rehearsal": result.rehearsed,
        "plan": plan(&result.outcome, result),
    })
}

/// The steps, each with its line as people read it, which has host names for system ids.
fn steps_as_json(plan: &Plan) -> Vec<Value> {
    let steps = plan.steps.iter().map(|step| {
        let mut whole = json!(step);
        whole["line"] = json!(render::step_line(plan, step));
        whole
    });
    steps.collect()
}
