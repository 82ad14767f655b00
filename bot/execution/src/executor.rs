//! Executes one move of a run and records its result.
//!
//! Every write is preceded by a look and by a recorded intention, sent once, and read back. The executor decides nothing:
//! the plan says what to write, [`plan::run::next_move`] says when. It must not know GitHub, SQL or who ordered the run.

use std::sync::Arc;

use maas::{MaasClient, MaasReader, MaasWriter, ReadError, Transport, WriteFence};
use plan::gate::GateName;
use plan::plan::{Plan, PlanPolicy};
use plan::planner::scope;
use plan::render;
use plan::run::{Fact, NextMove};
use plan::step::{Phase, Step, StepId, StepState};
use topology::object::{Key, Object, Subnet};
use topology::observed::{Observed, Scope};
use topology::plane::Topology;
use topology::port::Outcome;

use crate::containers::inside;
use crate::evidence::{EvidenceSource, missing_evidence};
use crate::ledger::{Ledger, LedgerError, LoggedLedger};
use crate::occupants::{blocks, describe};

/// Everything that executing a move needs, except the ledger.
pub struct Executor<'a, W, L: ?Sized> {
    /// The plan, which does not change during a run.
    pub plan: &'a Plan,
    /// The declaration that the plan leads to.
    pub topology: &'a Topology,
    /// The site's policy.
    pub policy: &'a PlanPolicy,
    /// The site's MAAS.
    pub client: &'a Arc<MaasClient<W>>,
    /// The right to write to it.
    pub fence: &'a L,
    /// Where evidence comes from that MAAS does not have.
    pub evidence: &'a dyn EvidenceSource,
}

/// Observes everything that a plan from this MAAS to `topology` needs.
pub async fn observe<W: Transport>(
    reader: &MaasReader<W>,
    topology: &Topology,
) -> Result<Observed, ReadError> {
    let first = reader.observe(&Scope::default()).await?;
    let more = scope(topology, &first);
    if more == Scope::default() {
        return Ok(first);
    }
    reader.observe(&more).await
}

impl<W: Transport, L: WriteFence + ?Sized> Executor<'_, W, L> {
    /// Executes one move and records its result. Moves that only wait record nothing. Logs one INFO line for each step and
    /// each look at a gate.
    pub async fn execute(
        &self,
        next: &NextMove,
        ledger: &mut impl Ledger,
    ) -> Result<(), LedgerError> {
        let mut logged = LoggedLedger::new(self.plan, ledger);
        self.execute_unlogged(next, &mut logged).await
    }

    /// The same without INFO lines, for a rehearsal.
    pub(crate) async fn execute_unlogged(
        &self,
        next: &NextMove,
        ledger: &mut impl Ledger,
    ) -> Result<(), LedgerError> {
        match next {
            NextMove::Execute(id) => self.step(*id, ledger).await,
            NextMove::Ask(gate) => ledger.add(Fact::Asked(*gate)).await,
            NextMove::Examine(gate) => self.examine(*gate, ledger).await,
            NextMove::Verify { round } => self.verify(*round, ledger).await,
            NextMove::Stop { why } => ledger.add(Fact::Stopped { why: why.clone() }).await,
            NextMove::Finish => ledger.add(Fact::Finished).await,
            NextMove::WaitUntil(_) | NextMove::WaitForOperator | NextMove::Ended => Ok(()),
        }
    }

    async fn step(&self, id: StepId, ledger: &mut impl Ledger) -> Result<(), LedgerError> {
        let Some(step) = self.plan.step(id) else {
            let why = format!("step {id} is not in the plan");
            return ledger.add(Fact::Stopped { why }).await;
        };
        let reader = self.client.reader();
        let fact = match self.look(&reader, step).await {
            Err(error) => blind(&error),
            Ok((StepState::Already, id)) => done(step, id, true),
            Ok((StepState::Foreign(found), _)) => foreign(step, &found),
            Ok((StepState::Ready, _)) => match self.occupants(&reader, step).await {
                Err(error) => blind(&error),
                Ok(Some(found)) => Fact::Foreign {
                    step: step.id,
                    found,
                },
                Ok(None) => {
                    // Recorded before the request is sent, so that a restart looks before it sends anything.
                    ledger.add(Fact::Intended(step.id)).await?;
                    self.write(&reader, step).await
                }
            },
        };
        ledger.add(fact).await
    }

    /// Sends the step's write, and reads it back.
    async fn write(&self, reader: &MaasReader<W>, step: &Step) -> Fact {
        let writer = MaasWriter::new(self.client, self.fence);
        let id = match writer.send(&step.write()).await {
            Outcome::Refused { status, why } => {
                return Fact::Refused {
                    step: step.id,
                    why: format!("{status} {why}"),
                };
            }
            Outcome::Unknown { why } => return Fact::Unknown { step: step.id, why },
            Outcome::Done(id) => id,
        };
        // MAAS ignores unknown fields and normalises values without an error, so a success is read back.
        match self.look(reader, step).await {
            Err(error) => Fact::Unknown {
                step: step.id,
                why: error.to_string(),
            },
            Ok((StepState::Already, seen)) => done(step, seen.or(id), false),
            Ok((StepState::Ready, seen)) if step.nudge => done(step, seen.or(id), false),
            Ok((StepState::Ready, _)) => Fact::Foreign {
                step: step.id,
                found: "MAAS accepted the write, but nothing changed".to_owned(),
            },
            Ok((StepState::Foreign(found), _)) => foreign(step, &found),
        }
    }

    /// Looks at the step's objects: whether MAAS is as before or after the step, and the row number of what it leaves.
    async fn look(
        &self,
        reader: &MaasReader<W>,
        step: &Step,
    ) -> Result<(StepState, Option<u64>), ReadError> {
        let keys = step.keys();
        let seen = reader.look(&keys).await?;
        let object = |key: &Key| {
            seen.get(key)
                .and_then(Option::as_ref)
                .map(|seen| seen.object.clone())
        };
        let id = step
            .leaves
            .as_ref()
            .and_then(|object| seen.get(&object.key()))
            .and_then(Option::as_ref)
            .map(|seen| seen.id);
        let ground = step.judge(&object);
        let state = match &ground {
            StepState::Already => "already_done",
            StepState::Ready => "ready",
            StepState::Foreign(_) => "unexpected",
        };
        tracing::debug!(
            step = step.id.0,
            objects = keys.len(),
            state,
            "looked at the objects of a step"
        );
        Ok((ground, id))
    }

    /// Who occupies a subnet that the step deletes or gives another CIDR. Checked on every release, because MAAS before
    /// 3.7.3 would not refuse.
    async fn occupants(
        &self,
        reader: &MaasReader<W>,
        step: &Step,
    ) -> Result<Option<String>, ReadError> {
        if let Some(container @ (Object::Vlan(_) | Object::Fabric(_))) = &step.expects {
            return if step.vacant {
                self.content(reader, container).await
            } else {
                Ok(None)
            };
        }
        let subnet = step.expects.as_ref().and_then(Object::as_subnet);
        let after = step.leaves.as_ref().and_then(Object::as_subnet);
        // A subnet that shrinks keeps whoever is inside.
        let shrinks = |before: &Subnet| after.filter(|after| !after.cidr.encloses(&before.cidr));
        let (subnet, inside) = match subnet {
            Some(before) if step.vacant => (before, None),
            Some(before) => match shrinks(before) {
                Some(after) => (before, Some(after.cidr)),
                None => return Ok(None),
            },
            None => return Ok(None),
        };
        let in_place = step.leaves.is_some();
        let occupants = reader.occupants(&subnet.cidr).await?;
        let blocking: Vec<String> = occupants
            .iter()
            .filter(|occupant| blocks(occupant, in_place))
            .filter(|occupant| {
                inside.is_none_or(|cidr| occupant.ip.is_some_and(|ip| !cidr.contains(ip)))
            })
            .map(|occupant| describe(occupant, &subnet.cidr))
            .collect();
        tracing::debug!(
            step = step.id.0,
            occupants = occupants.len(),
            blocking = blocking.len(),
            "looked at the occupants of a subnet"
        );
        let what = inside.map_or_else(
            || format!("{} is not vacant", subnet.cidr),
            |cidr| format!("outside of {cidr}"),
        );
        Ok((!blocking.is_empty()).then(|| format!("{what}: {}", blocking.join("; "))))
    }

    /// What is on a VLAN or in a fabric that the step deletes. All nodes are read, because any may have an interface there.
    async fn content(
        &self,
        reader: &MaasReader<W>,
        container: &Object,
    ) -> Result<Option<String>, ReadError> {
        let scope = Scope {
            all_nodes: true,
            ..Scope::default()
        };
        let observed = reader.observe(&scope).await?;
        if let Some(spot) = observed.blind.first() {
            return Ok(Some(format!(
                "MAAS did not return {}: {}",
                spot.what, spot.why
            )));
        }
        let found = inside(&observed, container);
        Ok((!found.is_empty())
            .then(|| format!("{} is not empty: {}", container.key(), found.join("; "))))
    }

    async fn examine(&self, name: GateName, ledger: &mut impl Ledger) -> Result<(), LedgerError> {
        let Some(gate) = self.plan.gate(name) else {
            return ledger.add(Fact::Opened(name)).await;
        };
        let facts = ledger.facts().await?;
        let claim = facts
            .iter()
            .rev()
            .find_map(|noted| claimed(&noted.fact, name))
            .flatten();
        let reader = self.client.reader();
        let missing = match missing_evidence(gate, claim.as_deref(), &reader, self.evidence).await {
            Ok(missing) => missing,
            Err(error) => vec![format!("MAAS could not be read: {error}")],
        };
        let fact = if missing.is_empty() {
            Fact::Opened(name)
        } else {
            Fact::NotYet {
                gate: name,
                missing,
            }
        };
        ledger.add(fact).await
    }

    /// Observes and plans again: an empty plan is the proof. Round 1 proves the network before the machines' interfaces are changed.
    async fn verify(&self, round: u8, ledger: &mut impl Ledger) -> Result<(), LedgerError> {
        let observed = match observe(&self.client.reader(), self.topology).await {
            Ok(observed) => observed,
            Err(error) => return ledger.add(blind(&error)).await,
        };
        let (mut drift, audit, waits): (Vec<String>, _, _) =
            match Plan::between(&observed, self.topology, self.policy) {
                Ok(again) => {
                    let left = again
                        .steps
                        .iter()
                        .filter(|step| round > 1 || step.phase < Phase::Carve)
                        .filter(|step| !step.nudge)
                        .map(|step| render::step_line(&again, step));
                    (left.collect(), again.audit, again.waits)
                }
                Err(refused) => {
                    let refusals = refused.refusals.iter().map(ToString::to_string);
                    (refusals.collect(), refused.audit, Vec::new())
                }
            };
        drift.extend(self.plan.unexpected_subnets(&audit));
        let fact = Fact::Verified {
            round,
            drift,
            waits,
        };
        ledger.add(fact).await
    }
}

fn blind(error: &ReadError) -> Fact {
    Fact::Blind {
        why: error.to_string(),
    }
}

fn done(step: &Step, id: Option<u64>, already: bool) -> Fact {
    Fact::Done {
        step: step.id,
        id,
        already,
    }
}

/// The evidence of a claim about that gate, if the fact is one.
#[expect(
    clippy::option_option,
    reason = "a fact may be no claim, and a claim may have no evidence"
)]
fn claimed(fact: &Fact, name: GateName) -> Option<Option<String>> {
    if let Fact::Claimed { gate, evidence, .. } = fact
        && *gate == name
    {
        return Some(evidence.clone());
    }
    None
}

fn foreign(step: &Step, found: &[(Key, Option<Object>)]) -> Fact {
    let lines: Vec<String> = found
        .iter()
        .map(|(key, object)| match object {
            None => format!("{key} does not exist"),
            Some(object) => format!(
                "{key} is {}",
                serde_json::to_string(object).unwrap_or_default()
            ),
        })
        .collect();
    Fact::Foreign {
        step: step.id,
        found: lines.join("; "),
    }
}
