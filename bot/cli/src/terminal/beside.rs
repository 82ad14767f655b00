//! The other sites of the configuration at a plan from a terminal: what one of them on the same MAAS declares too refuses the
//! plan. It must not know how their folders are found.

use std::path::PathBuf;
use std::time::Duration;

use service::identity::MaasIdentity;
use service::site::{PlanningResult, SiteRuntime, declared};

use super::{LoadedDeclaration, TerminalSession};

/// How long another site's MAAS may take to name its region controllers.
const RECOGNISE_SECONDS_MAX: Duration = Duration::from_secs(10);

/// Another site of the configuration.
pub struct SiteBeside {
    pub name: String,
    /// By what the configuration says of its MAAS.
    pub configured: MaasIdentity,
    /// Its MAAS; `None` where the configuration gives no usable key.
    pub runtime: Option<SiteRuntime>,
    /// Its declaration's folder, if it is at hand.
    pub folder: Option<PathBuf>,
}

impl SiteBeside {
    /// By what its MAAS is recognised; an error says why only its URL is known.
    async fn identity(&self) -> Result<MaasIdentity, String> {
        let runtime = self.runtime.as_ref().ok_or("it has no usable API key")?;
        let reader = runtime.client.reader();
        let read = tokio::time::timeout(RECOGNISE_SECONDS_MAX, Box::pin(reader.regions())).await;
        match read {
            Ok(Ok(ids)) if ids.is_empty() => Err("it shows no region controller".to_owned()),
            Ok(Ok(_)) => Ok(runtime.identity()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!(
                "no answer within {} s",
                RECOGNISE_SECONDS_MAX.as_secs()
            )),
        }
    }
}

impl TerminalSession<'_> {
    /// Observes MAAS, plans and rehearses; refuses what another site of this MAAS declares too.
    pub(super) async fn plan_beside(
        &mut self,
        loaded: &LoadedDeclaration,
        report: &mut (dyn FnMut(String) + Send),
    ) -> anyhow::Result<PlanningResult> {
        let planned = self.site.plan(&loaded.topology, &loaded.policy, report);
        let mut result = planned.await?;
        let own = self.site.identity();
        for other in &self.beside {
            if !own.is_same(&other.configured) {
                match Box::pin(other.identity()).await {
                    Ok(theirs) if own.is_same(&theirs) => {}
                    Ok(_) => continue,
                    Err(why) => {
                        (self.progress)(format!(
                            "the MAAS of site `{}` is told from this one by its URL only: {why}",
                            other.name
                        ));
                        continue;
                    }
                }
            }
            let found = other.folder.as_ref().map(|folder| declared(folder));
            match found.transpose()?.map(|declared| declared.topology) {
                Some(Some(theirs)) => result.refuse_shared(&loaded.topology, &other.name, &theirs),
                Some(None) => (self.progress)(format!(
                    "site `{}` is on this MAAS; its declaration has errors and was not compared",
                    other.name
                )),
                None => (self.progress)(format!(
                    "site `{}` is on this MAAS; its declaration is not at hand and was not compared",
                    other.name
                )),
            }
        }
        Ok(result)
    }
}
