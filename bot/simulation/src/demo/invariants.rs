//! What the story promises, and whether it held.

use std::collections::BTreeSet;
use std::io::Write;

use plan::audit::AuditStatus;
use plan::plan::{Plan, PlanPolicy};
use plan::run::{Fact, RecordedFact};
use plan::step::StepId;
use topology::object::Object;
use topology::observed::Observed;

use crate::demo::World;

/// Invariants, in the order in which they were looked at.
#[derive(Debug, Default)]
pub(super) struct Invariants(Vec<(String, bool)>);

impl Invariants {
    pub(super) fn look(&mut self, promise: &str, held: bool) {
        self.0.push((promise.to_owned(), held));
    }

    pub(super) fn held(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|(_, held)| *held)
    }

    pub(super) fn print(&self, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
        writeln!(out, "\nwhat was promised:")?;
        for (promise, held) in &self.0 {
            writeln!(
                out,
                "  {} {promise}",
                if *held { "held  " } else { "BROKEN" }
            )?;
        }
        let broken = self.0.iter().filter(|(_, held)| !held).count();
        writeln!(
            out,
            "{} promises held, {broken} broken",
            self.0.len() - broken
        )
    }
}

/// What must be so when all is done.
pub(super) async fn at_the_end(world: &mut World, promises: &mut Invariants) -> anyhow::Result<()> {
    let topology = world.declared()?;
    let observed = world.observe(&topology).await?;
    let again = Plan::between(&observed, &topology, &PlanPolicy::default());
    let skips = again.as_ref().is_ok_and(|plan| {
        plan.steps.is_empty()
            && plan
                .audit
                .iter()
                .all(|line| matches!(line.standing, AuditStatus::Skip | AuditStatus::Undeclared))
    });
    promises.look(
        "a second plan says no changes, and every plane is SKIP",
        skips,
    );
    promises.look(
        "MAAS holds the network of the layout after the change",
        network(&observed) == network(&world.after().await?),
    );
    promises.look(
        "the undeclared fabric was not touched",
        again.is_ok_and(|plan| {
            plan.audit
                .iter()
                .filter(|line| line.standing == AuditStatus::Undeclared)
                .count()
                == 2
        }),
    );
    let merge = world.merge_commit();
    promises.look(
        "the merge commit has a successful check `planebot/apply`",
        world.check_is(&merge, "planebot/apply", "success").await,
    );
    let history = world.history().await?;
    let run = history.iter().find(|(path, _)| path.ends_with("/run.json"));
    promises.look(
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
    written_once(
        world,
        promises,
        &serde_json::from_str::<Vec<RecordedFact>>(text)?,
    );
    promises.look("no comment was posted twice", world.comments_are_single());
    Ok(())
}

/// What the journal intended is what MAAS was asked, once each.
fn written_once(world: &World, promises: &mut Invariants, facts: &[RecordedFact]) {
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
    promises.look(
        "every intended write happened exactly once",
        !intended.is_empty() && world.writes() == intended.len(),
    );
    let found = facts.iter().any(|noted| matches!(&noted.fact, Fact::Done { step, already: true, .. } if intended.contains(step)));
    promises.look(
        "the write whose answer was lost was found by looking, and not repeated",
        found,
    );
}

/// The network without nodes and row numbers.
fn network(observed: &Observed) -> Vec<Object> {
    observed
        .all()
        .filter(|object| !matches!(object, Object::Interface(_) | Object::Link(_)))
        .map(without_racks)
        .collect()
}

/// Racks are called by their row's id, which another MAAS gives otherwise.
fn without_racks(object: &Object) -> Object {
    let mut object = object.clone();
    if let Object::Vlan(vlan) = &mut object {
        vlan.primary_rack = None;
        vlan.secondary_rack = None;
    }
    object
}
