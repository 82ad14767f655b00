//! Boot images and package repositories, as far as people at a gate need them: without images no machine can be commissioned
//! or deployed (3.7.3 `maasserver/api/boot_resources.py`, `api/packagerepositories.py`).

use serde_json::{Value, json};

use super::answer::{ApiCaller, MaasAnswer, admin_to_create, bad_method, missing, plain};
use super::store::LabMaas;
use crate::wire::LabResponse;

const BASE: &str = "/MAAS/api/2.0";

impl LabMaas {
    /// The images that racks have once they run. Importing starts them: it is they who fetch images.
    pub(crate) fn boot_resources(
        &mut self,
        method: &str,
        caller: &ApiCaller,
        op: Option<&str>,
    ) -> MaasAnswer {
        match (method, op) {
            ("GET", None) => {
                let series: &[&str] = if self.racks_run {
                    &["focal", "jammy", "noble"]
                } else {
                    &[]
                };
                let shown = series.iter().enumerate().map(|(at, series)| {
                    let id = at + 1;
                    json!({
                        "id": id, "type": "Synced", "name": format!("ubuntu/{series}"), "architecture": "amd64/generic",
                        "subarches": "generic", "resource_uri": format!("{BASE}/boot-resources/{id}/"),
                    })
                });
                Ok(LabResponse::json(200, &shown.collect()))
            }
            ("GET", Some("is_importing")) => Ok(LabResponse::json(200, &json!(false))),
            ("POST", Some("import")) => {
                admin_to_create(caller)?;
                self.start_racks();
                Ok(plain(200, "Import of boot resources started"))
            }
            ("POST", Some("stop_import")) => {
                admin_to_create(caller)?;
                Ok(plain(200, "Import of boot resources is being stopped"))
            }
            _ => Err(bad_method()),
        }
    }

    /// Ubuntu's two archives, which the lab does not change.
    #[expect(clippy::unused_self, reason = "it reads like its siblings")]
    pub(crate) fn package_repositories(&self, method: &str, rest: &[&str]) -> MaasAnswer {
        if method != "GET" {
            return Err(bad_method());
        }
        let one = |id: u32, name: &str, url: &str, arches: &[&str]| {
            json!({
                "name": name, "url": url, "distributions": [], "disabled_pockets": [], "disabled_components": [],
                "disable_sources": true, "components": [], "arches": arches, "key": "", "enabled": true, "id": id,
                "resource_uri": format!("{BASE}/package-repositories/{id}/"),
            })
        };
        let all = [
            one(
                1,
                "main_archive",
                "http://archive.ubuntu.com/ubuntu",
                &["amd64", "i386"],
            ),
            one(
                2,
                "ports_archive",
                "http://ports.ubuntu.com/ubuntu-ports",
                &["armhf", "arm64", "ppc64el", "s390x"],
            ),
        ];
        let Some(wanted) = rest.first() else {
            return Ok(LabResponse::json(200, &Value::from(all.to_vec())));
        };
        let id = wanted.parse::<u64>().ok();
        let found = all
            .iter()
            .find(|row| row["id"].as_u64() == id || row["name"] == **wanted);
        let found = found.ok_or_else(|| missing("PackageRepository"))?;
        Ok(LabResponse::json(200, found))
    }
}
