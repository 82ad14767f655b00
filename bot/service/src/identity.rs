//! Which sites are on one MAAS.
//!
//! MAAS tells no id of its own. Two sites are on one MAAS where a URL of theirs is the same, or where their region
//! controllers have a `system_id` in common: MAAS draws those at random, keeps them, and shows them to an administrator
//! behind every URL. Where neither is known the sites count as two MAASes; a plan reads the controllers of its own MAAS in
//! any case. A copy of a MAAS's database counts as the same MAAS until the copy's old controllers are deleted there. Must
//! not know what a site declares.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::config::Site;

/// By what a MAAS is recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaasIdentity {
    /// The site's URLs, each in one form.
    urls: BTreeSet<String>,
    /// The region controllers' `system_id`s; empty if they are not known.
    regions: BTreeSet<String>,
}

impl MaasIdentity {
    /// The MAAS of a site whose region controllers have these ids.
    pub fn of(site: &Site, regions: BTreeSet<String>) -> Self {
        let urls = std::iter::once(&site.maas_url).chain(&site.more_maas_urls);
        Self {
            urls: urls
                .map(|url| maas::same_form(url).unwrap_or_else(|| url.clone()))
                .collect(),
            regions,
        }
    }

    /// Whether the region controllers are known.
    pub fn is_known(&self) -> bool {
        !self.regions.is_empty()
    }

    /// Whether it was told of the same URLs: after a change of the configuration it says nothing any more.
    pub(crate) fn has_urls_of(&self, other: &Self) -> bool {
        self.is_known() && self.urls == other.urls
    }

    /// Whether this is the same MAAS, as far as both are known.
    pub fn is_same(&self, other: &Self) -> bool {
        !self.urls.is_disjoint(&other.urls) || !self.regions.is_disjoint(&other.regions)
    }

    /// The entries by which the journal keeps runs on one MAAS apart.
    pub fn entries(&self) -> Vec<String> {
        let urls = self.urls.iter().map(|url| format!("url {url}"));
        let regions = self.regions.iter().map(|id| format!("region {id}"));
        urls.chain(regions).collect()
    }

    /// Whether a run with these entries is on this MAAS.
    pub fn is_of_run(&self, entries: &[String]) -> bool {
        self.entries().iter().any(|entry| entries.contains(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{EvidenceSources, MaasCertificates, Operators, SitePolicy};

    fn maas(urls: &[&str], regions: &[&str]) -> MaasIdentity {
        let mut urls = urls.iter().map(|&url| url.to_owned());
        let site = Site {
            name: "a".to_owned(),
            repository: "o/r".to_owned(),
            path: "a".to_owned(),
            runbooks: "runbooks".to_owned(),
            maas_url: urls.next().unwrap(),
            more_maas_urls: urls.collect(),
            maas_certificates: MaasCertificates::default(),
            maas_api_key: None,
            operators: Operators::default(),
            policy: SitePolicy::default(),
            evidence: EvidenceSources::default(),
        };
        MaasIdentity::of(&site, regions.iter().map(|&id| id.to_owned()).collect())
    }

    #[test]
    fn one_maas_is_recognised_by_a_url_however_it_is_written() {
        let one = maas(&["http://maas.test/MAAS"], &[]);
        for same in [
            "http://maas.test/MAAS/",
            "HTTP://MAAS.test:80/MAAS/api/2.0/",
        ] {
            assert!(one.is_same(&maas(&["http://other.test/MAAS", same], &[])));
        }
        for other in ["https://maas.test/MAAS", "http://maas.test:5240/MAAS"] {
            assert!(!one.is_same(&maas(&[other], &[])));
        }
    }

    #[test]
    fn one_maas_is_recognised_by_a_region_controller_behind_another_url() {
        let one = maas(&["http://a.test/MAAS"], &["xk3nwy", "ab4def"]);
        let other = maas(&["http://b.test/MAAS"], &["ab4def"]);
        assert!(one.is_same(&other) && one.is_of_run(&other.entries()));
        let unlike = maas(&["http://b.test/MAAS"], &["zzzzzz"]);
        assert!(!one.is_same(&unlike) && !one.is_of_run(&unlike.entries()));
        // Two that told nothing have nothing in common.
        let silent = |url| maas(&[url], &[]);
        assert!(!silent("http://a.test/MAAS").is_same(&silent("http://b.test/MAAS")));
    }
}
