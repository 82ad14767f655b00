//! One site: a MAAS, the folder that declares its network, and who may change it.
//!
//! It must not know how the settings are written.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::config::Window;
use github::Team;
use github::credentials::Secret;
use maas::{CertificatePin, CertificateTrust};
use plan::plan::PlanPolicy;
use topology::observed::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Lower-case letters, digits and `-`.
    pub name: String,
    /// `owner/name` on GitHub.
    pub repository: String,
    /// The folder in the repository, without a slash at either end.
    pub path: String,
    /// The runbooks' folder in the repository.
    pub runbooks: String,
    /// The URL of MAAS, without a slash at the end.
    pub maas_url: String,
    /// Further region URLs of the same MAAS, in the order in which they are tried when one is away.
    pub more_maas_urls: Vec<String>,
    /// Which certificates that MAAS may show.
    pub maas_certificates: MaasCertificates,
    /// MAAS's API key; commands that take a key of their own need none.
    pub maas_api_key: Option<Secret>,
    /// Who may give orders here.
    pub operators: Operators,
    pub policy: SitePolicy,
    /// Where evidence for the gates can be read.
    pub evidence: EvidenceSources,
}

impl Site {
    /// Whether a path of the repository belongs to this site's declaration.
    pub fn owns(&self, path: &str) -> bool {
        path.strip_prefix(&self.path)
            .is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Which certificates a MAAS may show; the machine's authorities where both are empty. At most one is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaasCertificates {
    /// A PEM file with the authorities, or with MAAS's certificate itself. It is read when the site is opened.
    pub ca_file: Option<PathBuf>,
    /// Fingerprints of the certificate; several while it is being renewed.
    pub pins: Vec<CertificatePin>,
}

impl MaasCertificates {
    /// Reads the file, if one is named, for a MAAS with these URLs.
    pub fn trust(&self, urls: &[&String]) -> anyhow::Result<CertificateTrust> {
        let is_set = self.ca_file.is_some() || !self.pins.is_empty();
        let mut plain = urls.iter().filter(|url| !url.starts_with("https://"));
        if let Some(url) = plain.next().filter(|_| is_set) {
            anyhow::bail!(
                "`maas_ca_file` and `maas_certificate_pin` need a `maas_url` that begins with `https://`, and `{url}` does not"
            );
        }
        let Some(file) = &self.ca_file else {
            return Ok(match self.pins.as_slice() {
                [] => CertificateTrust::Machine,
                pins => CertificateTrust::Pins(pins.to_vec()),
            });
        };
        anyhow::ensure!(
            self.pins.is_empty(),
            "`maas_ca_file` and `maas_certificate_pin` exclude each other: give one"
        );
        let shown = file.display();
        let pem =
            std::fs::read(file).with_context(|| format!("reading `maas_ca_file` `{shown}`"))?;
        CertificateTrust::authorities(&pem).with_context(|| format!("`maas_ca_file` `{shown}`"))
    }
}

/// Who may give orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operators {
    pub users: Vec<OperatorName>,
    /// Teams whose active members may.
    pub teams: Vec<Team>,
}

/// A person by login. A login can be renamed and taken by somebody else; with `id` only the account of that number counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorName {
    pub login: String,
    /// GitHub's number of the account.
    pub id: Option<u64>,
}

/// How changes are made at a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitePolicy {
    /// Seconds between the proof and the second proof; 60 by default.
    pub settle_seconds: u64,
    /// Seconds to wait after an unknown outcome before MAAS is read; 95 by default, because MAAS retries a request for up to 90 s.
    pub unknown_pause_seconds: u64,
    /// Seconds after which an unrenewed lease on this MAAS expires; 180 by default. Then another replica resumes the run. It
    /// exceeds the pause by [`LEASE_MARGIN_SECONDS`](crate::config::LEASE_MARGIN_SECONDS): a replica sends nothing during the
    /// pause before its lease expires, so MAAS has finished every request when another replica begins.
    pub lease_seconds: u64,
    /// How many subnets one plan may move to another CIDR, or from under a controller to another VLAN.
    pub max_moved_subnets: usize,
    /// The largest share of a site's subnets, in thousandths, that a plan may delete, also to make them again.
    pub max_deletions_per_mille: Option<u16>,
    /// How many planes, subnets, ranges, gateways or links, of each, a plan may take away.
    pub max_removed: usize,
    /// The label of a pull request that lifts these limits for it.
    pub limits_label: Option<String>,
    /// Whether the author of a change may not apply it.
    pub two_person: bool,
    /// When changes may be made; an empty list means always.
    pub windows: Vec<Window>,
}

impl SitePolicy {
    /// How long a lease lasts, in milliseconds.
    pub fn lease_ms(&self) -> i64 {
        milliseconds(self.lease_seconds)
    }

    /// How long MAAS may still be working on a request, in milliseconds.
    pub fn unknown_pause_ms(&self) -> i64 {
        milliseconds(self.unknown_pause_seconds)
    }

    /// The time between the proof and the second proof, in milliseconds.
    pub fn settle_ms(&self) -> i64 {
        milliseconds(self.settle_seconds)
    }

    /// Whether changes may be made then.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.windows.is_empty() || self.windows.iter().any(|window| window.is_open(now))
    }
}

fn milliseconds(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}

impl Default for SitePolicy {
    fn default() -> Self {
        Self {
            settle_seconds: 60,
            unknown_pause_seconds: 95,
            lease_seconds: 180,
            max_moved_subnets: PlanPolicy::default().vacated_max,
            max_deletions_per_mille: None,
            max_removed: PlanPolicy::default().removed_max,
            limits_label: None,
            two_person: false,
            windows: Vec::new(),
        }
    }
}

/// Where evidence for the gates can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvidenceSources {
    /// Outputs of `juju models --format json`, one for each controller that uses this MAAS.
    pub juju_models: Vec<EvidenceLocation>,
    /// Outputs of `ip -j addr` on the jumphost.
    pub jumphost_addresses: Vec<EvidenceLocation>,
}

/// A file or URL that is read when a gate is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvidenceLocation {
    /// A path; relative ones are relative to the configuration's folder.
    File(PathBuf),
    /// `http://…` or `https://…`.
    Url(String),
}
