//! Parses text into a tree in which every value has its position. The only module that uses the YAML library.
//!
//! A declaration needs little of YAML, and the rest has caused trouble elsewhere: anchors, aliases, merge keys, tags,
//! further documents and deep nesting are refused, and the size is checked before parsing. Scalars are kept as written
//! (`+1`, `010` and `on` are not interpreted); the draft gives them their meaning.

mod error;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Options, Spanned};

use crate::finding::{codes, shown};

use error::{DEPTH_MAX, at, yaml_error};
pub(crate) use error::{Position, YamlError};

/// Bytes in one file. The largest network seen (768 machines) needs half of this.
pub(crate) const FILE_BYTES_MAX: usize = 1024 * 1024;

/// The most values in one file: a megabyte of short words.
const NODES_MAX: usize = 250_000;

/// A value and its position.
#[derive(Clone, Debug)]
pub(crate) struct YamlNode {
    pub(crate) at: Position,
    /// The bytes of a scalar as written, with its quotes; of a list or mapping only the opening bracket, or nothing.
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

/// A value, not yet interpreted.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Empty, or `null`.
    Nothing,
    /// A scalar as written; `plain` means without quotes.
    Text { text: String, plain: bool },
    /// A list.
    List(Vec<YamlNode>),
    /// A mapping in the order of the file, without duplicates.
    Map(Vec<(YamlKey, YamlNode)>),
}

impl YamlNode {
    fn is_empty(&self) -> bool {
        match &self.value {
            Value::Nothing => true,
            Value::Map(entries) => entries.is_empty(),
            Value::Text { .. } | Value::List(_) => false,
        }
    }
}

/// A mapping's key and its position.
#[derive(Clone, Debug)]
pub(crate) struct YamlKey {
    pub(crate) at: Position,
    /// Its bytes, with its quotes.
    pub(crate) span: Range<usize>,
    pub(crate) text: String,
}

/// Checks one file's size and encoding, and returns its text.
pub(crate) fn text_of(bytes: &[u8]) -> Result<&str, YamlError> {
    let start = Position {
        line: 1,
        column: 1,
        width: 1,
    };
    if bytes.len() > FILE_BYTES_MAX {
        return Err(YamlError {
            code: codes::FILE_SIZE,
            at: start,
            message: format!("the file has {} bytes; the limit is 1 MiB", bytes.len()),
            help: "split it: a declaration may have any number of `.yaml` files",
        });
    }
    let place_of = |offset: usize| {
        let before = bytes.get(..offset).unwrap_or_default();
        let line_start = before
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        Position {
            line: number(before.split(|b| *b == b'\n').count()),
            column: number(offset - line_start + 1),
            width: 1,
        }
    };
    if let Some(offset) = bytes.iter().position(|b| *b == 0) {
        return Err(YamlError {
            code: codes::FILE_NUL,
            at: place_of(offset),
            message: "the file contains a NUL byte".to_owned(),
            help: "save it as UTF-8 text",
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| YamlError {
        code: codes::FILE_UTF8,
        at: place_of(error.valid_up_to()),
        message: "the file is not UTF-8".to_owned(),
        help: "save it as UTF-8 text",
    })?;
    if text.starts_with("version https://git-lfs.github.com/spec/") {
        return Err(YamlError {
            code: codes::FILE_LFS,
            at: start,
            message: "the file is a Git LFS pointer".to_owned(),
            help: "keep declarations out of LFS: they are small text files",
        });
    }
    Ok(text)
}

/// Parses one document. Returns the tree, or `None` if the file is empty, and the duplicate keys.
pub(crate) fn read(text: &str) -> Result<(Option<YamlNode>, Vec<YamlError>), YamlError> {
    let document: Option<Spanned<Raw>> =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| yaml_error(&error))?;
    let mut duplicates = Vec::new();
    let tree = document
        .map(|raw| node(raw, text, &mut duplicates))
        .filter(|node| !node.is_empty());
    Ok((tree, duplicates))
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: NODES_MAX * 3,
            max_aliases: 0,
            max_anchors: 0,
            max_documents: 1,
        },
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

/// What the library returns. Scalars that it would interpret are only marked, and read again from the source text.
enum Raw {
    Nothing,
    Interpreted,
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Interpreted)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Interpreted)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Interpreted)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Interpreted)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Interpreted)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Interpreted)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

fn node(raw: Spanned<Raw>, source: &str, duplicates: &mut Vec<YamlError>) -> YamlNode {
    let at = at(raw.referenced);
    let span = span(raw.referenced, source);
    let written = source.get(span.clone()).unwrap_or_default();
    let value = match raw.value {
        Raw::Nothing => Value::Nothing,
        Raw::Interpreted => Value::Text {
            text: written.to_owned(),
            plain: true,
        },
        Raw::Text(text) => Value::Text {
            text,
            plain: !written.starts_with(['"', '\'', '|', '>', '!']),
        },
        Raw::List(items) => Value::List(
            items
                .into_iter()
                .map(|item| node(item, source, duplicates))
                .collect(),
        ),
        Raw::Map(entries) => Value::Map(map(entries, source, duplicates)),
    };
    YamlNode { at, span, value }
}

fn map(
    entries: Vec<(Spanned<String>, Spanned<Raw>)>,
    source: &str,
    duplicates: &mut Vec<YamlError>,
) -> Vec<(YamlKey, YamlNode)> {
    let mut first: BTreeMap<String, u32> = BTreeMap::new();
    let mut kept = Vec::new();
    for (key, value) in entries {
        let key = YamlKey {
            at: at(key.referenced),
            span: span(key.referenced, source),
            text: key.value,
        };
        let value = node(value, source, duplicates);
        if let Some(line) = first.get(&key.text) {
            duplicates.push(YamlError {
                code: codes::YAML_DUPLICATE,
                at: key.at,
                message: format!("`{}` is already given on line {line}", shown(&key.text)),
                help: "remove one of the two",
            });
            continue;
        }
        first.insert(key.text.clone(), key.at.line);
        kept.push((key, value));
    }
    kept
}

fn span(location: Location, source: &str) -> Range<usize> {
    let span = location.span();
    let start = span.byte_offset().and_then(|at| usize::try_from(at).ok());
    let length = span.byte_len().and_then(|n| usize::try_from(n).ok());
    let (start, length) = start.zip(length).unwrap_or_default();
    let written = source.get(start..start + length).unwrap_or_default();
    start..start + written.trim_end().len()
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings_of(text: &str) -> String {
        match text_of(text.as_bytes()).and_then(read) {
            Ok((_, duplicates)) => duplicates
                .iter()
                .map(|t| {
                    format!(
                        "{}:{} {} {}",
                        t.at.line, t.at.column, t.code.name, t.message
                    )
                })
                .collect::<Vec<_>>()
                .join("\n"),
            Err(t) => format!(
                "{}:{} {} {}",
                t.at.line, t.at.column, t.code.name, t.message
            ),
        }
    }

    fn words(node: &YamlNode, out: &mut Vec<String>) {
        match &node.value {
            Value::Nothing => out.push("-".to_owned()),
            Value::Text { text, plain } => {
                out.push(format!(
                    "{text}{}@{}:{}+{}",
                    if *plain { "" } else { "(q)" },
                    node.at.line,
                    node.at.column,
                    node.at.width
                ));
            }
            Value::List(items) => items.iter().for_each(|item| words(item, out)),
            Value::Map(entries) => entries.iter().for_each(|(key, value)| {
                out.push(format!("{}:", key.text));
                words(value, out);
            }),
        }
    }

    #[test]
    fn scalars_stay_as_written_and_keep_their_position() {
        let text = "a: +1\nb: 010\non: off  # why\nc: [1_000, 1.10, no, true, 0x1f, ~]\nd: \"+1\"\ne: 12:34:56:12:34:56\nf: |\n  two\n  lines\ng: .inf\nh: 99999999999999999999999\n";
        let (tree, duplicates) = read(text).unwrap();
        let mut out = Vec::new();
        words(&tree.unwrap(), &mut out);
        assert!(duplicates.is_empty());
        assert_eq!(
            out.join(" "),
            "a: +1@1:4+2 b: 010@2:4+3 on: off@3:5+3 c: 1_000@4:5+5 1.10@4:12+4 no@4:18+2 true@4:22+4 0x1f@4:28+4 - d: +1(q)@5:4+4 e: 12:34:56:12:34:56@6:4+17 f: two\nlines\n@8:3+12 g: .inf@10:4+4 h: 99999999999999999999999@11:4+23"
        );
    }

    #[test]
    fn unsupported_yaml_is_refused_with_its_position() {
        let table = [
            ("a: &x 1\n", "yaml/anchor"),
            ("a: 1\nb: *x\n", "yaml/anchor"),
            ("a: {<<: {b: 1}}\n", "yaml/merge-key"),
            ("a: !ruby/object x\n", "yaml/tag"),
            ("a: 1\n---\nb: 2\n", "yaml/documents"),
            ("a: [1\nb: 2\n", "yaml/syntax"),
            ("a:\n\tb: 1\n", "yaml/syntax"),
            ("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", "yaml/duplicate-key"),
            (
                "version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
                "file/lfs",
            ),
            ("a: \u{0}\n", "file/nul"),
            ("? [a]\n: 1\n", "yaml/syntax"),
        ];
        let mut all = Vec::new();
        for (text, code) in table {
            let found = findings_of(text);
            assert!(found.contains(code), "{text:?} gave {found}");
            all.push(found);
        }
        insta::assert_snapshot!(all.join("\n"), @r"
        1:7 yaml/anchor anchors (`&`) and aliases (`*`) are not supported
        2:4 yaml/anchor anchors (`&`) and aliases (`*`) are not supported
        1:5 yaml/merge-key merge keys (`<<`) are not supported
        1:17 yaml/tag tags (`!name`) are not supported
        2:1 yaml/documents a second document starts here
        2:2 yaml/syntax this is not YAML: illegal placement of ':' indicator
        2:2 yaml/syntax this is not YAML: tabs disallowed within this context (block indentation)
        4:3 yaml/duplicate-key `c` is already given on line 3
        5:1 yaml/duplicate-key `a` is already given on line 1
        1:1 file/lfs the file is a Git LFS pointer
        1:4 file/nul the file contains a NUL byte
        1:3 yaml/syntax this is not YAML: expected string scalar
        ");
    }

    #[test]
    fn yaml_bombs_are_refused_early() {
        let deep = format!("a: {}", "[".repeat(100_000));
        assert!(
            findings_of(&deep).contains("yaml/deep"),
            "{}",
            findings_of(&deep)
        );
        let dashes = format!("a:\n{}x", "- ".repeat(100_000));
        assert!(
            findings_of(&dashes).contains("yaml/deep"),
            "{}",
            findings_of(&dashes)
        );
        let maps = "{a: ".repeat(100_000);
        assert!(
            findings_of(&maps).contains("yaml/deep"),
            "{}",
            findings_of(&maps)
        );
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..40 {
            let before = level - 1;
            let inside = vec![format!("*a{before}"); 9].join(", ");
            bomb = format!("{bomb}a{level}: &a{level} [{inside}]\n");
        }
        assert!(
            findings_of(&bomb).starts_with("1:"),
            "{}",
            findings_of(&bomb)
        );
        assert!(findings_of(&"a: 1\n".repeat(1_000_000)).contains("file/size"));
        assert!(findings_of(&format!("[{}]", "1,".repeat(400_000))).contains("yaml/big"));
        assert!(findings_of(&format!("&{} x", "a".repeat(100_000))).contains("yaml"));
        assert_eq!(text_of(b"ok\n\xff\xfe").unwrap_err().code, codes::FILE_UTF8);
    }
}
