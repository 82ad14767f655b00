//! One site: its MAAS, its policy, its evidence, its last rehearsal.
//!
//! What the terminal and the service do alike: observe, plan, rehearse. It must not know GitHub or the journal's SQL.

mod evidence;
mod folder;

use std::sync::Arc;

use anyhow::Context as _;
use plan::plan::{Plan, PlanPolicy, RefusedPlan};
use plan::render::Rehearsed;
use plan::run::{NextMove, Pace};
use plan::runbook::Runbook;
use secrecy::ExposeSecret as _;
use topology::observed::Observed;
use topology::plane::Topology;
use topology::port::Clock;

use execution::evidence::EvidenceReading;
use execution::executor::observe;
use execution::rehearse::{RehearsalCache, RehearsalInput};
use maas::{ApiKey, Environment, HttpTransport, MaasClient, ReadProgress};

use crate::config::Site;
use evidence::read_all;

pub use evidence::EvidenceReadings;
pub use folder::{Declared, declared, runbooks, sources};

/// One site that the service works on.
pub struct SiteRuntime {
    /// Its configuration.
    pub site: Site,
    /// Its MAAS.
    pub client: Arc<MaasClient<HttpTransport>>,
    /// Its last rehearsal.
    pub rehearsals: RehearsalCache,
}

/// What came of observing and planning.
pub struct PlanningResult {
    /// What MAAS said.
    pub observed: Observed,
    /// The plan, or why there is none.
    pub outcome: Result<Plan, RefusedPlan>,
    /// What its rehearsal found; empty where there was nothing to rehearse.
    pub rehearsed: Rehearsed,
}

impl SiteRuntime {
    /// Opens a site. `watch` gets the progress of long reads.
    pub fn open(
        site: Site,
        clock: &Clock,
        watch: impl Fn(ReadProgress<'_>) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let secret = site.maas_api_key.as_ref().with_context(|| {
            format!(
                "site `{}` has no MAAS API key; set `maas_api_key_file`",
                site.name
            )
        })?;
        let key = ApiKey::read(secret.read()?.expose_secret())?;
        let http = HttpTransport::new(&site.maas_url, key, Environment::of_this_process(clock))?
            .on_progress(watch);
        let client = MaasClient::new(http, Environment::of_this_process(clock));
        Ok(Self {
            site,
            client,
            rehearsals: RehearsalCache::default(),
        })
    }

    /// The pace of this site's runs.
    pub fn pace(&self) -> Pace {
        Pace {
            unknown: self.site.policy.unknown_pause_ms(),
            settle: self.site.policy.settle_ms(),
        }
    }

    /// The planner's policy, with the runbooks that are in force.
    pub fn policy(&self, runbooks: &[Runbook]) -> PlanPolicy {
        PlanPolicy {
            runbooks: runbooks
                .iter()
                .map(|runbook| (runbook.gate, runbook.pin.clone()))
                .collect(),
            ..PlanPolicy::default()
        }
    }

    /// Observes MAAS, plans and rehearses. `report` gets the rehearsal, a line at a time.
    pub async fn plan(
        &self,
        topology: &Topology,
        policy: &PlanPolicy,
        report: &mut (dyn FnMut(String) + Send),
    ) -> anyhow::Result<PlanningResult> {
        let observed = observe(&self.client.reader(), topology)
            .await
            .context("observing MAAS")?;
        let outcome = Plan::between(&observed, topology, policy);
        let rehearsed = match &outcome {
            Ok(plan) => {
                let play = RehearsalInput {
                    plan,
                    topology,
                    policy,
                    observed: &observed,
                };
                self.rehearsals.get_or_rehearse(&play, report).await
            }
            Err(_) => Rehearsed::default(),
        };
        Ok(PlanningResult {
            observed,
            outcome,
            rehearsed,
        })
    }

    /// Reads the site's evidence, now, where the move examines a gate; no other move needs it.
    pub async fn evidence_for(&self, next: &NextMove) -> EvidenceReadings {
        if !matches!(next, NextMove::Examine(_)) {
            return EvidenceReadings {
                juju: EvidenceReading::NotConfigured,
                jumphost: EvidenceReading::NotConfigured,
            };
        }
        let evidence = &self.site.evidence;
        EvidenceReadings {
            juju: read_all(&evidence.juju_models, true).await,
            jumphost: read_all(&evidence.jumphost_addresses, false).await,
        }
    }
}
