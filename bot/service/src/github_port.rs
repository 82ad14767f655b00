//! The service's access to GitHub: names and numbers in, plain values out.
//!
//! A `RepositoryPort` is read once for each piece of work and passed along, so that everything in that work sees the same
//! repository. It must not know why a request is made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;

use github::webhook::event::{Account, CommentEvent, PullNumber, Sha};
use github::{
    Annotation, AnnotationSeverity, Check, CheckStatus, Conclusion, Content, GitHub, GitHubError,
    Memberships, Reaction, Repository, RequestCounts, Team,
};
use journal::{
    AnnotationLevel, AnnotationPayload, CheckConclusion, CheckPayload, CheckState, HistoryPayload,
    ReactionContent,
};
use plan::runbook::is_runbook;
use topology::observed::Timestamp;

use crate::history::BRANCH;
use crate::pulls::pull::PullRequest;

/// A GitHub client with a cache of the repositories that it read.
#[derive(Clone)]
pub struct GitHubPort {
    client: GitHub,
    api_url: String,
    read_last: Arc<Mutex<BTreeMap<String, Repository>>>,
}

/// One repository as it was when it was read.
#[derive(Clone)]
pub(crate) struct RepositoryPort {
    repository: Repository,
    me: GitHub,
}

impl GitHubPort {
    /// Wraps a client of the GitHub whose API is at `api_url`.
    pub fn new(client: GitHub, api_url: &str) -> Self {
        Self {
            client,
            api_url: api_url.to_owned(),
            read_last: Arc::default(),
        }
    }

    /// How many requests this process has sent to GitHub, by kind.
    pub fn requests(&self) -> RequestCounts {
        self.client.requests()
    }

    /// The client, for requests that concern no repository.
    pub(crate) fn client(&self) -> &GitHub {
        &self.client
    }

    /// Reads a repository, for a new piece of work.
    pub(crate) async fn read(&self, name: &str) -> anyhow::Result<RepositoryPort> {
        let repository = self.client.repository(name).await?;
        self.remember(name, Some(repository.clone()));
        Ok(self.port(repository))
    }

    /// A repository from the cache, for work that began with another request; it is read if it was never read before.
    pub(crate) async fn read_last(&self, name: &str) -> anyhow::Result<RepositoryPort> {
        let known = self.locked().get(&name.to_ascii_lowercase()).cloned();
        match known {
            Some(repository) => Ok(self.port(repository)),
            None => self.read(name).await,
        }
    }

    /// Removes a repository from the cache: its cached state may be why something failed.
    pub(crate) fn forget(&self, name: &str) {
        self.remember(name, None);
    }

    /// The URL of the web page that shows a commit's files.
    pub(crate) fn tree_url(&self, repository: &str, commit: &str) -> String {
        let site = match self.api_url.strip_suffix("/api/v3") {
            Some(site) => site.to_owned(),
            None => self.api_url.replace("://api.", "://"),
        };
        format!("{site}/{repository}/blob/{commit}")
    }

    fn port(&self, repository: Repository) -> RepositoryPort {
        RepositoryPort {
            repository,
            me: self.client.clone(),
        }
    }

    fn remember(&self, name: &str, repository: Option<Repository>) {
        let name = name.to_ascii_lowercase();
        match repository {
            Some(repository) => self.locked().insert(name, repository),
            None => self.locked().remove(&name),
        };
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Repository>> {
        self.read_last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl RepositoryPort {
    /// GitHub's id of the repository. A recreated repository has a different one.
    pub(crate) fn id(&self) -> u64 {
        self.repository.about.id
    }

    /// The branch whose merges are applied.
    pub(crate) fn default_branch(&self) -> &str {
        &self.repository.about.default_branch
    }

    /// The client's own handle, for lists that only one module needs.
    pub(crate) fn client(&self) -> &Repository {
        &self.repository
    }

    /// Whether a comment still exists with the text and author of the event, and was never edited.
    pub(crate) async fn has_unedited(&self, comment: &CommentEvent) -> anyhow::Result<bool> {
        let seen = self.repository.comment(comment.id).await;
        let by = |author: &Option<Account>| author.as_ref().map(|account| account.id);
        Ok(GitHubError::absent(seen)?.is_some_and(|seen| {
            seen.body == comment.body && !seen.edited() && by(&seen.author) == by(&comment.author)
        }))
    }

    /// The declaration and runbook files in a folder, by path, at a commit or on a branch.
    pub(crate) async fn folder(
        &self,
        at: &str,
        folder: &str,
    ) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let commit = match Sha::parse(at) {
            Ok(commit) => commit,
            Err(_) => self
                .repository
                .branch(at)
                .await?
                .with_context(|| format!("there is no branch `{at}`"))?,
        };
        let relevant = |path: &str| topology::draft::is_declaration(path) || is_runbook(path);
        let folder = self.repository.folder(&commit, folder, relevant).await?;
        Ok(folder
            .files
            .into_iter()
            .map(|(path, text)| (path, text.into_bytes()))
            .collect())
    }

    /// A pull request as it is now.
    pub(crate) async fn pull(&self, number: u64) -> anyhow::Result<PullRequest> {
        let seen = self.repository.pull(PullNumber(number)).await?;
        Ok(PullRequest {
            number,
            open: seen.open,
            merged: seen.merged.is_some(),
            merge_commit: seen.merged.map(String::from),
            merged_at: seen.merged_at.as_deref().and_then(time_of),
            head: seen.head.into(),
            base: seen.base,
            author: seen.author.map(|author| author.id),
            labels: seen.labels,
        })
    }

    /// The paths that a pull request changes; `None` if there are more than GitHub lists.
    pub(crate) async fn changed_files(&self, number: u64) -> anyhow::Result<Option<Vec<String>>> {
        Ok(self.repository.pull_paths(PullNumber(number)).await?)
    }

    pub(crate) async fn is_on_branch(&self, commit: &str, branch: &str) -> anyhow::Result<bool> {
        let commit = Sha::parse(commit)?;
        Ok(self.repository.is_on(&commit, branch).await?)
    }

    /// A person's membership in these teams. A membership that GitHub does not confirm does not count.
    pub(crate) async fn memberships(&self, teams: &[Team], login: &str) -> Memberships {
        self.repository.memberships(teams, login).await
    }

    /// How many runs of this plan of this pull request are on the history branch.
    pub(crate) async fn recorded_runs(
        &self,
        site: &str,
        number: u64,
        digest: &str,
    ) -> anyhow::Result<i64> {
        let folder = format!("history/{site}");
        let names = self.repository.names_in(BRANCH, &folder).await?;
        let own = format!("-pr{number}-{digest}");
        let count = names.iter().filter(|name| name.ends_with(&own)).count();
        Ok(i64::try_from(count)?)
    }

    /// Our own comment that carries the marker: after a crash, a comment may have been posted but not recorded.
    pub(crate) async fn own_comment(
        &self,
        number: u64,
        marker: &str,
    ) -> anyhow::Result<Option<u64>> {
        let comments = self.repository.comments(PullNumber(number), None).await?;
        let mut marked = comments
            .iter()
            .filter(|comment| comment.body.contains(marker))
            .peekable();
        if marked.peek().is_none() {
            return Ok(None);
        }
        // Anybody can write the marker; only our own account's comment is ours.
        let me = self.me.me().await?;
        Ok(marked.find(|comment| me.wrote(comment)).map(|own| own.id))
    }

    pub(crate) async fn comment(&self, number: u64, body: &str) -> anyhow::Result<u64> {
        let number = PullNumber(number);
        Ok(self.repository.create_comment(number, body).await?.id)
    }

    /// False if the comment no longer exists.
    pub(crate) async fn edit_comment(&self, id: u64, body: &str) -> anyhow::Result<bool> {
        let edited = self.repository.update_comment(id, body).await;
        Ok(GitHubError::absent(edited)?.is_some())
    }

    pub(crate) async fn react(&self, comment: u64, content: ReactionContent) -> anyhow::Result<()> {
        let reaction = match content {
            ReactionContent::Eyes => Reaction::Eyes,
            ReactionContent::Rocket => Reaction::Rocket,
            ReactionContent::Confused => Reaction::Confused,
        };
        // A comment that no longer exists needs no reaction.
        GitHubError::absent(self.repository.react(comment, reaction).await)?;
        Ok(())
    }

    /// Creates the check, or updates the one that carries the key. Returns GitHub's id of it.
    pub(crate) async fn check(
        &self,
        key: &str,
        id: Option<u64>,
        payload: &CheckPayload,
    ) -> anyhow::Result<u64> {
        let head = Sha::parse(&payload.head_sha)?;
        let known = if let Some(id) = id {
            Some(id)
        } else {
            let seen = self.repository.checks(&head, &payload.name).await?;
            seen.into_iter()
                .find(|check| check.external_id.as_deref() == Some(key))
                .map(|check| check.id)
        };
        let check = check_of(payload, head, key);
        let seen = match known {
            Some(id) => self.repository.update_check(id, &check).await?,
            None => self.repository.create_check(&check).await?,
        };
        Ok(seen.id)
    }

    /// Commits files to the history branch. If they are already there, nothing is written.
    pub(crate) async fn commit_history(&self, commit: &HistoryPayload) -> anyhow::Result<()> {
        let content = Content {
            files: commit.files.clone(),
            whole: commit.whole.clone(),
        };
        self.repository
            .commit_files(BRANCH, &content, &commit.message)
            .await?;
        Ok(())
    }
}

/// Parses a time in GitHub's format (RFC 3339).
pub(crate) fn time_of(text: &str) -> Option<Timestamp> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(Timestamp(time.timestamp_millis()))
}

fn check_of(payload: &CheckPayload, head: Sha, key: &str) -> Check {
    let status = match payload.state {
        CheckState::InProgress => CheckStatus::InProgress,
        CheckState::Completed(conclusion) => CheckStatus::Completed(match conclusion {
            CheckConclusion::Success => Conclusion::Success,
            CheckConclusion::Failure => Conclusion::Failure,
            CheckConclusion::Neutral => Conclusion::Neutral,
            CheckConclusion::ActionRequired => Conclusion::ActionRequired,
            CheckConclusion::Cancelled => Conclusion::Cancelled,
        }),
    };
    Check {
        name: payload.name.clone(),
        head,
        external_id: key.to_owned(),
        details_url: None,
        status,
        title: payload.title.clone(),
        summary: payload.summary.clone(),
        annotations: payload.annotations.iter().map(annotation_of).collect(),
        actions: Vec::new(),
    }
}

fn annotation_of(payload: &AnnotationPayload) -> Annotation {
    Annotation {
        path: payload.path.clone(),
        start_line: payload.start_line,
        end_line: payload.end_line,
        columns: None,
        level: match payload.level {
            AnnotationLevel::Failure => AnnotationSeverity::Failure,
            AnnotationLevel::Warning => AnnotationSeverity::Warning,
        },
        title: payload.title.clone(),
        message: payload.message.clone(),
    }
}
