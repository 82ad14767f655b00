//! The GitHub client.
//!
//! A [`GitHub`] is one server and who we are there; a [`Repository`] reads and writes in one repository.
//! octocrab makes the app's JWT and no more: its models refuse what GitHub's schema allows, its comment update sends the
//! wrong method, and its requests cannot be given a `User-Agent` (0.54.9 adds its own beside it). No request is repeated by
//! itself, but for one that was refused with 401 because its token had expired: where it is not known what came of a request,
//! the error is [`GitHubError::Unknown`], and the caller looks before it asks again. It must not know what anything is for.
//!
//! **Few requests.** Blobs, trees and commits are asked for once by their SHA. All other answers are kept with their
//! `ETag` and asked for again with `If-None-Match`: GitHub's 304 is as fresh as any answer and free of its budget, but still
//! a request. So get a [`Repository`] once for a piece of work and hold it. [`GitHub::requests`] counts what was sent; each
//! request is also a DEBUG event `github_request` with the target `github`.

mod app;
mod cache;
mod checks;
mod client;
mod comments;
mod commit_files;
mod commits;
pub mod credentials;
mod deployments;
mod error;
mod folder;
mod installation;
mod outgoing;
mod path;
pub mod people;
mod pulls;
mod request;
mod response;
pub mod webhook;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use octocrab::auth::{AppAuth, EncodingKey};
use octocrab::models::AppId;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use topology::observed::Timestamp;
use topology::port::Clock;

use cache::locked;
use client::{Credentials, SignedInClient};
use credentials::{GitHubSettings, Identity, SecretError};
use installation::Installation;
use outgoing::client_to;

pub use app::{HookDelivery, Me};
pub use checks::{
    ANNOTATIONS_MAX, Annotation, AnnotationSeverity, Check, CheckAction, CheckSeen, CheckStatus,
    Conclusion,
};
pub use comments::{COMMENT_CHARACTERS_MAX, CommentSeen, Reaction};
pub use commit_files::Content;
pub use commits::{Ancestry, CommitSeen, Comparison};
pub use deployments::{Deployed, DeploymentStatus};
pub use error::GitHubError;
pub use folder::{Folder, FolderError, UnreadableEntry};
pub use people::{Membership, Memberships, Permission, Team};
pub use pulls::{Mergeable, PullSeen};
pub use request::{RequestCounts, RequestKind};

/// GitHub ends a request after 10 s by itself, GHES after 30 s.
const REQUEST_SECONDS_MAX: Duration = Duration::from_secs(30);

/// A server that answers at all accepts a connection in a fraction of this.
const CONNECT_SECONDS_MAX: Duration = Duration::from_secs(10);

/// GitHub refuses requests without a `User-Agent` (docs, best practices).
const AGENT: &str = concat!("planebot/", env!("CARGO_PKG_VERSION"));

/// The version of GitHub's API that the paths and fields here are of.
const API_VERSION: &str = "2022-11-28";

/// One GitHub and who we are there. Clones share the cached answers, the counts and the pause after a rate limit.
#[derive(Clone)]
pub struct GitHub {
    client: SignedInClient,
    signed_in: SignedIn,
}

/// With a token there is one client for all; an app has one for each installation, found by repository.
#[derive(Clone)]
enum SignedIn {
    Token,
    App(Arc<Mutex<BTreeMap<String, SignedInClient>>>),
}

/// One repository. [`GitHub::repository`] sends a request; a clone sends none and copies three short strings. Hold one
/// for one piece of work and pass it on, so that its parts agree on what the repository is called and whether it is the same;
/// get a new one for the next piece, because a repository may be renamed, recreated or archived in between.
#[derive(Clone)]
pub struct Repository {
    client: SignedInClient,
    /// `/repos/owner/name`.
    root: String,
    /// As it was when the repository was asked for.
    pub about: About,
}

/// What GitHub says about a repository.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct About {
    /// Stays when the repository is renamed; a recreated repository has another.
    pub id: u64,
    /// `owner/name` as it is now; after a rename it is not the name that was asked for.
    pub full_name: String,
    /// The branch whose merges count.
    pub default_branch: String,
    /// Nothing can be written to an archived one.
    #[serde(default)]
    pub archived: bool,
}

/// Why the client cannot sign in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The token or the key cannot be read.
    #[error("signing in to GitHub")]
    Secret(#[source] SecretError),
    /// The key is not an RSA key in PEM, or the address is not a URL.
    #[error("the private key is not an RSA key in PEM, or the address of GitHub is not a URL")]
    Malformed,
}

impl GitHub {
    /// Signs in with what the configuration says. Nothing is sent yet.
    pub fn connect(settings: &GitHubSettings, now: Clock) -> Result<Self, SignInError> {
        let url = reqwest::Url::parse(&settings.api_url).ok();
        url.filter(reqwest::Url::has_host)
            .ok_or(SignInError::Malformed)?;
        let (credentials, signed_in) = match &settings.identity {
            Identity::Token(token) => {
                let token = token.read().map_err(SignInError::Secret)?;
                (Credentials::Token(token), SignedIn::Token)
            }
            Identity::App { id, private_key } => {
                let key = private_key.read().map_err(SignInError::Secret)?;
                let key = EncodingKey::from_rsa_pem(key.expose_secret().as_bytes());
                let app = AppAuth {
                    app_id: AppId(*id),
                    key: key.ok().ok_or(SignInError::Malformed)?,
                };
                (Credentials::App(app), SignedIn::App(Arc::default()))
            }
        };
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-github-api-version",
            HeaderValue::from_static(API_VERSION),
        );
        let http = client_to(&settings.api_url)
            .user_agent(AGENT)
            .default_headers(headers)
            .connect_timeout(CONNECT_SECONDS_MAX)
            .timeout(REQUEST_SECONDS_MAX)
            .build()
            .ok()
            .ok_or(SignInError::Malformed)?;
        let api_url = settings.api_url.trim_end_matches('/').to_owned();
        Ok(Self {
            client: SignedInClient::new(http, api_url, credentials, now),
            signed_in,
        })
    }

    /// Until when a rate limit lasts, if one does now: until then nothing is sent.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.client.paused_until(now)
    }

    /// How far GitHub's clock was ahead of ours when it last answered, in milliseconds, from a time in whole seconds. `None`
    /// before the first answer.
    pub fn clock_offset(&self) -> Option<i64> {
        let offset = self.client.shared.clock_offset.load(Ordering::Relaxed);
        (offset != client::NEVER_SEEN).then_some(offset)
    }

    /// How many requests were sent since the client was made, by method, route and status; those for tokens and those answered
    /// 304 too. Clones share the counts. A redirect that was followed counts once.
    pub fn requests(&self) -> RequestCounts {
        self.client.shared.counts()
    }

    /// The same without two requests at the same time: for simulations, in which their order must be the same each time.
    #[must_use]
    pub fn one_at_a_time(mut self) -> Self {
        self.client.concurrency = 1;
        self
    }

    /// A repository by its full name, `owner/name`. Sends one request each time (free of GitHub's budget while nothing
    /// changed), so hold what it gives for the whole piece of work.
    pub async fn repository(&self, full_name: &str) -> Result<Repository, GitHubError> {
        let root = format!("/repos/{}", path::path(full_name));
        let client = match &self.signed_in {
            SignedIn::Token => self.client.clone(),
            SignedIn::App(clients) => self.installed_on(full_name, &root, clients).await?,
        };
        let about = client.get("reading the repository", &root).await?;
        Ok(Repository {
            client,
            root,
            about,
        })
    }

    /// The client of the installation on a repository. Kept, with its token, until GitHub refuses it.
    async fn installed_on(
        &self,
        full_name: &str,
        root: &str,
        clients: &Mutex<BTreeMap<String, SignedInClient>>,
    ) -> Result<SignedInClient, GitHubError> {
        #[derive(Deserialize)]
        struct Wire {
            id: u64,
        }
        let key = full_name.to_ascii_lowercase();
        let known = locked(clients).get(&key).cloned();
        if let Some(client) = known.filter(|it| !it.unauthorized.load(Ordering::Relaxed)) {
            return Ok(client);
        }
        let what = "finding the app's installation";
        let route = format!("{root}/installation");
        let found: Wire = self.client.get(what, &route).await?;
        let mut client = self.client.clone();
        if let Credentials::App(app) = &self.client.credentials {
            let installation = Installation::new(found.id, app.clone());
            client.credentials = Credentials::Installation(Arc::new(installation));
            client.unauthorized = Arc::new(AtomicBool::new(false));
        }
        locked(clients).insert(key, client.clone());
        Ok(client)
    }
}

#[cfg(test)]
mod tests;
