//! Comments on issues and pull requests.

use std::collections::BTreeMap;

use serde_json::json;

use super::answer::{
    ApiCall, GitHubAnswer, created, fits, no_content, ok, refusal, text, unprocessable,
};
use super::store::{BODY_MAX, GitHubActor, LabGitHub, RepositoryPermission, StoredComment};
use crate::wire::LabResponse;

impl LabGitHub {
    /// `GET …/issues/{issue_number}/comments`
    pub(crate) fn list_comments(&self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let issue = repo.find_issue(number)?;
        let since = call
            .request
            .param("since")
            .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
        let all = repo
            .comments
            .values()
            .filter(|comment| comment.issue == issue.number);
        let all =
            all.filter(|comment| since.is_none_or(|since| comment.updated >= since.timestamp()));
        Ok(self
            .page(call, all.collect(), |comment| {
                self.show_comment(repo, comment)
            })
            .answer())
    }

    /// `GET …/issues/comments/{comment_id}`
    pub(crate) fn get_comment(&self, call: &ApiCall<'_>, id: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_comment(repo, repo.find_comment(id)?)))
    }

    /// `POST …/issues/{issue_number}/comments`
    pub(crate) fn create_comment(&mut self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        let author = self.commenter(call)?;
        let issue = self.repo(&call.repo).find_issue(number)?;
        let held = self.permission(self.repo(&call.repo), &call.who);
        if issue.locked && held < Some(RepositoryPermission::Write) {
            return Err(refusal(
                403,
                "Unable to create comment because issue is locked.",
            ));
        }
        let (number, body) = (issue.number, comment_body(call)?);
        let (id, now) = (self.id(), self.now);
        let by_app = call.who == GitHubActor::Installation;
        let comment = StoredComment {
            id,
            issue: number,
            author: author.clone(),
            body,
            created: now,
            updated: now,
            by_app,
            reactions: BTreeMap::new(),
        };
        self.repo_mut(&call.repo).comments.insert(id, comment);
        self.issue_mut(&call.repo, number).updated = now;
        self.send_comment_event(&call.repo, id, &author, ("created", json!({})));
        let repo = self.repo(&call.repo);
        Ok(created(&self.show_comment(repo, &repo.comments[&id])))
    }

    /// `PATCH …/issues/comments/{comment_id}`
    pub(crate) fn update_comment(&mut self, call: &ApiCall<'_>, id: &str) -> GitHubAnswer {
        let found = self.repo(&call.repo).find_comment(id)?;
        let (id, before) = (found.id, found.body.clone());
        let by = self.may_edit(call, &found.author)?;
        let body = comment_body(call)?;
        let now = self.now;
        let comment = self.comment_mut(&call.repo, id);
        comment.body = body;
        comment.updated = now;
        self.send_comment_event(
            &call.repo,
            id,
            &by,
            ("edited", json!({"changes": {"body": {"from": before}}})),
        );
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_comment(repo, &repo.comments[&id])))
    }

    /// `DELETE …/issues/comments/{comment_id}`
    pub(crate) fn delete_comment(&mut self, call: &ApiCall<'_>, id: &str) -> GitHubAnswer {
        let found = self.repo(&call.repo).find_comment(id)?;
        let id = found.id;
        let by = self.may_edit(call, &found.author)?;
        self.send_comment_event(&call.repo, id, &by, ("deleted", json!({})));
        self.repo_mut(&call.repo).comments.remove(&id);
        Ok(no_content())
    }
}

fn comment_body(call: &ApiCall<'_>) -> Result<String, LabResponse> {
    let body = call.json()?;
    let body = text(&body, "IssueComment", "body")?;
    if body.trim().is_empty() {
        return Err(unprocessable("Validation Failed: body cannot be blank"));
    }
    fits(body, "IssueComment", "body", BODY_MAX)?;
    Ok(body.to_owned())
}
