//! Runs: begun, resumed and ended by orders, moved a step at a time, and published.
//!
//! An [`Order`] is consumed by what it entitles to. Everything that happens in a run is a fact in the journal; what people
//! are told follows from the facts. It must not know which gates an order passed.

pub mod ledger;
mod publish;
pub(crate) mod record;
mod step;

use std::sync::Arc;

use journal::{Journal, JournalError, Lease, NewRun, Run};
use plan::gate::GateName;
use plan::plan::Plan;
use plan::render::span;
use plan::run::{Fact, Progress, RecordedFact};
use topology::port::Clock;

use crate::config::Site;
use crate::github_port::GitHubPort;
use crate::outbox::OutboxQueue;
use crate::pulls::Pulls;
use crate::reply;
use crate::roster::Order;
use crate::sites::Sites;
use crate::trace::TraceId;
use record::RunRecord;

pub use publish::PublishedFacts;

/// Carries runs out and publishes them.
pub struct Runs {
    journal: Journal,
    github: GitHubPort,
    sites: Arc<Sites>,
    pulls: Arc<Pulls>,
    queue: OutboxQueue,
    clock: Clock,
    /// Who this process is, for leases.
    owner: String,
    published: PublishedFacts,
}

/// A plan that passed every gate of admission.
pub(crate) struct Admitted {
    pub(crate) plan: Plan,
    pub(crate) merge_commit: String,
}

/// What an order came to.
pub(crate) enum Followed {
    /// It was followed.
    Done,
    /// It was followed before this delivery was repeated.
    Before,
    /// It was not, for this reason.
    Refused(String),
}

impl Runs {
    pub(crate) fn new(
        journal: Journal,
        github: GitHubPort,
        pulls: Arc<Pulls>,
        (sites, queue): (Arc<Sites>, OutboxQueue),
        (clock, owner): (Clock, String),
        published: PublishedFacts,
    ) -> Self {
        Self {
            journal,
            github,
            sites,
            pulls,
            queue,
            clock,
            owner,
            published,
        }
    }

    /// What this process has published.
    pub(crate) fn published(&self) -> &PublishedFacts {
        &self.published
    }

    /// Begins a run.
    pub(crate) async fn begin(
        &self,
        order: Order,
        site: &Site,
        number: u64,
        admitted: Admitted,
    ) -> anyhow::Result<Followed> {
        // From now on nobody looks at the run before this one again.
        if let Some(runtime) = self.sites.get(&site.name) {
            self.publish_newest(runtime).await?;
        }
        let record = RunRecord {
            v: 1,
            plan: admitted.plan,
            merge_commit: admitted.merge_commit,
            by: order.by().to_owned(),
        };
        let new = NewRun {
            site: site.name.clone(),
            repository: site.repository.clone(),
            pull: Some(i64::try_from(number)?),
            digest: record.plan.digest.to_string(),
            record: serde_json::to_string(&record)?,
        };
        let by = order.into_giver();
        let began = Fact::Began { by: by.clone() };
        match self.journal.begin(&new, &began, (self.clock)()).await {
            Ok(run) => {
                let trace = TraceId::of_run(run);
                tracing::info!(id = %trace, site = new.site, number, digest = new.digest, by, "the run began");
                Ok(Followed::Done)
            }
            Err(JournalError::Busy) => Ok(Followed::Refused(self.busy_with(site).await?)),
            Err(error) => Err(error.into()),
        }
    }

    /// Whose run keeps another from beginning.
    async fn busy_with(&self, site: &Site) -> anyhow::Result<String> {
        let open = self.journal.open_runs().await?;
        let other = open
            .iter()
            .filter(|run| run.new.site == site.name)
            .find_map(|run| run.new.pull);
        Ok(match other {
            Some(number) => {
                format!("The run of #{number} has not finished: resume or end it there.")
            }
            None => "A run of this site that was begun at a terminal has not finished.".to_owned(),
        })
    }

    /// Resumes a run that stopped.
    pub(crate) async fn resume(
        &self,
        order: Order,
        site: &Site,
        run: &Run,
        repeated: bool,
    ) -> anyhow::Result<Followed> {
        let facts = self.journal.facts(run.id).await?;
        if Progress::of(&facts).stopped.is_none() {
            return Ok(if repeated && is_ordered_by(&facts, order.by()) {
                Followed::Done
            } else {
                Followed::Refused("The run is in progress; it has not stopped.".to_owned())
            });
        }
        let Some(lease) = self.lease(site).await? else {
            return Ok(Followed::Refused(NO_LEASE.to_owned()));
        };
        let by = order.into_giver();
        tracing::info!(id = %TraceId::of_run(run.id), by, "the run resumes");
        self.add(run, &lease, &Fact::Resumed { by }).await?;
        Ok(Followed::Done)
    }

    /// Notes that an operator says a gate's work is done; the next move examines it.
    pub(crate) async fn claim(
        &self,
        order: Order,
        (site, number): (&Site, u64),
        (gate, evidence): (GateName, Option<String>),
        repeated: bool,
    ) -> anyhow::Result<Followed> {
        let Some(run) = self.open_run_of(site, number).await? else {
            return Ok(Followed::Refused("No run waits here.".to_owned()));
        };
        let facts = self.journal.facts(run.id).await?;
        let claim = Fact::Claimed {
            gate,
            by: order.into_giver(),
            evidence,
        };
        if repeated && facts.last().is_some_and(|noted| noted.fact == claim) {
            return Ok(Followed::Before);
        }
        let record = RunRecord::of(&run)?;
        let progress = Progress::of(&facts);
        let waiting = reply::waiting_gate(&record.plan, &facts, &progress).map(|gate| gate.name);
        if waiting != Some(gate) || progress.stopped.is_some() {
            let at = waiting.map_or_else(
                || "at no gate".to_owned(),
                |gate| format!("at gate `{}`", gate.word()),
            );
            return Ok(Followed::Refused(format!(
                "The run does not wait at gate `{}`; it waits {at}.",
                gate.word()
            )));
        }
        let Some(lease) = self.lease(site).await? else {
            return Ok(Followed::Refused(NO_LEASE.to_owned()));
        };
        self.add(&run, &lease, &claim).await?;
        tracing::info!(id = %TraceId::of_run(run.id), gate = gate.word(), "an operator says that the gate's work is done");
        Ok(Followed::Done)
    }

    /// Ends a run at its step boundary.
    pub(crate) async fn abort(
        &self,
        order: Order,
        (site, number): (&Site, u64),
        repeated: bool,
    ) -> anyhow::Result<Followed> {
        let newest = self.newest_run_of(site, number).await?;
        let by = order.into_giver();
        let aborted = Fact::Aborted { by: by.clone() };
        let Some(run) = newest.as_ref().filter(|run| run.ended.is_none()) else {
            let facts = match &newest {
                Some(run) if repeated => self.journal.facts(run.id).await?,
                Some(_) | None => Vec::new(),
            };
            let ended_by_this = facts.last().is_some_and(|noted| noted.fact == aborted);
            return Ok(if ended_by_this {
                Followed::Done
            } else {
                Followed::Refused("No run is in progress here.".to_owned())
            });
        };
        let Some(lease) = self.lease(site).await? else {
            return Ok(Followed::Refused(NO_LEASE.to_owned()));
        };
        self.add(run, &lease, &aborted).await?;
        self.journal.release(&lease).await?;
        tracing::info!(id = %TraceId::of_run(run.id), by, "the run was aborted");
        Ok(Followed::Done)
    }

    /// The newest run of a pull request, where it has not ended.
    pub(crate) async fn open_run_of(
        &self,
        site: &Site,
        number: u64,
    ) -> anyhow::Result<Option<Run>> {
        let newest = self.newest_run_of(site, number).await?;
        Ok(newest.filter(|run| run.ended.is_none()))
    }

    /// The newest run of a pull request, and its facts.
    pub(crate) async fn newest_facts_of(
        &self,
        site: &Site,
        number: u64,
    ) -> anyhow::Result<Option<Vec<RecordedFact>>> {
        match self.newest_run_of(site, number).await? {
            Some(run) => Ok(Some(self.journal.facts(run.id).await?)),
            None => Ok(None),
        }
    }

    async fn newest_run_of(&self, site: &Site, number: u64) -> anyhow::Result<Option<Run>> {
        let number = i64::try_from(number)?;
        let runs = self.journal.runs(&site.name, 50).await?;
        Ok(runs
            .into_iter()
            .find(|run| run.new.pull == Some(number) && run.new.repository == site.repository))
    }

    /// The right to write to a site's MAAS, where no other worker has it.
    pub(crate) async fn lease(&self, site: &Site) -> anyhow::Result<Option<Lease>> {
        let (length, now) = (site.policy.lease_ms(), (self.clock)());
        let lease = self.journal.take(&site.name, &self.owner, length, now);
        Ok(lease.await?)
    }

    async fn add(&self, run: &Run, lease: &Lease, fact: &Fact) -> anyhow::Result<()> {
        Ok(self
            .journal
            .add(run.id, lease, fact, (self.clock)())
            .await?)
    }
}

const NO_LEASE: &str = "Another worker holds the right to write to this MAAS.";

/// A run of another digest keeps this order from resuming it.
pub(crate) fn is_another_plan(run: &Run) -> String {
    format!("The run of {} has not finished.", span(&run.new.digest))
}

/// Whether the run goes on by this person's last order.
fn is_ordered_by(facts: &[RecordedFact], login: &str) -> bool {
    facts.iter().rev().find_map(|noted| {
        if let Fact::Began { by } | Fact::Resumed { by } = &noted.fact {
            return Some(by == login);
        }
        None
    }) == Some(true)
}
