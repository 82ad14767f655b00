//! Serves the lab's GitHub as a process, for curl and for trying the bot manually.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::actions::GitHubRefusal;
use super::serve::{GitHubServerOptions, serve};
use super::store::{LabGitHub, RepositoryPermission};

/// The initial content of a GitHub to try things with.
#[derive(Clone, Debug)]
pub struct GitHubSetup {
    /// The app's slug: its login is `SLUG[bot]`.
    pub app: String,
    /// `owner/name`.
    pub repository: String,
    /// The files of the first commit: path to text.
    pub files: BTreeMap<String, String>,
    /// Logins that may push, all members of the team `operators`.
    pub writers: Vec<String>,
    /// Logins that may only read and comment.
    pub readers: Vec<String>,
    /// The URL of the webhook.
    pub webhook: Option<String>,
    /// The port; 0 for any free one.
    pub port: u16,
}

impl GitHubSetup {
    pub fn github(&self) -> Result<LabGitHub, GitHubRefusal> {
        let mut hub = LabGitHub::new(&self.app);
        let organization = self
            .repository
            .split('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        hub.create_repository(&self.repository, false);
        for login in &self.writers {
            hub.add_team_member(&organization, "operators", login);
        }
        for login in &self.readers {
            hub.add_user(login);
        }
        let mut at = hub.at(&self.repository);
        at.grant_team("operators", RepositoryPermission::Write);
        if let Some(first) = self.writers.first() {
            let files: Vec<(&str, Option<&str>)> = self
                .files
                .iter()
                .map(|(path, text)| (path.as_str(), Some(text.as_str())))
                .collect();
            at.commit_files(first, "main", "Begin", &files)?;
        }
        if let Some(url) = &self.webhook {
            let secret = hub.webhook_secret().to_owned();
            hub.set_webhook(url, &secret);
        }
        Ok(hub)
    }
}

/// Serves `demo` until SIGTERM or Ctrl-C. When ready, writes the URL and the tokens to `state` as JSON, with one rename.
pub async fn serve_until_signal(
    demo: &GitHubSetup,
    state: &Path,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let hub = demo.github()?;
    let logins = demo.writers.iter().chain(&demo.readers);
    let users: BTreeMap<&String, String> = logins.map(|login| (login, hub.token(login))).collect();
    let options = GitHubServerOptions {
        clock: Some(Arc::new(clock)),
        port: demo.port,
        ..GitHubServerOptions::default()
    };
    let (app_id, installation_id) = hub.app_ids();
    let (token, secret) = (hub.bot_token(), hub.webhook_secret().to_owned());
    let serving = serve(hub, options).await?;
    let state_json = json!({
        "github_url": serving.url, "github_token": token, "users": users, "webhook_secret": secret,
        "repository": demo.repository, "app_id": app_id, "installation_id": installation_id,
    });
    let fresh = state.with_extension("new");
    std::fs::write(&fresh, state_json.to_string())?;
    std::fs::rename(&fresh, state)?;
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = term.recv() => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "people who try this GitHub expect the real time"
)]
fn clock() -> i64 {
    chrono::Utc::now().timestamp()
}
