//! Endpoints of commits and comparisons.

use serde_json::{Value, json};

use super::answer::{ApiCall, GitHubAnswer, not_found, ok, refusal, unprocessable};
use super::git::Oid;
use super::show::commit::{ChangedFile, changed};
use super::store::LabGitHub;

/// Most files in one comparison.
const FILES_MAX: usize = 300;

impl LabGitHub {
    /// `GET …/commits/{ref}`
    pub(crate) fn get_commit(&self, call: &ApiCall<'_>, name: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let missing = || unprocessable(&format!("No commit found for SHA: {name}"));
        let oid = repo.resolve(name).ok_or_else(missing)?;
        let mut shown = self.show_commit(repo, oid).ok_or_else(missing)?;
        let parent = repo
            .git
            .commit(oid)
            .and_then(|commit| commit.parents.first().copied());
        let files = changed(&repo.git, parent, oid);
        let (more, less) = line_totals(&files);
        shown["stats"] = json!({"total": more + less, "additions": more, "deletions": less});
        let files: Vec<Value> = files
            .iter()
            .map(|file| self.show_changed(repo, oid, file))
            .collect();
        shown["files"] = Value::Array(files);
        Ok(ok(&shown))
    }

    /// `GET …/commits`
    pub(crate) fn list_commits(&self, call: &ApiCall<'_>) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        if repo.git.refs.is_empty() {
            return Err(refusal(409, "Git Repository is empty."));
        }
        let oid = repo
            .resolve(call.request.param("sha").unwrap_or("HEAD"))
            .ok_or_else(not_found)?;
        let mut all = repo.git.history(oid);
        if let Some(path) = call.request.param("path") {
            let at = |oid: Option<&Oid>| oid.and_then(|oid| repo.git.entry(*oid, path));
            all.retain(|oid| {
                at(Some(oid))
                    != at(repo
                        .git
                        .commit(*oid)
                        .and_then(|commit| commit.parents.first()))
            });
        }
        Ok(self
            .page(call, all, |oid| {
                self.show_commit(repo, oid).unwrap_or_default()
            })
            .answer())
    }

    /// `GET …/compare/{base}...{head}`
    pub(crate) fn compare(&self, call: &ApiCall<'_>, basehead: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let (left, right) = basehead.split_once("...").ok_or_else(not_found)?;
        let find = |name: &str| {
            let name = name
                .strip_prefix(&format!("{}:", repo.owner))
                .unwrap_or(name);
            repo.resolve(name).ok_or_else(not_found)
        };
        let (base, head) = (find(left)?, find(right)?);
        let root = repo.git.merge_base(base, head);
        let root = root.ok_or_else(|| {
            refusal(
                404,
                &format!("No common ancestor between {left} and {right}."),
            )
        })?;
        let (ahead, behind) = (repo.git.ahead(base, head), repo.git.ahead(head, base).len());
        let status = match (ahead.len(), behind) {
            (0, 0) => "identical",
            (_, 0) => "ahead",
            (0, _) => "behind",
            _ => "diverged",
        };
        let files: Vec<Value> = changed(&repo.git, Some(root), head)
            .iter()
            .take(FILES_MAX)
            .map(|file| self.show_changed(repo, head, file))
            .collect();
        let (url, html) = (self.repo_url(repo), self.repo_html(repo));
        let (ahead_by, show) = (ahead.len(), |oid| {
            self.show_commit(repo, oid).unwrap_or_default()
        });
        let page = self.page(call, ahead, show);
        Ok(page.within(|commits| {
            json!({
                "url": format!("{url}/compare/{basehead}"), "html_url": format!("{html}/compare/{basehead}"),
                "permalink_url": format!("{html}/compare/{base}...{head}"), "diff_url": format!("{html}/compare/{basehead}.diff"),
                "patch_url": format!("{html}/compare/{basehead}.patch"), "base_commit": show(base),
                "merge_base_commit": show(root), "status": status, "ahead_by": ahead_by, "behind_by": behind,
                "total_commits": ahead_by, "commits": commits, "files": files,
            })
        }))
    }
}

fn line_totals(files: &[ChangedFile]) -> (usize, usize) {
    files.iter().fold((0, 0), |(more, less), file| {
        (more + file.additions, less + file.deletions)
    })
}
