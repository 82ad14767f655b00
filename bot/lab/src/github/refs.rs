//! Endpoints of git refs.

use serde_json::{Value, json};

use super::answer::{
    ApiCall, GitHubAnswer, created, invalid, no_content, node, not_found, ok, text, unprocessable,
};
use super::branch::BranchUpdate;
use super::git::Oid;
use super::store::{LabGitHub, StoredRepository};
use crate::wire::LabResponse;

impl LabGitHub {
    fn show_ref(&self, repo: &StoredRepository, name: &str, oid: Oid) -> Value {
        let url = self.repo_url(repo);
        json!({
            "ref": name, "node_id": node("REF", repo.id), "url": format!("{url}/git/{name}"),
            "object": {"sha": oid.to_string(), "type": "commit", "url": format!("{url}/git/commits/{oid}")},
        })
    }

    /// `GET …/git/ref/{ref}`
    pub(crate) fn get_ref(&self, call: &ApiCall<'_>, name: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let name = format!("refs/{name}");
        let oid = repo.git.refs.get(&name).ok_or_else(not_found)?;
        Ok(ok(&self.show_ref(repo, &name, *oid)))
    }

    /// `GET …/git/matching-refs/{ref}`
    pub(crate) fn matching_refs(&self, call: &ApiCall<'_>, start: &str) -> LabResponse {
        let repo = self.repo(&call.repo);
        let start = format!("refs/{start}");
        let all: Vec<_> = repo
            .git
            .refs
            .iter()
            .filter(|(name, _)| name.starts_with(&start))
            .collect();
        self.page(call, all, |(name, oid)| self.show_ref(repo, name, *oid))
            .answer()
    }

    /// `POST …/git/refs`
    pub(crate) fn create_ref(&mut self, call: &ApiCall<'_>) -> GitHubAnswer {
        let by = self.writer(call)?;
        let body = call.json()?;
        let (name, sha) = (
            text(&body, "Reference", "ref")?,
            text(&body, "Reference", "sha")?,
        );
        let repo = self.repo(&call.repo);
        if !name.starts_with("refs/") || name.split('/').count() < 3 {
            return Err(unprocessable(
                "Reference name must start with 'refs/' and contain at least two slashes",
            ));
        }
        if repo.git.refs.contains_key(name) {
            return Err(unprocessable("Reference already exists"));
        }
        let oid = existing_commit(repo, sha)?;
        self.set(
            call,
            name,
            BranchUpdate {
                branch: String::new(),
                before: None,
                after: Some(oid),
                by,
                forced: false,
            },
        );
        Ok(created(&self.show_ref(self.repo(&call.repo), name, oid)))
    }

    /// `PATCH …/git/refs/{ref}`
    pub(crate) fn update_ref(&mut self, call: &ApiCall<'_>, name: &str) -> GitHubAnswer {
        let by = self.writer(call)?;
        let body = call.json()?;
        let name = format!("refs/{name}");
        let repo = self.repo(&call.repo);
        let before = *repo
            .git
            .refs
            .get(&name)
            .ok_or_else(|| unprocessable("Reference does not exist"))?;
        let after = existing_commit(repo, text(&body, "Reference", "sha")?)?;
        let forced = !repo.git.reaches(after, before);
        if forced && body["force"] != true {
            return Err(unprocessable("Update is not a fast forward"));
        }
        self.set(
            call,
            &name,
            BranchUpdate {
                branch: String::new(),
                before: Some(before),
                after: Some(after),
                by,
                forced,
            },
        );
        Ok(ok(&self.show_ref(self.repo(&call.repo), &name, after)))
    }

    /// `DELETE …/git/refs/{ref}`
    pub(crate) fn delete_ref(&mut self, call: &ApiCall<'_>, name: &str) -> GitHubAnswer {
        let by = self.writer(call)?;
        let name = format!("refs/{name}");
        let before = *(self.repo(&call.repo).git.refs.get(&name))
            .ok_or_else(|| unprocessable("Reference does not exist"))?;
        self.set(
            call,
            &name,
            BranchUpdate {
                branch: String::new(),
                before: Some(before),
                after: None,
                by,
                forced: false,
            },
        );
        Ok(no_content())
    }

    fn set(&mut self, call: &ApiCall<'_>, name: &str, step: BranchUpdate) {
        if let Some(branch) = name.strip_prefix("refs/heads/") {
            let step = BranchUpdate {
                branch: branch.to_owned(),
                ..step
            };
            self.set_branch(&call.repo, &step);
            self.after_branch_update(&call.repo, &step);
            return;
        }
        let refs = &mut self.repo_mut(&call.repo).git.refs;
        match step.after {
            Some(oid) => refs.insert(name.to_owned(), oid),
            None => refs.remove(name),
        };
    }
}

fn existing_commit(repo: &StoredRepository, sha: &str) -> Result<Oid, LabResponse> {
    let oid: Oid = sha
        .parse()
        .map_err(|_error| invalid("Reference", "sha", "invalid", ""))?;
    repo.git
        .commit(oid)
        .map(|_| oid)
        .ok_or_else(|| unprocessable("Object does not exist"))
}
