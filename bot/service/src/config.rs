//! The configuration: `planebot.toml` and the variables `PLANEBOT_…`, checked.
//!
//! Nothing else in planebot reads the environment. It must not know what the values are used for. Secrets are not read
//! with the file, but when they are needed ([`Secret::read`](github::credentials::Secret::read)), so that `planebot audit`
//! also runs for a user who may not read the webhook's secret.

mod check;
mod env;
mod file;
mod log;
mod site;
mod store;
mod window;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use github::credentials::GitHubSettings;

pub use log::{InvalidLogFilter, LogFilter, LogFormat};
pub use site::{
    EvidenceLocation, EvidenceSources, MaasCertificates, OperatorName, Operators, Site, SitePolicy,
};
pub use store::StoreSettings;
pub use window::{InvalidWindow, Window};

/// GitHub's limit for a webhook's payload; it does not send larger ones (GitHub docs, "Webhook events and payloads").
pub const BODY_BYTES_MAX: usize = 25 * 1024 * 1024;

/// The leader lease is renewed three times in this period, and a query to the store may take 5 s: a healthy replica could
/// lose a shorter lease.
pub const TAKEOVER_SECONDS_MIN: u64 = 10;

/// By how much a site's lease must exceed the pause after an unknown outcome: the time for the reads before a write.
pub const LEASE_MARGIN_SECONDS: u64 = 10;

/// A day: a service that is down for longer is not one.
const SECONDS_MAX: u64 = 86_400;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What `planebot serve` needs besides GitHub and the store.
    pub server: ServerSettings,
    /// GitHub; only `planebot serve` and `planebot doctor` need it.
    pub github: Option<GitHubSettings>,
    pub store: StoreSettings,
    /// The sites, in the order of the file.
    pub sites: Vec<Site>,
}

/// Settings of `planebot serve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address that webhooks and pages are served at.
    pub listen: SocketAddr,
    /// The largest accepted webhook, in bytes; at most [`BODY_BYTES_MAX`].
    pub body_limit: usize,
    /// The URL of the pages for links in comments, without a slash at the end.
    pub public_url: Option<String>,
    /// A name that no other replica on the same store has: a replica that restarts under it resumes at once.
    pub replica: Option<String>,
    /// Seconds without a sign of life after which another replica takes over; 30 by default, at least
    /// [`TAKEOVER_SECONDS_MIN`].
    pub takeover_seconds: u64,
    /// What is logged; `info` by default.
    pub log: LogFilter,
    /// How log lines are written; as text by default.
    pub log_format: LogFormat,
}

impl Config {
    /// Reads a file and the variables. Paths in the file are relative to the file's folder.
    pub fn load(
        path: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigLoadError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigLoadError::Unread {
            path: path.to_owned(),
            source,
        })?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        Self::parse(&text, folder, variables).map_err(|errors| ConfigLoadError::Invalid {
            path: path.to_owned(),
            errors,
        })
    }

    /// Reads a text as if it were a file in `folder`. The error lists everything that is wrong, unless the text cannot be
    /// parsed.
    pub fn parse(
        text: &str,
        folder: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigErrors> {
        let mut file: file::ConfigFile =
            toml::from_str(text).map_err(|error| ConfigErrors::one(&syntax_error(text, &error)))?;
        env::apply(&mut file, variables)?;
        check::check(&file, folder, variables)
    }

    /// The site of that name.
    pub fn site(&self, name: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.name == name)
    }

    /// The sites of a repository `owner/name`; GitHub ignores case in names.
    pub fn sites_of<'a>(&'a self, repository: &'a str) -> impl Iterator<Item = &'a Site> {
        self.sites
            .iter()
            .filter(move |site| site.repository.eq_ignore_ascii_case(repository))
    }
}

/// The variables whose names start with `PLANEBOT_`. Nothing else reads the environment.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("PLANEBOT_"))
        .collect()
}

/// The parser's message with the line and a caret; without the line where it may hold the store's password.
fn syntax_error(text: &str, error: &toml::de::Error) -> String {
    let whole = error.to_string();
    if !whole.contains("postgres") {
        return whole.trim_end().to_owned();
    }
    let start = error.span().map_or(0, |span| span.start);
    let line = text
        .bytes()
        .take(start)
        .filter(|&byte| byte == b'\n')
        .count()
        + 1;
    let message = error.message();
    let message = if message.contains("postgres") {
        "unexpected value"
    } else {
        message
    };
    format!(
        "TOML parse error at line {line}, which may hold a password and is not shown: {message}"
    )
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigLoadError {
    /// The file could not be read.
    #[error("cannot read `{}`", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file or a variable is invalid.
    #[error("`{}` is not a valid configuration:\n{errors}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// One line each.
        errors: ConfigErrors,
    },
}

/// Everything that is wrong with a configuration, or the parser's message with the line and a caret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<String>);

impl ConfigErrors {
    fn one(text: &str) -> Self {
        Self(vec![text.to_owned()])
    }
}

impl std::fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests;
