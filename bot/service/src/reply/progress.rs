//! The apply comment: the progress of a run. It must not know where it is posted.

use std::collections::BTreeMap;

use plan::gate::Gate;
use plan::plan::Plan;
use plan::render::{self, fence, span, utc};
use plan::run::{Fact, Progress, RecordedFact, ending};
use plan::step::{Phase, Step, StepId};
use plan::waiting::{WaitingItem, waiting_summary};
use topology::observed::Timestamp;

use crate::reply::RunSetting;
use crate::reply::fit::CHARS_MAX;

/// A run as it is rendered.
struct RenderedRun<'a> {
    plan: &'a Plan,
    progress: Progress,
    /// Steps that are done, each with the id of the MAAS object that it left, if any.
    done: BTreeMap<StepId, Option<u64>>,
    /// Whether each step is listed.
    show_steps: bool,
}

/// The apply comment, edited in place while the run continues. If listing each step would make it too long for GitHub, it only
/// has the count of each phase.
pub fn progress(plan: &Plan, facts: &[RecordedFact], setting: &RunSetting) -> String {
    let full = render(plan, facts, setting, true);
    if full.chars().count() <= CHARS_MAX {
        return full;
    }
    render(plan, facts, setting, false)
}

fn render(plan: &Plan, facts: &[RecordedFact], setting: &RunSetting, show_steps: bool) -> String {
    let run = RenderedRun {
        plan,
        progress: Progress::of(facts),
        done: facts
            .iter()
            .filter_map(|recorded| done_step(&recorded.fact))
            .collect(),
        show_steps,
    };
    let progress = &run.progress;
    let mut out = format!("### {}\n\n", run_heading(plan, facts, progress, setting));
    out.push_str(&format!(
        "Started by {} · merge commit {} · plan {}\n\n",
        span(&setting.by),
        span(&setting.merge_commit.chars().take(10).collect::<String>()),
        span(&plan.digest.to_string())
    ));
    for phase in Phase::ALL {
        out.push_str(&phase_lines(&run, phase));
    }
    for gate in plan.gates.iter().filter(|gate| gate.before.is_none()) {
        out.push_str(&gate_line(gate, progress));
    }
    for recorded in facts {
        if let Fact::Verified {
            round,
            drift,
            waits,
        } = &recorded.fact
        {
            out.push_str(&proof_line(*round, drift.len(), waits, recorded.at));
        }
    }
    if progress.ended {
        out.push_str(&still_waiting(&progress.waits));
    }
    if let Some(why) = &progress.stopped {
        out.push_str(&stopped(plan, progress, why));
    }
    out
}

fn done_step(fact: &Fact) -> Option<(StepId, Option<u64>)> {
    if let Fact::Done { step, id, .. } = fact {
        return Some((*step, *id));
    }
    None
}

fn proof_line(round: u8, differences: usize, waits: &[WaitingItem], at: Timestamp) -> String {
    let (mark, words) = match differences {
        0 if waits.is_empty() => ('x', "**no changes**".to_owned()),
        0 => (
            'x',
            format!("nothing else to change, {}", waiting_summary(waits)),
        ),
        count => (' ', format!("{count} differences")),
    };
    format!(
        "- [{mark}] proof {round}: planned again at {}: {words}\n",
        utc(at)
    )
}

fn run_heading(
    plan: &Plan,
    facts: &[RecordedFact],
    progress: &Progress,
    setting: &RunSetting,
) -> String {
    let (digest, site) = (&plan.digest, span(&setting.site));
    if facts.iter().any(|recorded| recorded.fact == Fact::Finished) {
        let how = ending(facts);
        let how = how.trim_start_matches("applied");
        return format!("✅ Applied {digest} to {site}{how}");
    }
    if progress.ended {
        return format!(
            "⏹ Aborted {digest} on {site} after step {} of {}",
            progress.done.len(),
            plan.steps.len()
        );
    }
    if progress.stopped.is_some() {
        return format!(
            "🛑 Stopped {digest} on {site} after step {} of {}: nothing after it ran",
            progress.done.len(),
            plan.steps.len()
        );
    }
    match waiting_gate(plan, facts, progress) {
        Some(gate) => format!(
            "⏸ Waiting for a person at gate `{}`: {digest} on {site}",
            gate.name.word()
        ),
        None => format!(
            "🔵 Applying {digest} to {site} — {} of {}",
            progress.done.len(),
            plan.steps.len()
        ),
    }
}

/// The gate at which the run waits: it was announced and is not open.
pub fn waiting_gate<'a>(
    plan: &'a Plan,
    facts: &[RecordedFact],
    progress: &Progress,
) -> Option<&'a Gate> {
    let asked = |gate: &Gate| {
        facts
            .iter()
            .any(|recorded| recorded.fact == Fact::Asked(gate.name))
    };
    plan.gates
        .iter()
        .find(|gate| !progress.opened.contains(&gate.name))
        .filter(|gate| asked(gate))
}

/// The lines of one phase: its gate, its count of steps, and each step under a fold.
fn phase_lines(run: &RenderedRun<'_>, phase: Phase) -> String {
    let steps: Vec<_> = run
        .plan
        .steps
        .iter()
        .filter(|step| step.phase == phase)
        .collect();
    let mut out = String::new();
    if steps.is_empty() {
        return out;
    }
    let begins = |gate: &&Gate| steps.iter().any(|step| gate.before == Some(step.id));
    for gate in run.plan.gates.iter().filter(begins) {
        out.push_str(&gate_line(gate, &run.progress));
    }
    let done = steps
        .iter()
        .filter(|step| run.progress.done.contains(&step.id))
        .count();
    out.push_str(&format!(
        "- [{}] {}: {done} of {}\n",
        if done == steps.len() { 'x' } else { ' ' },
        render::phase(phase),
        steps.len()
    ));
    if !run.show_steps {
        return out;
    }
    let lines: String = steps.iter().map(|step| step_line(run, step)).collect();
    out.push_str(&format!(
        "\n  <details><summary>{} steps</summary>\n\n{}\n  </details>\n\n",
        render::phase(phase),
        fence("text", &lines)
    ));
    out
}

/// A step, whether it is done, and the id of the object that it left.
fn step_line(run: &RenderedRun<'_>, step: &Step) -> String {
    let done = run.done.get(&step.id);
    let mark = if done.is_some() { 'x' } else { ' ' };
    let id = done.and_then(|id| id.map(|id| format!("  (id {id})")));
    format!(
        "[{mark}] {:>3}  {}{}\n",
        step.id.0,
        render::step_line(run.plan, step),
        id.unwrap_or_default()
    )
}

fn gate_line(gate: &Gate, progress: &Progress) -> String {
    let open = progress.opened.contains(&gate.name);
    format!(
        "- [{}] gate `{}`{}\n",
        if open { 'x' } else { ' ' },
        gate.name.word(),
        if open { ", checked and open" } else { "" }
    )
}

/// What is declared and not there at the end of a run.
fn still_waiting(waits: &[WaitingItem]) -> String {
    const SHOWN: usize = 20;
    if waits.is_empty() {
        return String::new();
    }
    let mut lines: Vec<String> = waits.iter().take(SHOWN).map(WaitingItem::line).collect();
    if waits.len() > SHOWN {
        lines.push(format!("and {} more", waits.len() - SHOWN));
    }
    format!(
        "\nDeclared, and not so yet:\n\n{}",
        fence("text", &lines.join("\n"))
    )
}

fn stopped(plan: &Plan, progress: &Progress, why: &str) -> String {
    let unknown = usize::from(progress.unknown.is_some());
    let done = progress.done.len();
    format!(
        "\n{}\n| done | not done | unknown |\n|---|---|---|\n| {done} | {} | {unknown} |\n\n*Next:* `/apply {}` observes MAAS again and continues from here; `/abort` ends the run.\n",
        fence("text", why),
        plan.steps.len().saturating_sub(done + unknown),
        plan.digest
    )
}
