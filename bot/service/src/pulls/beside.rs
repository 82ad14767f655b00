//! Plans a site beside the other sites of its MAAS: what two of them declare is refused.
//!
//! The other declaration is read where this one is, or on the default branch of its own repository. It must not know what a
//! declaration may share.

use std::time::Duration;

use plan::plan::PlanPolicy;
use topology::plane::Topology;

use super::Pulls;
use super::declared::declared_at;
use crate::github_port::RepositoryPort;
use crate::identity::MaasIdentity;
use crate::site::{PlanningResult, SiteRuntime};

/// How long another site's MAAS may take to name its region controllers: a MAAS that is down must not delay every plan of
/// the other sites.
const RECOGNISE_SECONDS_MAX: Duration = Duration::from_secs(10);

impl Pulls {
    /// Observes MAAS, plans and rehearses; refuses what another site of this MAAS declares too. `at` is the commit, or the
    /// branch, where the other sites of the same repository are read.
    pub(crate) async fn plan_beside(
        &self,
        (repository, at): (&RepositoryPort, &str),
        runtime: &SiteRuntime,
        topology: &Topology,
        policy: &PlanPolicy,
    ) -> anyhow::Result<PlanningResult> {
        let mut result = runtime.plan(topology, policy, &mut |_| {}).await?;
        for other in Box::pin(self.on_the_maas_of(runtime)).await? {
            let site = &other.site;
            let same = site
                .repository
                .eq_ignore_ascii_case(&runtime.site.repository);
            let theirs = if same {
                declared_at(repository, site, at, at).await?
            } else {
                let repository = self.github.read_last(&site.repository).await?;
                let branch = repository.default_branch();
                declared_at(&repository, site, branch, branch).await?
            };
            // A declaration with errors is refused as such, and this one is compared again when they are fixed.
            if let Some(theirs) = &theirs.topology {
                result.refuse_shared(topology, &site.name, theirs);
            }
        }
        Ok(result)
    }

    /// The other sites on the MAAS of a site that was just observed.
    async fn on_the_maas_of(&self, runtime: &SiteRuntime) -> anyhow::Result<Vec<&SiteRuntime>> {
        let name = &runtime.site.name;
        let others = self.sites.iter().filter(|other| other.site.name != *name);
        let others: Vec<&SiteRuntime> = others.collect();
        let mut found = Vec::new();
        if others.is_empty() {
            return Ok(found);
        }
        let own = runtime.identity();
        self.remember_identity(name, &own).await?;
        for other in others {
            if own.is_same(&self.identity_of(other).await?) {
                found.push(other);
            }
        }
        Ok(found)
    }

    /// By what another site's MAAS is recognised: as it was read last, by this process or by one before it, or else now.
    async fn identity_of(&self, other: &SiteRuntime) -> anyhow::Result<MaasIdentity> {
        let known = other.identity();
        if known.is_known() {
            return Ok(known);
        }
        let name = &other.site.name;
        let stored = self.journal.cursor(&identity_key(name)).await?;
        let stored: Option<MaasIdentity> = stored.and_then(|text| serde_json::from_str(&text).ok());
        if let Some(stored) = stored.filter(|stored| stored.has_urls_of(&known)) {
            return Ok(stored);
        }
        let reader = other.client.reader();
        let read = tokio::time::timeout(RECOGNISE_SECONDS_MAX, Box::pin(reader.regions())).await;
        let known = other.identity();
        if known.is_known() {
            self.remember_identity(name, &known).await?;
        } else {
            let why = match read {
                Ok(Ok(_)) => "it shows no region controller to this key".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {} s", RECOGNISE_SECONDS_MAX.as_secs()),
            };
            tracing::warn!(
                site = name,
                "its MAAS is told from those of other sites by its URL only: {why}"
            );
        }
        Ok(known)
    }

    async fn remember_identity(&self, name: &str, identity: &MaasIdentity) -> anyhow::Result<()> {
        if !identity.is_known() {
            return Ok(());
        }
        let (key, text) = (identity_key(name), serde_json::to_string(identity)?);
        if self.journal.cursor(&key).await?.as_ref() != Some(&text) {
            self.journal.set_cursor(&key, &text).await?;
        }
        Ok(())
    }
}

/// The bookmark's name; a site's name has no space.
fn identity_key(site: &str) -> String {
    format!("maas of {site}")
}
