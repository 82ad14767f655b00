//! Pull requests that touch several sites: they are refused, because one order would start several runs, and one of them
//! could stand still in the middle of the others. It must not know what a site declares.

use serde_json::json;

use crate::config::Site;
use crate::reply;
use crate::worker::Office;

impl Office {
    /// Says that the pull request is to be split.
    pub(crate) async fn refuse_several(&self, sites: &[&Site], number: u64) -> anyhow::Result<()> {
        let Some(first) = sites.first() else {
            return Ok(());
        };
        let repository = &first.repository;
        let pull = self.github.pull(repository, number).await?;
        if !pull.open {
            return Ok(());
        }
        let check = json!({
            "name": "planebot/plan", "head_sha": pull.head, "status": "completed", "conclusion": "failure",
            "title": "touches several sites", "summary": "See the pull request's conversation.", "annotations": [],
        });
        self.owe_plan_check(repository, &pull.head, &check).await?;
        self.owe_plan_comment(
            repository,
            number,
            SEVERAL,
            reply::several_sites(&named(sites)),
        )
        .await
    }

    /// Takes the word back, once only one site is left.
    pub(crate) async fn no_longer_several(&self, site: &Site, number: u64) -> anyhow::Result<()> {
        let repository = &site.repository;
        let key = format!("plan/{repository}/{number}/{SEVERAL}");
        if self.journal.reply(&key).await?.is_none() {
            return Ok(());
        }
        let body = reply::one_site(&site.name);
        self.owe_plan_comment(repository, number, SEVERAL, body)
            .await
    }
}

/// In the place of a site's name; no site can be called that.
const SEVERAL: &str = "*";

/// The names of the sites, in the order of the configuration.
pub(crate) fn named(sites: &[&Site]) -> Vec<String> {
    sites.iter().map(|site| site.name.clone()).collect()
}
