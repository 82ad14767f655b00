//! Makes a move and records what came of it.
//!
//! Every write is looked at before, noted before, sent once and read back. The executor chooses nothing: the plan has
//! said what, [`plan::run::next_move`] says when. It must not know GitHub, SQL or who ordered the run.

use std::future::Future;
use std::sync::Arc;

use plan::gate::GateName;
use plan::plan::{Plan, PlanPolicy};
use plan::planner::scope;
use plan::run::{Fact, NextMove, RecordedFact};
use plan::step::{Step, StepId, StepState};
use topology::object::{Key, Object};
use topology::observed::Observed;
use topology::plane::Topology;
use topology::port::Outcome;

use crate::evidence::{EvidenceSource, missing};
use crate::occupants::{counts, tell};
use maas::{MaasClient, MaasReader, MaasWriter, ReadError, Transport, WriteFence};

/// Where a run's facts are kept, in order. The journal is one; a rehearsal keeps them in memory.
pub trait Ledger: Send {
    /// Adds one fact, durably, before it returns.
    fn add(&mut self, fact: Fact) -> impl Future<Output = Result<(), NotKept>> + Send;
    /// All facts so far.
    fn facts(&mut self) -> impl Future<Output = Result<Vec<RecordedFact>, NotKept>> + Send;
}

/// A fact could not be kept, so nothing more may be done. Whether the right to keep it was lost is in the cause.
#[derive(Debug, thiserror::Error)]
#[error("the fact was not kept")]
pub struct NotKept(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What a run stands on.
pub struct Executor<'a, W, L: ?Sized> {
    /// The plan, fixed.
    pub plan: &'a Plan,
    /// The declaration it leads to.
    pub topology: &'a Topology,
    /// The site's policy.
    pub policy: &'a PlanPolicy,
    /// The MAAS.
    pub client: &'a Arc<MaasClient<W>>,
    /// The right to write to it.
    pub lease: &'a L,
    /// Who is asked about what MAAS does not know.
    pub witness: &'a dyn EvidenceSource,
}

/// Observes with everything that a plan between the declaration and this MAAS needs.
pub async fn observe<W: Transport>(
    eyes: &MaasReader<W>,
    topology: &Topology,
) -> Result<Observed, ReadError> {
    let first = eyes.observe(&topology::observed::Scope::default()).await?;
    let more = scope(topology, &first);
    if more == topology::observed::Scope::default() {
        return Ok(first);
    }
    eyes.observe(&more).await
}

impl<W: Transport, L: WriteFence + ?Sized> Executor<'_, W, L> {
    /// Makes one move and notes what came of it. Moves that only wait note nothing.
    pub async fn make(&self, next: &NextMove, ledger: &mut impl Ledger) -> Result<(), NotKept> {
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

    async fn step(&self, id: StepId, ledger: &mut impl Ledger) -> Result<(), NotKept> {
        let Some(step) = self.plan.step(id) else {
            return ledger
                .add(Fact::Stopped {
                    why: format!("step {id} is not in the plan"),
                })
                .await;
        };
        let eyes = self.client.eyes();
        match self.look(&eyes, step).await {
            Err(blind) => {
                ledger
                    .add(Fact::Blind {
                        why: blind.to_string(),
                    })
                    .await
            }
            Ok((StepState::Already, id)) => {
                ledger
                    .add(Fact::Done {
                        step: step.id,
                        id,
                        already: true,
                    })
                    .await
            }
            Ok((StepState::Foreign(found), _)) => ledger.add(foreign(step, &found)).await,
            Ok((StepState::Ready, _)) => match self.inhabitants(&eyes, step).await {
                Err(blind) => {
                    ledger
                        .add(Fact::Blind {
                            why: blind.to_string(),
                        })
                        .await
                }
                Ok(Some(who)) => {
                    ledger
                        .add(Fact::Foreign {
                            step: step.id,
                            found: who,
                        })
                        .await
                }
                Ok(None) => self.write(&eyes, step, ledger).await,
            },
        }
    }

    async fn write(
        &self,
        eyes: &MaasReader<W>,
        step: &Step,
        ledger: &mut impl Ledger,
    ) -> Result<(), NotKept> {
        ledger.add(Fact::Intended(step.id)).await?;
        let hands = MaasWriter::new(self.client, self.lease);
        match hands.make(&step.write()).await {
            Outcome::Refused { status, why } => {
                ledger
                    .add(Fact::Refused {
                        step: step.id,
                        why: format!("{status} {why}"),
                    })
                    .await
            }
            Outcome::Unknown { why } => ledger.add(Fact::Unknown { step: step.id, why }).await,
            // MAAS ignores unknown fields and normalises values in silence, so a yes is read back.
            Outcome::Done(id) => match self.look(eyes, step).await {
                Err(blind) => {
                    ledger
                        .add(Fact::Unknown {
                            step: step.id,
                            why: blind.to_string(),
                        })
                        .await
                }
                Ok((StepState::Already, seen)) => {
                    ledger
                        .add(Fact::Done {
                            step: step.id,
                            id: seen.or(id),
                            already: false,
                        })
                        .await
                }
                Ok((StepState::Ready, seen)) if step.nudge => {
                    ledger
                        .add(Fact::Done {
                            step: step.id,
                            id: seen.or(id),
                            already: false,
                        })
                        .await
                }
                Ok((StepState::Ready, _)) => {
                    let found = "MAAS said yes and nothing changed".to_owned();
                    ledger
                        .add(Fact::Foreign {
                            step: step.id,
                            found,
                        })
                        .await
                }
                Ok((StepState::Foreign(found), _)) => ledger.add(foreign(step, &found)).await,
            },
        }
    }

    /// Looks at the step's objects, and at the row number of what it leaves.
    async fn look(
        &self,
        eyes: &MaasReader<W>,
        step: &Step,
    ) -> Result<(StepState, Option<u64>), ReadError> {
        let keys = step.keys();
        let seen = eyes.look(&keys).await?;
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
        Ok((step.judge(&object), id))
    }

    /// Who lives on a network that the step takes away, on every release: MAAS before 3.7.3 would not refuse.
    async fn inhabitants(
        &self,
        eyes: &MaasReader<W>,
        step: &Step,
    ) -> Result<Option<String>, ReadError> {
        let subnet = step
            .expects
            .as_ref()
            .and_then(Object::as_subnet)
            .filter(|_| step.vacant);
        let Some(subnet) = subnet else {
            return Ok(None);
        };
        let in_place = step.leaves.is_some();
        let occupants = eyes.occupants(&subnet.cidr).await?;
        let holding: Vec<String> = occupants
            .iter()
            .filter(|occupant| counts(occupant, in_place))
            .map(|occupant| tell(occupant, &subnet.cidr))
            .collect();
        Ok((!holding.is_empty())
            .then(|| format!("{} is not vacant: {}", subnet.cidr, holding.join("; "))))
    }

    async fn examine(&self, name: GateName, ledger: &mut impl Ledger) -> Result<(), NotKept> {
        let Some(gate) = self.plan.gate(name) else {
            return ledger.add(Fact::Opened(name)).await;
        };
        let facts = ledger.facts().await?;
        let claim = facts
            .iter()
            .rev()
            .find_map(|noted| claimed(&noted.fact, name))
            .flatten();
        match missing(gate, claim.as_deref(), &self.client.eyes(), self.witness).await {
            Err(blind) => {
                let missing = vec![format!("MAAS could not be looked at: {blind}")];
                ledger
                    .add(Fact::NotYet {
                        gate: name,
                        missing,
                    })
                    .await
            }
            Ok(missing) if missing.is_empty() => ledger.add(Fact::Opened(name)).await,
            Ok(missing) => {
                ledger
                    .add(Fact::NotYet {
                        gate: name,
                        missing,
                    })
                    .await
            }
        }
    }

    /// Observes and plans again: nothing left is the proof. Round 1 proves the network before the machines follow it.
    async fn verify(&self, round: u8, ledger: &mut impl Ledger) -> Result<(), NotKept> {
        let observed = match observe(&self.client.eyes(), self.topology).await {
            Ok(observed) => observed,
            Err(blind) => {
                return ledger
                    .add(Fact::Blind {
                        why: blind.to_string(),
                    })
                    .await;
            }
        };
        let (mut drift, audit): (Vec<String>, _) =
            match Plan::between(&observed, self.topology, self.policy) {
                Ok(again) => {
                    let left = again
                        .steps
                        .iter()
                        .filter(|step| round > 1 || step.phase != plan::step::Phase::Carve)
                        .filter(|step| !step.nudge)
                        .map(plan::render::line);
                    (left.collect(), again.audit)
                }
                Err(refused) => {
                    let refusals = refused.refusals.iter().map(ToString::to_string);
                    (refusals.collect(), refused.audit)
                }
            };
        drift.extend(self.plan.unexpected_subnets(&audit));
        ledger.add(Fact::Verified { round, drift }).await
    }
}

/// What was given as evidence, if the fact is a claim about that gate.
#[expect(
    clippy::option_option,
    reason = "a claim or none, and if one with evidence or without"
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
            None => format!("{key} is not there"),
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
