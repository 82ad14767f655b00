//! Endpoints of a repository and its branches.

use serde_json::{Value, json};

use super::answer::{ApiCall, GitHubAnswer, not_found, ok, refusal};
use super::git::Oid;
use super::store::{LabGitHub, RepositoryPermission};
use crate::wire::LabResponse;

impl LabGitHub {
    /// `GET /repos/{owner}/{repo}`
    pub(crate) fn get_repo(&self, call: &ApiCall<'_>) -> LabResponse {
        let repo = self.repo(&call.repo);
        let mut shown = self.show_repo(repo);
        shown["web_commit_signoff_required"] = json!(false);
        shown["permissions"] = RepositoryPermission::shown(self.permission(repo, &call.who));
        for field in [
            "allow_merge_commit",
            "allow_squash_merge",
            "allow_rebase_merge",
        ] {
            shown[field] = json!(true);
        }
        for field in ["subscribers_count", "network_count"] {
            shown[field] = json!(0);
        }
        if self.organizations.contains_key(&repo.owner) {
            shown["organization"] = self.user(&repo.owner);
        }
        ok(&shown)
    }

    /// `GET /repos/{owner}/{repo}/branches`
    pub(crate) fn list_branches(&self, call: &ApiCall<'_>) -> LabResponse {
        let repo = self.repo(&call.repo);
        let url = self.repo_url(repo);
        let show = |(name, oid): (&str, Oid)| json!({"name": name, "commit": {"sha": oid.to_string(), "url": format!("{url}/commits/{oid}")}, "protected": false});
        self.page(call, repo.branches(), show).answer()
    }

    /// `GET /repos/{owner}/{repo}/branches/{branch}`, and `…/protection`, which no branch has.
    pub(crate) fn get_branch(&self, call: &ApiCall<'_>, words: &[&str]) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        if let [name @ .., "protection"] = words
            && repo.git.branch(&name.join("/")).is_some()
        {
            return Err(refusal(404, "Branch not protected"));
        }
        let name = words.join("/");
        let oid = repo
            .git
            .branch(&name)
            .ok_or_else(|| refusal(404, "Branch not found"))?;
        let url = format!("{}/branches/{name}", self.repo_url(repo));
        let commit = self.show_commit(repo, oid).ok_or_else(not_found)?;
        Ok(ok(&json!({
            "name": name, "commit": commit, "protected": false, "protection_url": format!("{url}/protection"),
            "_links": {"self": url, "html": format!("{}/tree/{name}", self.repo_html(repo))},
            "protection": {"enabled": false, "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []}},
        })))
    }

    /// `GET /repos/{owner}/{repo}/rules/branches/{branch}`: always empty.
    pub(crate) fn rules(&self, call: &ApiCall<'_>) -> LabResponse {
        self.page(call, Vec::<Value>::new(), |rule| rule).answer()
    }
}
