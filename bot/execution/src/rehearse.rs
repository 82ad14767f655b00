//! The rehearsal: a plan played against the lab's MAAS, loaded with what the real one says now.
//!
//! Once calmly to zero drift, the controllers reporting their interfaces before every move, and again with the power cut
//! after every operation, requests and journal writes alike. A cut run is followed until it has come as far as the calm one; from there on both are the same by construction, so
//! the work grows with the plan and not with its square. It must not know GitHub or SQL.

pub mod in_memory;
pub mod layout;
mod memory;
mod stage;

use plan::gate::GateName;
use plan::plan::{Plan, PlanPolicy};
use plan::render::Rehearsed;
use plan::run::{Fact, NextMove, Pace, Progress, RecordedFact, next_move};
use topology::observed::{Observed, Timestamp};
use topology::plane::Topology;

pub use memory::Rehearsals;
use stage::Scene;

/// Moves that a run may need to catch up with the calm one after a cut: look, rest, look again, write.
const CATCH_UP_MAX: usize = 12;

/// What a rehearsal is given.
pub struct Play<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The declaration it leads to.
    pub topology: &'a Topology,
    /// The site's policy.
    pub policy: &'a PlanPolicy,
    /// What MAAS says now.
    pub observed: &'a Observed,
}

/// Rehearses a plan. `tell` hears what happens, a line each.
pub async fn rehearse(play: &Play<'_>, tell: &mut (dyn FnMut(String) + Send)) -> Rehearsed {
    let mut rehearsed = Rehearsed::default();
    if play.plan.steps.is_empty() {
        return rehearsed;
    }
    let mut calm = match Scene::open(play) {
        Ok(scene) => scene,
        Err(why) => {
            rehearsed
                .failures
                .push(format!("the lab cannot hold what MAAS says: {why}"));
            return rehearsed;
        }
    };
    loop {
        let next = calm.next(play);
        match &next {
            NextMove::Ended => break,
            NextMove::WaitUntil(until) => {
                calm.now = *until;
                continue;
            }
            NextMove::WaitForOperator => {
                if !calm.act(play, tell) {
                    rehearsed.failures.push(stopped_because(&calm.facts));
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
        calm.controllers_report();
        let before = calm.clone();
        let operations = calm.make(play, &next, None).await;
        tell(told(play.plan, &next));
        rehearsed.operations += operations;
        if let Some(failure) = calm.went_wrong() {
            rehearsed.failures.push(failure);
            return rehearsed;
        }
        for cut in 1..=operations {
            rehearsed.cuts += 1;
            if let Some(failure) = cut_at(play, &before, &calm, &next, cut).await {
                rehearsed.failures.push(failure);
                return rehearsed;
            }
        }
    }
    let finished = calm.facts.iter().any(|noted| noted.fact == Fact::Finished);
    if !finished {
        rehearsed
            .failures
            .push("the run did not come to its end".to_owned());
    }
    rehearsed
}

/// Cuts the power after operation `cut` of one move, wakes up, and compares with the calm run.
async fn cut_at(
    play: &Play<'_>,
    before: &Scene,
    calm: &Scene,
    next: &NextMove,
    cut: usize,
) -> Option<String> {
    let mut dark = before.clone();
    dark.make(play, next, Some(cut)).await;
    let goal = Progress::of(&calm.facts);
    for _ in 0..CATCH_UP_MAX {
        if Progress::of(&dark.facts) == goal {
            break;
        }
        match dark.next(play) {
            NextMove::WaitUntil(until) => dark.now = until,
            NextMove::Ended | NextMove::WaitForOperator => break,
            other @ (NextMove::Execute(_)
            | NextMove::Ask(_)
            | NextMove::Examine(_)
            | NextMove::Verify { .. }
            | NextMove::Stop { .. }
            | NextMove::Finish) => {
                dark.make(play, &other, None).await;
            }
        }
    }
    if Progress::of(&dark.facts) != goal {
        return Some(format!(
            "after a cut at operation {cut} of `{}` the run did not catch up",
            told(play.plan, next)
        ));
    }
    if !dark.same_world(calm) {
        return Some(format!(
            "after a cut at operation {cut} of `{}` MAAS is not the same",
            told(play.plan, next)
        ));
    }
    // Whether a write that changes nothing happened cannot be looked at, so it may be sent once more.
    let again = usize::from(changes_nothing(play.plan, next));
    let expected = calm.writes()..=calm.writes() + again;
    (!expected.contains(&dark.writes())).then(|| {
        format!(
            "after a cut at operation {cut} of `{}` a write happened twice",
            told(play.plan, next)
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
                "gate {} stays shut: {}",
                gate.word(),
                missing.join("; ")
            ));
        }
        None
    });
    why.unwrap_or_else(|| "the run waits for nobody".to_owned())
}

/// A move in words.
pub fn told(plan: &Plan, next: &NextMove) -> String {
    match next {
        NextMove::Execute(id) => plan.step(*id).map_or_else(
            || format!("step {id}"),
            |step| format!("{id:>3}  {}", plan::render::line(step), id = step.id.0),
        ),
        NextMove::Ask(gate) => format!("---  gate {}: the runbook is shown", gate.word()),
        NextMove::Examine(gate) => format!("---  gate {}: looking", gate.word()),
        NextMove::Verify { round } => format!("===  proof {round}: observed and planned again"),
        NextMove::WaitUntil(_) => "...  resting".to_owned(),
        NextMove::WaitForOperator => "...  waiting".to_owned(),
        NextMove::Stop { why } => format!("!!!  stopped: {why}"),
        NextMove::Finish => "===  finished".to_owned(),
        NextMove::Ended => "===  over".to_owned(),
    }
}

/// The pace of a rehearsal; its clock jumps.
const PACE: Pace = Pace {
    unknown: 1_000,
    settle: 60_000,
};

impl Scene {
    /// Why the calm run cannot go on, if its last move says so.
    fn went_wrong(&self) -> Option<String> {
        match &self.facts.last()?.fact {
            Fact::Refused { step, why }
            | Fact::Foreign { step, found: why }
            | Fact::Unknown { step, why } => Some(format!("step {step}: {why}")),
            Fact::Blind { why } | Fact::Stopped { why } => Some(why.clone()),
            Fact::Verified { round, drift } if !drift.is_empty() => {
                Some(format!("proof {round} found: {}", drift.join("; ")))
            }
            Fact::NotYet { gate, missing } => Some(format!(
                "gate {} stays shut: {}",
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

    fn next(&self, play: &Play<'_>) -> NextMove {
        next_move(play.plan, &self.facts, self.now, PACE)
    }

    /// The person at the gate does the work and says so. False when nobody is asked.
    fn act(&mut self, play: &Play<'_>, tell: &mut (dyn FnMut(String) + Send)) -> bool {
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
        tell(format!(
            "---  gate {}: the person does the work and says /done",
            gate.word()
        ));
        self.work(play, gate);
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

    fn work(&mut self, play: &Play<'_>, gate: GateName) {
        let Some(gate) = play.plan.gate(gate) else {
            return;
        };
        let subnets = gate
            .values
            .get("subnets")
            .map(String::as_str)
            .unwrap_or_default();
        let machines = gate
            .values
            .get("machines")
            .map(String::as_str)
            .unwrap_or_default();
        for host in machines.lines() {
            self.release(host);
        }
        for cidr in subnets.lines() {
            match gate.name {
                GateName::Rack => self.attend(cidr),
                GateName::Teardown | GateName::Vacate | GateName::Jumphost => {
                    self.vacate(cidr, gate.name == GateName::Vacate);
                }
            }
        }
    }
}
