//! The rehearsal: a plan is executed against the lab's MAAS, which is loaded with what the real one holds now.
//!
//! One run is uninterrupted and ends with zero drift; controllers report their interfaces before each of its moves. Every
//! move is also executed with a power cut after each operation, requests and recorded facts alike. A run with a cut is
//! followed only until it has caught up with the uninterrupted one: from there on both are the same by construction, so
//! that the work grows with the plan and not with its square. It must not know GitHub or SQL.

mod cache;
pub mod in_memory;
pub mod layout;
mod run;

use plan::gate::{GateEvidence, GateName};
use plan::plan::{Plan, PlanPolicy};
use plan::render::Rehearsed;
use plan::run::{Fact, NextMove, Pace, Progress, RecordedFact, next_move};
use topology::observed::{Observed, Timestamp};
use topology::plane::Topology;

pub use cache::RehearsalCache;
use run::RehearsalRun;

/// Moves that a run may need to catch up after a power cut: look, rest, look again, write.
const CATCH_UP_MAX: usize = 12;

/// Everything that a rehearsal depends on.
pub struct RehearsalInput<'a> {
    /// The plan to rehearse.
    pub plan: &'a Plan,
    /// The declaration that the plan leads to.
    pub topology: &'a Topology,
    /// The site's policy.
    pub policy: &'a PlanPolicy,
    /// What MAAS holds now.
    pub observed: &'a Observed,
}

/// Rehearses a plan. `report` is called with one line for each move.
pub async fn rehearse(
    input: &RehearsalInput<'_>,
    report: &mut (dyn FnMut(String) + Send),
) -> Rehearsed {
    let mut rehearsed = Rehearsed::default();
    if input.plan.steps.is_empty() {
        return rehearsed;
    }
    let mut uncut = match RehearsalRun::start(input) {
        Ok(run) => run,
        Err(why) => {
            rehearsed
                .failures
                .push(format!("the lab cannot load what MAAS holds: {why}"));
            return rehearsed;
        }
    };
    loop {
        let next = uncut.next(input);
        match &next {
            NextMove::Ended => break,
            NextMove::WaitUntil(until) => {
                uncut.now = *until;
                continue;
            }
            NextMove::WaitForOperator => {
                if !uncut.complete_gate(input, report) {
                    rehearsed.failures.push(stopped_because(&uncut.facts));
                    return rehearsed;
                }
                continue;
            }
            NextMove::Execute(_)
            | NextMove::Ask(_)
            | NextMove::Examine(_)
            | NextMove::Verify { .. }
            | NextMove::Stop { .. }
            | NextMove::Finish => {}
        }
        uncut.take_new_netmasks(input.plan);
        uncut.controllers_report();
        let before = uncut.clone();
        let operations = uncut.execute(input, &next, None).await;
        report(describe(input.plan, &next));
        rehearsed.operations += operations;
        let failure = uncut.failure().or_else(|| uncut.unlisted(input.plan));
        if let Some(failure) = failure {
            rehearsed.failures.push(failure);
            return rehearsed;
        }
        for cut in 1..=operations {
            rehearsed.cuts += 1;
            if let Some(failure) = failure_after_cut(input, &before, &uncut, &next, cut).await {
                rehearsed.failures.push(failure);
                return rehearsed;
            }
        }
    }
    let finished = uncut.facts.iter().any(|noted| noted.fact == Fact::Finished);
    if !finished {
        rehearsed.failures.push("the run did not finish".to_owned());
    }
    rehearsed
}

/// Executes one move with a power cut after operation `cut`, lets the run catch up, and compares it with the uncut one.
/// `None` when they agree.
async fn failure_after_cut(
    input: &RehearsalInput<'_>,
    before: &RehearsalRun,
    uncut: &RehearsalRun,
    next: &NextMove,
    cut: usize,
) -> Option<String> {
    let mut interrupted = before.clone();
    interrupted.execute(input, next, Some(cut)).await;
    let goal = Progress::of(&uncut.facts);
    for _ in 0..CATCH_UP_MAX {
        if Progress::of(&interrupted.facts) == goal {
            break;
        }
        match interrupted.next(input) {
            NextMove::WaitUntil(until) => interrupted.now = until,
            NextMove::Ended | NextMove::WaitForOperator => break,
            other @ (NextMove::Execute(_)
            | NextMove::Ask(_)
            | NextMove::Examine(_)
            | NextMove::Verify { .. }
            | NextMove::Stop { .. }
            | NextMove::Finish) => {
                interrupted.execute(input, &other, None).await;
            }
        }
    }
    if Progress::of(&interrupted.facts) != goal {
        return Some(format!(
            "after a power cut at operation {cut} of `{}` the run did not catch up",
            describe(input.plan, next)
        ));
    }
    if !interrupted.has_same_rows(uncut) {
        return Some(format!(
            "after a power cut at operation {cut} of `{}` MAAS is not the same",
            describe(input.plan, next)
        ));
    }
    // No look can tell whether a write that changes nothing was sent, so it may be sent once more.
    let again = usize::from(changes_nothing(input.plan, next));
    let expected = uncut.writes()..=uncut.writes() + again;
    (!expected.contains(&interrupted.writes())).then(|| {
        format!(
            "after a power cut at operation {cut} of `{}` a write was sent twice",
            describe(input.plan, next)
        )
    })
}

fn changes_nothing(plan: &Plan, next: &NextMove) -> bool {
    let NextMove::Execute(id) = next else {
        return false;
    };
    plan.step(*id).is_some_and(|step| step.nudge)
}

fn stopped_because(facts: &[RecordedFact]) -> String {
    let why = facts.iter().rev().find_map(|noted| {
        if let Fact::Stopped { why } = &noted.fact {
            return Some(why.clone());
        }
        if let Fact::NotYet { gate, missing } = &noted.fact {
            return Some(format!(
                "gate {} stays closed: {}",
                gate.word(),
                missing.join("; ")
            ));
        }
        None
    });
    why.unwrap_or_else(|| "the run waits, but for no gate".to_owned())
}

/// A move in one line, for a terminal.
pub fn describe(plan: &Plan, next: &NextMove) -> String {
    match next {
        NextMove::Execute(id) => plan.step(*id).map_or_else(
            || format!("step {id}"),
            |step| {
                format!(
                    "{id:>3}  {}",
                    plan::render::step_line(plan, step),
                    id = step.id.0
                )
            },
        ),
        NextMove::Ask(gate) => format!("---  gate {}: runbook shown", gate.word()),
        NextMove::Examine(gate) => format!("---  gate {}: checking the evidence", gate.word()),
        NextMove::Verify { round } => {
            format!("===  verification {round}: observed and planned again")
        }
        NextMove::WaitUntil(_) => "...  resting".to_owned(),
        NextMove::WaitForOperator => "...  waiting".to_owned(),
        NextMove::Stop { why } => format!("!!!  stopped: {why}"),
        NextMove::Finish => "===  finished".to_owned(),
        NextMove::Ended => "===  ended".to_owned(),
    }
}

/// Waiting times, which the rehearsal's clock skips.
const PACE: Pace = Pace {
    unknown: 1_000,
    settle: 60_000,
};

impl RehearsalRun {
    /// What waits at the end although the plan does not list it: the plan would promise what it does not bring.
    fn unlisted(&self, plan: &Plan) -> Option<String> {
        let last = &self.facts.last()?.fact;
        let Fact::Verified { round, waits, .. } = last else {
            return None;
        };
        let odd = waits.iter().find(|item| !plan.waits.contains(item))?;
        (*round > 1).then(|| format!("the plan does not list: {}", odd.line()))
    }

    /// Why the uncut run cannot continue, if its last fact is a failure.
    fn failure(&self) -> Option<String> {
        match &self.facts.last()?.fact {
            Fact::Refused { step, why }
            | Fact::Foreign { step, found: why }
            | Fact::Unknown { step, why } => Some(format!("step {step}: {why}")),
            Fact::Blind { why } | Fact::Stopped { why } => Some(why.clone()),
            Fact::Verified { round, drift, .. } if !drift.is_empty() => {
                Some(format!("verification {round} found: {}", drift.join("; ")))
            }
            Fact::NotYet { gate, missing } => Some(format!(
                "gate {} stays closed: {}",
                gate.word(),
                missing.join("; ")
            )),
            Fact::Began { .. }
            | Fact::Intended(_)
            | Fact::Done { .. }
            | Fact::Asked(_)
            | Fact::Claimed { .. }
            | Fact::Opened(_)
            | Fact::Verified { .. }
            | Fact::Resumed { .. }
            | Fact::Aborted { .. }
            | Fact::Finished => None,
        }
    }

    fn next(&self, input: &RehearsalInput<'_>) -> NextMove {
        next_move(input.plan, &self.facts, self.now, PACE)
    }

    /// Does the work that the last shown gate asks for, and claims it. False when no gate waits.
    fn complete_gate(
        &mut self,
        input: &RehearsalInput<'_>,
        report: &mut (dyn FnMut(String) + Send),
    ) -> bool {
        let progress = Progress::of(&self.facts);
        let asked = self.facts.iter().rev().find_map(|noted| {
            if let Fact::Asked(gate) = &noted.fact {
                Some(*gate)
            } else {
                None
            }
        });
        let refused = matches!(
            self.facts.last().map(|noted| &noted.fact),
            Some(Fact::NotYet { .. })
        );
        let Some(gate) = asked.filter(|gate| {
            progress.stopped.is_none() && !refused && !progress.opened.contains(gate)
        }) else {
            return false;
        };
        report(format!(
            "---  gate {}: the simulated operator does the work and comments /done",
            gate.word()
        ));
        self.do_gate_work(input, gate);
        self.now = Timestamp(self.now.0 + 1);
        let claimed = Fact::Claimed {
            gate,
            by: "the rehearsal".to_owned(),
            evidence: None,
        };
        self.facts.push(RecordedFact {
            at: self.now,
            fact: claimed,
        });
        true
    }

    fn do_gate_work(&mut self, input: &RehearsalInput<'_>, gate: GateName) {
        let Some(gate) = input.plan.gate(gate) else {
            return;
        };
        let machines = gate
            .values
            .get("machines")
            .map(String::as_str)
            .unwrap_or_default();
        for host in machines.lines() {
            self.release(host);
        }
        for evidence in &gate.evidence {
            match evidence {
                GateEvidence::Attended { subnets } => {
                    for cidr in subnets {
                        self.attach_rack(&cidr.to_string());
                    }
                }
                GateEvidence::Vacant {
                    subnets,
                    controllers,
                    keeping,
                } => {
                    for cidr in subnets {
                        self.vacate(cidr, keeping.get(cidr), *controllers);
                    }
                }
                GateEvidence::Detached { interfaces, .. } => {
                    for (host, name) in interfaces {
                        self.detach(host, name);
                    }
                }
                GateEvidence::Changeable { .. }
                | GateEvidence::NoJujuModel
                | GateEvidence::Jumphost { .. } => {}
            }
        }
    }
}
