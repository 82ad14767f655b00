//! Runs: orders begin, resume and end them; they move one step at a time and are published.
//!
//! Following an [`Order`] consumes it. Everything that happens in a run is a fact in the journal, and every message about the
//! run follows from its facts. This module must not know which admission gates an order passed.

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
use crate::site::SiteRuntime;
use crate::sites::Sites;
use crate::trace::TraceId;
use record::RunRecord;

pub use publish::PublishedFacts;

/// Carries out runs and publishes them.
pub struct Runs {
    journal: Journal,
    github: GitHubPort,
    sites: Arc<Sites>,
    pulls: Arc<Pulls>,
    queue: OutboxQueue,
    clock: Clock,
    /// The name under which this process holds leases.
    owner: String,
    published: PublishedFacts,
}

/// A plan that passed every admission gate.
pub(crate) struct Admitted {
    pub(crate) plan: Plan,
    pub(crate) merge_commit: String,
}

/// The result of following an order.
pub(crate) enum Followed {
    /// It was followed.
    Done,
    /// An earlier attempt at this delivery followed it.
    Before,
    /// It was refused for this reason.
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

    pub(crate) fn published(&self) -> &PublishedFacts {
        &self.published
    }

    /// Begins a run of an admitted plan.
    pub(crate) async fn begin(
        &self,
        order: Order,
        site: &Site,
        number: u64,
        admitted: Admitted,
    ) -> anyhow::Result<Followed> {
        // Only the newest run of a site is published, so the previous one has to be published first.
        if let Some(runtime) = self.sites.get(&site.name) {
            self.publish_newest(runtime).await?;
        }
        let runtime = self.sites.get(&site.name);
        let maas = runtime.map(|runtime| runtime.identity().entries());
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
            maas: maas.unwrap_or_default(),
        };
        let by = order.into_author();
        let began = Fact::Began { by: by.clone() };
        match self.journal.begin(&new, &began, (self.clock)()).await {
            Ok(run) => {
                let trace = TraceId::of_run(run);
                tracing::info!(id = %trace, site = new.site, number, digest = new.digest, by, "the run began");
                Ok(Followed::Done)
            }
            Err(JournalError::Busy) => Ok(Followed::Refused(self.busy_reason(site).await?)),
            Err(error) => Err(error.into()),
        }
    }

    /// Names the run that prevents another from beginning.
    async fn busy_reason(&self, site: &Site) -> anyhow::Result<String> {
        if let Some(runtime) = self.sites.get(&site.name)
            && let Some(other) = self.other_run_on_the_maas_of(runtime).await?
        {
            return Ok(format!("Sites of one MAAS take turns: {other}."));
        }
        let open = self.journal.open_runs().await?;
        let other = open
            .iter()
            .filter(|run| run.new.site == site.name)
            .find_map(|run| run.new.pull);
        Ok(match other {
            Some(number) => {
                format!("The run of #{number} has not finished; resume or abort it there.")
            }
            None => {
                "A run of this site that was started from a terminal has not finished.".to_owned()
            }
        })
    }

    /// Names the unfinished run of another site on the same MAAS, if there is one: the two would change it under each other.
    pub(crate) async fn other_run_on_the_maas_of(
        &self,
        runtime: &SiteRuntime,
    ) -> anyhow::Result<Option<String>> {
        let own = runtime.identity();
        let open = self.journal.open_runs().await?;
        let other = open.iter().find(|run| {
            // The version before stored nothing of a run's MAAS.
            let known = if run.new.maas.is_empty() {
                self.sites.get(&run.new.site).map(SiteRuntime::identity)
            } else {
                None
            };
            run.new.site != runtime.site.name
                && (own.is_of_run(&run.new.maas) || known.is_some_and(|known| own.is_same(&known)))
        });
        Ok(other.map(|run| {
            let site = span(&run.new.site);
            match run.new.pull {
                Some(pull) => format!(
                    "the run of site {site} in {}#{pull} has not finished, and it is on the same MAAS",
                    run.new.repository
                ),
                None => format!(
                    "a run of site {site} that was started from a terminal has not finished, and it is on the same MAAS"
                ),
            }
        }))
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
        let by = order.into_author();
        tracing::info!(id = %TraceId::of_run(run.id), by, "the run resumes");
        self.add(run, &lease, &Fact::Resumed { by }).await?;
        Ok(Followed::Done)
    }

    /// Records an operator's claim that the work at a gate is done; the next move examines the gate.
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
            by: order.into_author(),
            evidence,
        };
        if repeated && facts.last().is_some_and(|recorded| recorded.fact == claim) {
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
                "The run is not waiting at gate `{}`; it is waiting {at}.",
                gate.word()
            )));
        }
        let Some(lease) = self.lease(site).await? else {
            return Ok(Followed::Refused(NO_LEASE.to_owned()));
        };
        self.add(&run, &lease, &claim).await?;
        tracing::info!(id = %TraceId::of_run(run.id), gate = gate.word(), "an operator claims that the work at the gate is done");
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
        let by = order.into_author();
        let aborted = Fact::Aborted { by: by.clone() };
        let Some(run) = newest.as_ref().filter(|run| run.ended.is_none()) else {
            let facts = match &newest {
                Some(run) if repeated => self.journal.facts(run.id).await?,
                Some(_) | None => Vec::new(),
            };
            let ended_by_this = facts
                .last()
                .is_some_and(|recorded| recorded.fact == aborted);
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

    /// The newest run of a pull request, if it has not ended.
    pub(crate) async fn open_run_of(
        &self,
        site: &Site,
        number: u64,
    ) -> anyhow::Result<Option<Run>> {
        let newest = self.newest_run_of(site, number).await?;
        Ok(newest.filter(|run| run.ended.is_none()))
    }

    /// The facts of the newest run of a pull request.
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

    /// Takes the lease for writing to a site's MAAS; `None` if another worker holds it.
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

const NO_LEASE: &str = "Another worker holds the lease for this MAAS.";

/// The refusal of an order that names another digest than that of the unfinished run.
pub(crate) fn another_plan_refusal(run: &Run) -> String {
    format!("The run of {} has not finished.", span(&run.new.digest))
}

/// Whether the latest order that began or resumed the run is by this person.
fn is_ordered_by(facts: &[RecordedFact], login: &str) -> bool {
    facts.iter().rev().find_map(|recorded| {
        if let Fact::Began { by } | Fact::Resumed { by } = &recorded.fact {
            return Some(by == login);
        }
        None
    }) == Some(true)
}
