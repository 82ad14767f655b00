//! Endpoints of the git database: blobs, trees, commits, tags.

use serde_json::{Value, json};

use super::answer::{
    ApiCall, GitHubAnswer, created, invalid, maybe, node, not_found, ok, refusal, text,
    unprocessable,
};
use super::base64;
use super::contents::raw;
use super::git::{FileMode, GitCommit, GitSignature, Oid, TreeEntry, TreeFiles};
use super::show::commit::{show_signature, unsigned_verification};
use super::store::{LabGitHub, StoredRepository};
use crate::wire::LabResponse;

/// Most entries in one answer of `git/trees?recursive`; if there are more, `truncated` is true.
const ENTRIES_MAX: usize = 100_000;

impl LabGitHub {
    /// `GET …/git/blobs/{file_sha}`
    pub(crate) fn get_blob(&self, call: &ApiCall<'_>, sha: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let oid: Oid = sha.parse().map_err(|_error| not_found())?;
        let bytes = repo.git.blob(oid).ok_or_else(not_found)?;
        if call
            .request
            .header("accept")
            .is_some_and(|accept| accept.contains("raw"))
        {
            return Ok(raw(bytes));
        }
        Ok(ok(&json!({
            "sha": sha, "node_id": node("B", repo.id), "size": bytes.len(), "url": self.object_url(repo, "blob", oid),
            "content": base64::lines(bytes), "encoding": "base64",
        })))
    }

    /// `POST …/git/blobs`
    pub(crate) fn create_blob(&mut self, call: &ApiCall<'_>) -> GitHubAnswer {
        self.writer(call)?;
        let body = call.json()?;
        let content = text(&body, "Blob", "content")?;
        let bytes = if body["encoding"] == "base64" {
            base64::decode(content).ok_or_else(|| unprocessable("content is not valid Base64"))?
        } else {
            content.as_bytes().to_vec()
        };
        let oid = self.repo_mut(&call.repo).git.write_blob(&bytes);
        let url = self.object_url(self.repo(&call.repo), "blob", oid);
        Ok(created(&json!({"url": url, "sha": oid.to_string()})))
    }

    /// `GET …/git/trees/{tree_sha}`, which also accepts a branch.
    pub(crate) fn get_tree(&self, call: &ApiCall<'_>, name: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let named = name
            .parse()
            .ok()
            .filter(|oid| repo.git.tree(*oid).is_some());
        let oid = named.or_else(|| repo.resolve(name)).ok_or_else(not_found)?;
        let recursive = call.request.param("recursive").is_some();
        Ok(ok(&self.show_tree(repo, repo.git.tree_of(oid), recursive)))
    }

    fn show_tree(&self, repo: &StoredRepository, oid: Oid, recursive: bool) -> Value {
        let walked = repo.git.walk(oid);
        let mut entries: Vec<_> = walked
            .iter()
            .filter(|(path, _)| recursive || !path.contains('/'))
            .collect();
        let truncated = entries.len() > ENTRIES_MAX;
        entries.truncate(ENTRIES_MAX);
        let shown: Vec<Value> = entries
            .into_iter()
            .map(|(path, entry)| self.show_entry(repo, path, *entry))
            .collect();
        json!({"sha": oid.to_string(), "url": self.object_url(repo, "tree", oid), "tree": shown, "truncated": truncated})
    }

    fn show_entry(&self, repo: &StoredRepository, path: &str, entry: TreeEntry) -> Value {
        let mut shown = json!({
            "path": path, "mode": entry.mode.digits(), "type": entry.mode.kind(), "sha": entry.oid.to_string(),
        });
        if let Some(bytes) = repo.git.blob(entry.oid) {
            shown["size"] = json!(bytes.len());
        }
        if entry.mode != FileMode::Submodule {
            shown["url"] = json!(self.object_url(repo, entry.mode.kind(), entry.oid));
        }
        shown
    }

    /// `POST …/git/trees`
    pub(crate) fn create_tree(&mut self, call: &ApiCall<'_>) -> GitHubAnswer {
        self.writer(call)?;
        let body = call.json()?;
        let repo = self.repo_mut(&call.repo);
        if repo.git.refs.is_empty() {
            return Err(refusal(409, "Git Repository is empty."));
        }
        let mut files = match body["base_tree"].as_str() {
            Some(base) => {
                let oid = base.parse().ok().map(|oid| repo.git.tree_of(oid));
                let oid = oid.filter(|oid| repo.git.tree(*oid).is_some());
                repo.git
                    .files(oid.ok_or_else(|| unprocessable("base_tree is not a valid tree oid"))?)
            }
            None => TreeFiles::new(),
        };
        let entries = body["tree"]
            .as_array()
            .ok_or_else(|| invalid("Tree", "tree", "missing_field", ""))?;
        for entry in entries {
            apply_tree_entry(repo, &mut files, entry)?;
        }
        let oid = repo.git.write_tree(&files);
        Ok(created(&self.show_tree(self.repo(&call.repo), oid, false)))
    }

    /// `GET …/git/commits/{commit_sha}`
    pub(crate) fn get_git_commit(&self, call: &ApiCall<'_>, sha: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let oid = sha.parse().map_err(|_error| not_found())?;
        Ok(ok(&self
            .show_git_commit(repo, oid)
            .ok_or_else(not_found)?))
    }

    /// `POST …/git/commits`
    pub(crate) fn create_commit(&mut self, call: &ApiCall<'_>) -> GitHubAnswer {
        let by = self.writer(call)?;
        let body = call.json()?;
        let message = text(&body, "Commit", "message")?.to_owned();
        let repo = self.repo(&call.repo);
        let tree: Oid = text(&body, "Commit", "tree")?
            .parse()
            .map_err(|_error| unprocessable("Tree SHA is not valid"))?;
        if repo.git.tree(tree).is_none() {
            return Err(unprocessable("Tree SHA does not exist"));
        }
        let mut parents = vec![];
        for parent in body["parents"].as_array().into_iter().flatten() {
            let oid = parent.as_str().and_then(|sha| sha.parse().ok());
            let oid = oid.filter(|oid| repo.git.commit(*oid).is_some());
            parents.push(oid.ok_or_else(|| {
                unprocessable("Parent SHA does not exist or is not a commit object")
            })?);
        }
        let own = self.signature(&by);
        let author = read_signature(&body["author"], &own)?;
        let committer = read_signature(&body["committer"], &author)?;
        let oid = (self.repo_mut(&call.repo).git).write_commit(GitCommit {
            tree,
            parents,
            author,
            committer,
            message,
        });
        let repo = self.repo(&call.repo);
        Ok(created(
            &self.show_git_commit(repo, oid).unwrap_or_default(),
        ))
    }

    /// `POST …/git/tags`: answers with the tag object and does not store it, since nothing reads it again.
    pub(crate) fn create_tag(&self, call: &ApiCall<'_>) -> GitHubAnswer {
        let by = self.writer(call)?;
        let body = call.json()?;
        let (tag, message) = (text(&body, "Tag", "tag")?, text(&body, "Tag", "message")?);
        let repo = self.repo(&call.repo);
        let oid = repo
            .resolve(text(&body, "Tag", "object")?)
            .ok_or_else(|| unprocessable("Object does not exist"))?;
        Ok(created(&json!({
            "node_id": node("TAG", repo.id), "tag": tag, "sha": oid.to_string(), "message": message,
            "url": self.object_url(repo, "tag", oid), "tagger": show_signature(&self.signature(&by)),
            "object": {"type": "commit", "sha": oid.to_string(), "url": self.object_url(repo, "commit", oid)},
            "verification": unsigned_verification(),
        })))
    }
}

/// Applies one entry of a request to a tree: new content, an existing object, or `sha: null` to delete.
fn apply_tree_entry(
    repo: &mut StoredRepository,
    files: &mut TreeFiles,
    entry: &Value,
) -> Result<(), LabResponse> {
    let path = text(entry, "Tree", "path")?;
    let bad = path.is_empty()
        || path
            .split('/')
            .any(|part| matches!(part, "" | "." | ".." | ".git"));
    if bad {
        return Err(unprocessable(
            "tree.path contains a malformed path component",
        ));
    }
    let inside = format!("{path}/");
    let before = files.len();
    files.retain(|name, _| name != path && !name.starts_with(&inside));
    let removed = files.len() < before;
    files.retain(|name, _| !path.starts_with(&format!("{name}/"))); // a file gives way to a directory
    if entry["sha"].is_null() && entry["content"].is_null() {
        return if removed {
            Ok(())
        } else {
            Err(unprocessable("GitRPC::BadObjectState"))
        };
    }
    let mode = FileMode::read(entry["mode"].as_str().unwrap_or("100644"));
    let mode = mode.ok_or_else(|| unprocessable("Must supply a valid tree.mode"))?;
    let oid = match maybe(entry, "content") {
        Some(content) => repo.git.write_blob(content.as_bytes()),
        None => text(entry, "Tree", "sha")?
            .parse()
            .map_err(|_error| unprocessable("tree.sha is not a valid oid"))?,
    };
    match mode {
        FileMode::Directory => {
            let below = repo.git.files(oid);
            files.extend(
                below
                    .into_iter()
                    .map(|(name, entry)| (format!("{inside}{name}"), entry)),
            );
        }
        FileMode::File | FileMode::Executable | FileMode::Link if repo.git.blob(oid).is_none() => {
            return Err(unprocessable(&format!(
                "tree.sha {oid} is not a valid blob"
            )));
        }
        FileMode::File | FileMode::Executable | FileMode::Link | FileMode::Submodule => {
            files.insert(path.to_owned(), TreeEntry { mode, oid });
        }
    }
    Ok(())
}

/// Name, email and date of a request; missing fields come from `otherwise`.
fn read_signature(given: &Value, otherwise: &GitSignature) -> Result<GitSignature, LabResponse> {
    let at = match given["date"].as_str() {
        Some(date) => chrono::DateTime::parse_from_rfc3339(date)
            .map_err(|_error| invalid("Commit", "date", "invalid", ""))?
            .timestamp(),
        None => otherwise.at,
    };
    Ok(GitSignature {
        name: maybe(given, "name").unwrap_or_else(|| otherwise.name.clone()),
        email: maybe(given, "email").unwrap_or_else(|| otherwise.email.clone()),
        at,
    })
}
