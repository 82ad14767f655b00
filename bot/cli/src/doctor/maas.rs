//! One site's MAAS: whether it answers, which release it is, and what the key's user may see.

use crate::doctor::{Chart, Finding};
use service::config::Site;
use service::reply::because;
use service::site::SiteRuntime;
use topology::port::Clock;

pub(super) async fn examine(site: &Site, clock: &Clock) -> Vec<Finding> {
    let mut chart = Chart::of(&format!("maas {}", site.name));
    let desk = match SiteRuntime::open(site.clone(), clock, |_| {}) {
        Ok(desk) => desk,
        Err(error) => {
            chart.wrong(
                because(&error),
                "see the site's `maas_url` and `maas_api_key_file`",
            );
            return chart.findings;
        }
    };
    match desk.client.reader().version_and_access().await {
        Ok((version, _)) if !version.is_known() => {
            chart.wrong(
                format!("`{}` is MAAS {version}, whose rules planebot does not know: it plans and never applies", site.maas_url),
                "use a planebot that knows it",
            );
        }
        Ok((version, None)) => chart.good(format!(
            "`{}` is MAAS {version}, and the key is an administrator's",
            site.maas_url
        )),
        Ok((version, Some(blind))) => {
            chart.wrong(
                format!("`{}` is MAAS {version}; {}", site.maas_url, blind.why),
                "make a key for an administrator: `maas apikey --username NAME`",
            );
        }
        Err(blind) => {
            chart.wrong(
                because(&blind.into()),
                "see that the MAAS runs and can be reached, and that the key is right",
            );
        }
    }
    chart.findings
}
