//! What a turn asks of GitHub, in a turn's words.
//!
//! Names and numbers in, plain values out; a commit's name that is none is refused before anything is asked. It must not
//! know why anything is asked.

use anyhow::Context as _;
use serde::Deserialize;
use topology::observed::Timestamp;

use crate::config::Site;
use crate::history::BRANCH;
use crate::pulls::pull::PullRequest;
use github::Content;
use github::Memberships;
use github::Team;
use github::webhook::event::{CommentEvent, PullNumber, Sha};
use github::{
    Annotation, Check, CheckStatus, Conclusion, GitHub, GitHubError, Level, Reaction, Repository,
};
use plan::runbook::is_runbook;

/// A check as a turn writes it down.
#[derive(Deserialize)]
struct Owed {
    name: String,
    head_sha: String,
    status: String,
    conclusion: Option<String>,
    title: String,
    summary: String,
    annotations: Vec<Remark>,
}

#[derive(Deserialize)]
struct Remark {
    path: String,
    start_line: u64,
    end_line: u64,
    annotation_level: String,
    title: String,
    message: String,
}

/// GitHub, as a turn asks it.
pub struct GitHubPort(pub GitHub);

impl GitHubPort {
    async fn at(&self, repository: &str) -> anyhow::Result<Repository> {
        Ok(self.0.repository(repository).await?)
    }

    /// Whether the repository of that name is the one with that number.
    pub(crate) async fn is_repository(&self, repository: &str, id: u64) -> anyhow::Result<bool> {
        Ok(self.at(repository).await?.about.id == id)
    }

    /// Whether a comment is still there, says what it said, and is by whom it was.
    pub(crate) async fn still_says(
        &self,
        repository: &str,
        comment: &CommentEvent,
    ) -> anyhow::Result<bool> {
        let seen = self.at(repository).await?.comment(comment.id).await;
        let by = |author: &Option<github::webhook::event::Account>| author.as_ref().map(|it| it.id);
        Ok(GitHubError::absent(seen)?.is_some_and(|seen| {
            seen.body == comment.body && !seen.edited() && by(&seen.author) == by(&comment.author)
        }))
    }

    pub(crate) async fn default_branch(&self, repository: &str) -> anyhow::Result<String> {
        Ok(self.at(repository).await?.about.default_branch)
    }

    /// The declaration's and the runbooks' files at a commit or on a branch, by path.
    pub(crate) async fn folder(
        &self,
        repository: &str,
        at: &str,
        folder: &str,
    ) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let repository = self.at(repository).await?;
        let commit = match Sha::parse(at) {
            Ok(commit) => commit,
            Err(_) => repository
                .branch(at)
                .await?
                .with_context(|| format!("there is no branch `{at}`"))?,
        };
        let wanted = |path: &str| topology::draft::is_declaration(path) || is_runbook(path);
        let folder = repository.folder(&commit, folder, wanted).await?;
        Ok(folder
            .files
            .into_iter()
            .map(|(path, text)| (path, text.into_bytes()))
            .collect())
    }

    pub(crate) async fn pull(&self, repository: &str, number: u64) -> anyhow::Result<PullRequest> {
        let seen = self.at(repository).await?.pull(PullNumber(number)).await?;
        Ok(PullRequest {
            number,
            open: seen.open,
            merged: seen.merged.is_some(),
            merge_commit: seen.merged.map(String::from),
            merged_at: seen.merged_at.as_deref().and_then(time_of),
            head: seen.head.into(),
            base: seen.base,
            author: seen.author.map(|author| author.id),
        })
    }

    /// The paths that a pull request changes; `None` when they are more than GitHub lists.
    pub(crate) async fn changed_files(
        &self,
        repository: &str,
        number: u64,
    ) -> anyhow::Result<Option<Vec<String>>> {
        Ok(self
            .at(repository)
            .await?
            .pull_paths(PullNumber(number))
            .await?)
    }

    pub(crate) async fn is_on_branch(
        &self,
        repository: &str,
        commit: &str,
        branch: &str,
    ) -> anyhow::Result<bool> {
        Ok(self
            .at(repository)
            .await?
            .is_on(&Sha::parse(commit)?, branch)
            .await?)
    }

    /// What GitHub says of a person and these teams; what it does not say is a no.
    pub(crate) async fn memberships(
        &self,
        repository: &str,
        teams: &[Team],
        login: &str,
    ) -> anyhow::Result<Memberships> {
        if teams.is_empty() {
            return Ok(Memberships::new());
        }
        Ok(self.at(repository).await?.memberships(teams, login).await)
    }

    /// Our own comment that carries the marker: after a power cut it may have been posted without being written down.
    pub(crate) async fn own_comment(
        &self,
        repository: &str,
        number: u64,
        marker: &str,
    ) -> anyhow::Result<Option<u64>> {
        let comments = self
            .at(repository)
            .await?
            .comments(PullNumber(number), None)
            .await?;
        let mut marked = comments
            .iter()
            .filter(|comment| comment.body.contains(marker))
            .peekable();
        if marked.peek().is_none() {
            return Ok(None);
        }
        // Anybody can write the marker; only our own account's comment is ours.
        let me = self.0.me().await?;
        Ok(marked.find(|comment| me.wrote(comment)).map(|own| own.id))
    }

    pub(crate) async fn comment(
        &self,
        repository: &str,
        number: u64,
        body: &str,
    ) -> anyhow::Result<u64> {
        Ok(self
            .at(repository)
            .await?
            .create_comment(PullNumber(number), body)
            .await?
            .id)
    }

    /// False when the comment is gone.
    pub(crate) async fn edit_comment(
        &self,
        repository: &str,
        id: u64,
        body: &str,
    ) -> anyhow::Result<bool> {
        Ok(
            GitHubError::absent(self.at(repository).await?.update_comment(id, body).await)?
                .is_some(),
        )
    }

    pub(crate) async fn react(
        &self,
        repository: &str,
        comment: u64,
        word: &str,
    ) -> anyhow::Result<()> {
        let reaction = [Reaction::MaasReader, Reaction::Rocket, Reaction::Confused]
            .into_iter()
            .find(|reaction| reaction.word() == word);
        let reaction = reaction.with_context(|| format!("there is no reaction `{word}`"))?;
        // A comment that is gone needs no mark.
        Ok(
            GitHubError::absent(self.at(repository).await?.react(comment, reaction).await)
                .map(drop)?,
        )
    }

    /// Creates the check, or updates the one that carries the key.
    pub(crate) async fn check(
        &self,
        repository: &str,
        key: &str,
        id: Option<u64>,
        owed: &str,
    ) -> anyhow::Result<u64> {
        let owed: Owed = serde_json::from_str(owed)?;
        let repository = self.at(repository).await?;
        let head = Sha::parse(&owed.head_sha)?;
        let known = if let Some(id) = id {
            Some(id)
        } else {
            let seen = repository.checks(&head, &owed.name).await?;
            seen.into_iter()
                .find(|check| check.external_id.as_deref() == Some(key))
                .map(|check| check.id)
        };
        let check = check_of(owed, head, key)?;
        let seen = match known {
            Some(id) => repository.update_check(id, &check).await?,
            None => repository.create_check(&check).await?,
        };
        Ok(seen.id)
    }

    /// How many runs of a plan of a pull request the history has.
    pub(crate) async fn recorded_runs(
        &self,
        site: &Site,
        number: u64,
        digest: &str,
    ) -> anyhow::Result<i64> {
        let folder = format!("history/{}", site.name);
        let repository = self.at(&site.repository).await?;
        let names = repository.names_in(BRANCH, &folder).await?;
        let own = format!("-pr{number}-{digest}");
        let count = names.iter().filter(|name| name.ends_with(&own)).count();
        Ok(i64::try_from(count)?)
    }

    pub(crate) async fn commit_files(
        &self,
        repository: &str,
        branch: &str,
        content: &Content,
        message: &str,
    ) -> anyhow::Result<()> {
        self.at(repository)
            .await?
            .commit_files(branch, content, message)
            .await?;
        Ok(())
    }
}

/// A time as GitHub writes times.
pub(crate) fn time_of(text: &str) -> Option<Timestamp> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(Timestamp(time.timestamp_millis()))
}

fn check_of(owed: Owed, head: Sha, key: &str) -> anyhow::Result<Check> {
    let conclusions = [
        Conclusion::Success,
        Conclusion::Failure,
        Conclusion::Neutral,
        Conclusion::ActionRequired,
        Conclusion::Cancelled,
    ];
    let status = match (owed.status.as_str(), owed.conclusion) {
        ("completed", Some(word)) => {
            let conclusion = conclusions
                .into_iter()
                .find(|conclusion| conclusion.word() == word);
            CheckStatus::Completed(
                conclusion.with_context(|| format!("there is no conclusion `{word}`"))?,
            )
        }
        _ => CheckStatus::InProgress,
    };
    Ok(Check {
        name: owed.name,
        head,
        external_id: key.to_owned(),
        details_url: None,
        status,
        title: owed.title,
        summary: owed.summary,
        annotations: owed.annotations.into_iter().map(annotation_of).collect(),
        actions: Vec::new(),
    })
}

fn annotation_of(remark: Remark) -> Annotation {
    Annotation {
        path: remark.path,
        start_line: remark.start_line,
        end_line: remark.end_line,
        columns: None,
        level: if remark.annotation_level == "failure" {
            Level::Failure
        } else {
            Level::Warning
        },
        title: remark.title,
        message: remark.message,
    }
}
