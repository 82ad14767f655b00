//! Commits and changed files as the API shows them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::github::answer::{node, stamp};
use crate::github::git::{Git, GitSignature, Oid, diff};
use crate::github::store::{LabGitHub, StoredRepository};

/// One file that differs between two commits.
#[derive(Clone, Debug)]
pub(crate) struct ChangedFile {
    path: String,
    status: &'static str,
    /// The blob, or the deleted blob.
    oid: Oid,
    pub(crate) additions: usize,
    pub(crate) deletions: usize,
    patch: Option<String>,
}

impl ChangedFile {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// `added`, `removed` or `modified`.
    pub(crate) fn status(&self) -> &'static str {
        self.status
    }
}

/// The changed files, by path. `None` as `from` means an empty tree.
pub(crate) fn changed(git: &Git, from: Option<Oid>, to: Oid) -> Vec<ChangedFile> {
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
        out.push(ChangedFile {
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

impl LabGitHub {
    /// One file of a pull request, a commit or a comparison. Its links point to the commit `at`.
    pub(crate) fn show_changed(
        &self,
        repo: &StoredRepository,
        at: Oid,
        file: &ChangedFile,
    ) -> Value {
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

    /// A commit as lists show it.
    pub(crate) fn show_commit(&self, repo: &StoredRepository, oid: Oid) -> Option<Value> {
        let commit = repo.git.commit(oid)?;
        let (url, html) = (self.repo_url(repo), self.repo_html(repo));
        let parent = |parent: &Oid| json!({"sha": parent.to_string(), "url": format!("{url}/commits/{parent}"), "html_url": format!("{html}/commit/{parent}")});
        Some(json!({
            "sha": oid.to_string(), "node_id": node("C", repo.id), "url": format!("{url}/commits/{oid}"),
            "html_url": format!("{html}/commit/{oid}"), "comments_url": format!("{url}/commits/{oid}/comments"),
            "commit": {
                "author": show_signature(&commit.author), "committer": show_signature(&commit.committer), "message": commit.message,
                "tree": {"sha": commit.tree.to_string(), "url": format!("{url}/git/trees/{}", commit.tree)},
                "url": format!("{url}/git/commits/{oid}"), "comment_count": 0, "verification": unsigned_verification(),
            },
            "author": self.by_mail(&commit.author), "committer": self.by_mail(&commit.committer),
            "parents": commit.parents.iter().map(parent).collect::<Vec<_>>(),
        }))
    }

    /// The user with the email of the signature; null if there is none.
    pub(crate) fn by_mail(&self, who: &GitSignature) -> Value {
        let login = who
            .email
            .strip_suffix("@users.noreply.github.com")
            .and_then(|own| own.split_once('+'));
        login.map_or(Value::Null, |(_, login)| self.user(login))
    }

    pub(crate) fn object_url(&self, repo: &StoredRepository, kind: &str, oid: Oid) -> String {
        format!("{}/git/{kind}s/{oid}", self.repo_url(repo))
    }

    pub(crate) fn show_git_commit(&self, repo: &StoredRepository, oid: Oid) -> Option<Value> {
        let commit = repo.git.commit(oid)?;
        let html = format!("{}/commit", self.repo_html(repo));
        let parent = |parent: &Oid| json!({"sha": parent.to_string(), "url": self.object_url(repo, "commit", *parent), "html_url": format!("{html}/{parent}")});
        Some(json!({
            "sha": oid.to_string(), "node_id": node("C", repo.id), "url": self.object_url(repo, "commit", oid),
            "html_url": format!("{html}/{oid}"), "author": show_signature(&commit.author), "committer": show_signature(&commit.committer),
            "tree": {"sha": commit.tree.to_string(), "url": self.object_url(repo, "tree", commit.tree)},
            "message": commit.message, "parents": commit.parents.iter().map(parent).collect::<Vec<_>>(),
            "verification": unsigned_verification(),
        }))
    }
}

/// The login with the email of the signature, else the name.
pub(crate) fn signer_name(who: &GitSignature) -> String {
    let own = who
        .email
        .strip_suffix("@users.noreply.github.com")
        .and_then(|own| own.split_once('+'));
    own.map_or_else(|| who.name.clone(), |(_, login)| login.to_owned())
}

pub(crate) fn show_signature(who: &GitSignature) -> Value {
    json!({"name": who.name, "email": who.email, "date": stamp(who.at)})
}

pub(crate) fn unsigned_verification() -> Value {
    json!({"verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null})
}
