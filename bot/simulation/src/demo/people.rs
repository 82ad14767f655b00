//! What the demo's people do on GitHub, in MAAS, in Juju and on the jumphost. They must not know what planebot answers.

use std::collections::BTreeMap;

use lab::github::{MergeMethod, NewPullRequest};

use crate::demo::environment::{DemoEnvironment, REPOSITORY};
use crate::demo::site::{DECLARED, JUMPHOST_AFTER, VACATED, addresses};

pub(super) const TITLE: &str = "Give the public API endpoints a plane of their own";

impl DemoEnvironment {
    /// Opens the pull request: one branch with the declaration after the change.
    pub(super) fn propose(&mut self, who: &str) -> anyhow::Result<()> {
        let mut github = self.github.github();
        let mut repository = github.at(REPOSITORY);
        let old = repository.files_at("main");
        let removed = old
            .keys()
            .filter(|path| path.starts_with("topology/"))
            .map(|path| (path.as_str(), None));
        let mut files: BTreeMap<&str, Option<&str>> = removed.collect();
        files.extend(DECLARED.map(|(path, text)| (path, Some(text))));
        let files: Vec<(&str, Option<&str>)> = files.into_iter().collect();
        repository.commit_files(who, "vip-plane", TITLE, &files)?;
        self.number = repository.open_pull(
            who,
            NewPullRequest {
                head: "vip-plane",
                base: "main",
                title: TITLE,
                body: "",
            },
        )?;
        Ok(())
    }

    pub(super) fn merge(&mut self, who: &str) -> anyhow::Result<()> {
        let mut github = self.github.github();
        let oid = github
            .at(REPOSITORY)
            .merge(who, self.number, MergeMethod::Squash)?;
        self.merge_commit = oid.to_string();
        Ok(())
    }

    pub(super) fn destroy_juju_model(&self) -> anyhow::Result<()> {
        let left = r#"{"models":[{"name":"admin/controller","type":"maas","is-controller":true,"life":"alive"}]}"#;
        Ok(std::fs::write(self.folder.join("juju-models.json"), left)?)
    }

    pub(super) fn release_machines(&self) {
        self.rows(|maas| {
            for host in maas.machines() {
                maas.release(&host);
            }
        });
    }

    /// Removes the machines' links on the networks that must be empty. Returns how many there were.
    pub(super) fn remove_links(&self) -> usize {
        self.rows(|maas| {
            let hosts = maas.machines();
            let pairs = hosts
                .iter()
                .flat_map(|host| VACATED.iter().map(move |cidr| (host, *cidr)));
            pairs.map(|(host, cidr)| maas.unlink_all(host, cidr)).sum()
        })
    }

    pub(super) fn move_bridges(&self) -> anyhow::Result<()> {
        let addresses = addresses(&JUMPHOST_AFTER);
        Ok(std::fs::write(
            self.folder.join("jumphost.json"),
            addresses,
        )?)
    }
}
