//! Checks one site's MAAS: whether it answers, its release, and what the key's user may read.

use service::config::Site;
use service::reply::because;
use service::site::SiteRuntime;
use topology::port::Clock;

use crate::doctor::{Diagnosis, DiagnosisList};

pub(super) async fn examine(site: &Site, clock: &Clock) -> Vec<Diagnosis> {
    let mut list = DiagnosisList::new(&format!("maas {}", site.name));
    let url = &site.maas_url;
    let runtime = match SiteRuntime::open(site.clone(), clock, |_| {}) {
        Ok(runtime) => runtime,
        Err(error) => {
            list.problem(
                because(&error),
                "check the site's `maas_url`, `maas_api_key_file` and `maas_ca_file`",
            );
            return list.diagnoses;
        }
    };
    match runtime.client.reader().version_and_access().await {
        Ok((version, _)) if !version.is_known() => {
            list.problem(
                format!("`{url}` is MAAS {version}, a release that this planebot does not know: it plans, but never applies"),
                "use a planebot that knows this release",
            );
        }
        Ok((version, None)) => list.ok(format!(
            "`{url}` is MAAS {version}, and the key belongs to an administrator"
        )),
        Ok((version, Some(blind_spot))) => {
            list.problem(
                format!("`{url}` is MAAS {version}; {}", blind_spot.why),
                "create a key for an administrator: `maas apikey --username NAME`",
            );
        }
        Err(error) => {
            list.problem(
                because(&error.into()),
                "check that MAAS runs and can be reached, and that the key is right",
            );
        }
    }
    list.diagnoses
}
