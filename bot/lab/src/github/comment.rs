//! Comments on issues and pull requests.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{Answer, Call, fits, gone, made, not_found, ok, refusal, text, unprocessable};
use super::issue::BODY_MAX;
use super::people::{Permission, Who};
use super::reaction::{Reaction, rollup};
use super::repo::Repository;
use super::{GitHub, node, stamp};
use crate::wire::Response;

#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) id: u64,
    /// The issue's number.
    pub(crate) issue: u64,
    pub(crate) author: String,
    pub(crate) body: String,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    /// Whether an app wrote it.
    pub(crate) by_app: bool,
    pub(crate) reactions: BTreeMap<u64, Reaction>,
}

impl Repository {
    pub(crate) fn find_comment(&self, id: &str) -> Result<&Comment, Response> {
        id.parse()
            .ok()
            .and_then(|id: u64| self.comments.get(&id))
            .ok_or_else(not_found)
    }
}

impl GitHub {
    pub(crate) fn show_comment(&self, repo: &Repository, comment: &Comment) -> Value {
        let base = self.repo_url(repo);
        let url = format!("{base}/issues/comments/{}", comment.id);
        let kind = if repo
            .issues
            .get(&comment.issue)
            .is_some_and(|issue| issue.pull.is_some())
        {
            "pull"
        } else {
            "issues"
        };
        json!({
            "id": comment.id, "node_id": node("IC", comment.id), "url": url,
            "html_url": format!("{}/{kind}/{}#issuecomment-{}", self.repo_html(repo), comment.issue, comment.id),
            "issue_url": format!("{base}/issues/{}", comment.issue), "user": self.user(&comment.author), "body": comment.body,
            "created_at": stamp(comment.created), "updated_at": stamp(comment.updated),
            "author_association": self.association(repo, &comment.author),
            "reactions": rollup(&format!("{url}/reactions"), &comment.reactions),
            "performed_via_github_app": comment.by_app.then(|| self.show_app()),
        })
    }

    pub(crate) fn comment_mut(&mut self, key: &str, id: u64) -> &mut Comment {
        self.repo_mut(key)
            .comments
            .get_mut(&id)
            .expect("this comment was found before")
    }

    /// `GET …/issues/{issue_number}/comments`
    pub(crate) fn list_comments(&self, call: &Call<'_>, number: &str) -> Answer {
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
    pub(crate) fn get_comment(&self, call: &Call<'_>, id: &str) -> Answer {
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_comment(repo, repo.find_comment(id)?)))
    }

    /// `POST …/issues/{issue_number}/comments`
    pub(crate) fn create_comment(&mut self, call: &Call<'_>, number: &str) -> Answer {
        let author = self.speaker(call)?;
        let issue = self.repo(&call.repo).find_issue(number)?;
        let held = self.permission(self.repo(&call.repo), &call.who);
        if issue.locked && held < Some(Permission::Write) {
            return Err(refusal(
                403,
                "Unable to create comment because issue is locked.",
            ));
        }
        let (number, body) = (issue.number, sayable(call)?);
        let (id, now) = (self.id(), self.now);
        let by_app = call.who == Who::Installation;
        let comment = Comment {
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
        self.tell_comment(&call.repo, id, &author, ("created", json!({})));
        let repo = self.repo(&call.repo);
        Ok(made(&self.show_comment(repo, &repo.comments[&id])))
    }

    /// `PATCH …/issues/comments/{comment_id}`
    pub(crate) fn update_comment(&mut self, call: &Call<'_>, id: &str) -> Answer {
        let found = self.repo(&call.repo).find_comment(id)?;
        let (id, before) = (found.id, found.body.clone());
        let by = self.may_edit(call, &found.author)?;
        let body = sayable(call)?;
        let now = self.now;
        let comment = self.comment_mut(&call.repo, id);
        comment.body = body;
        comment.updated = now;
        self.tell_comment(
            &call.repo,
            id,
            &by,
            ("edited", json!({"changes": {"body": {"from": before}}})),
        );
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_comment(repo, &repo.comments[&id])))
    }

    /// `DELETE …/issues/comments/{comment_id}`
    pub(crate) fn delete_comment(&mut self, call: &Call<'_>, id: &str) -> Answer {
        let found = self.repo(&call.repo).find_comment(id)?;
        let id = found.id;
        let by = self.may_edit(call, &found.author)?;
        self.tell_comment(&call.repo, id, &by, ("deleted", json!({})));
        self.repo_mut(&call.repo).comments.remove(&id);
        Ok(gone())
    }

    /// Whoever may comment and react: anyone known who can read.
    pub(crate) fn speaker(&self, call: &Call<'_>) -> Result<String, Response> {
        match call.who {
            Who::Nobody | Who::App => Err(refusal(401, "Requires authentication")),
            Who::Person(_) | Who::Installation => Ok(self.login(&call.who)),
        }
    }
}

fn sayable(call: &Call<'_>) -> Result<String, Response> {
    let body = call.json()?;
    let body = text(&body, "IssueComment", "body")?;
    if body.trim().is_empty() {
        return Err(unprocessable("Validation Failed: body cannot be blank"));
    }
    fits(body, "IssueComment", "body", BODY_MAX)?;
    Ok(body.to_owned())
}
