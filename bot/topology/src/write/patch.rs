//! Edits to a file's text that keep every other byte unchanged.
//!
//! Handles YAML's block and flow style, and continues in the style that it finds. No comment is lost: a comment on a removed
//! line gets its own line. Must not know what any key means.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::yaml::{Value, YamlKey, YamlNode};

use super::flow::flow;
use super::layout::FileText;

/// A file with pending edits.
pub(super) struct FilePatch {
    source: FileText,
    edits: Vec<(Range<usize>, String)>,
}

/// Edits to the entries of one mapping.
pub(super) struct FieldEdits<'n> {
    entries: &'n [(YamlKey, YamlNode)],
    open: usize,
    set: Vec<(usize, String)>,
    removed: BTreeSet<usize>,
    added: Vec<(&'static str, String)>,
}

/// Edits to the items of one list.
#[derive(Default)]
pub(super) struct ItemEdits {
    /// The indexes of items to remove.
    pub(super) removed: BTreeSet<usize>,
    /// Items to add, as YAML without indentation: after the item with that index, or first.
    pub(super) added: Vec<(Option<usize>, String)>,
}

impl ItemEdits {
    pub(super) fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }
}

impl<'n> FieldEdits<'n> {
    /// Starts without edits. Anything but a mapping has no entries.
    pub(super) fn of(node: &'n YamlNode) -> Self {
        let entries: &[(YamlKey, YamlNode)] = match &node.value {
            Value::Map(entries) => entries,
            Value::Nothing | Value::Text { .. } | Value::List(_) => &[],
        };
        Self {
            entries,
            open: node.span.start,
            set: Vec::new(),
            removed: BTreeSet::new(),
            added: Vec::new(),
        }
    }

    /// The value under `key`.
    pub(super) fn get(&self, key: &str) -> Option<&'n YamlNode> {
        self.place(key).map(|at| &self.entries[at].1)
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|(k, _)| k.text == key)
    }

    /// Replaces or adds the value under `key` with a scalar or a list on one line.
    pub(super) fn set(&mut self, key: &'static str, value: &str) {
        match self.place(key) {
            Some(at) => self.set.push((at, value.to_owned())),
            None => self.added.push((key, format!("{key}: {value}"))),
        }
    }

    /// Adds a whole entry, as YAML without indentation.
    pub(super) fn add(&mut self, key: &'static str, entry: String) {
        self.added.push((key, entry));
    }

    /// Removes the entry, if it exists.
    pub(super) fn remove(&mut self, key: &str) {
        self.removed.extend(self.place(key));
    }
}

impl FilePatch {
    pub(super) fn of(text: &str, root: &YamlNode) -> Self {
        Self {
            source: FileText::of(text, root),
            edits: Vec::new(),
        }
    }

    /// The text of a scalar as it is written.
    pub(super) fn written(&self, node: &YamlNode) -> &str {
        self.source.written(node)
    }

    /// The text with every edit applied, or the line where two edits overlap.
    pub(super) fn finish(mut self) -> Result<String, u32> {
        self.edits
            .sort_by_key(|(range, _)| (range.start, range.end));
        let mut out = String::with_capacity(self.source.text.len());
        let mut done = 0;
        for (range, text) in &self.edits {
            let Some(kept) = self.source.text.get(done..range.start) else {
                let before = self.source.text.get(..range.start).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                return Err(u32::try_from(line).unwrap_or(u32::MAX));
            };
            out.push_str(kept);
            out.push_str(text);
            done = range.end;
        }
        out.push_str(self.source.text.get(done..).unwrap_or_default());
        if !self.source.ended && out.ends_with(self.source.eol) {
            out.truncate(out.len() - self.source.eol.len());
        }
        Ok(out)
    }

    /// Replaces a scalar.
    pub(super) fn word(&mut self, node: &YamlNode, word: &str) {
        if self.written(node) != word {
            self.edits.push((node.span.clone(), word.to_owned()));
        }
    }

    /// Edits the entries of a mapping. A new one is placed after the last entry that `order` puts before it.
    pub(super) fn fields(&mut self, fields: FieldEdits<'_>, order: &[&str]) {
        let entries = fields.entries;
        let spans: Vec<Range<usize>> = entries
            .iter()
            .map(|(key, value)| key.span.start..self.source.end_of(value))
            .collect();
        for (at, word) in &fields.set {
            self.set(&entries[*at], spans[*at].end, word);
        }
        let rank = |key: &str| order.iter().position(|known| *known == key);
        let behind = |key: &str| {
            let before = |(k, _): &(YamlKey, YamlNode)| rank(&k.text) < rank(key);
            entries.iter().rposition(before)
        };
        let mut added: Vec<(Option<usize>, String)> = fields
            .added
            .into_iter()
            .map(|(key, text)| (behind(key), text))
            .collect();
        if self.source.is_flow(fields.open) {
            for (_, text) in &mut added {
                *text = flow(text, false);
            }
            self.flow_items(fields.open, &spans, &fields.removed, added);
            return;
        }
        self.remove_entries(entries, &spans, &fields.removed);
        let Some(first) = spans.first().map(|span| span.start) else {
            return;
        };
        let depth = self.source.depth(first);
        let break_ = format!("{}{}", self.source.eol, " ".repeat(depth));
        for (at, text) in added {
            if let Some(at) = at {
                self.lines(self.source.below(spans[at].end, depth), depth, &text);
                continue;
            }
            let text = text.replace('\n', &break_);
            self.edits.push((first..first, format!("{text}{break_}")));
        }
    }

    fn set(&mut self, (key, value): &(YamlKey, YamlNode), end: usize, word: &str) {
        let start = self.source.value_start(key);
        if matches!(value.value, Value::Text { .. }) && start == value.span.start {
            return self.word(value, word);
        }
        let comments = self.source.comments(start..end);
        let line = self.source.line_start(key.span.start);
        let depth = self
            .source
            .depth(line + self.source.lead(key.span.start).len());
        for comment in comments {
            self.lines(line, depth, &comment);
        }
        let blank = if start == key.span.end + 1 { " " } else { "" };
        self.edits.push((start..end, format!("{blank}{word}")));
    }

    fn remove_entries(
        &mut self,
        entries: &[(YamlKey, YamlNode)],
        spans: &[Range<usize>],
        removed: &BTreeSet<usize>,
    ) {
        let survivor = (0..entries.len()).find(|at| !removed.contains(at));
        for &at in removed {
            let (start, end) = (spans[at].start, spans[at].end);
            let inline = !self.source.lead(spans[0].start).trim().is_empty();
            match survivor {
                // The first entry of a list item is on the same line as its dash.
                Some(next) if inline && at < next => {
                    if at == 0 {
                        let to = spans[next].start;
                        let comments = self.source.comments(start..to);
                        let line = self.source.line_start(start);
                        let depth = self.source.depth(line + self.source.lead(start).len());
                        for comment in comments {
                            self.lines(line, depth, &comment);
                        }
                        self.edits.push((start..to, String::new()));
                    }
                }
                Some(_) | None => self.drop_lines(start, end),
            }
        }
    }

    /// Edits the items of a list. The caller must instead replace a list that would lose all its items.
    pub(super) fn items(&mut self, list: &YamlNode, items: ItemEdits) {
        let Value::List(nodes) = &list.value else {
            return;
        };
        let mut spans: Vec<Range<usize>> = nodes
            .iter()
            .map(|node| self.source.start_of(node)..self.source.end_of(node))
            .collect();
        if self.source.is_flow(list.span.start) {
            let added = items.added.into_iter();
            let added = added.map(|(at, text)| (at, flow(&text, true))).collect();
            return self.flow_items(list.span.start, &spans, &items.removed, added);
        }
        for span in &mut spans {
            span.start = self.source.dash(span.start);
        }
        for &at in &items.removed {
            self.drop_lines(spans[at].start, spans[at].end);
        }
        let alike = nodes
            .iter()
            .any(|node| self.source.is_flow(node.span.start));
        for (at, text) in items.added {
            let depth = self.source.depth(spans[0].start);
            let place = match at {
                Some(at) => self.source.below(spans[at].end, depth),
                None => self.source.above(spans[0].start),
            };
            let text = if alike { flow(&text, true) } else { text };
            self.lines(place, depth, &format!("- {}", text.replace('\n', "\n  ")));
        }
    }

    /// Adds and removes items of a flow sequence or mapping.
    fn flow_items(
        &mut self,
        open: usize,
        spans: &[Range<usize>],
        removed: &BTreeSet<usize>,
        added: Vec<(Option<usize>, String)>,
    ) {
        let survivors: Vec<usize> = (0..spans.len())
            .filter(|at| !removed.contains(at))
            .collect();
        for &at in removed {
            let has_one_before = survivors.first().is_some_and(|first| *first < at);
            let gone = if has_one_before {
                spans[at - 1].end..spans[at].end
            } else {
                spans[at].start..spans.get(at + 1).map_or(spans[at].end, |next| next.start)
            };
            self.edits.push((gone, String::new()));
        }
        if survivors.is_empty() {
            let texts: Vec<String> = added.into_iter().map(|(_, text)| text).collect();
            self.edits.push((open + 1..open + 1, texts.join(", ")));
            return;
        }
        for (at, text) in added {
            let before = at.and_then(|at| survivors.iter().rfind(|s| **s <= at));
            match before {
                None => {
                    let first = spans[survivors[0]].start;
                    self.edits.push((first..first, format!("{text}, ")));
                }
                Some(before) => self.behind_in_flow(&spans[*before], &text),
            }
        }
    }

    /// Adds an item after `neighbour` in flow style, on its own line if the neighbour has its own.
    fn behind_in_flow(&mut self, neighbour: &Range<usize>, text: &str) {
        let own_line = self.source.lead(neighbour.start).trim().is_empty();
        let rest = self.source.text.get(neighbour.end..).unwrap_or_default();
        if !own_line || rest.starts_with([']', '}']) {
            let end = neighbour.end;
            return self.edits.push((end..end, format!(", {text}")));
        }
        let comma = rest.starts_with(',');
        if !comma {
            let end = neighbour.end;
            self.edits.push((end..end, ",".to_owned()));
        }
        let depth = self.source.depth(neighbour.start);
        let place = self.source.line_end(neighbour.end);
        let comma = if comma { "," } else { "" };
        self.lines(place, depth, &format!("{text}{comma}"));
    }

    /// Inserts whole lines with that indentation.
    fn lines(&mut self, place: usize, depth: usize, text: &str) {
        let lead = " ".repeat(depth);
        let lines = text.trim_end_matches('\n').split('\n');
        let lines: Vec<String> = lines
            .map(|line| format!("{lead}{line}{}", self.source.eol))
            .collect();
        self.edits.push((place..place, lines.concat()));
    }

    /// Removes the lines from the one with `start` to the one with `end`; their comments are kept as lines.
    fn drop_lines(&mut self, start: usize, end: usize) {
        let whole = self.source.line_start(start)..self.source.line_end(end);
        let depth = self.source.depth(start);
        let comments = self.source.comments(whole.clone());
        let lead = " ".repeat(depth);
        let lines: Vec<String> = comments
            .iter()
            .map(|comment| format!("{lead}{comment}{}", self.source.eol))
            .collect();
        self.edits.push((whole, lines.concat()));
    }
}
