//! Endpoints of reviews: text and state only.

use serde_json::{Value, json};

use super::answer::{ApiCall, GitHubAnswer, created, maybe, node, ok, stamp, unprocessable};
use super::store::{LabGitHub, StoredIssue, StoredRepository, StoredReview};

impl LabGitHub {
    fn show_review(
        &self,
        repo: &StoredRepository,
        issue: &StoredIssue,
        review: &StoredReview,
    ) -> Value {
        let url = format!("{}/pulls/{}", self.repo_url(repo), issue.number);
        let html = format!(
            "{}/pull/{}#pullrequestreview-{}",
            self.repo_html(repo),
            issue.number,
            review.id
        );
        json!({
            "id": review.id, "node_id": node("PRR", review.id), "user": self.user(&review.author), "body": review.body,
            "state": review.state, "html_url": html, "pull_request_url": url, "submitted_at": stamp(review.at),
            "_links": {"html": {"href": html}, "pull_request": {"href": url}}, "commit_id": review.oid.to_string(),
            "author_association": self.association(repo, &review.author),
        })
    }

    /// `GET …/pulls/{pull_number}/reviews`
    pub(crate) fn list_reviews(&self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let (issue, _) = repo.find_pull(number)?;
        let all = issue.reviews.iter().collect();
        Ok(self
            .page(call, all, |review| self.show_review(repo, issue, review))
            .answer())
    }

    /// `POST …/pulls/{pull_number}/reviews`
    pub(crate) fn create_review(&mut self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        let author = self.commenter(call)?;
        let body = call.json()?;
        let (issue, pull) = self.repo(&call.repo).find_pull(number)?;
        let state = match body["event"].as_str() {
            None => "PENDING",
            Some("COMMENT") => "COMMENTED",
            Some("APPROVE" | "REQUEST_CHANGES") if issue.author == author => {
                return Err(unprocessable(
                    "Review Can not approve or request changes on your own pull request",
                ));
            }
            Some("APPROVE") => "APPROVED",
            Some("REQUEST_CHANGES") => "CHANGES_REQUESTED",
            Some(_) => return Err(unprocessable("event is not included in the list")),
        };
        let (number, oid) = (issue.number, pull.head_oid);
        let (id, at) = (self.id(), self.now);
        let review = StoredReview {
            id,
            author,
            body: maybe(&body, "body").unwrap_or_default(),
            state,
            oid,
            at,
        };
        self.issue_mut(&call.repo, number)
            .reviews
            .push(review.clone());
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_review(repo, &repo.issues[&number], &review)))
    }

    /// `POST …/pulls/{pull_number}/requested_reviewers`: accepted, but not stored.
    pub(crate) fn request_reviewers(&self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        self.writer(call)?;
        let repo = self.repo(&call.repo);
        let (issue, pull) = repo.find_pull(number)?;
        Ok(created(&self.show_pull_simple(repo, issue, pull)))
    }
}
