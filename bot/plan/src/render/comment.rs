//! The plan comment: the result first, then what an operator needs, then the folded details.

use super::audit::{audit_markdown, shorter_markdown};
use super::caution::cautions;
use super::dropped;
use super::gate::gate_box;
use super::header::{ApplyStatus, PlanHeader};
use super::rehearsal::{Rehearsed, rehearsal};
use super::revert::way_back;
use super::summary::{by_kind, by_plane};
use super::waiting;
use super::words::{SignCounts, clean, escaped, fence, machines, plural, span, step_line, utc};
use crate::audit::AuditStatus;
use crate::gate::Gate;
use crate::plan::{Plan, RefusedPlan};
use crate::step::{Phase, Step};

/// What a comment leaves out so that it fits: first what does not change, then the single changes, the warnings last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum CommentCut {
    Nothing,
    /// Planes that are as declared are counted.
    Unchanged,
    /// What no file declares is counted, too.
    Undeclared,
    /// All planes are counted by status.
    Audit,
    /// Changes are counted by plane and kind.
    Steps,
    /// Changes are counted by kind.
    Planes,
    /// Of the warnings only the first.
    Warnings,
}

impl CommentCut {
    const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Unchanged,
        Self::Undeclared,
        Self::Audit,
        Self::Steps,
        Self::Planes,
        Self::Warnings,
    ];
}

/// The statuses of what a plan leaves as it is.
const UNCHANGED: [AuditStatus; 2] = [AuditStatus::Skip, AuditStatus::Undeclared];

/// GitHub refuses longer comments (65,536 characters).
const LONGEST: usize = 65_000;

/// The plan comment in Markdown.
pub fn markdown(plan: &Plan, header: &PlanHeader, rehearsed: &Rehearsed) -> String {
    CommentCut::ALL
        .into_iter()
        .map(|cut| written(plan, header, rehearsed, cut))
        .find(|text| text.len() <= LONGEST)
        .unwrap_or_else(|| {
            format!(
                "### {}\n\n{}\n\n`planebot plan` prints all of it.\n",
                heading_of(plan, header),
                summary(plan)
            )
        })
}

fn written(plan: &Plan, header: &PlanHeader, rehearsed: &Rehearsed, cut: CommentCut) -> String {
    let mut out = format!("### {}\n\n{}\n\n", heading_of(plan, header), summary(plan));
    if let Some(why) = &plan.read_only {
        push_line!(out, "> [!WARNING]\n> {}\n", clean(why));
    }
    caution(&mut out, plan, cut);
    out.push_str(&dropped::markdown(&header.dropped));
    out.push_str(&waiting::markdown(&plan.waits));
    if !plan.steps.is_empty() {
        phase_table(&mut out, plan);
    }
    for gate in &plan.gates {
        gate_box(&mut out, gate, header);
    }
    let title = format!("Current state ({} planes)", plan.audit.len());
    let audit = match cut {
        CommentCut::Nothing => audit_markdown(&plan.audit),
        CommentCut::Unchanged => shorter_markdown(&plan.audit, &[AuditStatus::Skip]),
        CommentCut::Undeclared => shorter_markdown(&plan.audit, &UNCHANGED),
        CommentCut::Audit | CommentCut::Steps | CommentCut::Planes | CommentCut::Warnings => {
            shorter_markdown(&plan.audit, &AuditStatus::ALL)
        }
    };
    folded(&mut out, &title, &audit);
    if !plan.steps.is_empty() {
        let body = changes(plan, cut);
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
    let mut audit = audit_markdown(&refused.audit);
    if out.len() + audit.len() > LONGEST {
        audit = shorter_markdown(&refused.audit, &UNCHANGED);
    }
    folded(&mut out, "Current state", &audit);
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
    let counts = SignCounts::of(plan, &plan.steps.iter().collect::<Vec<_>>());
    let hosts = machines(plan).len();
    let again = match counts.again {
        0 => String::new(),
        count => format!(", {count} to make again"),
    };
    let mut out = format!(
        "Plan: {} to add, {} to change, {} to remove{again}.",
        counts.add, counts.change, counts.remove
    );
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

/// The warnings, worst first: a few at the top, the others in a fold.
fn caution(out: &mut String, plan: &Plan, cut: CommentCut) {
    const SHOWN: usize = 5;
    let cautions: Vec<String> = cautions(plan).iter().map(|line| escaped(line)).collect();
    if cautions.is_empty() {
        return;
    }
    let (first, rest) = cautions.split_at(cautions.len().min(SHOWN));
    out.push_str("> [!CAUTION]\n");
    for line in first {
        push_line!(out, "> - {line}");
    }
    if rest.is_empty() {
        out.push('\n');
        return;
    }
    if cut == CommentCut::Warnings {
        let more = rest.len();
        push_line!(
            out,
            "> - and {more} more, which do not fit here: read them in `planebot plan` before you approve\n"
        );
        return;
    }
    push_line!(out, "> - and {} more, below\n", rest.len());
    let list: String = rest.iter().map(|line| format!("- {line}\n")).collect();
    folded(out, &plural(rest.len(), "more warning"), &list);
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
    let again = !plan.notes.again.is_empty();
    let (head, rule) = if again { (" = |", "---|") } else { ("", "") };
    push_line!(out, "| phase | + | ~ | − |{head}\n|---|---|---|---|{rule}");
    let empty = if again { " | | | |" } else { " | | |" };
    for phase in Phase::ALL {
        let steps: Vec<&Step> = plan.steps.iter().filter(|it| it.phase == phase).collect();
        let begins = |gate: &&Gate| steps.iter().any(|step| gate.before == Some(step.id));
        for gate in plan.gates.iter().filter(begins) {
            push_line!(out, "| **gate: {}** |{empty}", gate.name.word());
        }
        if !steps.is_empty() {
            let counts = SignCounts::of(plan, &steps);
            let last = if again {
                format!(" {} |", counts.again)
            } else {
                String::new()
            };
            push_line!(
                out,
                "| {} | {} | {} | {} |{last}",
                phase_word(phase),
                counts.add,
                counts.change,
                counts.remove
            );
        }
    }
    for gate in plan.gates.iter().filter(|gate| gate.before.is_none()) {
        push_line!(out, "| **gate: {}** |{empty}", gate.name.word());
    }
    push_line!(out, "| verify, and again after the settle time |{empty}\n");
}

/// The changes in the order of the run, or, where they do not fit, their counts.
fn changes(plan: &Plan, cut: CommentCut) -> String {
    let counted = match cut {
        CommentCut::Nothing
        | CommentCut::Unchanged
        | CommentCut::Undeclared
        | CommentCut::Audit => return listed(plan),
        CommentCut::Steps => by_plane(plan),
        CommentCut::Planes | CommentCut::Warnings => by_kind(plan),
    };
    format!(
        "The single changes do not fit here; `planebot plan` prints them all. They are:\n\n{}",
        fence("text", &counted)
    )
}

fn listed(plan: &Plan) -> String {
    let mut out = String::new();
    for phase in Phase::ALL {
        let lines: Vec<String> = plan
            .steps
            .iter()
            .filter(|step| step.phase == phase)
            .map(|step| step_line(plan, step))
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
