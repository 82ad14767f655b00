//! `planebot.toml` as it is written, before it is checked.
//!
//! A key that is not named here is refused, so that a misspelt one is noticed. It must not know which values are valid.

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::{LogFilter, LogFormat};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    #[serde(default)]
    pub(super) server: ServerTable,
    pub(super) github: Option<GitHubTable>,
    #[serde(default)]
    pub(super) store: StoreTable,
    #[serde(default)]
    pub(super) site: Vec<SiteTable>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerTable {
    pub(super) listen: Option<String>,
    pub(super) body_limit_bytes: Option<usize>,
    pub(super) public_url: Option<String>,
    pub(super) replica: Option<String>,
    pub(super) takeover_seconds: Option<u64>,
    pub(super) log: Option<LogFilter>,
    pub(super) log_format: Option<LogFormat>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GitHubTable {
    pub(super) api_url: Option<String>,
    pub(super) app_id: Option<u64>,
    pub(super) private_key_file: Option<PathBuf>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) webhook_secret_file: Option<PathBuf>,
    pub(super) previous_webhook_secret_file: Option<PathBuf>,
    /// A date, or a date and time with offset.
    pub(super) previous_webhook_secret_until: Option<DateOrText>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreTable {
    pub(super) url: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) keep_days: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteTable {
    pub(super) name: String,
    pub(super) repository: String,
    pub(super) path: Option<String>,
    pub(super) runbooks: Option<String>,
    /// One region's URL, or those of several.
    pub(super) maas_url: Option<OneOrMany>,
    pub(super) maas_api_key_file: Option<PathBuf>,
    pub(super) maas_ca_file: Option<PathBuf>,
    pub(super) maas_certificate_pin: Option<OneOrMany>,
    #[serde(default)]
    pub(super) operators: OperatorsTable,
    #[serde(default)]
    pub(super) policy: PolicyTable,
    #[serde(default)]
    pub(super) evidence: EvidenceTable,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OperatorsTable {
    #[serde(default)]
    pub(super) users: Vec<UserEntry>,
    #[serde(default)]
    pub(super) teams: Vec<String>,
}

/// `"alice"`, or `{ login = "alice", id = 123 }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a login, or `{ login = \"…\", id = … }`"
)]
pub(super) enum UserEntry {
    Login(String),
    Pinned(PinnedUser),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PinnedUser {
    pub(super) login: String,
    pub(super) id: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyTable {
    pub(super) settle_seconds: Option<u64>,
    pub(super) unknown_pause_seconds: Option<u64>,
    pub(super) lease_seconds: Option<u64>,
    pub(super) max_moved_subnets: Option<usize>,
    pub(super) max_deletions_share: Option<f64>,
    pub(super) max_removed: Option<usize>,
    pub(super) limits_label: Option<String>,
    pub(super) two_person: Option<bool>,
    #[serde(default)]
    pub(super) windows: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceTable {
    pub(super) juju_models: Option<OneOrMany>,
    pub(super) jumphost_addresses: Option<OneOrMany>,
}

/// One location, or several: a MAAS may serve more than one Juju controller.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a file or URL, or a list of them")]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// A TOML date, or the same as a text.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a date, such as 2026-12-01 or 2026-12-01T12:00:00Z"
)]
pub(super) enum DateOrText {
    Date(toml::value::Datetime),
    Text(String),
}

impl DateOrText {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Date(date) => date.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}
