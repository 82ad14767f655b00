//! One site: its MAAS, its policy, its evidence, its last rehearsal.
//!
//! The terminal and the service use it to observe, plan and rehearse. It must not know GitHub or the journal's SQL.

mod beside;
mod evidence;
mod folder;

use std::sync::Arc;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use execution::evidence::EvidenceReading;
use execution::executor::observe;
use execution::rehearse::{RehearsalCache, RehearsalInput};
use maas::{ApiKey, Environment, HttpTransport, MaasClient, ReadProgress, RegionTransport};
use plan::plan::{Plan, PlanPolicy, RefusedPlan};
use plan::render::Rehearsed;
use plan::run::{NextMove, Pace};
use plan::runbook::Runbook;
use topology::observed::Observed;
use topology::plane::Topology;
use topology::port::Clock;

use crate::config::Site;
use crate::identity::MaasIdentity;
use evidence::read_all;

pub use evidence::EvidenceReadings;
pub use folder::{Declared, declared, runbooks, sources};

/// One site that the service works on.
pub struct SiteRuntime {
    pub site: Site,
    pub client: Arc<MaasClient<RegionTransport<HttpTransport>>>,
    /// The last rehearsal, so that an unchanged plan is not rehearsed again.
    pub rehearsals: RehearsalCache,
}

/// The result of observing and planning.
pub struct PlanningResult {
    /// The observed state of MAAS.
    pub observed: Observed,
    /// The plan, or the reasons why there is none.
    pub outcome: Result<Plan, RefusedPlan>,
    /// The result of the rehearsal; empty if there was no plan to rehearse.
    pub rehearsed: Rehearsed,
}

impl SiteRuntime {
    /// Opens a site. `watch` is called with the progress of long reads.
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
        let urls = std::iter::once(&site.maas_url).chain(&site.more_maas_urls);
        let trust = site.maas_certificates.trust(&urls.collect::<Vec<_>>());
        let trust = trust.with_context(|| format!("site `{}`", site.name))?;
        let watch = Arc::new(watch);
        let region = |url: &str| {
            let (key, watch) = (key.clone(), Arc::clone(&watch));
            HttpTransport::with_trust(url, key, Environment::of_this_process(clock), trust.clone())
                .map(|http| http.on_progress(move |progress| watch(progress)))
        };
        let others: Result<_, _> = site.more_maas_urls.iter().map(|url| region(url)).collect();
        let regions = RegionTransport::new(region(&site.maas_url)?, others?);
        let client = MaasClient::new(regions, Environment::of_this_process(clock));
        Ok(Self {
            site,
            client,
            rehearsals: RehearsalCache::default(),
        })
    }

    /// By what its MAAS is recognised, as far as it was read.
    pub fn identity(&self) -> MaasIdentity {
        MaasIdentity::of(&self.site, self.client.reader().known_regions())
    }

    pub fn pace(&self) -> Pace {
        Pace {
            unknown: self.site.policy.unknown_pause_ms(),
            settle: self.site.policy.settle_ms(),
        }
    }

    /// Whether one of these labels of a pull request lifts the site's limits.
    pub(crate) fn lifts(&self, labels: &[String]) -> bool {
        let label = self.site.policy.limits_label.as_ref();
        label.is_some_and(|label| labels.contains(label))
    }

    /// The planner's policy with these runbooks; `lifted` where the pull request carries the label that lifts the limits.
    pub fn policy(&self, runbooks: &[Runbook], lifted: bool) -> PlanPolicy {
        PlanPolicy {
            runbooks: runbooks
                .iter()
                .map(|runbook| (runbook.gate, runbook.pin.clone()))
                .collect(),
            vacated_max: self.site.policy.max_moved_subnets,
            deletions_max_per_mille: self.site.policy.max_deletions_per_mille,
            removed_max: self.site.policy.max_removed,
            lifted,
            label: self.site.policy.limits_label.clone(),
        }
    }

    /// Observes MAAS, plans and rehearses. `report` is called with each line of the rehearsal.
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
                let input = RehearsalInput {
                    plan,
                    topology,
                    policy,
                    observed: &observed,
                };
                self.rehearsals.get_or_rehearse(&input, report).await
            }
            Err(_) => Rehearsed::default(),
        };
        Ok(PlanningResult {
            observed,
            outcome,
            rehearsed,
        })
    }

    /// Reads the site's evidence if the move examines a gate; no other move needs it.
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
