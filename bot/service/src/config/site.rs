//! One site: a MAAS, the folder that declares its network, and who may change it.

use std::path::PathBuf;

use crate::config::Window;
use github::Team;
use github::credentials::Secret;
use topology::observed::Timestamp;

/// One site.
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
    /// MAAS's address, as people write it.
    pub maas_url: String,
    /// MAAS's API key, where it is set.
    pub maas_api_key: Option<Secret>,
    /// Who may give orders.
    pub operators: Operators,
    /// How changes are made here.
    pub policy: SitePolicy,
    /// Where the evidence for the gates is.
    pub evidence: EvidenceSources,
}

impl Site {
    /// Whether a path of the repository belongs to this site's declaration.
    pub fn owns(&self, path: &str) -> bool {
        path.strip_prefix(&self.path)
            .is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Who may give orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operators {
    /// People by login.
    pub users: Vec<OperatorName>,
    /// Teams whose active members may.
    pub teams: Vec<Team>,
}

/// A person by login; with a pinned number nobody else who takes the login is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorName {
    /// The login.
    pub login: String,
    /// GitHub's number of the account.
    pub id: Option<u64>,
}

/// How changes are made at a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitePolicy {
    /// Between the proof and the second proof, in seconds; 60 unless set.
    pub settle_seconds: u64,
    /// Between not knowing and looking, in seconds; 95 unless set, because MAAS retries a request for up to 90 s.
    pub unknown_pause_seconds: u64,
    /// How long the right to write to this MAAS lasts without being renewed, in seconds; 180 unless set. A run whose replica
    /// died is gone on with after that. It is longer than the pause by [`LEASE_MARGIN_SECONDS`](crate::config::LEASE_MARGIN_SECONDS):
    /// nothing is sent in the pause before its end, so that MAAS is through with everything when another replica begins.
    pub lease_seconds: u64,
    /// The largest share of a site's subnets that one plan may delete without being asked twice, in thousandths.
    pub max_deletions_per_mille: Option<u16>,
    /// Whether the author of a change may not apply it.
    pub two_person: bool,
    /// When changes may be made; none: always.
    pub windows: Vec<Window>,
}

impl SitePolicy {
    /// How long the right to write lasts, in milliseconds.
    pub fn lease_ms(&self) -> i64 {
        milliseconds(self.lease_seconds)
    }

    /// How long MAAS may still be at work on a request, in milliseconds.
    pub fn unknown_pause_ms(&self) -> i64 {
        milliseconds(self.unknown_pause_seconds)
    }

    /// How long after the proof comes the second proof, in milliseconds.
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
            max_deletions_per_mille: None,
            two_person: false,
            windows: Vec::new(),
        }
    }
}

/// Where the evidence for the gates is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvidenceSources {
    /// What `juju models --format json` printed, one place for each controller that uses this MAAS.
    pub juju_models: Vec<EvidenceLocation>,
    /// What `ip -j addr` printed on the jumphost.
    pub jumphost_addresses: Vec<EvidenceLocation>,
}

/// A place that is read when a gate is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvidenceLocation {
    /// A file.
    File(PathBuf),
    /// `http://…` or `https://…`.
    Url(String),
}
