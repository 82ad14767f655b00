//! Three-way merges of trees, and GitHub's three merge methods.

use std::collections::BTreeSet;

use super::{Git, GitCommit, GitSignature, Oid, TreeEntry, TreeFiles, diff};

/// GitHub's `merge_method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeMethod {
    /// A commit with two parents.
    Merge,
    /// One commit with all changes.
    Squash,
    /// Each commit again, on top of the base.
    Rebase,
}

impl MergeMethod {
    pub(crate) const ALL: [(Self, &'static str); 3] = [
        (Self::Merge, "merge"),
        (Self::Squash, "squash"),
        (Self::Rebase, "rebase"),
    ];

    pub(crate) fn read(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == word).map(|row| row.0)
    }

    pub(crate) fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|row| row.0 == self)
            .map_or("", |row| row.1)
    }
}

/// The paths that both sides changed in different ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MergeConflicts(pub(crate) Vec<String>);

/// The tree with both changes: `base` → `ours` and `base` → `theirs`.
pub(crate) fn merge_trees(
    git: &mut Git,
    base: Oid,
    ours: Oid,
    theirs: Oid,
) -> Result<Oid, MergeConflicts> {
    let (base, ours, theirs) = (git.files(base), git.files(ours), git.files(theirs));
    let paths: BTreeSet<&String> = base
        .keys()
        .chain(ours.keys())
        .chain(theirs.keys())
        .collect();
    let (mut out, mut conflicts) = (TreeFiles::new(), vec![]);
    for path in paths {
        let sides =
            [base.get(path), ours.get(path), theirs.get(path)].map(Option::<&TreeEntry>::copied);
        match one(git, sides) {
            Ok(Some(entry)) => {
                out.insert(path.clone(), entry);
            }
            Ok(None) => {}
            Err(FileConflict) => conflicts.push(path.clone()),
        }
    }
    if conflicts.is_empty() {
        Ok(git.write_tree(&out))
    } else {
        Err(MergeConflicts(conflicts))
    }
}

struct FileConflict;

fn one(
    git: &mut Git,
    [base, ours, theirs]: [Option<TreeEntry>; 3],
) -> Result<Option<TreeEntry>, FileConflict> {
    if ours == theirs || theirs == base {
        return Ok(ours);
    }
    if ours == base {
        return Ok(theirs);
    }
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return Err(FileConflict);
    };
    let text = |entry: TreeEntry| {
        git.blob(entry.oid)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
    };
    let (Some(left), Some(right)) = (text(ours), text(theirs)) else {
        return Err(FileConflict);
    };
    let before = base.map_or(Some(""), text).ok_or(FileConflict)?;
    let both = diff::merged(before, left, right).ok_or(FileConflict)?;
    let mode = if base.is_some_and(|base| base.mode == ours.mode) {
        theirs.mode
    } else {
        ours.mode
    };
    Ok(Some(TreeEntry {
        mode,
        oid: git.write_blob(both.as_bytes()),
    }))
}

/// What a merge needs.
pub(crate) struct MergeInput {
    pub(crate) base: Oid,
    pub(crate) head: Oid,
    pub(crate) message: String,
    pub(crate) author: GitSignature,
    pub(crate) committer: GitSignature,
}

/// Writes the merge commit or commits and returns the new tip of the base.
pub(crate) fn write_merge(
    git: &mut Git,
    how: MergeMethod,
    merge_input: MergeInput,
) -> Result<Oid, MergeConflicts> {
    let MergeInput {
        base,
        head,
        message,
        author,
        committer,
    } = merge_input;
    if how == MergeMethod::Rebase {
        return rebased(git, base, head, &committer);
    }
    let root = git.merge_base(base, head).unwrap_or(base);
    let tree = merge_trees(git, root, base, head)?;
    let parents = if how == MergeMethod::Merge {
        vec![base, head]
    } else {
        vec![base]
    };
    Ok(git.write_commit(GitCommit {
        tree,
        parents,
        author,
        committer,
        message,
    }))
}

fn rebased(
    git: &mut Git,
    base: Oid,
    head: Oid,
    committer: &GitSignature,
) -> Result<Oid, MergeConflicts> {
    let mut tip = base;
    for oid in git.ahead(base, head) {
        let Some(commit) = git.commit(oid).cloned() else {
            continue;
        };
        let &[parent] = commit.parents.as_slice() else {
            continue;
        };
        let tree = merge_trees(git, parent, tip, oid)?;
        tip = git.write_commit(GitCommit {
            tree,
            parents: vec![tip],
            committer: committer.clone(),
            ..commit
        });
    }
    Ok(tip)
}
