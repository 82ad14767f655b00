//! Endpoints of pull requests, except the merge.

use serde_json::json;

use super::answer::{ApiCall, GitHubAnswer, created, fits, invalid, maybe, not_found, ok, text};
use super::show::commit::changed;
use super::store::{BODY_MAX, LabGitHub, StoredIssue, StoredPullRequest, TITLE_MAX};
use crate::wire::LabResponse;

impl LabGitHub {
    /// `GET …/pulls/{pull_number}`
    pub(crate) fn get_pull(&self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_pull(repo, repo.find_pull(number)?.0)))
    }

    /// `GET …/pulls`
    pub(crate) fn list_pulls(&self, call: &ApiCall<'_>) -> LabResponse {
        let repo = self.repo(&call.repo);
        let asked = |name| call.request.param(name);
        let state = asked("state").unwrap_or("open");
        let head =
            asked("head").map(|head| head.rsplit_once(':').map_or(head, |(_, branch)| branch));
        let mut all: Vec<(&StoredIssue, &StoredPullRequest)> = repo
            .issues
            .values()
            .filter_map(|issue| Some((issue, issue.pull.as_ref()?)))
            .filter(|(issue, _)| state == "all" || state == issue.word())
            .filter(|(_, pull)| asked("base").is_none_or(|base| base == pull.base))
            .filter(|(_, pull)| head.is_none_or(|head| head == pull.head))
            .collect();
        if matches!(asked("sort"), Some("updated")) {
            all.sort_by_key(|(issue, _)| (issue.updated, issue.number));
        }
        if asked("direction") != Some("asc") {
            all.reverse();
        }
        self.page(call, all, |(issue, pull)| {
            self.show_pull_simple(repo, issue, pull)
        })
        .answer()
    }

    /// `GET …/commits/{commit_sha}/pulls`
    pub(crate) fn pulls_of_commit(&self, call: &ApiCall<'_>, name: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let oid = repo.resolve(name).ok_or_else(not_found)?;
        let holds = |pull: &StoredPullRequest| {
            let is_merged = pull.merged.as_ref().is_some_and(|merged| merged.oid == oid);
            is_merged || repo.git.ahead(pull.base_oid, pull.head_oid).contains(&oid)
        };
        let all = repo
            .issues
            .values()
            .filter_map(|issue| Some((issue, issue.pull.as_ref()?)));
        let all: Vec<_> = all.filter(|(_, pull)| holds(pull)).collect();
        Ok(self
            .page(call, all, |(issue, pull)| {
                self.show_pull_simple(repo, issue, pull)
            })
            .answer())
    }

    /// `GET …/pulls/{pull_number}/files`
    pub(crate) fn pull_files(&self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let (_, pull) = repo.find_pull(number)?;
        let from = repo
            .git
            .merge_base(pull.base_oid, pull.head_oid)
            .unwrap_or(pull.base_oid);
        let files = changed(&repo.git, Some(from), pull.head_oid);
        Ok(self
            .page(call, files, |file| {
                self.show_changed(repo, pull.head_oid, &file)
            })
            .answer())
    }

    /// `GET …/pulls/{pull_number}/commits`
    pub(crate) fn pull_commits(&self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let (_, pull) = repo.find_pull(number)?;
        let all = repo.git.ahead(pull.base_oid, pull.head_oid);
        Ok(self
            .page(call, all, |oid| {
                self.show_commit(repo, oid).unwrap_or_default()
            })
            .answer())
    }

    /// `POST …/pulls`
    pub(crate) fn open(&mut self, call: &ApiCall<'_>) -> GitHubAnswer {
        let author = self.commenter(call)?;
        let body = call.json()?;
        let (title, head, base) = (
            text(&body, "PullRequest", "title")?,
            text(&body, "PullRequest", "head")?,
            text(&body, "PullRequest", "base")?,
        );
        let text_body = maybe(&body, "body");
        fits(title, "PullRequest", "title", TITLE_MAX)?;
        fits(
            text_body.as_deref().unwrap_or_default(),
            "PullRequest",
            "body",
            BODY_MAX,
        )?;
        let repo = self.repo(&call.repo);
        let (owner, head) = head.split_once(':').unwrap_or((&repo.owner, head));
        let fork = (owner != repo.owner).then(|| format!("{owner}/{}", repo.name));
        let from = fork
            .as_ref()
            .map_or(Some(repo), |fork| self.repositories.get(fork));
        let bad = |field: &str| invalid("PullRequest", field, "invalid", "");
        let head_oid = from
            .and_then(|from| from.git.branch(head))
            .ok_or_else(|| bad("head"))?;
        let base_oid = repo.git.branch(base).ok_or_else(|| bad("base"))?;
        let same =
            |pull: &StoredPullRequest| pull.head == head && pull.base == base && pull.fork == fork;
        if repo
            .issues
            .values()
            .any(|issue| issue.is_open() && issue.pull.as_ref().is_some_and(same))
        {
            let message = format!("A pull request already exists for {owner}:{head}.");
            return Err(invalid("PullRequest", "head", "custom", &message));
        }
        if repo.git.ahead(base_oid, head_oid).is_empty() {
            let message = format!("No commits between {base} and {head}");
            return Err(invalid("PullRequest", "head", "custom", &message));
        }
        let pull = StoredPullRequest {
            fork,
            head: head.to_owned(),
            base: base.to_owned(),
            head_oid,
            base_oid,
            trial: None,
            merged: None,
        };
        let number = self.add_issue(
            &call.repo,
            &author,
            [Some(title.to_owned()), text_body],
            Some(pull),
        );
        self.try_merge(&call.repo, number);
        self.send_pull_request_event(&call.repo, number, &author, ("opened", json!({})));
        let repo = self.repo(&call.repo);
        Ok(created(&self.show_pull(repo, &repo.issues[&number])))
    }

    /// `PATCH …/pulls/{pull_number}`
    pub(crate) fn patch_pull(&mut self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        let (issue, _) = self.repo(&call.repo).find_pull(number)?;
        let number = issue.number;
        self.may_edit(call, &issue.author)?;
        let body = call.json()?;
        self.edit_pull(call, number, &body)?;
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_pull(repo, &repo.issues[&number])))
    }
}
