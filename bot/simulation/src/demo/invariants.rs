//! The demo's invariants, and whether each held.

use std::collections::BTreeSet;
use std::io::Write;

use plan::audit::AuditStatus;
use plan::plan::{Plan, PlanPolicy};
use plan::run::{Fact, RecordedFact};
use plan::step::StepId;
use topology::object::Object;
use topology::observed::Observed;

use crate::demo::environment::DemoEnvironment;

/// Invariants and whether they held, in the order in which they were checked.
#[derive(Debug, Default)]
pub(super) struct Invariants(Vec<(String, bool)>);

impl Invariants {
    pub(super) fn check(&mut self, invariant: &str, held: bool) {
        self.0.push((invariant.to_owned(), held));
    }

    /// Whether all of them held, and there was one at least.
    pub(super) fn all_held(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|(_, held)| *held)
    }

    pub(super) fn print(&self, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
        writeln!(out, "\ninvariants:")?;
        for (invariant, held) in &self.0 {
            writeln!(
                out,
                "  {} {invariant}",
                if *held { "held  " } else { "BROKEN" }
            )?;
        }
        let broken = self.0.iter().filter(|(_, held)| !held).count();
        writeln!(
            out,
            "{} invariants held, {broken} broken",
            self.0.len() - broken
        )
    }
}

/// Checks what must hold when the run is finished.
pub(super) async fn at_the_end(
    environment: &DemoEnvironment,
    invariants: &mut Invariants,
) -> anyhow::Result<()> {
    let topology = environment.declared()?;
    let observed = environment.observe(&topology).await?;
    let again = Plan::between(&observed, &topology, &PlanPolicy::default());
    let skips = again.as_ref().is_ok_and(|plan| {
        plan.steps.is_empty()
            && plan
                .audit
                .iter()
                .all(|line| matches!(line.standing, AuditStatus::Skip | AuditStatus::Undeclared))
    });
    invariants.check(
        "a second plan says no changes, and every plane is SKIP",
        skips,
    );
    invariants.check(
        "MAAS holds the network of the layout after the change",
        network(&observed) == network(&environment.observe_layout_after().await?),
    );
    invariants.check(
        "the undeclared fabric was not touched",
        again.is_ok_and(|plan| {
            plan.audit
                .iter()
                .filter(|line| line.standing == AuditStatus::Undeclared)
                .count()
                == 2
        }),
    );
    invariants.check(
        "the merge commit has a successful check `planebot/apply`",
        environment
            .has_check(&environment.merge_commit, "planebot/apply", "success")
            .await,
    );
    let history = environment.history().await?;
    let run = history.iter().find(|(path, _)| path.ends_with("/run.json"));
    invariants.check(
        "the history branch holds the plan, the run and the observed network",
        {
            let has = |end: &str| history.keys().any(|path| path.ends_with(end));
            has("/plan.json")
                && has("/plan.md")
                && has("/run.json")
                && history.keys().any(|path| path.starts_with("observed/"))
        },
    );
    let text = run.map_or("[]", |(_, text)| text.as_str());
    check_writes(
        environment,
        invariants,
        &serde_json::from_str::<Vec<RecordedFact>>(text)?,
    );
    invariants.check(
        "no comment was posted twice",
        environment.are_comment_keys_unique(),
    );
    Ok(())
}

/// Each write that the journal intended was executed once.
fn check_writes(
    environment: &DemoEnvironment,
    invariants: &mut Invariants,
    facts: &[RecordedFact],
) {
    let intended: BTreeSet<StepId> = facts
        .iter()
        .filter_map(|noted| {
            if let Fact::Intended(step) = &noted.fact {
                Some(*step)
            } else {
                None
            }
        })
        .collect();
    invariants.check(
        "every intended write happened exactly once",
        !intended.is_empty() && environment.writes() == intended.len(),
    );
    let found = facts.iter().any(|noted| matches!(&noted.fact, Fact::Done { step, already: true, .. } if intended.contains(step)));
    invariants.check(
        "the write whose response was lost was found by observing MAAS, and not repeated",
        found,
    );
}

/// The network without nodes and row ids.
fn network(observed: &Observed) -> Vec<Object> {
    observed
        .all()
        .filter(|object| !matches!(object, Object::Interface(_) | Object::Link(_)))
        .map(without_racks)
        .collect()
}

/// Rack controllers are named by their row's id, which differs between two MAAS.
fn without_racks(object: &Object) -> Object {
    let mut object = object.clone();
    if let Object::Vlan(vlan) = &mut object {
        vlan.primary_rack = None;
        vlan.secondary_rack = None;
    }
    object
}
