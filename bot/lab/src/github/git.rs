//! Git as an object store: blobs, trees and commits by their real object ids, and refs that point at them.
//!
//! It must not know GitHub: no users, no pull requests. Object ids are SHA-1 over git's object format, so `git hash-object`
//! agrees.

pub(crate) mod diff;
pub(crate) mod merge;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha1::{Digest as _, Sha1};

/// A git object id: 40 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid([u8; 20]);

impl Oid {
    /// The id that stands for "no commit" in a push event.
    pub const ZERO: Self = Self([0; 20]);
}

impl fmt::Display for Oid {
    fn fmt(&self, form: &mut fmt::Formatter<'_>) -> fmt::Result {
        form.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, form: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, form)
    }
}

/// The text is not 40 hex digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a git object id")]
pub struct InvalidOid;

impl FromStr for Oid {
    type Err = InvalidOid;

    fn from_str(text: &str) -> Result<Self, InvalidOid> {
        let mut out = [0; 20];
        match hex::decode_to_slice(text, &mut out) {
            Ok(()) => Ok(Self(out)),
            Err(_) => Err(InvalidOid),
        }
    }
}

/// The mode of a tree entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileMode {
    File,
    Executable,
    Link,
    Directory,
    Submodule,
}

impl FileMode {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::File, "100644", "blob"),
        (Self::Executable, "100755", "blob"),
        (Self::Link, "120000", "blob"),
        (Self::Directory, "040000", "tree"),
        (Self::Submodule, "160000", "commit"),
    ];

    /// Six octal digits, as the API writes the mode.
    pub(crate) fn digits(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|row| row.0 == self)
            .map_or("", |row| row.1)
    }

    /// The type of the object: `blob`, `tree` or `commit`.
    pub(crate) fn kind(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|row| row.0 == self)
            .map_or("", |row| row.2)
    }

    pub(crate) fn read(digits: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|row| row.1 == digits)
            .map(|row| row.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreeEntry {
    pub(crate) mode: FileMode,
    pub(crate) oid: Oid,
}

/// All files of a tree, by full path.
pub(crate) type TreeFiles = BTreeMap<String, TreeEntry>;

/// An author or committer; `at` is in seconds since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GitSignature {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GitCommit {
    pub(crate) tree: Oid,
    pub(crate) parents: Vec<Oid>,
    pub(crate) author: GitSignature,
    pub(crate) committer: GitSignature,
    pub(crate) message: String,
}

#[derive(Clone, Debug)]
enum Object {
    Blob(Vec<u8>),
    Tree(Vec<(String, TreeEntry)>),
    Commit(GitCommit),
}

/// Objects and refs. A clone shares the objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Git {
    objects: BTreeMap<Oid, Arc<Object>>,
    /// By full name, `refs/heads/main`.
    pub(crate) refs: BTreeMap<String, Oid>,
}

impl Git {
    /// Adds the objects of another repository: GitHub shares objects between forks.
    pub(crate) fn add_objects(&mut self, other: &Self) {
        let objects = other.objects.iter();
        self.objects
            .extend(objects.map(|(oid, object)| (*oid, Arc::clone(object))));
    }

    fn write_object(&mut self, kind: &str, body: &[u8], object: Object) -> Oid {
        let mut bytes = format!("{kind} {}\0", body.len()).into_bytes();
        bytes.extend_from_slice(body);
        let oid = Oid(Sha1::digest(&bytes).into());
        self.objects.entry(oid).or_insert_with(|| Arc::new(object));
        oid
    }

    pub(crate) fn write_blob(&mut self, bytes: &[u8]) -> Oid {
        self.write_object("blob", bytes, Object::Blob(bytes.to_vec()))
    }

    fn write_tree_object(&mut self, mut entries: Vec<(String, TreeEntry)>) -> Oid {
        // Git sorts a directory as if its name ended with a slash.
        entries.sort_by_key(|(name, entry)| {
            let slash = if entry.mode == FileMode::Directory {
                "/"
            } else {
                ""
            };
            format!("{name}{slash}").into_bytes()
        });
        let mut body = Vec::new();
        for (name, entry) in &entries {
            let digits = entry.mode.digits().trim_start_matches('0');
            body.extend_from_slice(format!("{digits} {name}\0").as_bytes());
            body.extend_from_slice(&entry.oid.0);
        }
        self.write_object("tree", &body, Object::Tree(entries))
    }

    pub(crate) fn write_commit(&mut self, commit: GitCommit) -> Oid {
        let sign = |who: &GitSignature| format!("{} <{}> {} +0000", who.name, who.email, who.at);
        let mut body = format!("tree {}\n", commit.tree);
        for parent in &commit.parents {
            body.push_str(&format!("parent {parent}\n"));
        }
        body.push_str(&format!(
            "author {}\ncommitter {}\n\n{}",
            sign(&commit.author),
            sign(&commit.committer),
            commit.message
        ));
        self.write_object("commit", body.as_bytes(), Object::Commit(commit))
    }

    pub(crate) fn blob(&self, oid: Oid) -> Option<&[u8]> {
        match self.objects.get(&oid)?.as_ref() {
            Object::Blob(bytes) => Some(bytes),
            Object::Tree(_) | Object::Commit(_) => None,
        }
    }

    pub(crate) fn tree(&self, oid: Oid) -> Option<&[(String, TreeEntry)]> {
        match self.objects.get(&oid)?.as_ref() {
            Object::Tree(entries) => Some(entries),
            Object::Blob(_) | Object::Commit(_) => None,
        }
    }

    pub(crate) fn commit(&self, oid: Oid) -> Option<&GitCommit> {
        match self.objects.get(&oid)?.as_ref() {
            Object::Commit(commit) => Some(commit),
            Object::Blob(_) | Object::Tree(_) => None,
        }
    }

    /// The tree of a commit; any other id is returned unchanged.
    pub(crate) fn tree_of(&self, oid: Oid) -> Oid {
        self.commit(oid).map_or(oid, |commit| commit.tree)
    }

    /// Every entry under `tree`, including directories, parents before children.
    pub(crate) fn walk(&self, tree: Oid) -> Vec<(String, TreeEntry)> {
        let mut out = Vec::new();
        self.walk_into(tree, "", &mut out);
        out
    }

    fn walk_into(&self, tree: Oid, prefix: &str, out: &mut Vec<(String, TreeEntry)>) {
        for (name, entry) in self.tree(tree).unwrap_or_default() {
            let path = format!("{prefix}{name}");
            out.push((path.clone(), *entry));
            if entry.mode == FileMode::Directory {
                self.walk_into(entry.oid, &format!("{path}/"), out);
            }
        }
    }

    /// The files under `tree`, which may also be a commit.
    pub(crate) fn files(&self, tree: Oid) -> TreeFiles {
        self.walk(self.tree_of(tree))
            .into_iter()
            .filter(|(_, entry)| entry.mode != FileMode::Directory)
            .collect()
    }

    /// Writes the trees that hold `files` and returns the root tree.
    pub(crate) fn write_tree(&mut self, files: &TreeFiles) -> Oid {
        let mut here = Vec::new();
        let mut below: BTreeMap<&str, TreeFiles> = BTreeMap::new();
        for (path, entry) in files {
            match path.split_once('/') {
                Some((directory, rest)) => {
                    below
                        .entry(directory)
                        .or_default()
                        .insert(rest.to_owned(), *entry);
                }
                None => here.push((path.clone(), *entry)),
            }
        }
        for (directory, inside) in below {
            let oid = self.write_tree(&inside);
            here.push((
                directory.to_owned(),
                TreeEntry {
                    mode: FileMode::Directory,
                    oid,
                },
            ));
        }
        self.write_tree_object(here)
    }

    /// The entry at `path` under a tree or commit; the root itself for an empty path.
    pub(crate) fn entry(&self, top: Oid, path: &str) -> Option<TreeEntry> {
        let mut entry = TreeEntry {
            mode: FileMode::Directory,
            oid: self.tree_of(top),
        };
        for part in path.split('/').filter(|part| !part.is_empty()) {
            entry = self
                .tree(entry.oid)?
                .iter()
                .find(|(name, _)| name == part)?
                .1;
        }
        Some(entry)
    }

    /// The commits reachable from `from`, newest first, a child before its parents.
    pub(crate) fn history(&self, from: Oid) -> Vec<Oid> {
        let when = |oid: Oid| self.commit(oid).map_or(0, |commit| commit.committer.at);
        let mut waiting = BTreeSet::from([(when(from), from)]);
        let mut seen = BTreeSet::from([from]);
        let mut out = Vec::new();
        while let Some((_, oid)) = waiting.pop_last() {
            out.push(oid);
            for parent in self.commit(oid).map_or(&[][..], |commit| &commit.parents) {
                if seen.insert(*parent) {
                    waiting.insert((when(*parent), *parent));
                }
            }
        }
        out
    }

    pub(crate) fn reaches(&self, from: Oid, to: Oid) -> bool {
        self.history(from).contains(&to)
    }

    /// The newest commit reachable from both.
    pub(crate) fn merge_base(&self, left: Oid, right: Oid) -> Option<Oid> {
        let known: BTreeSet<Oid> = self.history(left).into_iter().collect();
        self.history(right)
            .into_iter()
            .find(|oid| known.contains(oid))
    }

    /// The commits reachable from `head` and not from `base`, oldest first.
    pub(crate) fn ahead(&self, base: Oid, head: Oid) -> Vec<Oid> {
        let known: BTreeSet<Oid> = self.history(base).into_iter().collect();
        let mut out: Vec<Oid> = self
            .history(head)
            .into_iter()
            .filter(|oid| !known.contains(oid))
            .collect();
        out.reverse();
        out
    }

    pub(crate) fn branch(&self, name: &str) -> Option<Oid> {
        self.refs.get(&format!("refs/heads/{name}")).copied()
    }

    /// The commit that a name means: a full or short object id, a branch, a tag, `heads/x`, `refs/heads/x`.
    pub(crate) fn resolve(&self, name: &str) -> Option<Oid> {
        let places = [
            name.to_owned(),
            format!("refs/{name}"),
            format!("refs/heads/{name}"),
            format!("refs/tags/{name}"),
        ];
        if let Some(oid) = places.iter().find_map(|place| self.refs.get(place)) {
            return Some(*oid);
        }
        if let Ok(oid) = name.parse() {
            return self.commit(oid).map(|_| oid);
        }
        let short = name.len() >= 7 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut found = self.objects.keys().filter(|oid| {
            short && self.commit(**oid).is_some() && oid.to_string().starts_with(name)
        });
        match (found.next(), found.next()) {
            (Some(only), None) => Some(*only),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_are_those_of_git() {
        let mut git = Git::default();
        let hello = git.write_blob(b"hello\n");
        assert_eq!(
            hello.to_string(),
            "ce013625030ba8dba906f756967f9e9ca394464a"
        );
        let none = git.write_tree(&TreeFiles::new());
        assert_eq!(none.to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        let entry = TreeEntry {
            mode: FileMode::File,
            oid: hello,
        };
        let tree = git.write_tree(&TreeFiles::from([
            ("a/b.txt".to_owned(), entry),
            ("a.txt".to_owned(), entry),
            ("a0".to_owned(), entry),
        ]));
        assert_eq!(tree.to_string(), TREE);
        let who = GitSignature {
            name: "Alice".to_owned(),
            email: "alice@example.com".to_owned(),
            at: 1_700_000_000,
        };
        let commit = git.write_commit(GitCommit {
            tree,
            parents: vec![],
            author: who.clone(),
            committer: who,
            message: "first\n".to_owned(),
        });
        assert_eq!(commit.to_string(), COMMIT);
        assert_eq!(git.entry(commit, "a/b.txt"), Some(entry));
        assert_eq!(git.resolve(&COMMIT[..8]), Some(commit));
    }

    /// Both as git 2.47 computes them.
    const TREE: &str = "84685a5f118a60ab27e1ca5ec51915e8255337b5";
    const COMMIT: &str = "62ee0099f3054e6a702addb1df38a080f8840155";
}
