//! Refs: reading and moving them, and what follows when a branch moves.

use serde_json::{Value, json};

use super::answer::{Answer, Call, gone, invalid, made, not_found, ok, text, unprocessable};
use super::git::Oid;
use super::pull::Merged;
use super::repo::Repository;
use super::{GitHub, node};
use crate::wire::Response;

/// A branch that goes from one commit to another, or appears, or goes.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) branch: String,
    pub(crate) before: Option<Oid>,
    pub(crate) after: Option<Oid>,
    pub(crate) by: String,
    pub(crate) forced: bool,
}

impl GitHub {
    fn show_ref(&self, repo: &Repository, name: &str, oid: Oid) -> Value {
        let url = self.repo_url(repo);
        json!({
            "ref": name, "node_id": node("REF", repo.id), "url": format!("{url}/git/{name}"),
            "object": {"sha": oid.to_string(), "type": "commit", "url": format!("{url}/git/commits/{oid}")},
        })
    }

    /// `GET …/git/ref/{ref}`
    pub(crate) fn get_ref(&self, call: &Call<'_>, name: &str) -> Answer {
        let repo = self.repo(&call.repo);
        let name = format!("refs/{name}");
        let oid = repo.git.refs.get(&name).ok_or_else(not_found)?;
        Ok(ok(&self.show_ref(repo, &name, *oid)))
    }

    /// `GET …/git/matching-refs/{ref}`
    pub(crate) fn matching_refs(&self, call: &Call<'_>, start: &str) -> Response {
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
    pub(crate) fn create_ref(&mut self, call: &Call<'_>) -> Answer {
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
        let oid = known(repo, sha)?;
        self.set(
            call,
            name,
            Move {
                branch: String::new(),
                before: None,
                after: Some(oid),
                by,
                forced: false,
            },
        );
        Ok(made(&self.show_ref(self.repo(&call.repo), name, oid)))
    }

    /// `PATCH …/git/refs/{ref}`
    pub(crate) fn update_ref(&mut self, call: &Call<'_>, name: &str) -> Answer {
        let by = self.writer(call)?;
        let body = call.json()?;
        let name = format!("refs/{name}");
        let repo = self.repo(&call.repo);
        let before = *repo
            .git
            .refs
            .get(&name)
            .ok_or_else(|| unprocessable("Reference does not exist"))?;
        let after = known(repo, text(&body, "Reference", "sha")?)?;
        let forced = !repo.git.reaches(after, before);
        if forced && body["force"] != true {
            return Err(unprocessable("Update is not a fast forward"));
        }
        self.set(
            call,
            &name,
            Move {
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
    pub(crate) fn delete_ref(&mut self, call: &Call<'_>, name: &str) -> Answer {
        let by = self.writer(call)?;
        let name = format!("refs/{name}");
        let before = *(self.repo(&call.repo).git.refs.get(&name))
            .ok_or_else(|| unprocessable("Reference does not exist"))?;
        self.set(
            call,
            &name,
            Move {
                branch: String::new(),
                before: Some(before),
                after: None,
                by,
                forced: false,
            },
        );
        Ok(gone())
    }

    fn set(&mut self, call: &Call<'_>, name: &str, step: Move) {
        if let Some(branch) = name.strip_prefix("refs/heads/") {
            let step = Move {
                branch: branch.to_owned(),
                ..step
            };
            self.place(&call.repo, &step);
            self.moved(&call.repo, &step);
            return;
        }
        let refs = &mut self.repo_mut(&call.repo).git.refs;
        match step.after {
            Some(oid) => refs.insert(name.to_owned(), oid),
            None => refs.remove(name),
        };
    }

    /// Only puts the branch there.
    pub(crate) fn place(&mut self, key: &str, step: &Move) {
        let now = self.now;
        let repo = self.repo_mut(key);
        repo.pushed = now;
        let name = format!("refs/heads/{}", step.branch);
        match step.after {
            Some(oid) => repo.git.refs.insert(name, oid),
            None => repo.git.refs.remove(&name),
        };
    }

    /// Tells the push and lets the pull requests follow: heads move, bases are tried again, what has landed is closed.
    /// A fork tells nothing: only its pull requests follow, with the objects that it shares.
    pub(crate) fn moved(&mut self, key: &str, step: &Move) {
        let Some(parent) = self.repo(key).parent.clone() else {
            self.tell_push(key, step);
            return self.followed(key, None, step);
        };
        if self.repositories.contains_key(&parent) {
            let git = self.repo(key).git.clone();
            self.repo_mut(&parent).git.absorb(&git);
            self.followed(&parent, Some(key), step);
        }
    }

    fn followed(&mut self, key: &str, fork: Option<&str>, step: &Move) {
        let repo = self.repo(key);
        let open = repo.issues.values().filter(|issue| issue.is_open());
        let touched: Vec<(u64, bool)> = open
            .filter_map(|issue| Some((issue.number, issue.pull.as_ref()?)))
            .map(|(number, pull)| {
                let by_head = pull.head == step.branch && pull.fork.as_deref() == fork;
                (number, by_head, fork.is_none() && pull.base == step.branch)
            })
            .filter(|(_, by_head, by_base)| *by_head || *by_base)
            .map(|(number, by_head, _)| (number, by_head))
            .collect();
        for (number, by_head) in touched {
            match step.after {
                None => self.close_by(key, number, &step.by, None),
                Some(after) if by_head => self.follow(key, number, step, after),
                Some(after) => self.settle_base(key, number, step, after),
            }
        }
    }

    fn follow(&mut self, key: &str, number: u64, step: &Move, after: Oid) {
        let now = self.now;
        let repo = self.repo_mut(key);
        let Some(issue) = repo.issues.get_mut(&number) else {
            return;
        };
        issue.updated = now;
        let Some(pull) = &mut issue.pull else { return };
        let before = pull.head_oid;
        pull.head_oid = after;
        pull.base_oid = repo.git.branch(&pull.base).unwrap_or(pull.base_oid);
        self.try_merge(key, number);
        let extra = json!({"before": before.to_string(), "after": after.to_string()});
        self.tell_pull(key, number, &step.by, ("synchronize", extra));
    }

    fn settle_base(&mut self, key: &str, number: u64, step: &Move, after: Oid) {
        let repo = self.repo(key);
        let landed = (repo
            .issues
            .get(&number)
            .and_then(|issue| issue.pull.as_ref()))
        .is_some_and(|pull| repo.git.reaches(after, pull.head_oid));
        if landed {
            self.close_by(key, number, &step.by, Some(after));
        } else {
            self.try_merge(key, number);
        }
    }

    fn close_by(&mut self, key: &str, number: u64, by: &str, landed: Option<Oid>) {
        let now = self.now;
        let issue = self.issue_mut(key, number);
        (issue.closed, issue.updated) = (Some(now), now);
        if let (Some(pull), Some(oid)) = (&mut issue.pull, landed) {
            pull.merged = Some(Merged {
                by: by.to_owned(),
                at: now,
                oid,
            });
        }
        self.tell_pull(key, number, by, ("closed", json!({})));
    }
}

fn known(repo: &Repository, sha: &str) -> Result<Oid, Response> {
    let oid: Oid = sha
        .parse()
        .map_err(|_told| invalid("Reference", "sha", "invalid", ""))?;
    repo.git
        .commit(oid)
        .map(|_| oid)
        .ok_or_else(|| unprocessable("Object does not exist"))
}
