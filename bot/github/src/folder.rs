//! A folder of text files at one commit, through the API: there is no checkout, and nothing is executed.
//!
//! Whatever is not a plain, small, readable text file is refused with its path: a symlink could lead out of the folder,
//! a submodule into another repository, and a list that GitHub cut short would look like a deletion. Trees and blobs are asked
//! for once by their SHA, so that a folder at a neighbouring commit takes a request for each tree and file that differs.

use std::collections::BTreeMap;

use serde::Deserialize;
use tokio::task::JoinSet;

use crate::webhook::event::Sha;
use crate::{GitHubError, Repository};

/// No declaration of a network has more files.
pub(super) const FILES_MAX: usize = 2000;

/// No declaration is larger; the parser's limit is the same.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// All files together.
const FOLDER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A folder at a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// The SHA of the folder's tree: equal SHAs mean equal content. `None` if there is no such folder.
    pub tree: Option<Sha>,
    /// The files that were wanted: path from the repository's root, and text.
    pub files: BTreeMap<String, String>,
    /// Their SHAs, by the same path.
    pub blobs: BTreeMap<String, Sha>,
    /// The paths of the files that were not wanted.
    pub unwanted: Vec<String>,
}

/// Why a folder is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// GitHub did not give it.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// It holds what no declaration needs: every such entry.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unreadable(Vec<UnreadableEntry>),
}

/// An entry that no declaration needs, so that the folder is refused. Paths are from the repository's root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum UnreadableEntry {
    /// A symbolic link.
    #[error("`{path}` is a symbolic link; only plain files are read")]
    Symlink {
        /// Its path.
        path: String,
    },
    /// Another repository.
    #[error("`{path}` is a submodule; only plain files are read")]
    Submodule {
        /// Its path.
        path: String,
    },
    /// A file where a folder should be.
    #[error("`{path}` is a file, not a folder")]
    NotAFolder {
        /// Its path.
        path: String,
    },
    /// A name with a control character, a backslash, `.` or `..`, or one that is not UTF-8.
    #[error("`{path}` has a name that is not read: plain names only")]
    Name {
        /// Its path, escaped.
        path: String,
    },
    /// Two names that are the same on file systems that ignore case.
    #[error("`{path}` and `{other}` differ only in case")]
    Case {
        /// The second of the two.
        path: String,
        /// The first.
        other: String,
    },
    /// More than 1 MiB.
    #[error("`{path}` has {bytes} bytes; at most {FILE_BYTES_MAX} are read")]
    TooLarge {
        /// Its path.
        path: String,
        /// Its size.
        bytes: u64,
    },
    /// More than 16 MiB together.
    #[error("the files have {bytes} bytes together; at most {FOLDER_BYTES_MAX} are read")]
    TooMuch {
        /// Their total size.
        bytes: u64,
    },
    /// More than 2,000 files.
    #[error("there are {files} files; at most {FILES_MAX} are read")]
    TooMany {
        /// Their number.
        files: usize,
    },
    /// GitHub did not list all entries.
    #[error("the folder is too large for GitHub to list")]
    Truncated,
    /// Not UTF-8.
    #[error("`{path}` is not UTF-8 text")]
    NotText {
        /// Its path.
        path: String,
    },
    /// A Git LFS pointer.
    #[error("`{path}` is kept in Git LFS; only plain files are read")]
    Lfs {
        /// Its path.
        path: String,
    },
}

#[derive(Clone, Debug, Deserialize)]
struct WireTree {
    sha: Sha,
    tree: Vec<WireEntry>,
    #[serde(default)]
    truncated: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct WireEntry {
    path: String,
    mode: String,
    r#type: String,
    sha: Sha,
    #[serde(default)]
    size: Option<u64>,
}

impl Repository {
    /// The wanted files of a folder (without a slash at either end) at a commit. `wanted` is asked with the path from
    /// the repository's root; links and submodules are refused wherever they are in the folder.
    pub async fn folder(
        &self,
        commit: &Sha,
        folder: &str,
        wanted: impl Fn(&str) -> bool + Send,
    ) -> Result<Folder, FolderError> {
        let Some(tree) = self.tree_of(commit, folder).await? else {
            return Ok(Folder::default());
        };
        let listed = self.tree(&tree, true).await?;
        let (blobs, unwanted) =
            readable(&listed, folder, wanted).map_err(FolderError::Unreadable)?;
        let files = self.texts(&blobs).await?;
        Ok(Folder {
            tree: Some(listed.sha),
            files,
            blobs: blobs
                .into_iter()
                .map(|(path, blob)| (path, blob.sha))
                .collect(),
            unwanted,
        })
    }

    /// The names of a folder's entries on a branch, of whatever kind; none if there is no such branch or folder.
    pub async fn names_in(&self, branch: &str, folder: &str) -> Result<Vec<String>, FolderError> {
        let Some(head) = self.branch(branch).await? else {
            return Ok(Vec::new());
        };
        let Some(tree) = self.tree_of(&head, folder).await? else {
            return Ok(Vec::new());
        };
        let level = self.tree(&tree, false).await?;
        if level.truncated {
            return Err(FolderError::Unreadable(vec![UnreadableEntry::Truncated]));
        }
        Ok(level.tree.into_iter().map(|entry| entry.path).collect())
    }

    /// The tree of a folder, found level by level, so that the size of the repository does not matter.
    async fn tree_of(&self, commit: &Sha, folder: &str) -> Result<Option<Sha>, FolderError> {
        let mut tree = self.commit(commit).await?.tree;
        let mut so_far = String::new();
        for part in folder.split('/') {
            so_far = if so_far.is_empty() {
                part.to_owned()
            } else {
                format!("{so_far}/{part}")
            };
            let level = self.tree(&tree, false).await?;
            if level.truncated {
                return Err(FolderError::Unreadable(vec![UnreadableEntry::Truncated]));
            }
            let Some(entry) = level.tree.into_iter().find(|entry| entry.path == part) else {
                return Ok(None);
            };
            if entry.r#type != "tree" {
                return Err(FolderError::Unreadable(vec![not_a_folder(&entry, so_far)]));
            }
            tree = entry.sha;
        }
        Ok(Some(tree))
    }

    async fn tree(&self, tree: &Sha, recursive: bool) -> Result<WireTree, GitHubError> {
        let tail = if recursive { "?recursive=1" } else { "" };
        let route = format!("{}/git/trees/{tree}{tail}", self.root);
        let is_whole = |found: &WireTree| !found.truncated && found.sha == *tree;
        let what = "listing a folder";
        self.client.object(what, &route, is_whole).await
    }

    async fn texts(
        &self,
        blobs: &BTreeMap<String, BlobRef>,
    ) -> Result<BTreeMap<String, String>, FolderError> {
        let mut texts = BTreeMap::new();
        let mut unreadable = Vec::new();
        let mut waiting = blobs.iter();
        let mut reading = JoinSet::new();
        loop {
            while reading.len() < self.client.concurrency
                && let Some((path, blob)) = waiting.next()
            {
                let (client, path) = (self.client.clone(), path.clone());
                let route = format!("{}/git/blobs/{}", self.root, blob.sha);
                let size = blob.size;
                reading.spawn(async move {
                    let what = format!("reading `{path}`");
                    let text = client.blob(&what, &route, size).await;
                    (path, text)
                });
            }
            let Some(read) = reading.join_next().await else {
                break;
            };
            let (path, text) = read.expect("a reader neither panics nor is cancelled");
            match text? {
                Some(text) if text.starts_with("version https://git-lfs.github.com/spec/") => {
                    unreadable.push(UnreadableEntry::Lfs { path });
                }
                Some(text) => {
                    texts.insert(path, text);
                }
                None => unreadable.push(UnreadableEntry::NotText { path }),
            }
        }
        if unreadable.is_empty() {
            Ok(texts)
        } else {
            unreadable.sort();
            Err(FolderError::Unreadable(unreadable))
        }
    }
}

fn not_a_folder(entry: &WireEntry, path: String) -> UnreadableEntry {
    match (entry.mode.as_str(), entry.r#type.as_str()) {
        ("120000", _) => UnreadableEntry::Symlink { path },
        ("160000", _) | (_, "commit") => UnreadableEntry::Submodule { path },
        _ => UnreadableEntry::NotAFolder { path },
    }
}

/// A blob as its tree lists it.
struct BlobRef {
    sha: Sha,
    size: Option<u64>,
}

/// The wanted blobs by path, and the paths of the others.
type Readable = (BTreeMap<String, BlobRef>, Vec<String>);

/// The wanted blobs of a listing and the paths of the others, or every entry for which the folder is refused.
fn readable(
    listed: &WireTree,
    folder: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Readable, Vec<UnreadableEntry>> {
    if listed.truncated {
        return Err(vec![UnreadableEntry::Truncated]);
    }
    let (mut blobs, mut unwanted) = (BTreeMap::new(), Vec::new());
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut unreadable = Vec::new();
    let mut bytes = 0;
    for entry in &listed.tree {
        let path = format!("{folder}/{}", entry.path);
        if !is_plain(&entry.path) {
            let path = path.escape_default().to_string();
            unreadable.push(UnreadableEntry::Name { path });
            continue;
        }
        if let Some(other) = seen.insert(entry.path.to_lowercase(), &entry.path) {
            let other = format!("{folder}/{other}");
            unreadable.push(UnreadableEntry::Case {
                path: path.clone(),
                other,
            });
        }
        match (entry.mode.as_str(), entry.r#type.as_str()) {
            (_, "tree") => {}
            ("100644" | "100755", "blob") if !wanted(&path) => unwanted.push(path),
            ("100644" | "100755", "blob") => {
                let size = entry.size.unwrap_or(0);
                bytes += size;
                if size > FILE_BYTES_MAX {
                    unreadable.push(UnreadableEntry::TooLarge { path, bytes: size });
                } else {
                    let (sha, size) = (entry.sha.clone(), entry.size);
                    blobs.insert(path, BlobRef { sha, size });
                }
            }
            _ => unreadable.push(not_a_folder(entry, path)),
        }
    }
    if blobs.len() > FILES_MAX {
        let files = blobs.len();
        unreadable.push(UnreadableEntry::TooMany { files });
    }
    if bytes > FOLDER_BYTES_MAX {
        unreadable.push(UnreadableEntry::TooMuch { bytes });
    }
    if unreadable.is_empty() {
        Ok((blobs, unwanted))
    } else {
        Err(unreadable)
    }
}

/// Git itself forbids most of the others; a name that is not UTF-8 comes with U+FFFD in it.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.eq_ignore_ascii_case(".git")
            && !part.chars().any(|c| {
                c.is_control()
                    || matches!(c, '\\' | '`' | '\u{fffd}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "1111111111111111111111111111111111111111";

    fn entry(path: &str, mode: &str, kind: &str, size: u64) -> WireEntry {
        WireEntry {
            path: path.to_owned(),
            mode: mode.to_owned(),
            r#type: kind.to_owned(),
            sha: Sha::parse(SHA).unwrap(),
            size: Some(size),
        }
    }

    fn verdict(entries: Vec<WireEntry>) -> String {
        let listed = WireTree {
            sha: Sha::parse(SHA).unwrap(),
            tree: entries,
            truncated: false,
        };
        match readable(&listed, "topology/a", |path| !path.contains(".md")) {
            Ok((blobs, _)) => blobs.into_keys().collect::<Vec<_>>().join("\n"),
            Err(unreadable) => FolderError::Unreadable(unreadable)
                .to_string()
                .replace("; `", "\n`"),
        }
    }

    #[test]
    fn plain_files_that_are_wanted_are_read() {
        insta::assert_snapshot!(
            verdict(vec![
                entry("oam.yaml", "100644", "blob", 10),
                entry("deep", "040000", "tree", 0),
                entry("deep/ceph.yaml", "100755", "blob", 10),
                entry("README.md", "100644", "blob", 5_000_000),
            ]),
            @"
            topology/a/deep/ceph.yaml
            topology/a/oam.yaml
            "
        );
    }

    #[test]
    fn threat_47_what_no_declaration_needs_is_refused_with_its_path() {
        insta::assert_snapshot!(
            verdict(vec![
                entry("link.yaml", "120000", "blob", 10),
                entry("link.md", "120000", "blob", 10),
                entry("other", "160000", "commit", 0),
                entry("../up.yaml", "100644", "blob", 10),
                entry("a/../b.yaml", "100644", "blob", 10),
                entry("caf\u{fffd}.yaml", "100644", "blob", 10),
                entry("two\nlines.yaml", "100644", "blob", 10),
                entry("right\u{202e}left.yaml", "100644", "blob", 10),
                entry("Oam.yaml", "100644", "blob", 10),
                entry("oam.yaml", "100644", "blob", 10),
                entry("large.yaml", "100644", "blob", 1_048_577),
                entry("just.yaml", "100644", "blob", 1_048_576),
            ]),
            @r"
            `topology/a/link.yaml` is a symbolic link; only plain files are read
            `topology/a/link.md` is a symbolic link; only plain files are read
            `topology/a/other` is a submodule; only plain files are read
            `topology/a/../up.yaml` has a name that is not read: plain names only
            `topology/a/a/../b.yaml` has a name that is not read: plain names only
            `topology/a/caf\u{fffd}.yaml` has a name that is not read: plain names only
            `topology/a/two\nlines.yaml` has a name that is not read: plain names only
            `topology/a/right\u{202e}left.yaml` has a name that is not read: plain names only
            `topology/a/oam.yaml` and `topology/a/Oam.yaml` differ only in case
            `topology/a/large.yaml` has 1048577 bytes; at most 1048576 are read
            "
        );
    }

    #[test]
    fn threat_47_too_many_files_too_many_bytes_and_a_cut_list_are_refused() {
        let many = (0..=FILES_MAX).map(|at| entry(&format!("{at}.yaml"), "100644", "blob", 1));
        assert_eq!(
            verdict(many.collect()),
            "there are 2001 files; at most 2000 are read"
        );
        let heavy = (0..17).map(|at| entry(&format!("{at}.yaml"), "100644", "blob", 1_048_576));
        assert!(verdict(heavy.collect()).contains("together"));
        let cut = WireTree {
            sha: Sha::parse(SHA).unwrap(),
            tree: Vec::new(),
            truncated: true,
        };
        assert_eq!(
            readable(&cut, "topology", |_| true).err(),
            Some(vec![UnreadableEntry::Truncated])
        );
    }
}
