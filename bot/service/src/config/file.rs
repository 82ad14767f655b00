//! `planebot.toml` as it is written, before anyone believes it.
//!
//! Every key that is not named here is refused, so that a misspelt one is seen.

use std::path::PathBuf;

use serde::Deserialize;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) server: Server,
    pub(super) github: Option<GitHub>,
    #[serde(default)]
    pub(super) store: Store,
    #[serde(default)]
    pub(super) site: Vec<Site>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) listen: Option<String>,
    pub(super) body_limit_bytes: Option<usize>,
    pub(super) public_url: Option<String>,
    pub(super) replica: Option<String>,
    pub(super) takeover_seconds: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GitHub {
    pub(super) api_url: Option<String>,
    pub(super) app_id: Option<u64>,
    pub(super) private_key_file: Option<PathBuf>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) webhook_secret_file: Option<PathBuf>,
    pub(super) previous_webhook_secret_file: Option<PathBuf>,
    /// A date, or a date and time with offset; as text or as TOML's own date.
    pub(super) previous_webhook_secret_until: Option<Moment>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) url: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) keep_days: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Site {
    pub(super) name: String,
    pub(super) repository: String,
    pub(super) path: Option<String>,
    pub(super) runbooks: Option<String>,
    #[serde(default)]
    pub(super) maas_url: String,
    pub(super) maas_api_key_file: Option<PathBuf>,
    #[serde(default)]
    pub(super) operators: Operators,
    #[serde(default)]
    pub(super) policy: Policy,
    #[serde(default)]
    pub(super) evidence: Evidence,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operators {
    #[serde(default)]
    pub(super) users: Vec<User>,
    #[serde(default)]
    pub(super) teams: Vec<String>,
}

/// `"alice"`, or `{ login = "alice", id = 123 }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a login, or `{ login = \"…\", id = … }`"
)]
pub(super) enum User {
    Login(String),
    Pinned(Pinned),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pinned {
    pub(super) login: String,
    pub(super) id: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    pub(super) settle_seconds: Option<u64>,
    pub(super) unknown_pause_seconds: Option<u64>,
    pub(super) lease_seconds: Option<u64>,
    pub(super) max_deletions_share: Option<f64>,
    pub(super) two_person: Option<bool>,
    #[serde(default)]
    pub(super) windows: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Evidence {
    pub(super) juju_models: Option<OneOrMany>,
    pub(super) jumphost_addresses: Option<OneOrMany>,
}

/// One place, or several: a MAAS may serve more than one Juju controller.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a file or URL, or a list of them")]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// TOML's own date or a text.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a date, as 2026-12-01 or 2026-12-01T12:00:00Z"
)]
pub(super) enum Moment {
    Date(toml::value::Datetime),
    Text(String),
}

impl Moment {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Date(date) => date.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}
