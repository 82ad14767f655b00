//! Renders a plan as text, with the same sentences for comment, terminal and page.
//!
//! Knows the wording and how untrusted text is escaped; it must not know GitHub, a terminal or HTML. Text from a declaration
//! or from MAAS only ever appears inside code spans or code fences made for it.

/// Appends one formatted line.
macro_rules! push_line {
    ($out:expr, $($what:tt)*) => {{
        $out.push_str(&format!($($what)*));
        $out.push('\n');
    }};
}

mod audit;
mod caution;
mod comment;
mod dropped;
mod fields;
mod gate;
mod header;
mod object;
mod rehearsal;
mod revert;
mod summary;
mod waiting;
mod words;

pub use audit::audit_text;
pub use comment::phase_word as phase;
pub use comment::{markdown, refusal_markdown};
pub use header::{ApplyStatus, PlanHeader};
pub use rehearsal::{Rehearsed, rehearsal};
pub use waiting::waiting_text;
pub use words::{fence, letter, line, span, step_line, utc};
pub(crate) use words::{line_without_reason, quoted};

use crate::plan::{Plan, RefusedPlan};
use crate::step::Phase;

/// A plan for a terminal, without colours.
pub fn text(plan: &Plan, site: &str, rehearsed: Option<&Rehearsed>) -> String {
    let mut out = format!("{}\n\n", comment::heading(plan, site));
    out.push_str(&read_only_text(plan.read_only.as_deref()));
    out.push_str(&audit::audit_of_plan(&plan.audit));
    let cautions = caution::cautions(plan);
    if !cautions.is_empty() {
        out.push('\n');
    }
    for caution in cautions {
        out.push_str(&format!("warning: {}\n", words::clean(&caution)));
    }
    out.push_str(&waiting_text(&plan.waits));
    for phase in Phase::ALL {
        let steps: Vec<_> = plan
            .steps
            .iter()
            .filter(|step| step.phase == phase)
            .collect();
        if steps.is_empty() {
            continue;
        }
        out.push_str(&format!("\n{}\n", comment::phase_word(phase)));
        for step in steps {
            for gate in plan
                .gates
                .iter()
                .filter(|gate| gate.before == Some(step.id))
            {
                out.push_str(&gate_text(gate));
            }
            out.push_str(&format!("  {:>3}  {}\n", step.id.0, step_line(plan, step)));
        }
    }
    for gate in plan.gates.iter().filter(|gate| gate.before.is_none()) {
        out.push_str(&gate_text(gate));
    }
    if !plan.steps.is_empty() {
        out.push_str(&format!("\n{}", revert::way_back(plan)));
    }
    if let Some(rehearsed) = rehearsed {
        out.push_str(&format!("\n{}\n", rehearsal(rehearsed)));
    }
    out.push_str(&format!(
        "\n{}\nDigest: {}\n",
        comment::summary(plan),
        plan.digest
    ));
    out
}

/// A refusal for a terminal, without colours.
pub fn refusal_text(refused: &RefusedPlan, site: &str) -> String {
    let mut out = format!(
        "No plan for {site}: {}\n\n",
        words::plural(refused.refusals.len(), "reason")
    );
    out.push_str(&read_only_text(refused.read_only.as_deref()));
    out.push_str(&audit::audit_of_plan(&refused.audit));
    for refusal in &refused.refusals {
        let plane = refusal
            .plane
            .as_ref()
            .map(|plane| format!(" ({plane})"))
            .unwrap_or_default();
        out.push_str(&format!(
            "\nrefused: {}{plane}: {}\n   help: {}\n",
            refusal.code.word(),
            words::clean(&refusal.why),
            words::clean(&refusal.help)
        ));
    }
    out
}

/// That no plan for this MAAS can be applied, for a terminal; empty where one can.
pub fn read_only_text(why: Option<&str>) -> String {
    why.map(|why| format!("read-only: {}: it is for reading only\n", words::clean(why)))
        .unwrap_or_default()
}

fn gate_text(gate: &crate::gate::Gate) -> String {
    let mut out = format!("  ---  gate {}: {}\n", gate.name.word(), gate.why);
    for (at, task) in gate.tasks.iter().enumerate() {
        out.push_str(&format!(
            "         {} {}\n",
            words::letter(at),
            words::clean(task)
        ));
    }
    out
}
