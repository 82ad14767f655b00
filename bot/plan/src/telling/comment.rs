//! The plan comment: the verdict first, then what a tired operator needs, then the details folded.

use topology::object::Object;
use topology::observed::Timestamp;

use super::Rehearsed;
use super::back::way_back;
use super::standing::audit_table;
use super::words::{clean, counts, fence, letter, line, machines, span, utc};
use crate::gate::{Evidence, Gate};
use crate::plan::{Plan, Refused};
use crate::step::{Phase, Step};

/// Adds one line.
macro_rules! say {
    ($out:expr, $($what:tt)*) => {{
        $out.push_str(&format!($($what)*));
        $out.push('\n');
    }};
}

/// What stands around a plan in a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The site.
    pub site: String,
    /// The head commit, where there is one.
    pub commit: Option<String>,
    /// The merge commit at which runbooks are linked: the address of the repository's tree at it.
    pub tree_url: Option<String>,
    /// When MAAS was read.
    pub read_at: Timestamp,
    /// How far the pull request is.
    pub stands: Stands,
}

/// How far a pull request is, as far as its plan comment says what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// It is open.
    Open,
    /// It is merged, and waits for an operator.
    Merged,
    /// It is applied.
    Applied,
}

/// What is told under folds, when a comment grows too long for GitHub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fold {
    All,
    NoSteps,
    Nothing,
}

/// How many tasks of a gate a plan comment lists; the gate's own comment lists them all.
const TASKS_SHOWN: usize = 30;

/// GitHub refuses longer comments (65,536 characters).
const LONGEST: usize = 65_000;

/// The plan comment in Markdown.
pub fn markdown(plan: &Plan, setting: &Setting, rehearsed: &Rehearsed) -> String {
    [Fold::All, Fold::NoSteps, Fold::Nothing]
        .into_iter()
        .map(|fold| written(plan, setting, rehearsed, fold))
        .find(|text| text.len() <= LONGEST)
        .unwrap_or_else(|| {
            format!(
                "### {}\n\n{}\n\n`planebot plan` prints all of it.\n",
                heading(plan, &span(&setting.site)),
                summary(plan)
            )
        })
}

fn written(plan: &Plan, setting: &Setting, rehearsed: &Rehearsed, fold: Fold) -> String {
    let mut out = format!(
        "### {}\n\n{}\n\n",
        heading(plan, &span(&setting.site)),
        summary(plan)
    );
    if let Some(why) = &plan.read_only {
        say!(out, "> [!WARNING]\n> {}\n", clean(why));
    }
    caution(&mut out, plan);
    if !plan.steps.is_empty() {
        phase_table(&mut out, plan);
    }
    for gate in &plan.gates {
        gate_box(&mut out, gate, setting);
    }
    if fold < Fold::Nothing {
        let title = format!("How things stand ({} planes)", plan.audit.len());
        folded(&mut out, &title, &audit_table(&plan.audit));
    }
    if !plan.steps.is_empty() {
        let body = if fold == Fold::All {
            changes(plan)
        } else {
            "The changes are too many for a comment; `planebot plan` prints them all.\n".to_owned()
        };
        folded(&mut out, &format!("Changes ({})", plan.steps.len()), &body);
        say!(out, "{}", way_back(plan));
    }
    say!(out, "{}\n", rehearsal_sentence(rehearsed));
    next(&mut out, plan, setting, rehearsed);
    footer(
        &mut out,
        &plan.digest.to_string(),
        &plan.maas_version.to_string(),
        setting,
    );
    out
}

/// The refusal comment in Markdown.
pub fn refusal_markdown(refused: &Refused, setting: &Setting) -> String {
    let mut out = format!(
        "### 🔴 No plan for {}: {}\n\nNothing was changed.\n\n",
        span(&setting.site),
        plural(refused.refusals.len(), "reason")
    );
    for refusal in &refused.refusals {
        let plane = refusal
            .plane
            .as_ref()
            .map(|plane| format!(" {}", span(plane)))
            .unwrap_or_default();
        say!(
            out,
            "- ✖ **{}**{plane}: {}\n  *Next:* {}",
            refusal.code.word(),
            escaped(&refusal.why),
            escaped(&refusal.help)
        );
    }
    out.push('\n');
    folded(&mut out, "How things stand", &audit_table(&refused.audit));
    say!(
        out,
        "*Next:* change the declaration and push; the plan is made again."
    );
    out
}

/// Sentences that quote names from outside: each quoted part is in backticks already; the rest cannot mention or link.
fn escaped(text: &str) -> String {
    clean(text)
        .replace('@', "@\u{2060}")
        .replace('<', "&lt;")
        .replace('[', "\\[")
        .replace('#', "\\#")
}

pub(super) fn heading(plan: &Plan, site: &str) -> String {
    if plan.steps.is_empty() {
        return format!("🟢 Plan for {site}: no changes");
    }
    let people = match plan.gates.len() {
        0 => String::new(),
        1 => ", 1 needs a person".to_owned(),
        count => format!(", {count} need a person"),
    };
    format!(
        "🟡 Plan for {site}: {}{people}",
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
    out
}

/// What a step does to a network that nobody may be on then.
fn fate(step: &Step) -> Option<String> {
    let before = step.expects.as_ref().filter(|_| step.vacant)?.as_subnet()?;
    let name = span(&before.cidr.to_string());
    Some(match step.leaves.as_ref().and_then(Object::as_subnet) {
        None => format!("{name} goes, and everything on it"),
        Some(after) if after.cidr == before.cidr => {
            let vlan = span(&after.vlan.to_string());
            format!("{name} goes to vlan {vlan}; nobody may be on it then")
        }
        Some(after) => {
            let to = span(&after.cidr.to_string());
            format!("{name} becomes {to} in place; nobody may be on it then")
        }
    })
}

fn caution(out: &mut String, plan: &Plan) {
    const SHOWN: usize = 5;
    let going: Vec<String> = plan
        .steps
        .iter()
        .filter_map(fate)
        .chain(plan.warnings.iter().map(|warning| escaped(warning)))
        .collect();
    if going.is_empty() {
        return;
    }
    out.push_str("> [!CAUTION]\n");
    for line in going.iter().take(SHOWN) {
        say!(out, "> - {line}");
    }
    if going.len() > SHOWN {
        say!(out, "> - and {} more, below", going.len() - SHOWN);
    }
    out.push('\n');
    if going.len() > SHOWN {
        let rest: String = going
            .iter()
            .skip(SHOWN)
            .map(|line| format!("- {line}\n"))
            .collect();
        folded(
            out,
            &format!("{} more warnings", going.len() - SHOWN),
            &rest,
        );
    }
}

/// The phase's word.
pub fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Delete => "delete",
        Phase::Create => "create",
        Phase::StandUp => "stand up",
        Phase::Restore => "restore",
        Phase::Carve => "carve",
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
            say!(out, "| **gate: {}** | | | |", gate.name.word());
        }
        if !steps.is_empty() {
            let (add, change, remove) = counts(&steps);
            say!(
                out,
                "| {} | {add} | {change} | {remove} |",
                phase_word(phase)
            );
        }
    }
    for gate in plan.gates.iter().filter(|gate| gate.before.is_none()) {
        say!(out, "| **gate: {}** | | | |", gate.name.word());
    }
    out.push_str("| verify, and once more after the settle time | | | |\n\n");
}

fn gate_box(out: &mut String, gate: &Gate, setting: &Setting) {
    say!(
        out,
        "**Gate `{}`** — {}.",
        gate.name.word(),
        escaped(&gate.why)
    );
    for (at, task) in gate.tasks.iter().take(TASKS_SHOWN).enumerate() {
        say!(out, "- {} {}", letter(at), span(task));
    }
    if gate.tasks.len() > TASKS_SHOWN {
        say!(out, "- and {} more", gate.tasks.len() - TASKS_SHOWN);
    }
    say!(out, "\nWhat will be looked at: {}.", looked_at(gate));
    if let Some(runbook) = &gate.runbook {
        match &setting.tree_url {
            Some(url) => {
                say!(out, "Runbook: [{}]({url}/{})", runbook.path, runbook.path);
            }
            None => {
                say!(out, "Runbook: {}", span(&runbook.path));
            }
        }
    }
    out.push('\n');
}

/// The evidence in words.
fn looked_at(gate: &Gate) -> String {
    let parts: Vec<String> = gate
        .evidence
        .iter()
        .map(|evidence| match evidence {
            Evidence::Vacant {
                subnets,
                controllers,
            } => {
                let list: Vec<String> =
                    subnets.iter().map(|cidr| span(&cidr.to_string())).collect();
                let who = if *controllers {
                    "no node and no controller"
                } else {
                    "no node"
                };
                format!("{who} holds an address or link on {}", list.join(", "))
            }
            Evidence::Changeable { machines } => {
                let list: Vec<String> = machines.iter().map(|host| span(host)).collect();
                format!("{} released", list.join(", "))
            }
            Evidence::NoJujuModel => {
                "no Juju model but a controller's is left on this MAAS".to_owned()
            }
            Evidence::Attended { subnets } => {
                let list: Vec<String> =
                    subnets.iter().map(|cidr| span(&cidr.to_string())).collect();
                format!(
                    "a rack controller has an address on {}",
                    list.join(" and on ")
                )
            }
            Evidence::Jumphost { has, lacks } => {
                let show = |list: &std::collections::BTreeSet<(String, std::net::IpAddr)>| {
                    list.iter()
                        .map(|(interface, ip)| span(&format!("{interface} {ip}")))
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                format!(
                    "the jumphost has {} and no longer {}",
                    show(has),
                    show(lacks)
                )
            }
        })
        .collect();
    parts.join("; ")
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
            say!(
                out,
                "{}\n\n{}",
                phase_word(phase),
                fence("diff", &lines.join("\n"))
            );
        }
    }
    out
}

pub(super) fn rehearsal_sentence(rehearsed: &Rehearsed) -> String {
    if rehearsed.failures.is_empty() {
        format!(
            "Rehearsed on what MAAS says now: {}, to zero drift; and again with the power cut after each of them ({}), to the same end.",
            plural(rehearsed.operations, "operation"),
            plural(rehearsed.cuts, "cut")
        )
    } else {
        let list: Vec<String> = rehearsed
            .failures
            .iter()
            .take(5)
            .map(|failure| format!("- {}", escaped(failure)))
            .collect();
        format!(
            "**The rehearsal failed; this plan cannot be applied.**\n{}",
            list.join("\n")
        )
    }
}

fn next(out: &mut String, plan: &Plan, setting: &Setting, rehearsed: &Rehearsed) {
    if plan.steps.is_empty() {
        out.push_str("*Next:* nothing to do in MAAS.\n\n");
    } else if plan.read_only.is_some() || !rehearsed.failures.is_empty() {
        out.push_str("*Next:* this plan is for reading only.\n\n");
    } else {
        let before = match setting.stands {
            Stands::Open => {
                "*Next:* merge to queue this plan. Nothing changes in MAAS until an operator then comments:"
            }
            Stands::Merged => {
                "*Next:* this is merged. Nothing changes in MAAS until an operator comments:"
            }
            Stands::Applied => {
                out.push_str("*Next:* nothing: this is applied and proved.\n\n");
                return;
            }
        };
        say!(
            out,
            "{before}\n\n{}",
            fence("", &format!("/apply {}", plan.digest))
        );
    }
}

fn footer(out: &mut String, digest: &str, version: &str, setting: &Setting) {
    let commit = setting
        .commit
        .as_ref()
        .map(|commit| {
            format!(
                " · commit {}",
                clean(&commit.chars().take(10).collect::<String>())
            )
        })
        .unwrap_or_default();
    say!(
        out,
        "<sub>plan {digest}{commit} · MAAS {} read {} · valid until the declaration or MAAS changes</sub>",
        escaped(version),
        utc(setting.read_at)
    );
}

fn folded(out: &mut String, title: &str, body: &str) {
    say!(
        out,
        "<details><summary>{title}</summary>\n\n{body}\n</details>\n"
    );
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}
