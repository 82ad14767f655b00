//! Line diffs, as a pull request's file list shows them, and three-way merges of one file.

use std::ops::Range;

/// Above this many comparisons the middle becomes one change: the lab needs no minimal diff of large files.
const CELLS_MAX: usize = 4_000_000;

/// Context lines around a change, as at GitHub.
const CONTEXT_LINES: usize = 3;

/// `old` lines become `new` lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hunk {
    pub(crate) old: Range<usize>,
    pub(crate) new: Range<usize>,
}

/// The lines with their line endings.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The changes in order, with at least one unchanged line between them.
fn hunks(old: &[&str], new: &[&str]) -> Vec<Hunk> {
    let head = old
        .iter()
        .zip(new)
        .take_while(|(left, right)| left == right)
        .count();
    let most = old.len().min(new.len()) - head;
    let tail = (old.iter().rev().zip(new.iter().rev()))
        .take(most)
        .take_while(|(left, right)| left == right)
        .count();
    let (left, right) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    if left.is_empty() && right.is_empty() {
        return vec![];
    }
    if left.len() * right.len() > CELLS_MAX {
        return vec![Hunk {
            old: head..old.len() - tail,
            new: head..new.len() - tail,
        }];
    }
    let mut out: Vec<Hunk> = vec![];
    let (mut at, mut to) = (0, 0);
    for (same_left, same_right) in common(left, right)
        .into_iter()
        .chain([(left.len(), right.len())])
    {
        if at < same_left || to < same_right {
            out.push(Hunk {
                old: head + at..head + same_left,
                new: head + to..head + same_right,
            });
        }
        (at, to) = (same_left + 1, same_right + 1);
    }
    out
}

/// The longest common subsequence, as pairs of indexes.
fn common(left: &[&str], right: &[&str]) -> Vec<(usize, usize)> {
    let wide = right.len() + 1;
    let mut best = vec![0u32; (left.len() + 1) * wide];
    for at in (0..left.len()).rev() {
        for to in (0..right.len()).rev() {
            best[at * wide + to] = if left[at] == right[to] {
                best[(at + 1) * wide + to + 1] + 1
            } else {
                best[(at + 1) * wide + to].max(best[at * wide + to + 1])
            };
        }
    }
    let (mut at, mut to, mut out) = (0, 0, vec![]);
    while at < left.len() && to < right.len() {
        if left[at] == right[to] {
            out.push((at, to));
            (at, to) = (at + 1, to + 1);
        } else if best[(at + 1) * wide + to] >= best[at * wide + to + 1] {
            at += 1;
        } else {
            to += 1;
        }
    }
    out
}

/// A unified diff without file header, as in GitHub's field `patch`, and its line counts.
pub(crate) struct UnifiedDiff {
    pub(crate) text: String,
    pub(crate) additions: usize,
    pub(crate) deletions: usize,
}

pub(crate) fn patch(old: &str, new: &str) -> UnifiedDiff {
    let (old, new) = (lines(old), lines(new));
    let found = hunks(&old, &new);
    let mut groups: Vec<Vec<Hunk>> = vec![];
    for hunk in found.iter().cloned() {
        match groups.last_mut() {
            Some(group)
                if group
                    .last()
                    .is_some_and(|last| hunk.old.start - last.old.end <= 2 * CONTEXT_LINES) =>
            {
                group.push(hunk);
            }
            _ => groups.push(vec![hunk]),
        }
    }
    let parts: Vec<String> = groups
        .iter()
        .map(|group| shown(group, &old, &new))
        .collect();
    UnifiedDiff {
        text: parts.concat().trim_end_matches('\n').to_owned(),
        additions: found.iter().map(|hunk| hunk.new.len()).sum(),
        deletions: found.iter().map(|hunk| hunk.old.len()).sum(),
    }
}

fn shown(group: &[Hunk], old: &[&str], new: &[&str]) -> String {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return String::new();
    };
    let lead = first.old.start.min(CONTEXT_LINES);
    let trail = (old.len() - last.old.end).min(CONTEXT_LINES);
    let was = first.old.start - lead..last.old.end + trail;
    let is = first.new.start - lead..last.new.end + trail;
    let mut out = format!("@@ -{} +{} @@\n", spot(&was), spot(&is));
    let mut at = was.start;
    for hunk in group {
        put(&mut out, ' ', &old[at..hunk.old.start]);
        put(&mut out, '-', &old[hunk.old.clone()]);
        put(&mut out, '+', &new[hunk.new.clone()]);
        at = hunk.old.end;
    }
    put(&mut out, ' ', &old[at..was.end]);
    out
}

fn spot(range: &Range<usize>) -> String {
    let from = if range.is_empty() {
        range.start
    } else {
        range.start + 1
    };
    if range.len() == 1 {
        from.to_string()
    } else {
        format!("{from},{}", range.len())
    }
}

fn put(out: &mut String, sign: char, lines: &[&str]) {
    for line in lines {
        out.push(sign);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// Applies both changes to `base`; `None` if they change the same lines differently.
pub(crate) fn merged(base: &str, ours: &str, theirs: &str) -> Option<String> {
    let (base, ours, theirs) = (lines(base), lines(ours), lines(theirs));
    let mut edits: Vec<(Range<usize>, Vec<&str>)> = vec![];
    for (side, text) in [
        (hunks(&base, &ours), &ours),
        (hunks(&base, &theirs), &theirs),
    ] {
        edits.extend(
            side.into_iter()
                .map(|hunk| (hunk.old, text[hunk.new].to_vec())),
        );
    }
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    edits.dedup();
    if edits
        .windows(2)
        .any(|pair| pair[1].0.start <= pair[0].0.end)
    {
        return None;
    }
    let (mut out, mut at) = (String::new(), 0);
    for (range, text) in edits {
        out.push_str(&base[at..range.start].concat());
        out.push_str(&text.concat());
        at = range.end;
    }
    out.push_str(&base[at..].concat());
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{merged, patch};

    #[test]
    fn a_patch_looks_like_gits() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
        let new = "a\nB\nc\nd\ne\nf\ng\nh\ni\nj\nk";
        let shown = patch(old, new);
        assert_eq!((shown.additions, shown.deletions), (2, 1));
        assert_eq!(
            shown.text,
            "@@ -1,5 +1,5 @@\n a\n-b\n+B\n c\n d\n e\n@@ -8,3 +8,4 @@\n h\n i\n j\n+k\n\\ No newline at end of file"
        );
        assert_eq!(patch("", "x\n").text, "@@ -0,0 +1 @@\n+x");
        assert_eq!(patch("x\n", "x\n").text, "");
    }

    #[test]
    fn changes_of_different_lines_merge_and_changes_of_the_same_lines_conflict() {
        let base = "1\n2\n3\n4\n5\n";
        assert_eq!(
            merged(base, "one\n2\n3\n4\n5\n", "1\n2\n3\n4\nfive\n").as_deref(),
            Some("one\n2\n3\n4\nfive\n")
        );
        assert_eq!(merged(base, "one\n2\n3\n4\n5\n", "uno\n2\n3\n4\n5\n"), None);
        assert_eq!(
            merged(base, "one\n2\n3\n4\n5\n", "one\n2\n3\n4\n5\n").as_deref(),
            Some("one\n2\n3\n4\n5\n")
        );
        assert_eq!(merged(base, base, "").as_deref(), Some(""));
    }
}
