//! What must hold after a run, once the faults stopped. It must not know which faults were injected.

mod comments;
mod writes;

use std::sync::Arc;

use execution::executor::observe;
use execution::rehearse::in_memory::InMemoryMaas;
use journal::Run;
use maas::{Environment, MaasClient};
use plan::plan::{Plan, PlanPolicy};
use plan::run::{Fact, RecordedFact};
use topology::draft::SourceFile;

use crate::fuzz::actors::Actors;
use crate::fuzz::conversation::ConversationState;
use crate::fuzz::driver::Driver;
use crate::harness::{REPOSITORY, SITE};

/// A run with its facts.
struct RunFacts {
    run: Run,
    facts: Vec<RecordedFact>,
}

/// Everything that the invariants are checked against.
struct Checker<'a> {
    driver: &'a Driver,
    actors: &'a Actors,
    runs: Vec<RunFacts>,
    broken: Vec<String>,
}

/// The invariants that do not hold, one line each.
pub(super) async fn broken(
    driver: &Driver,
    actors: &Actors,
    end: &ConversationState,
) -> anyhow::Result<Vec<String>> {
    let mut runs = Vec::new();
    for run in driver.journal.runs(SITE, 1000).await? {
        let facts = driver.journal.facts(run.id).await?;
        runs.push(RunFacts { run, facts });
    }
    let mut checker = Checker {
        driver,
        actors,
        runs,
        broken: Vec::new(),
    };
    if let ConversationState::Stuck(why) = end {
        checker.broken.push(why.clone());
    }
    checker.writes();
    checker.refusals();
    checker.orders();
    checker.queues().await?;
    checker.comments().await?;
    checker.answers().await?;
    checker.history();
    checker.apply_comments();
    checker.checks();
    if *end == ConversationState::Applied {
        checker.superseded();
        checker.network().await?;
    }
    Ok(checker.broken)
}

impl Checker<'_> {
    /// No delivery waits for its settlement, and no message for its posting.
    async fn queues(&mut self) -> anyhow::Result<()> {
        let (waiting, _) = self.driver.journal.queue_depth().await?;
        if waiting > 0 {
            self.broken
                .push(format!("{waiting} deliveries are not settled"));
        }
        if self.driver.journal.next_message_at().await?.is_some() {
            self.broken.push("a message is not posted".to_owned());
        }
        Ok(())
    }

    /// MAAS has what the applied declaration says.
    async fn network(&mut self) -> anyhow::Result<()> {
        if self.actors.newest_merged().is_none() || self.is_changed_since_the_proof() {
            return Ok(());
        }
        // The files of `main`: two merges together may leave a declaration that neither pull request has.
        let files = {
            let mut github = self.driver.harness.github.github();
            github.at(REPOSITORY).files_at("main")
        };
        let sources = files.into_iter().filter_map(|(path, text)| {
            Some(SourceFile {
                path: path.strip_prefix("topology/")?.to_owned(),
                bytes: text.into_bytes(),
            })
        });
        let checked = topology::check::check(&sources.collect::<Vec<_>>());
        let Some(topology) = checked.topology else {
            self.broken
                .push("the applied declaration does not check".to_owned());
            return Ok(());
        };
        let harness = &self.driver.harness;
        let environment = Environment::of_this_process(&harness.clock.clock());
        let wire = InMemoryMaas::new(Arc::clone(&harness.maas.maas), environment.clone());
        let reader = MaasClient::new(wire, environment).reader();
        let observed = observe(&reader, &topology).await?;
        let differences: Vec<String> =
            match Plan::between(&observed, &topology, &PlanPolicy::default()) {
                Ok(plan) if plan.steps.iter().all(|step| step.nudge) => return Ok(()),
                Ok(plan) => plan.steps.iter().map(plan::render::line).collect(),
                Err(refused) => refused.refusals.iter().map(ToString::to_string).collect(),
            };
        self.broken.push(format!(
            "applied, and MAAS differs from the declaration: {}",
            differences.join("; ")
        ));
        Ok(())
    }

    /// Whether someone changed MAAS manually after a run's last proof: that is drift, which the next audit reports. The
    /// proof's observation starts after the fact before its own.
    fn is_changed_since_the_proof(&self) -> bool {
        let proof = self
            .runs
            .iter()
            .flat_map(|run| run.facts.windows(2))
            .filter(|two| matches!(&two[1].fact, Fact::Verified { .. }))
            .map(|two| two[0].at.0)
            .max();
        let mut writes = self.actors.manual_writes.iter();
        writes.any(|at| Some(*at) > proof)
    }
}
