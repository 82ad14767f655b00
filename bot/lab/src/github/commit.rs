//! Commits as the repository API shows them: with people, files and comparisons.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::answer::{Answer, Call, not_found, ok, refusal, unprocessable};
use super::diff;
use super::git::{Git, Oid, Signature};
use super::objects::{signed, unsigned};
use super::repo::Repository;
use super::{GitHub, node};

/// Files that one comparison or commit shows.
const FILES_MAX: usize = 300;

/// One file that differs between two commits.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    path: String,
    status: &'static str,
    /// Where the content is now, or was.
    oid: Oid,
    pub(crate) additions: usize,
    pub(crate) deletions: usize,
    patch: Option<String>,
}

impl Changed {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// `added`, `removed` or `modified`.
    pub(crate) fn status(&self) -> &'static str {
        self.status
    }
}

/// What differs, by path; `None` as `from` stands for an empty tree.
pub(crate) fn changed(git: &Git, from: Option<Oid>, to: Oid) -> Vec<Changed> {
    let (old, new) = (
        from.map(|from| git.files(from)).unwrap_or_default(),
        git.files(to),
    );
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut out = vec![];
    for path in paths {
        let (was, is) = (old.get(path), new.get(path));
        let Some(shown) = is.or(was).filter(|_| was != is) else {
            continue;
        };
        let bytes = |oid: Option<Oid>| oid.and_then(|oid| git.blob(oid)).unwrap_or_default();
        let sides = [was, is].map(|entry| std::str::from_utf8(bytes(entry.map(|entry| entry.oid))));
        let patch = match sides {
            [Ok(was), Ok(is)] => Some(diff::patch(was, is)),
            _ => None, // binary
        };
        out.push(Changed {
            path: path.clone(),
            status: match (was, is) {
                (None, _) => "added",
                (_, None) => "removed",
                _ => "modified",
            },
            oid: shown.oid,
            additions: patch.as_ref().map_or(0, |patch| patch.additions),
            deletions: patch.as_ref().map_or(0, |patch| patch.deletions),
            patch: patch
                .map(|patch| patch.text)
                .filter(|text| !text.is_empty()),
        });
    }
    out
}

impl GitHub {
    /// One file of a pull request, a commit or a comparison; `at` is the commit that its links point at.
    pub(crate) fn show_changed(&self, repo: &Repository, at: Oid, file: &Changed) -> Value {
        let (url, html) = (self.repo_url(repo), self.repo_html(repo));
        let mut shown = json!({
            "sha": file.oid.to_string(), "filename": file.path, "status": file.status, "additions": file.additions,
            "deletions": file.deletions, "changes": file.additions + file.deletions,
            "blob_url": format!("{html}/blob/{at}/{}", file.path), "raw_url": format!("{html}/raw/{at}/{}", file.path),
            "contents_url": format!("{url}/contents/{}?ref={at}", file.path),
        });
        if let Some(patch) = &file.patch {
            shown["patch"] = json!(patch);
        }
        shown
    }

    /// A commit in short, as lists show it.
    pub(crate) fn show_commit(&self, repo: &Repository, oid: Oid) -> Option<Value> {
        let commit = repo.git.commit(oid)?;
        let (url, html) = (self.repo_url(repo), self.repo_html(repo));
        let parent = |parent: &Oid| json!({"sha": parent.to_string(), "url": format!("{url}/commits/{parent}"), "html_url": format!("{html}/commit/{parent}")});
        Some(json!({
            "sha": oid.to_string(), "node_id": node("C", repo.id), "url": format!("{url}/commits/{oid}"),
            "html_url": format!("{html}/commit/{oid}"), "comments_url": format!("{url}/commits/{oid}/comments"),
            "commit": {
                "author": signed(&commit.author), "committer": signed(&commit.committer), "message": commit.message,
                "tree": {"sha": commit.tree.to_string(), "url": format!("{url}/git/trees/{}", commit.tree)},
                "url": format!("{url}/git/commits/{oid}"), "comment_count": 0, "verification": unsigned(),
            },
            "author": self.by_mail(&commit.author), "committer": self.by_mail(&commit.committer),
            "parents": commit.parents.iter().map(parent).collect::<Vec<_>>(),
        }))
    }

    /// The user whose address signed; null for others.
    fn by_mail(&self, who: &Signature) -> Value {
        let login = who
            .email
            .strip_suffix("@users.noreply.github.com")
            .and_then(|own| own.split_once('+'));
        login.map_or(Value::Null, |(_, login)| self.user(login))
    }

    /// `GET …/commits/{ref}`
    pub(crate) fn get_commit(&self, call: &Call<'_>, name: &str) -> Answer {
        let repo = self.repo(&call.repo);
        let missing = || unprocessable(&format!("No commit found for SHA: {name}"));
        let oid = repo.resolve(name).ok_or_else(missing)?;
        let mut shown = self.show_commit(repo, oid).ok_or_else(missing)?;
        let parent = repo
            .git
            .commit(oid)
            .and_then(|commit| commit.parents.first().copied());
        let files = changed(&repo.git, parent, oid);
        let (more, less) = sums(&files);
        shown["stats"] = json!({"total": more + less, "additions": more, "deletions": less});
        let files: Vec<Value> = files
            .iter()
            .map(|file| self.show_changed(repo, oid, file))
            .collect();
        shown["files"] = Value::Array(files);
        Ok(ok(&shown))
    }

    /// `GET …/commits`
    pub(crate) fn list_commits(&self, call: &Call<'_>) -> Answer {
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
    pub(crate) fn compare(&self, call: &Call<'_>, basehead: &str) -> Answer {
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

fn sums(files: &[Changed]) -> (usize, usize) {
    files.iter().fold((0, 0), |(more, less), file| {
        (more + file.additions, less + file.deletions)
    })
}

/// The login whose address signed, else the name.
pub(crate) fn signer_name(who: &Signature) -> String {
    let own = who
        .email
        .strip_suffix("@users.noreply.github.com")
        .and_then(|own| own.split_once('+'));
    own.map_or_else(|| who.name.clone(), |(_, login)| login.to_owned())
}
