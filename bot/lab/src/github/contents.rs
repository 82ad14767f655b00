//! Endpoints of the contents API: files and directories by path.

use serde_json::{Value, json};

use super::answer::{
    ApiCall, GitHubAnswer, created, maybe, not_found, ok, refusal, text, unprocessable,
};
use super::base64;
use super::branch::BranchUpdate;
use super::git::{FileMode, GitCommit, Oid, TreeEntry};
use super::store::{LabGitHub, StoredRepository};
use crate::wire::LabResponse;

/// Most directory entries in one answer.
const ENTRIES_MAX: usize = 1000;

/// Larger files, in bytes, have no content in the JSON.
const INLINE_MAX: usize = 1_000_000;

/// A file as `application/vnd.github.raw`.
pub(crate) fn raw(bytes: &[u8]) -> LabResponse {
    LabResponse {
        status: 200,
        headers: vec![(
            "content-type".to_owned(),
            "application/vnd.github.raw; charset=utf-8".to_owned(),
        )],
        body: bytes.to_vec(),
    }
}

impl LabGitHub {
    /// `GET …/contents/{path}`
    pub(crate) fn get_content(&self, call: &ApiCall<'_>, path: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        let name = call.request.param("ref").unwrap_or("HEAD");
        let oid = repo
            .resolve(name)
            .ok_or_else(|| refusal(404, &format!("No commit found for the ref {name}")))?;
        let entry = repo.git.entry(oid, path).ok_or_else(not_found)?;
        let as_raw = call
            .request
            .header("accept")
            .is_some_and(|accept| accept.contains("raw"));
        match repo
            .git
            .tree(entry.oid)
            .filter(|_| entry.mode == FileMode::Directory)
        {
            Some(inside) => {
                let path = if path.is_empty() {
                    String::new()
                } else {
                    format!("{path}/")
                };
                let shown = inside.iter().take(ENTRIES_MAX);
                let shown = shown.map(|(file, entry)| {
                    self.show_content(repo, name, &format!("{path}{file}"), *entry)
                });
                Ok(ok(&Value::Array(shown.collect())))
            }
            None if as_raw => Ok(raw(repo.git.blob(entry.oid).unwrap_or_default())),
            None => Ok(ok(&self.show_file(repo, name, path, entry))),
        }
    }

    fn show_content(
        &self,
        repo: &StoredRepository,
        name: &str,
        path: &str,
        entry: TreeEntry,
    ) -> Value {
        let (url, html) = (self.repo_url(repo), self.repo_html(repo));
        let kind = match entry.mode {
            FileMode::File | FileMode::Executable => "file",
            FileMode::Link => "symlink",
            FileMode::Directory => "dir",
            FileMode::Submodule => "submodule",
        };
        let this = format!("{url}/contents/{path}?ref={name}");
        let git = format!("{url}/git/{}s/{}", entry.mode.kind(), entry.oid);
        let page = format!(
            "{html}/{}/{name}/{path}",
            if kind == "dir" { "tree" } else { "blob" }
        );
        let download = (kind == "file").then(|| format!("{html}/raw/{name}/{path}"));
        json!({
            "name": path.rsplit('/').next(), "path": path, "sha": entry.oid.to_string(),
            "size": repo.git.blob(entry.oid).map_or(0, <[u8]>::len), "url": this, "html_url": page, "git_url": git,
            "download_url": download, "type": kind, "_links": {"self": this, "git": git, "html": page},
        })
    }

    fn show_file(
        &self,
        repo: &StoredRepository,
        name: &str,
        path: &str,
        entry: TreeEntry,
    ) -> Value {
        let mut shown = self.show_content(repo, name, path, entry);
        let bytes = repo.git.blob(entry.oid).unwrap_or_default();
        match entry.mode {
            FileMode::Link => shown["target"] = json!(String::from_utf8_lossy(bytes)),
            FileMode::Submodule => {
                shown["submodule_git_url"] = json!(format!("{}.git", self.repo_html(repo)));
            }
            FileMode::File | FileMode::Executable | FileMode::Directory
                if bytes.len() > INLINE_MAX =>
            {
                shown["content"] = json!("");
                shown["encoding"] = json!("none");
            }
            FileMode::File | FileMode::Executable | FileMode::Directory => {
                shown["content"] = json!(base64::lines(bytes));
                shown["encoding"] = json!("base64");
            }
        }
        shown
    }

    /// `PUT …/contents/{path}`: commits one file.
    pub(crate) fn put_content(&mut self, call: &ApiCall<'_>, path: &str) -> GitHubAnswer {
        let by = self.writer(call)?;
        let body = call.json()?;
        let message = text(&body, "Content", "message")?.to_owned();
        let bytes = base64::decode(text(&body, "Content", "content")?);
        let bytes = bytes.ok_or_else(|| unprocessable("content is not valid Base64"))?;
        let repo = self.repo(&call.repo);
        let branch = maybe(&body, "branch").unwrap_or_else(|| repo.default_branch.clone());
        let before = repo.git.branch(&branch);
        let old = before.and_then(|tip| repo.git.entry(tip, path));
        match (old, body["sha"].as_str()) {
            (Some(_), None) => {
                return Err(unprocessable(
                    "Invalid request.\n\n\"sha\" wasn't supplied.",
                ));
            }
            (Some(old), Some(sha)) if old.oid.to_string() != sha => {
                return Err(refusal(409, &format!("{path} does not match {sha}")));
            }
            _ => {}
        }
        let own = self.signature(&by);
        let git = &mut self.repo_mut(&call.repo).git;
        let mut files = before.map(|tip| git.files(tip)).unwrap_or_default();
        let oid = git.write_blob(&bytes);
        let entry = TreeEntry {
            mode: old.map_or(FileMode::File, |old| old.mode),
            oid,
        };
        files.insert(path.to_owned(), entry);
        let tree = git.write_tree(&files);
        let parents: Vec<Oid> = before.into_iter().collect();
        let after = git.write_commit(GitCommit {
            tree,
            parents,
            author: own.clone(),
            committer: own,
            message,
        });
        let step = BranchUpdate {
            branch: branch.clone(),
            before,
            after: Some(after),
            by,
            forced: false,
        };
        self.set_branch(&call.repo, &step);
        self.after_branch_update(&call.repo, &step);
        let repo = self.repo(&call.repo);
        let shown = json!({
            "content": self.show_content(repo, &branch, path, entry),
            "commit": self.show_git_commit(repo, after),
        });
        Ok(if old.is_some() {
            ok(&shown)
        } else {
            created(&shown)
        })
    }
}
