//! What an outbox message asks of GitHub, and its form in the database. It must not know how GitHub is asked.
//!
//! # Formats
//!
//! The column `kind` names the kind of payload; the column `body` holds it:
//!
//! | kind | body in format 1 |
//! |---|---|
//! | comment | the text |
//! | reaction | GitHub's word for it |
//! | check, history | a JSON object |
//!
//! Format 1 carries no number: a JSON object without `format` has it. All payloads are still written in format 1, byte for
//! byte, for two reasons. During a rolling upgrade the version before reads these rows too, and sends them. And both
//! versions compare bodies as text to find out whether a message has changed: any other spelling of an unchanged check
//! would be sent again, and GitHub would add the check's annotations a second time.
//!
//! A payload that format 1 cannot express needs a new `format` in its JSON object, or a new kind where the body is plain
//! text. A reader that does not know it reports an [`UnreadableMessage`] for that message alone. The sender treats this as
//! a failed attempt: it retries for a while, as the next replica may know the format, and then gives up.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::row::{text, to_json};

/// The format in which payloads are written.
const FORMAT: u32 = 1;

/// The kind of payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutboxKind {
    /// A comment on a pull request, edited in place when its text changes.
    Comment,
    /// A reaction to a comment.
    Reaction,
    /// A check run on a commit.
    Check,
    /// A commit on the history branch.
    History,
}

/// What GitHub is to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxPayload {
    /// A comment on a pull request.
    Comment {
        /// Markdown.
        text: String,
    },
    /// A reaction to a comment.
    Reaction(ReactionContent),
    /// A check run on a commit.
    Check(CheckPayload),
    /// A commit on the history branch.
    History(HistoryPayload),
}

/// The reactions that the bot gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReactionContent {
    /// The command was seen.
    Eyes,
    /// It was carried out.
    Rocket,
    /// It was refused.
    Confused,
}

/// A check run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckPayload {
    /// The check's name, such as `planebot/plan`.
    pub name: String,
    /// The commit.
    pub head_sha: String,
    /// Its progress and conclusion.
    pub state: CheckState,
    /// One line.
    pub title: String,
    /// Markdown.
    pub summary: String,
    /// Messages about lines of files.
    pub annotations: Vec<AnnotationPayload>,
}

/// A check run's progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// It has not ended.
    InProgress,
    /// It has ended.
    Completed(CheckConclusion),
}

/// The conclusions that the bot gives, by GitHub's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckConclusion {
    Success,
    Failure,
    Neutral,
    ActionRequired,
    Cancelled,
}

/// A message about lines of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnotationPayload {
    /// The file, from the repository's root.
    pub path: String,
    /// The first line, from 1.
    pub start_line: u64,
    /// The last line.
    pub end_line: u64,
    /// Its severity.
    #[serde(rename = "annotation_level")]
    pub level: AnnotationLevel,
    /// One line.
    pub title: String,
    /// The problem, and what to try.
    pub message: String,
}

/// The severities that the bot gives, by GitHub's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnotationLevel {
    Warning,
    Failure,
}

/// A commit on the history branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPayload {
    /// The commit's message.
    pub message: String,
    /// Text by path from the repository's root.
    pub files: BTreeMap<String, String>,
    /// Folders that afterwards hold nothing but these files.
    pub whole: Vec<String>,
}

/// A message whose row cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the outbox message `{key}` cannot be read: {reason}")]
pub struct UnreadableMessage {
    /// The message's key.
    pub key: String,
    pub reason: PayloadError,
}

/// Why a payload cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// A newer planebot wrote it.
    #[error("its kind is {0}, which this planebot does not know; use the one that wrote it")]
    UnknownKind(String),
    /// A newer planebot wrote it.
    #[error("it has the format {0}, which this planebot does not know; use the one that wrote it")]
    UnknownFormat(u32),
    /// GitHub may have such a reaction; the bot does not give it.
    #[error("`{0}` is not a reaction that planebot gives")]
    UnknownReaction(String),
    /// The JSON does not parse, or lacks something; the text is the parser's.
    #[error("{0}")]
    Malformed(String),
}

impl ReactionContent {
    const ALL: [Self; 3] = [Self::Eyes, Self::Rocket, Self::Confused];

    /// GitHub's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Eyes => "eyes",
            Self::Rocket => "rocket",
            Self::Confused => "confused",
        }
    }
}

impl OutboxPayload {
    pub fn kind(&self) -> OutboxKind {
        match self {
            Self::Comment { .. } => OutboxKind::Comment,
            Self::Reaction(_) => OutboxKind::Reaction,
            Self::Check(_) => OutboxKind::Check,
            Self::History(_) => OutboxKind::History,
        }
    }

    /// The columns `kind` and `body`.
    pub(crate) fn encode(&self) -> (String, String) {
        let body = match self {
            Self::Comment { text: words } => text(words),
            Self::Reaction(content) => content.word().to_owned(),
            Self::Check(check) => to_json(&CheckRow::from(check)),
            Self::History(history) => to_json(history),
        };
        (to_json(&self.kind()), body)
    }

    /// Reads the columns `kind` and `body` in any format that was ever written.
    pub(crate) fn decode(kind: &str, body: &str) -> Result<Self, PayloadError> {
        let Ok(kind) = serde_json::from_str::<OutboxKind>(kind) else {
            return Err(PayloadError::UnknownKind(kind.to_owned()));
        };
        match kind {
            OutboxKind::Comment => Ok(Self::Comment {
                text: body.to_owned(),
            }),
            OutboxKind::Reaction => ReactionContent::ALL
                .into_iter()
                .find(|content| content.word() == body)
                .map(Self::Reaction)
                .ok_or_else(|| PayloadError::UnknownReaction(body.to_owned())),
            OutboxKind::Check => object::<CheckRow>(body)?.try_into().map(Self::Check),
            OutboxKind::History => object(body).map(Self::History),
        }
    }
}

#[derive(Deserialize)]
struct BodyFormat {
    #[serde(default = "first_format")]
    format: u32,
}

fn first_format() -> u32 {
    FORMAT
}

fn object<T: DeserializeOwned>(body: &str) -> Result<T, PayloadError> {
    let BodyFormat { format } = json(body)?;
    if format != FORMAT {
        return Err(PayloadError::UnknownFormat(format));
    }
    json(body)
}

fn json<T: DeserializeOwned>(body: &str) -> Result<T, PayloadError> {
    serde_json::from_str(body).map_err(|error| PayloadError::Malformed(error.to_string()))
}

/// A check run in format 1. The order of the fields is part of the format.
#[derive(Serialize, Deserialize)]
struct CheckRow {
    name: String,
    head_sha: String,
    status: CheckStatusRow,
    conclusion: Option<CheckConclusion>,
    title: String,
    summary: String,
    annotations: Vec<AnnotationPayload>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CheckStatusRow {
    InProgress,
    Completed,
}

impl From<&CheckPayload> for CheckRow {
    fn from(check: &CheckPayload) -> Self {
        let (status, conclusion) = match check.state {
            CheckState::InProgress => (CheckStatusRow::InProgress, None),
            CheckState::Completed(conclusion) => (CheckStatusRow::Completed, Some(conclusion)),
        };
        let CheckPayload {
            name,
            head_sha,
            state: _,
            title,
            summary,
            annotations,
        } = check.clone();
        Self {
            name,
            head_sha,
            status,
            conclusion,
            title,
            summary,
            annotations,
        }
    }
}

impl TryFrom<CheckRow> for CheckPayload {
    type Error = PayloadError;

    fn try_from(row: CheckRow) -> Result<Self, PayloadError> {
        let state = match (row.status, row.conclusion) {
            (CheckStatusRow::Completed, Some(conclusion)) => CheckState::Completed(conclusion),
            (CheckStatusRow::InProgress, None) => CheckState::InProgress,
            (CheckStatusRow::Completed, None) | (CheckStatusRow::InProgress, Some(_)) => {
                let mismatch = "a check has a conclusion exactly when it is completed";
                return Err(PayloadError::Malformed(mismatch.to_owned()));
            }
        };
        Ok(Self {
            name: row.name,
            head_sha: row.head_sha,
            state,
            title: row.title,
            summary: row.summary,
            annotations: row.annotations,
        })
    }
}
