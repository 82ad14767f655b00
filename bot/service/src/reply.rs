//! The text of every comment that planebot posts.
//!
//! Pure: values in, Markdown out. Text from outside is put into code spans or fences. It must not know how or whether a
//! comment is posted.

mod fit;
mod progress;

use plan::gate::Gate;
use plan::plan::{Plan, RefusedPlan};
use plan::render::{self, PlanHeader, Rehearsed, fence, span};
use plan::run::{Progress, RecordedFact};
use plan::runbook::Runbook;
use topology::finding::Finding;

use crate::command::Misspelt;

pub use fit::fitted;
pub use progress::{progress, waiting_gate};

/// The result of one admission gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateResult {
    pub name: &'static str,
    /// `None` if it was not checked, because an earlier gate is closed.
    pub open: Option<bool>,
    /// What was found, in one clause; it may contain code spans.
    pub facts: String,
}

impl GateResult {
    /// A gate that the order passed.
    pub fn passed(name: &'static str, facts: impl Into<String>) -> Self {
        Self {
            name,
            open: Some(true),
            facts: facts.into(),
        }
    }

    /// A gate that stopped the order.
    pub fn closed(name: &'static str, facts: impl Into<String>) -> Self {
        Self {
            name,
            open: Some(false),
            facts: facts.into(),
        }
    }

    /// A gate after the one that stopped the order.
    pub fn not_checked(name: &'static str) -> Self {
        Self {
            name,
            open: None,
            facts: "not checked".to_owned(),
        }
    }
}

/// The plan comment, which is edited when the plan changes.
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

/// Adds notes to the plan comment of a merged pull request: the earlier merges that it includes, and a warning if the plan is
/// not the one that was shown before the merge.
pub fn with_merge_notes(body: String, waiting: &[i64], to_be_named: bool) -> String {
    let mut notes = String::new();
    if to_be_named {
        notes.push_str("> [!WARNING]\n> This plan is not the one that was shown before: read it, then name its digest in `/apply`.\n\n");
    }
    if !waiting.is_empty() {
        let numbers: Vec<String> = waiting.iter().map(|number| format!("#{number}")).collect();
        let numbers = numbers.join(", ");
        notes.push_str(&format!(
            "> This plan also includes the changes of {numbers}, merged earlier and not applied yet.\n\n"
        ));
    }
    match body.split_once("\n\n") {
        Some((heading, rest)) if !notes.is_empty() => format!("{heading}\n\n{notes}{rest}"),
        Some(_) | None => body,
    }
}

/// The plan comment of a pull request that touches several sites, and the answer to a command there.
pub fn several_sites(sites: &[String], merged: bool) -> String {
    let names: Vec<String> = sites.iter().map(|site| span(site)).collect();
    // After the merge a pull request that changes only the same lines would be empty.
    let next = if merged {
        "this is merged, and not applied. For each site, open a pull request that changes any file of that site alone; a comment in it is enough. Its plan carries out everything that is merged there."
    } else {
        "open one pull request for each site."
    };
    format!(
        "### ✋ No plan: this touches {} sites\n\nIt changes {}. planebot plans and applies each site separately, so that a run that stops on one site never leaves another half done.\n\n*Next:* {next}\n",
        sites.len(),
        names.join(", ")
    )
}

/// Replaces that comment once the pull request touches one site only.
pub fn one_site(site: &str) -> String {
    format!(
        "### This touches one site now\n\nThe plan for {} is in this conversation.\n",
        span(site)
    )
}

/// Posted on a merged pull request when a later one was applied.
pub fn superseded(by: i64) -> String {
    format!(
        "### ✅ Carried out with #{by}\n\n#{by} was merged later and includes this change; it is applied and proved. There is nothing to do here.\n"
    )
}

/// The plan comment for a declaration with errors.
pub fn findings(findings: &[Finding], site: &str) -> String {
    const SHOWN: usize = 20;
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let mut out = format!(
        "### 🔴 The declaration of {} is wrong: {errors} to fix\n\nNothing was planned, and nothing was changed.\n\n",
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
    out.push_str("*Next:* fix them and push.\n");
    out
}

/// The refusal of an `/apply`: every admission gate, and what to do.
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

/// The refusal of anything else.
pub fn refused(reason: &str) -> String {
    format!("### ✋ Not done\n\n{reason}\n\nNothing was changed: 0 writes to MAAS.\n")
}

/// The comment about a delivery that could not be processed.
pub fn given_up(why: &str) -> String {
    format!(
        "### ✋ Given up for now\n\nplanebot tried this several times and failed:\n\n{}\n*Next:* when the cause is fixed, comment the command again, or `/plan`. This started or resumed no run.\n",
        fence("text", why)
    )
}

/// A note that dead letters of a pull request wait for the administrator of planebot.
pub fn dead_letters(count: i64) -> String {
    let what = if count == 1 { "webhook" } else { "webhooks" };
    format!(
        "\n{count} {what} about this could not be processed; on the planebot server, `planebot doctor` shows the cause and can retry it.\n"
    )
}

/// An error with its causes, each once: many libraries repeat the cause in their own message.
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

/// The answer to a misspelt command.
pub fn misspelt(why: &Misspelt) -> String {
    format!(
        "### ✋ Not understood\n\n{}.\n\n*Next:* `/help` lists the commands. Nothing was changed.\n",
        escaped(&why.to_string())
    )
}

/// Escapes a sentence of ours that may quote a character of a comment.
fn escaped(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .collect::<String>()
        .replace('<', "&lt;")
        .replace('@', "@\u{2060}")
}

/// What the apply comment shows besides the run's facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSetting {
    /// The site's name.
    pub site: String,
    /// Who ordered the run, by login.
    pub by: String,
    /// The hash of the merge commit.
    pub merge_commit: String,
}

/// The comment at a gate: the tasks, the runbook with this plan's values, and the command for when they are done.
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
    out.push_str(&format!("\nplanebot runs none of it. When it is done, an operator comments:\n\n{}\nand planebot checks it before it continues.\n", fence("", &format!("/done {word}"))));
    out
}

/// Percent-encodes a URL: its path is a file's name, which may contain characters that end a Markdown link.
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

/// The answer to a claim that the evidence does not confirm.
pub fn not_yet(gate: &str, missing: &[String]) -> String {
    const SHOWN: usize = 40;
    let mut out = format!(
        "### ✋ Gate `{gate}` stays shut\n\nplanebot found something that should be gone, or did not find something that should be there:\n\n"
    );
    for line in missing.iter().take(SHOWN) {
        out.push_str(&format!("- {}\n", span(line)));
    }
    if missing.len() > SHOWN {
        out.push_str(&format!("- and {} more\n", missing.len() - SHOWN));
    }
    out.push_str(&format!(
        "\n*Next:* fix that, then comment `/done {gate}` again. Nothing was changed.\n"
    ));
    out
}

/// The commands, and which of them this person may use.
pub fn help(operator: bool) -> String {
    let allowed = if operator {
        "you may use all of these"
    } else {
        "you may use `/plan`, `/status`, `/why` and `/help`; the others are for this site's operators"
    };
    format!(
        "### planebot\n\n- `/plan` make the plan again\n- `/apply [digest]` apply the plan, or resume a run that stopped\n- `/done GATE [evidence]` the work at a gate is done: check it, then continue\n- `/abort` end the run after the current step\n- `/status` show the status\n- `/why OBJECT` show which steps touch an object\n- `/help` show this list\n\n{allowed}\n"
    )
}

/// The status of a pull request, its plan and its run.
pub fn status(status: &str, plan: Option<&Plan>, facts: Option<&[RecordedFact]>) -> String {
    let mut out = format!("### Status: {status}\n\n");
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

/// Which steps touch an object.
pub fn why(plan: Option<&Plan>, object: &str) -> String {
    let Some(plan) = plan else {
        return refused("There is no plan to explain.");
    };
    let lines: Vec<String> = plan
        .steps
        .iter()
        .map(|step| format!("{:>3}  {}", step.id.0, render::step_line(plan, step)))
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
