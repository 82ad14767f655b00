//! The text of a YAML file and positions in it: lines, dashes, brackets, comments.
//!
//! Must not know what is changed.

use std::ops::Range;

use crate::yaml::{Value, YamlKey, YamlNode};

/// A file's text, with the positions of its keys and scalars.
pub(super) struct FileText {
    /// The original text, with a line ending added to the last line if it has none.
    pub(super) text: String,
    /// Whether the last line had a line ending.
    pub(super) ended: bool,
    pub(super) eol: &'static str,
    /// The bytes of every key and scalar, in order: a `#` in one of them does not begin a comment.
    words: Vec<Range<usize>>,
}

impl FileText {
    pub(super) fn of(text: &str, root: &YamlNode) -> Self {
        let eol = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let ended = text.ends_with('\n');
        let mut text = text.to_owned();
        if !ended {
            text.push_str(eol);
        }
        let mut words = Vec::new();
        gather(root, &mut words);
        words.sort_by_key(|word| word.start);
        Self {
            text,
            ended,
            eol,
            words,
        }
    }

    /// Where a value begins: after the colon and spaces, on the same line.
    pub(super) fn value_start(&self, key: &YamlKey) -> usize {
        let rest = self.text.get(key.span.end..).unwrap_or_default();
        let colon = rest.find(':').map_or(0, |at| at + 1);
        let value = rest.get(colon..).unwrap_or_default();
        let blanks = value.len() - value.trim_start_matches(' ').len();
        let empty = value.trim_start_matches(' ').starts_with(['\r', '\n', '#']);
        key.span.end + colon + if empty { 0 } else { blanks }
    }

    /// The text of a scalar as it is written.
    pub(super) fn written(&self, node: &YamlNode) -> &str {
        self.text.get(node.span.clone()).unwrap_or_default()
    }

    pub(super) fn comments(&self, range: Range<usize>) -> Vec<String> {
        let mut found = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let next = self.words.partition_point(|word| word.end <= at);
            if let Some(word) = self.words.get(next).filter(|word| word.contains(&at)) {
                at = word.end;
                continue;
            }
            let rest = self.text.get(at..range.end).unwrap_or_default();
            let blank = self.text.get(..at).unwrap_or_default();
            let begins = blank.is_empty() || blank.ends_with([' ', '\t', '\n']);
            if rest.starts_with('#') && begins {
                let line = rest.split('\n').next().unwrap_or_default();
                found.push(line.trim_end().to_owned());
                at += line.len();
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        found
    }

    pub(super) fn is_flow(&self, open: usize) -> bool {
        let at = self.text.get(open..open + 1);
        matches!(at, Some("[" | "{"))
    }

    pub(super) fn start_of(&self, node: &YamlNode) -> usize {
        match &node.value {
            Value::Map(entries) if !self.is_flow(node.span.start) => entries
                .first()
                .map_or(node.span.start, |(key, _)| key.span.start),
            Value::Nothing | Value::Text { .. } | Value::List(_) | Value::Map(_) => node.span.start,
        }
    }

    /// Where a value ends, including closing brackets.
    pub(super) fn end_of(&self, node: &YamlNode) -> usize {
        let last = match &node.value {
            Value::Nothing | Value::Text { .. } => return node.span.end,
            Value::List(items) => items.last(),
            Value::Map(entries) => entries.last().map(|(_, value)| value),
        };
        let inside = last.map_or(node.span.end, |last| self.end_of(last));
        if !self.is_flow(node.span.start) {
            return inside;
        }
        let mut at = inside;
        let mut in_comment = false;
        for c in self.text.get(inside..).unwrap_or_default().chars() {
            at += c.len_utf8();
            match c {
                '#' => in_comment = true,
                '\n' => in_comment = false,
                ']' | '}' if !in_comment => return at,
                _ => {}
            }
        }
        at
    }

    /// The position of a list item's dash.
    pub(super) fn dash(&self, item: usize) -> usize {
        let before = self.text.get(..item).unwrap_or_default();
        if let Some(dash) = before.trim_end().strip_suffix('-') {
            return dash.len();
        }
        // There is a comment between the dash and the item.
        let mut at = before.len();
        for line in before.split_inclusive('\n').rev() {
            at -= line.len();
            if line.trim_start().starts_with('-') {
                return at + line.len() - line.trim_start().len();
            }
        }
        item
    }

    pub(super) fn line_start(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        before.rfind('\n').map_or(0, |end| end + 1)
    }

    pub(super) fn line_end(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        at + rest.find('\n').map_or(rest.len(), |end| end + 1)
    }

    /// The text before `at` on its line.
    pub(super) fn lead(&self, at: usize) -> &str {
        self.text.get(self.line_start(at)..at).unwrap_or_default()
    }

    /// The column of `at`, counted from 0.
    pub(super) fn depth(&self, at: usize) -> usize {
        self.lead(at).chars().count()
    }

    /// Where to insert lines after an entry: after comments that are indented more than it.
    pub(super) fn below(&self, end: usize, depth: usize) -> usize {
        let mut place = self.line_end(end);
        while let Some(line) = self.text.get(place..).and_then(|rest| rest.lines().next()) {
            let deep = line.len() - line.trim_start().len();
            if deep <= depth || !line.trim_start().starts_with('#') {
                break;
            }
            place = self.line_end(place);
        }
        place
    }

    /// Where to insert lines before a list's first item: before the comments above it.
    pub(super) fn above(&self, dash: usize) -> usize {
        let mut place = self.line_start(dash);
        while place > 0 {
            let before = self.line_start(place - 1);
            let line = self.text.get(before..place).unwrap_or_default();
            if !line.trim_start().starts_with('#') {
                break;
            }
            place = before;
        }
        place
    }
}

fn gather(node: &YamlNode, words: &mut Vec<Range<usize>>) {
    match &node.value {
        Value::Nothing => {}
        Value::Text { .. } => words.push(node.span.clone()),
        Value::List(items) => items.iter().for_each(|item| gather(item, words)),
        Value::Map(entries) => {
            for (key, value) in entries {
                words.push(key.span.clone());
                gather(value, words);
            }
        }
    }
}
