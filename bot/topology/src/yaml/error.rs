//! What the YAML reader refuses, and where.
//!
//! Maps the library's errors to codes and help texts. Must not know what a declaration means.

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Location};

use crate::finding::{FindingCode, codes, shown};

/// The most levels of nesting; a link of an interface of a machine is on the seventh.
pub(super) const DEPTH_MAX: usize = 16;

/// A position in a file. Lines and columns count from 1; the width is in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) width: u32,
}

/// Something that the reader refuses.
#[derive(Clone, Debug)]
pub(crate) struct YamlError {
    pub(crate) code: FindingCode,
    pub(crate) at: Position,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

pub(super) fn at(location: Location) -> Position {
    Position {
        line: u32::try_from(location.line()).unwrap_or(u32::MAX).max(1),
        column: u32::try_from(location.column()).unwrap_or(u32::MAX).max(1),
        width: u32::try_from(location.span().len()).unwrap_or(1),
    }
}

pub(super) fn yaml_error(error: &Error) -> YamlError {
    let (code, message, help) = explain(error.without_snippet());
    YamlError {
        code,
        at: error.location().map_or(
            Position {
                line: 1,
                column: 1,
                width: 1,
            },
            at,
        ),
        message,
        help,
    }
}

const SPELL_OUT: &str = "write the values where they are used";

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library has many errors and may add more; the rest keep their own message"
)]
fn explain(error: &Error) -> (FindingCode, String, &'static str) {
    match error {
        Error::Budget { breach, .. } => explain_budget(breach),
        Error::MergeKeyNotAllowed { .. } => (
            codes::YAML_MERGE,
            "merge keys (`<<`) are not supported".to_owned(),
            SPELL_OUT,
        ),
        Error::MultipleDocuments { .. } => documents(),
        Error::UnknownAnchor { .. } | Error::AliasError { .. } => anchors(),
        other => explain_scanner(&other.to_string()),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other budget limits amounts"
)]
fn explain_budget(breach: &BudgetBreach) -> (FindingCode, String, &'static str) {
    match breach {
        BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } => anchors(),
        BudgetBreach::Depth { .. } => deep(),
        BudgetBreach::Documents { .. } => documents(),
        _ => (
            codes::YAML_BIG,
            "the file has more values than a declaration needs".to_owned(),
            "split it: a declaration may have any number of `.yaml` files",
        ),
    }
}

/// The scanner's errors come as text only.
fn explain_scanner(words: &str) -> (FindingCode, String, &'static str) {
    let lower = words.to_lowercase();
    if lower.contains("anchor") || lower.contains("alias") {
        return anchors();
    }
    if lower.contains("recursion") || lower.contains("nesting") || lower.contains("depth") {
        return deep();
    }
    if lower.contains("tag") {
        let help = "remove the tag; a value's type follows from its key";
        return (
            codes::YAML_TAG,
            "tags (`!name`) are not supported".to_owned(),
            help,
        );
    }
    let end = lower
        .find(" at line ")
        .or_else(|| lower.find(": line "))
        .unwrap_or(words.len());
    let message = words.get(..end).unwrap_or(words);
    (
        codes::YAML_SYNTAX,
        format!("this is not YAML: {}", shown(message)),
        "check the indentation, and quote text that contains `: ` or ` #`",
    )
}

fn anchors() -> (FindingCode, String, &'static str) {
    (
        codes::YAML_ANCHOR,
        "anchors (`&`) and aliases (`*`) are not supported".to_owned(),
        SPELL_OUT,
    )
}

fn deep() -> (FindingCode, String, &'static str) {
    (
        codes::YAML_DEEP,
        format!("nested more than {DEPTH_MAX} levels deep"),
        "no declaration is that deep; look for a missing closing bracket",
    )
}

fn documents() -> (FindingCode, String, &'static str) {
    (
        codes::YAML_DOCUMENTS,
        "a second document starts here".to_owned(),
        "a file may have only one document: move this one to a file of its own",
    )
}
