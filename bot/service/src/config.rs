//! The environment, read once.
//!
//! `planebot.toml`, the variables `PLANEBOT_…` and the files with secrets become plain values here; nothing else in
//! planebot reads the environment. It must not know what anyone does with the values. The surprising thing: secrets
//! are not read when the file is, but when they are asked for ([`Secret::read`]), so that `planebot audit` runs where
//! the webhook's secret may not be read.

mod check;
mod env;
mod file;
mod site;
mod store;
mod window;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use github::credentials::GitHubSettings;

pub use site::{EvidenceLocation, EvidenceSources, OperatorName, Operators, Site, SitePolicy};
pub use store::StoreSettings;
pub use window::{NotAWindow, Window};

/// GitHub's own limit for a webhook's payload: larger ones are not sent (GitHub docs, webhook events and payloads).
pub const BODY_BYTES_MAX: usize = 25 * 1024 * 1024;

/// The right to work is renewed three times in that time, and the store is given 5 s for an answer: a replica that lives
/// would lose a shorter one.
pub const TAKEOVER_SECONDS_MIN: u64 = 10;

/// What a lease of a site must be longer than the pause after an unknown answer: the time for the looks before a write.
pub const LEASE_MARGIN_SECONDS: u64 = 10;

/// More than a day of silence is no service.
const SECONDS_MAX: u64 = 86_400;

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The service's door.
    pub server: ServerSettings,
    /// GitHub; commands that never speak to GitHub need none.
    pub github: Option<GitHubSettings>,
    /// Where the journal is kept.
    pub store: StoreSettings,
    /// The sites, in the order of the file.
    pub sites: Vec<Site>,
}

/// The service's door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The largest webhook that is read, in bytes; at most [`BODY_BYTES_MAX`].
    pub body_limit: usize,
    /// How people reach the pages, for links in comments; without a slash at the end.
    pub public_url: Option<String>,
    /// A name that no other replica on the same store has: one that starts again under it goes on at once.
    pub replica: Option<String>,
    /// After how long a silence another replica works; 30 s unless set, at least [`TAKEOVER_SECONDS_MIN`].
    pub takeover_seconds: u64,
}

impl Config {
    /// Reads a file and the variables. Paths in the file are against the file's folder.
    pub fn load(path: &Path, variables: &BTreeMap<String, String>) -> Result<Self, Unusable> {
        let text = std::fs::read_to_string(path).map_err(|source| Unusable::Unread {
            path: path.to_owned(),
            source,
        })?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        Self::parse(&text, folder, variables).map_err(|why| Unusable::Invalid {
            path: path.to_owned(),
            why,
        })
    }

    /// Reads a text, as if it lay in `folder`. Every remark is in the answer, not only the first.
    pub fn parse(
        text: &str,
        folder: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigErrors> {
        let mut file: file::ConfigFile =
            toml::from_str(text).map_err(|error| ConfigErrors::one(&unread(text, &error)))?;
        env::apply(&mut file, variables)?;
        check::check(&file, folder, variables)
    }

    /// The site of that name.
    pub fn site(&self, name: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.name == name)
    }

    /// The sites of a repository, by full name; GitHub compares names without case.
    pub fn sites_of<'a>(&'a self, repository: &'a str) -> impl Iterator<Item = &'a Site> {
        self.sites
            .iter()
            .filter(move |site| site.repository.eq_ignore_ascii_case(repository))
    }
}

/// The variables whose name begins with `PLANEBOT_`: the one place where the environment is read.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("PLANEBOT_"))
        .collect()
}

/// The parser's words with the line and its caret; without the line where that may hold the store's password.
fn unread(text: &str, error: &toml::de::Error) -> String {
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
        "this cannot stand here"
    } else {
        message
    };
    format!(
        "TOML parse error at line {line}, which may hold a password and is not shown: {message}"
    )
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The file could not be read.
    #[error("cannot read `{}`", path.display())]
    Unread {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The file, or a variable, says something that cannot be.
    #[error("`{}`:\n{why}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What.
        why: ConfigErrors,
    },
}

/// What is wrong with a configuration: one remark a line, or the parser's line with its caret.
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
