//! The sites of this service, by name and by repository. It must not know what is done with a site.

use std::collections::BTreeMap;

use anyhow::Context as _;

use topology::port::Clock;

use crate::config::Config;
use crate::site::SiteRuntime;

/// Every site that the configuration names.
#[derive(Default)]
pub struct Sites(BTreeMap<String, SiteRuntime>);

impl Sites {
    /// Opens every site of the configuration. Nothing is sent yet.
    pub fn open(config: &Config, clock: &Clock) -> anyhow::Result<Self> {
        let mut sites = BTreeMap::new();
        for site in &config.sites {
            let runtime = SiteRuntime::open(site.clone(), clock, |_| {})
                .with_context(|| format!("opening site `{}`", site.name))?;
            sites.insert(site.name.clone(), runtime);
        }
        Ok(Self(sites))
    }

    pub fn get(&self, name: &str) -> Option<&SiteRuntime> {
        self.0.get(name)
    }

    /// The sites of a repository, by full name; GitHub compares names without case.
    pub(crate) fn of_repository(&self, repository: &str) -> Vec<&SiteRuntime> {
        self.iter()
            .filter(|runtime| runtime.site.repository.eq_ignore_ascii_case(repository))
            .collect()
    }

    /// Every site, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = &SiteRuntime> {
        self.0.values()
    }

    /// Every site, to adjust it before the service starts.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut SiteRuntime> {
        self.0.values_mut()
    }

    /// The repositories of all sites, each once.
    pub(crate) fn repositories(&self) -> Vec<&str> {
        let by_name: BTreeMap<String, &str> = self
            .iter()
            .map(|runtime| runtime.site.repository.as_str())
            .map(|name| (name.to_ascii_lowercase(), name))
            .collect();
        by_name.into_values().collect()
    }
}
