//! The plan comment: the result first, then what an operator needs, then the folded details.

use topology::object::Object;

use super::audit::audit_table;
use super::dropped;
use super::gate::gate_box;
use super::header::{ApplyStatus, PlanHeader};
use super::rehearsal::{Rehearsed, rehearsal};
use super::revert::way_back;
use super::waiting;
use super::words::{clean, counts, escaped, fence, line, machines, plural, span, utc};
use crate::plan::{Plan, RefusedPlan};
use crate::step::{Phase, Step};

/// Which folded details a comment has; fewer when it would be too long for GitHub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fold {
    All,
    NoSteps,
    Nothing,
}

/// GitHub refuses longer comments (65,536 characters).
const LONGEST: usize = 65_000;

/// The plan comment in Markdown.
pub fn markdown(plan: &Plan, header: &PlanHeader, rehearsed: &Rehearsed) -> String {
    [Fold::All, Fold::NoSteps, Fold::Nothing]
        .into_iter()
        .map(|fold| written(plan, header, rehearsed, fold))
        .find(|text| text.len() <= LONGEST)
        .unwrap_or_else(|| {
            format!(
                "### {}\n\n{}\n\n`planebot plan` prints all of it.\n",
                heading_of(plan, header),
                summary(plan)
            )
        })
}

fn written(plan: &Plan, header: &PlanHeader, rehearsed: &Rehearsed, fold: Fold) -> String {
    let mut out = format!("### {}\n\n{}\n\n", heading_of(plan, header), summary(plan));
    if let Some(why) = &plan.read_only {
        push_line!(out, "> [!WARNING]\n> {}\n", clean(why));
    }
    caution(&mut out, plan);
    out.push_str(&dropped::markdown(&header.dropped));
    out.push_str(&waiting::markdown(&plan.waits));
    if !plan.steps.is_empty() {
        phase_table(&mut out, plan);
    }
    for gate in &plan.gates {
        gate_box(&mut out, gate, header);
    }
    if fold < Fold::Nothing {
        let title = format!("Current state ({} planes)", plan.audit.len());
        folded(&mut out, &title, &audit_table(&plan.audit));
    }
    if !plan.steps.is_empty() {
        let body = if fold == Fold::All {
            changes(plan)
        } else {
            "There are too many changes for a comment; `planebot plan` prints them all.\n"
                .to_owned()
        };
        folded(&mut out, &format!("Changes ({})", plan.steps.len()), &body);
        push_line!(out, "{}", way_back(plan));
    }
    push_line!(out, "{}\n", rehearsal(rehearsed));
    next(&mut out, plan, header, rehearsed);
    footer(
        &mut out,
        &plan.digest.to_string(),
        &plan.maas_version.to_string(),
        header,
    );
    out
}

/// The refusal comment in Markdown.
pub fn refusal_markdown(refused: &RefusedPlan, header: &PlanHeader) -> String {
    let mut out = format!(
        "### 🔴 No plan for {}: {}\n\nNothing was changed.\n\n",
        span(&header.site),
        plural(refused.refusals.len(), "reason")
    );
    if let Some(why) = &refused.read_only {
        push_line!(out, "> [!WARNING]\n> {}\n", clean(why));
    }
    for refusal in &refused.refusals {
        let plane = refusal
            .plane
            .as_ref()
            .map(|plane| format!(" {}", span(plane)))
            .unwrap_or_default();
        push_line!(
            out,
            "- ✖ **{}**{plane}: {}\n  *Next:* {}",
            refusal.code.word(),
            escaped(&refusal.why),
            escaped(&refusal.help)
        );
    }
    out.push('\n');
    folded(&mut out, "Current state", &audit_table(&refused.audit));
    push_line!(
        out,
        "*Next:* change the declaration and push; planebot then plans again."
    );
    out
}

/// The heading of a comment: a plan that leaves something behind is not a plain "no changes".
fn heading_of(plan: &Plan, header: &PlanHeader) -> String {
    let heading = heading(plan, &span(&header.site));
    match dropped::summary(&header.dropped) {
        Some(dropped) => format!("{}, {dropped}", heading.replace("🟢", "🟠")),
        None => heading,
    }
}

pub(super) fn heading(plan: &Plan, site: &str) -> String {
    let waits = waiting::summary(&plan.waits);
    if plan.steps.is_empty() && waits.is_empty() {
        return format!("🟢 Plan for {site}: no changes");
    }
    if plan.steps.is_empty() {
        return format!("🟠 Plan for {site}: nothing can be changed now, {waits}");
    }
    let waits = if waits.is_empty() {
        waits
    } else {
        format!(", {waits}")
    };
    let people = match plan.gates.len() {
        0 => String::new(),
        1 => ", 1 needs a person".to_owned(),
        count => format!(", {count} need a person"),
    };
    format!(
        "🟡 Plan for {site}: {}{people}{waits}",
        plural(plan.steps.len(), "change")
    )
}

pub(super) fn summary(plan: &Plan) -> String {
    let (add, change, remove) = counts(&plan.steps);
    let hosts = machines(plan).len();
    let mut out = format!("Plan: {add} to add, {change} to change, {remove} to remove.");
    if !plan.gates.is_empty() {
        out.push_str(&format!(" {}.", plural(plan.gates.len(), "gate")));
    }
    if hosts > 0 {
        out.push_str(&format!(" Touches {}.", plural(hosts, "machine")));
    }
    if !plan.waits.is_empty() {
        let verb = if plan.waits.len() == 1 {
            "waits"
        } else {
            "wait"
        };
        out.push_str(&format!(" {} {verb}.", plural(plan.waits.len(), "item")));
    }
    out
}

/// What a step does to a subnet that must be vacant.
fn effect(step: &Step) -> Option<String> {
    let before = step.expects.as_ref().filter(|_| step.vacant)?.as_subnet()?;
    let name = span(&before.cidr.to_string());
    Some(match step.leaves.as_ref().and_then(Object::as_subnet) {
        None => format!("{name} is removed, and everything on it"),
        Some(after) if after.cidr == before.cidr => {
            let vlan = span(&after.vlan.to_string());
            format!("{name} moves to vlan {vlan}; it must not be in use then")
        }
        Some(after) => {
            let to = span(&after.cidr.to_string());
            format!("{name} changes to {to} in place; it must not be in use then")
        }
    })
}

fn caution(out: &mut String, plan: &Plan) {
    const SHOWN: usize = 5;
    let cautions: Vec<String> = plan
        .steps
        .iter()
        .filter_map(effect)
        .chain(plan.warnings.iter().map(|warning| escaped(warning)))
        .collect();
    if cautions.is_empty() {
        return;
    }
    out.push_str("> [!CAUTION]\n");
    for line in cautions.iter().take(SHOWN) {
        push_line!(out, "> - {line}");
    }
    if cautions.len() > SHOWN {
        push_line!(out, "> - and {} more, below", cautions.len() - SHOWN);
    }
    out.push('\n');
    if cautions.len() > SHOWN {
        let rest: String = cautions
            .iter()
            .skip(SHOWN)
            .map(|line| format!("- {line}\n"))
            .collect();
        folded(
            out,
            &format!("{} more warnings", cautions.len() - SHOWN),
            &rest,
        );
    }
}

/// The phase's name.
pub fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Delete => "delete",
        Phase::Create => "create",
        Phase::StandUp => "stand up",
        Phase::Restore => "restore",
        Phase::Carve => "carve",
        Phase::Retire => "remove",
    }
}

fn phase_table(out: &mut String, plan: &Plan) {
    out.push_str("| phase | + | ~ | − |\n|---|---|---|---|\n");
    for phase in Phase::ALL {
        let steps: Vec<Step> = plan
            .steps
            .iter()
            .filter(|step| step.phase == phase)
            .cloned()
            .collect();
        for gate in plan
            .gates
            .iter()
            .filter(|gate| steps.iter().any(|step| gate.before == Some(step.id)))
        {
            push_line!(out, "| **gate: {}** | | | |", gate.name.word());
        }
        if !steps.is_empty() {
            let (add, change, remove) = counts(&steps);
            push_line!(
                out,
                "| {} | {add} | {change} | {remove} |",
                phase_word(phase)
            );
        }
    }
    for gate in plan.gates.iter().filter(|gate| gate.before.is_none()) {
        push_line!(out, "| **gate: {}** | | | |", gate.name.word());
    }
    out.push_str("| verify, and again after the settle time | | | |\n\n");
}

fn changes(plan: &Plan) -> String {
    let mut out = String::new();
    for phase in Phase::ALL {
        let lines: Vec<String> = plan
            .steps
            .iter()
            .filter(|step| step.phase == phase)
            .map(line)
            .collect();
        if !lines.is_empty() {
            push_line!(
                out,
                "{}\n\n{}",
                phase_word(phase),
                fence("diff", &lines.join("\n"))
            );
        }
    }
    out
}

fn next(out: &mut String, plan: &Plan, header: &PlanHeader, rehearsed: &Rehearsed) {
    if plan.steps.is_empty() && !plan.waits.is_empty() {
        out.push_str("*Next:* do what the items above wait for, then comment `/plan`.\n\n");
    } else if plan.steps.is_empty() && !header.dropped.is_empty() {
        out.push_str("*Next:* merge to stop declaring it, or write `state: absent` to remove it from MAAS as well.\n\n");
    } else if plan.steps.is_empty() {
        out.push_str("*Next:* nothing to do in MAAS.\n\n");
    } else if plan.read_only.is_some() || !rehearsed.failures.is_empty() {
        out.push_str("*Next:* this plan is read-only and cannot be applied.\n\n");
    } else {
        let before = match header.status {
            ApplyStatus::Open => {
                "*Next:* merge to queue this plan. After that, nothing changes in MAAS until an operator comments:"
            }
            ApplyStatus::Merged => {
                "*Next:* this is merged. Nothing changes in MAAS until an operator comments:"
            }
            ApplyStatus::Applied => {
                out.push_str("*Next:* nothing: this plan is applied and verified.\n\n");
                return;
            }
        };
        push_line!(
            out,
            "{before}\n\n{}",
            fence("", &format!("/apply {}", plan.digest))
        );
    }
}

fn footer(out: &mut String, digest: &str, version: &str, header: &PlanHeader) {
    let commit = header
        .commit
        .as_ref()
        .map(|commit| {
            format!(
                " · commit {}",
                clean(&commit.chars().take(10).collect::<String>())
            )
        })
        .unwrap_or_default();
    push_line!(
        out,
        "<sub>plan {digest}{commit} · MAAS {} read {} · valid until the declaration or MAAS changes</sub>",
        escaped(version),
        utc(header.read_at)
    );
}

fn folded(out: &mut String, title: &str, body: &str) {
    push_line!(
        out,
        "<details><summary>{title}</summary>\n\n{body}\n</details>\n"
    );
}
