//! GitHub, spoken to.
//!
//! A [`GitHub`] is one server and who we are there; a [`Repository`] is what is read and written in one repository.
//! octocrab signs in and sends; paths, bodies and answers are small structs of our own, because octocrab's models
//! refuse what GitHub's schema allows and its comment update sends the wrong method. Nothing is sent twice by itself:
//! an answer that nobody knows is [`GitHubError::Unknown`], and the caller looks before it asks again. It must not know
//! what anything is for.

mod app;
mod checks;
mod comments;
mod commit_files;
mod commits;
pub mod credentials;
mod deployments;
mod error;
mod folder;
mod outgoing;
pub mod people;
mod pulls;
mod request;
pub mod webhook;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use octocrab::Octocrab;
use octocrab::models::{AppId, InstallationId};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use topology::observed::Timestamp;

use credentials::{GitHubSettings, Identity, SecretError};
use outgoing::client_to;
use request::SignedInClient;
use topology::port::Clock;

pub use app::{HookDelivery, Me};
pub use checks::{
    ANNOTATIONS_MAX, Annotation, Check, CheckAction, CheckSeen, CheckStatus, Conclusion, Level,
};
pub use comments::{COMMENT_CHARACTERS_MAX, CommentSeen, Reaction};
pub use commit_files::Content;
pub use commits::{Ancestry, CommitSeen, Comparison};
pub use deployments::{Deployed, DeploymentStatus};
pub use error::GitHubError;
pub use folder::{Folder, FolderError, UnreadableEntry};
pub use people::{Membership, Memberships, Permission, Team};
pub use pulls::{Mergeable, PullSeen};

/// GitHub ends a request after 10 s by itself, GHES after 30 s.
const REQUEST_SECONDS_MAX: Duration = Duration::from_secs(30);

/// To a server that is there, a connection takes a fraction of this.
const CONNECT_SECONDS_MAX: Duration = Duration::from_secs(10);

/// One GitHub and who we are there.
#[derive(Clone)]
pub struct GitHub {
    line: SignedInClient,
    signed_in: SignedIn,
}

/// With a token there is one client for all; an app has one for each installation, found by repository.
#[derive(Clone)]
enum SignedIn {
    Token,
    App(Arc<Mutex<BTreeMap<String, SignedInClient>>>),
}

/// What is read and written in one repository.
#[derive(Clone)]
pub struct Repository {
    line: SignedInClient,
    /// `/repos/owner/name`.
    root: String,
    /// What GitHub says about it.
    pub about: About,
}

/// What GitHub says about a repository.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct About {
    /// The number; a recreated repository has another.
    pub id: u64,
    /// `owner/name` as it is now; other than asked for after a rename.
    pub full_name: String,
    /// The branch whose merges count.
    pub default_branch: String,
    /// Nothing can be written to an archived one.
    #[serde(default)]
    pub archived: bool,
}

/// Why nobody can be signed in.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// The token or the key is not there.
    #[error("signing in to GitHub")]
    Secret(#[source] SecretError),
    /// The key is not an RSA key in PEM, or the URL is none.
    #[error("the private key is not an RSA key in PEM, or the address of GitHub is not a URL")]
    Malformed,
}

impl GitHub {
    /// Signs in with what the configuration says. Nothing is sent yet.
    pub fn connect(settings: &GitHubSettings, now: Clock) -> Result<Self, NotSignedIn> {
        let builder = Octocrab::builder()
            .base_uri(settings.api_url.as_str())
            .ok()
            .ok_or(NotSignedIn::Malformed)?;
        let (builder, signed_in) = match &settings.identity {
            Identity::Token(token) => {
                let token = token.read().map_err(NotSignedIn::Secret)?;
                (builder.personal_token(token), SignedIn::Token)
            }
            Identity::App { id, private_key } => {
                let key = private_key.read().map_err(NotSignedIn::Secret)?;
                let builder = builder
                    .app_from_rsa_pem(AppId(*id), key.expose_secret())
                    .ok()
                    .ok_or(NotSignedIn::Malformed)?;
                (builder, SignedIn::App(Arc::default()))
            }
        };
        // Redirects are octocrab's: it keeps the token on this server.
        let client = client_to(&settings.api_url)
            .connect_timeout(CONNECT_SECONDS_MAX)
            .timeout(REQUEST_SECONDS_MAX)
            .build()
            .ok()
            .ok_or(NotSignedIn::Malformed)?;
        let crab = builder
            .build_with_reqwest(client)
            .ok()
            .ok_or(NotSignedIn::Malformed)?;
        Ok(Self {
            line: SignedInClient::new(crab, now),
            signed_in,
        })
    }

    /// Until when GitHub wants to be left alone, if it does now: nothing is sent before.
    pub fn quiet_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.line.quiet_until(now)
    }

    /// How far GitHub's clock was ahead of ours when it last answered, in milliseconds; it says whole seconds.
    pub fn ahead(&self) -> Option<i64> {
        let ahead = self.line.ahead.load(Ordering::Relaxed);
        (ahead != request::NEVER_SAID).then_some(ahead)
    }

    /// The same with never two requests at once: for worlds in which their order is to be the same each time.
    #[must_use]
    pub fn one_at_a_time(mut self) -> Self {
        self.line.at_once = 1;
        self
    }

    /// A repository by its full name, `owner/name`.
    pub async fn repository(&self, full_name: &str) -> Result<Repository, GitHubError> {
        let root = format!("/repos/{}", request::path(full_name));
        let line = match &self.signed_in {
            SignedIn::Token => self.line.clone(),
            SignedIn::App(lines) => self.installed_on(full_name, &root, lines).await?,
        };
        let about = line.get("reading the repository", &root).await?;
        Ok(Repository { line, root, about })
    }

    /// The client of the installation on a repository. Kept, with its token, until GitHub turns it away.
    async fn installed_on(
        &self,
        full_name: &str,
        root: &str,
        lines: &Mutex<BTreeMap<String, SignedInClient>>,
    ) -> Result<SignedInClient, GitHubError> {
        #[derive(Deserialize)]
        struct Installation {
            id: u64,
        }
        let key = full_name.to_ascii_lowercase();
        let kept = locked(lines).get(&key).cloned();
        if let Some(line) = kept.filter(|line| !line.turned_away.load(Ordering::Relaxed)) {
            return Ok(line);
        }
        let what = "finding the app's installation";
        let found: Installation = self.line.get(what, &format!("{root}/installation")).await?;
        let crab = self
            .line
            .crab
            .installation(InstallationId(found.id))
            .map_err(|error| self.line.lost(what, &error))?;
        // One token before anybody fans out: octocrab would ask for one for each request that waits.
        crab.installation_token()
            .await
            .map_err(|error| self.line.lost("asking for a token", &error))?;
        let line = SignedInClient {
            crab: Arc::new(crab),
            turned_away: Arc::new(AtomicBool::new(false)),
            ..self.line.clone()
        };
        locked(lines).insert(key, line.clone());
        Ok(line)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
