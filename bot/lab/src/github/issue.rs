//! Endpoints of issues, and of pull requests as issues.

use super::answer::{ApiCall, GitHubAnswer, ok};
use super::edit::edit_text;
use super::store::LabGitHub;

impl LabGitHub {
    /// `GET /repos/{owner}/{repo}/issues/{issue_number}`
    pub(crate) fn get_issue(&self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let issue = repo.find_issue(number)?;
        Ok(ok(&self.show_issue(repo, issue)))
    }

    /// `PATCH /repos/{owner}/{repo}/issues/{issue_number}`, which also edits pull requests.
    pub(crate) fn patch_issue(&mut self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        let found = self.repo(&call.repo).find_issue(number)?;
        let number = found.number;
        self.may_edit(call, &found.author)?;
        let body = call.json()?;
        if found.pull.is_some() {
            self.edit_pull(call, number, &body)?;
        } else {
            let now = self.now;
            let issue = self.issue_mut(&call.repo, number);
            edit_text(issue, &body)?;
            match body["state"].as_str() {
                Some("closed") => issue.closed = issue.closed.or(Some(now)),
                Some(_) => issue.closed = None,
                None => {}
            }
            issue.updated = now;
        }
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_issue(repo, &repo.issues[&number])))
    }
}
