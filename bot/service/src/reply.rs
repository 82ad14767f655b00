//! Every sentence we say to a person.
//!
//! Pure: values in, Markdown out. Text from outside stands in code spans or fences. It must not know how a reply is
//! posted, or whether.

mod fit;
mod progress;

use plan::gate::Gate;
use plan::plan::{Plan, RefusedPlan};
use plan::render::{self, PlanHeader, Rehearsed, fence, span};
use plan::run::{Progress, RecordedFact};
use plan::runbook::Runbook;
use topology::finding::Finding;

pub use fit::fitted;
pub use progress::{progress, waiting_gate};

use crate::command::Misspelt;

/// One gate of admission, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateResult {
    /// Its name.
    pub name: &'static str,
    /// `None`: not checked, because one before it is closed.
    pub open: Option<bool>,
    /// The facts, one sentence; may quote in spans.
    pub facts: String,
}

impl GateResult {
    /// The order passed it.
    pub fn passed(name: &'static str, facts: impl Into<String>) -> Self {
        Self {
            name,
            open: Some(true),
            facts: facts.into(),
        }
    }

    /// It stopped the order.
    pub fn closed(name: &'static str, facts: impl Into<String>) -> Self {
        Self {
            name,
            open: Some(false),
            facts: facts.into(),
        }
    }

    /// It was not checked.
    pub fn not_checked(name: &'static str) -> Self {
        Self {
            name,
            open: None,
            facts: "not checked".to_owned(),
        }
    }
}

/// The sticky plan comment.
pub fn plan(
    outcome: &Result<Plan, RefusedPlan>,
    setting: &PlanHeader,
    rehearsed: &Rehearsed,
) -> String {
    match outcome {
        Ok(plan) => render::markdown(plan, setting, rehearsed),
        Err(refused) => render::refusal_markdown(refused, setting),
    }
}

/// The plan comment of a merged pull request, with those that were merged before it and wait, and with a warning where
/// the plan is not the one that was read before the merge.
pub fn taking_along(body: String, waiting: &[i64], to_be_named: bool) -> String {
    let mut notes = String::new();
    if to_be_named {
        notes.push_str("> [!WARNING]\n> This is not the plan that stood here before: read it, and name its digest with `/apply`.\n\n");
    }
    if !waiting.is_empty() {
        let numbers: Vec<String> = waiting.iter().map(|number| format!("#{number}")).collect();
        let numbers = numbers.join(", ");
        notes.push_str(&format!(
            "> This plan also carries out {numbers}, merged before and not applied.\n\n"
        ));
    }
    match body.split_once("\n\n") {
        Some((heading, rest)) if !notes.is_empty() => format!("{heading}\n\n{notes}{rest}"),
        Some(_) | None => body,
    }
}

/// A pull request that touches several sites.
pub fn several_sites(sites: &[String]) -> String {
    let names: Vec<String> = sites.iter().map(|site| span(site)).collect();
    format!(
        "### ✋ No plan: this touches {} sites\n\nIt changes {}. Each site is planned, ordered and carried out by itself, so that one can never stand still in the middle of another.\n\n*Next:* open one pull request for each site.\n",
        sites.len(),
        names.join(", ")
    )
}

/// The same pull request, once it touches one site only.
pub fn one_site(site: &str) -> String {
    format!(
        "### This touches one site now\n\nThe plan for {} stands in this conversation.\n",
        span(site)
    )
}

/// Told in a merged pull request when a later one was applied.
pub fn overtaken(by: i64) -> String {
    format!(
        "### ✅ Carried out with #{by}\n\n#{by} was merged later and declares this change too; it is applied and proved. There is nothing to do here.\n"
    )
}

/// The plan comment where the declaration is wrong.
pub fn findings(findings: &[Finding], site: &str) -> String {
    const SHOWN: usize = 20;
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let mut out = format!(
        "### 🔴 The declaration of {} is wrong: {errors} to mend\n\nNothing was planned, and nothing was changed.\n\n",
        span(site)
    );
    for finding in findings
        .iter()
        .filter(|finding| finding.is_error())
        .take(SHOWN)
    {
        out.push_str(&fence("text", &finding.to_string()));
        out.push('\n');
    }
    if errors > SHOWN {
        out.push_str(&format!(
            "and {} more; `planebot check` prints them all.\n\n",
            errors - SHOWN
        ));
    }
    out.push_str("*Next:* mend them and push.\n");
    out
}

/// A refusal of an order: every gate of admission, and what to do.
pub fn not_applied(reason: &str, gates: &[GateResult], next: &str) -> String {
    let mut out = format!("### ✋ Not applied\n\n{reason}\n\n");
    for gate in gates {
        let mark = match gate.open {
            Some(true) => "✅",
            Some(false) => "✖",
            None => "–",
        };
        out.push_str(&format!("- {mark} {}: {}\n", gate.name, gate.facts));
    }
    out.push_str(&format!(
        "\n*Next:* {next}\n\nNothing was changed: 0 writes to MAAS.\n"
    ));
    out
}

/// A refusal of anything else.
pub fn refused(reason: &str) -> String {
    format!("### ✋ Not done\n\n{reason}\n\nNothing was changed: 0 writes to MAAS.\n")
}

/// Something was asked for, or a pull request was to be planned, and it could not be done.
pub fn given_up(why: &str) -> String {
    format!(
        "### ✋ Given up for now\n\nThis could not be done, and was tried several times:\n\n{}\n*Next:* when that is mended, say it again, or `/plan`. No run began or went on by it.\n",
        fence("text", why)
    )
}

/// That something about a pull request waits for whoever runs planebot.
pub fn dead_letters(count: i64) -> String {
    let what = if count == 1 { "webhook" } else { "webhooks" };
    format!(
        "\n{count} {what} about this could not be acted on; where planebot runs, `planebot doctor` says why and has it tried again.\n"
    )
}

/// An error with its causes, each said once: many libraries put their cause into their own words as well.
pub fn because(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// A command that is none.
pub fn misspelt(why: &Misspelt) -> String {
    format!(
        "### ✋ Not understood\n\n{}.\n\n*Next:* `/help` lists what can be asked. Nothing was changed.\n",
        plan_safe(&why.to_string())
    )
}

/// Sentences of our own that may quote a character.
fn plan_safe(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .collect::<String>()
        .replace('<', "&lt;")
        .replace('@', "@\u{2060}")
}

/// What stands around a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSetting {
    /// The site.
    pub site: String,
    /// Who ordered it.
    pub by: String,
    /// The merge commit.
    pub merge_commit: String,
}

/// What is said at a gate: the runbook with this plan's values, what is looked for, and what to type.
pub fn gate(gate: &Gate, runbook: Option<&Runbook>, link: Option<&str>) -> String {
    let word = gate.name.word();
    let mut out = format!("### ⏸ Gate `{word}`: a person is needed\n\n");
    for (at, task) in gate.tasks.iter().enumerate() {
        out.push_str(&format!("- {} {}\n", render::letter(at), span(task)));
    }
    if let Some(runbook) = runbook {
        let place = link.map_or_else(
            || span(&runbook.pin.path),
            |link| format!("[{}]({})", span(&runbook.pin.path), in_link(link)),
        );
        out.push_str(&format!("\nRunbook {place}, as merged, with this plan's values:\n\n<details><summary>{word}</summary>\n\n{}\n</details>\n", runbook.rendered(gate)));
    }
    out.push_str(&format!("\nplanebot runs none of it. When it is done, an operator says:\n\n{}\nand planebot looks before it goes on.\n", fence("", &format!("/done {word}"))));
    out
}

/// A URL whose path is a file's name, which may hold what would end a link.
fn in_link(url: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/%?#=&+,@".contains(c);
    let mut out = String::new();
    for c in url.chars() {
        if plain(c) {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

/// The look disagreed with the claim.
pub fn not_yet(gate: &str, missing: &[String]) -> String {
    const SHOWN: usize = 40;
    let mut out = format!(
        "### ✋ Gate `{gate}` stays shut\n\nThe look found what was not to be there, or did not find what was:\n\n"
    );
    for line in missing.iter().take(SHOWN) {
        out.push_str(&format!("- {}\n", span(line)));
    }
    if missing.len() > SHOWN {
        out.push_str(&format!("- and {} more\n", missing.len() - SHOWN));
    }
    out.push_str(&format!(
        "\n*Next:* put that right, then `/done {gate}` again. Nothing was changed.\n"
    ));
    out
}

/// What can be asked, and what this person may.
pub fn help(operator: bool) -> String {
    let yours = if operator {
        "you may: all of these"
    } else {
        "you may: `/plan`, `/status`, `/why`, `/help`; the others are for this site's operators"
    };
    format!(
        "### planebot\n\n- `/plan` plan again\n- `/apply [digest]` carry the plan out, or go on with a run that stopped\n- `/done GATE [evidence]` a gate's work is done: look, then go on\n- `/abort` end the run at this step\n- `/status` say where things stand\n- `/why OBJECT` say which step touches it, and why\n- `/help` this\n\n{yours}\n"
    )
}

/// Where things stand.
pub fn status(stage: &str, plan: Option<&Plan>, facts: Option<&[RecordedFact]>) -> String {
    let mut out = format!("### Where this stands: {stage}\n\n");
    if let Some(plan) = plan {
        out.push_str(&format!(
            "Plan {}: {} steps, {} gates.\n",
            span(&plan.digest.to_string()),
            plan.steps.len(),
            plan.gates.len()
        ));
    }
    if let (Some(plan), Some(facts)) = (plan, facts) {
        let progress = Progress::of(facts);
        out.push_str(&format!(
            "Run: {} of {} steps done.\n",
            progress.done.len(),
            plan.steps.len()
        ));
        if let Some(gate) = waiting_gate(plan, facts, &progress) {
            out.push_str(&format!("Waiting at gate `{}`.\n", gate.name.word()));
        }
        if let Some(why) = progress.stopped {
            out.push_str(&format!("Stopped:\n\n{}", fence("text", &why)));
        }
    }
    out.push_str(&format!(
        "\n<sub>planebot {}</sub>\n",
        env!("CARGO_PKG_VERSION")
    ));
    out
}

/// Which steps touch an object, and why.
pub fn why(plan: Option<&Plan>, object: &str) -> String {
    let Some(plan) = plan else {
        return refused("There is no plan here to explain.");
    };
    let lines: Vec<String> = plan
        .steps
        .iter()
        .map(|step| format!("{:>3}  {}", step.id.0, render::line(step)))
        .filter(|line| line.contains(object))
        .collect();
    if lines.is_empty() {
        return format!(
            "No step of {} touches {}.\n",
            span(&plan.digest.to_string()),
            span(object)
        );
    }
    format!(
        "Steps of {} that touch {}:\n\n{}",
        span(&plan.digest.to_string()),
        span(object),
        fence("diff", &lines.join("\n"))
    )
}
