//! Check runs.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::webhook::event::Sha;
use crate::{GitHubError, Repository, path};

/// Annotations that one request may add (GitHub's API description); more are added by further requests.
pub const ANNOTATIONS_MAX: usize = 50;

/// Characters of a summary (GitHub's API description). Counted in bytes, which never allows more.
const SUMMARY_BYTES_MAX: usize = 65_535;

/// Characters of a title, counted in bytes too.
const TITLE_BYTES_MAX: usize = 255;

/// Bytes of an annotation's message: 64 KB.
const MESSAGE_BYTES_MAX: usize = 64_000;

/// A check run as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// `planebot/plan`, say.
    pub name: String,
    /// The commit.
    pub head: Sha,
    /// Our own key, by which the check is found again after a crash.
    pub external_id: String,
    /// Where GitHub's "Details" leads.
    pub details_url: Option<String>,
    /// Its state.
    pub status: CheckStatus,
    /// Plain text; cut to what GitHub takes.
    pub title: String,
    /// Markdown; cut to what GitHub takes.
    pub summary: String,
    /// GitHub never removes annotations: an update adds these to those that are there.
    pub annotations: Vec<Annotation>,
    /// Buttons, at most three.
    pub actions: Vec<CheckAction>,
}

/// The state of a check run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStatus {
    /// Not started.
    Queued,
    /// Running.
    InProgress,
    /// Finished.
    Completed(Conclusion),
}

/// The result of a check run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Green.
    Success,
    /// Red: it blocks a merge where the check is required.
    Failure,
    /// Neither good nor bad; it does not block a merge.
    Neutral,
    /// A person must do something.
    ActionRequired,
    /// It was stopped before its end.
    Cancelled,
    /// It does not apply; it does not block a merge.
    Skipped,
}

impl CheckStatus {
    fn github_words(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Queued => ("queued", None),
            Self::InProgress => ("in_progress", None),
            Self::Completed(conclusion) => ("completed", Some(conclusion.word())),
        }
    }
}

impl Conclusion {
    /// GitHub's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Neutral => "neutral",
            Self::ActionRequired => "action_required",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// A message about lines of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// The file, from the repository's root.
    pub path: String,
    /// The first line, from 1.
    pub start_line: u64,
    /// The last line, from 1; may be the first.
    pub end_line: u64,
    /// The first and last column, from 1. Sent only for a single line; GitHub takes none otherwise.
    pub columns: Option<(u64, u64)>,
    /// How serious it is.
    pub level: AnnotationSeverity,
    /// Plain text; cut to what GitHub takes.
    pub title: String,
    /// What is wrong, and what to try. Plain text; cut to what GitHub takes.
    pub message: String,
}

/// How serious an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnotationSeverity {
    /// For information.
    Notice,
    /// Something that may be wrong.
    Warning,
    /// Something that is wrong.
    Failure,
}

impl AnnotationSeverity {
    fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// A button on a check run; GitHub sends a webhook when it is pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckAction {
    /// At most 20 characters.
    pub label: String,
    /// At most 40 characters.
    pub description: String,
    /// At most 20 characters.
    pub identifier: String,
}

/// A check run as GitHub has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CheckSeen {
    /// GitHub's number.
    pub id: u64,
    /// As its creator named it.
    pub name: String,
    /// The commit that was checked.
    pub head_sha: Sha,
    /// The key that its creator gave.
    pub external_id: Option<String>,
    /// `queued`, `in_progress`, `completed`.
    pub status: String,
    /// Its result in GitHub's word; `None` before it is completed.
    pub conclusion: Option<String>,
}

impl Repository {
    /// Creates a check run. With more than [`ANNOTATIONS_MAX`] annotations it takes several requests.
    pub async fn create_check(&self, check: &Check) -> Result<CheckSeen, GitHubError> {
        let what = format!("creating the check `{}`", check.name);
        let route = format!("{}/check-runs", self.root);
        let (first, rest) = split(&check.annotations);
        let mut body = body_of(check, first);
        body["head_sha"] = json!(check.head);
        let seen: CheckSeen = self
            .client
            .write(&what, Method::POST, (&route, &body))
            .await?;
        self.annotate(seen.id, check, rest).await?;
        Ok(seen)
    }

    /// Updates a check run of ours.
    pub async fn update_check(&self, id: u64, check: &Check) -> Result<CheckSeen, GitHubError> {
        let what = format!("updating the check `{}`", check.name);
        let route = format!("{}/check-runs/{id}", self.root);
        let (first, rest) = split(&check.annotations);
        let seen = self
            .client
            .write(&what, Method::PATCH, (&route, &body_of(check, first)))
            .await?;
        self.annotate(id, check, rest).await?;
        Ok(seen)
    }

    async fn annotate(
        &self,
        id: u64,
        check: &Check,
        rest: &[Annotation],
    ) -> Result<(), GitHubError> {
        let what = format!("annotating the check `{}`", check.name);
        let route = format!("{}/check-runs/{id}", self.root);
        for batch in rest.chunks(ANNOTATIONS_MAX) {
            let body = json!({ "output": output(check, batch) });
            self.client
                .submit(&what, Method::PATCH, (&route, &body))
                .await?;
        }
        Ok(())
    }

    /// The check runs of a commit with that name, the newest of each app.
    pub async fn checks(&self, commit: &Sha, name: &str) -> Result<Vec<CheckSeen>, GitHubError> {
        #[derive(Deserialize)]
        struct Page {
            check_runs: Vec<CheckSeen>,
        }
        let route = format!(
            "{}/commits/{commit}/check-runs?check_name={}",
            self.root,
            path::segment(name)
        );
        self.client
            .list(
                &format!("listing the checks of {}", commit.short()),
                &route,
                |page: Page| page.check_runs,
            )
            .await
    }
}

fn split(annotations: &[Annotation]) -> (&[Annotation], &[Annotation]) {
    annotations.split_at(annotations.len().min(ANNOTATIONS_MAX))
}

fn body_of(check: &Check, annotations: &[Annotation]) -> Value {
    let (status, conclusion) = check.status.github_words();
    let mut body = json!({
        "name": check.name,
        "external_id": check.external_id,
        "status": status,
        "output": output(check, annotations),
    });
    if let Some(conclusion) = conclusion {
        body["conclusion"] = json!(conclusion);
    }
    if let Some(url) = &check.details_url {
        body["details_url"] = json!(url);
    }
    if !check.actions.is_empty() {
        let actions: Vec<Value> = check
            .actions
            .iter()
            .map(|action| {
                json!({
                    "label": cut(&action.label, 20),
                    "description": cut(&action.description, 40),
                    "identifier": cut(&action.identifier, 20),
                })
            })
            .collect();
        body["actions"] = json!(actions);
    }
    body
}

fn output(check: &Check, annotations: &[Annotation]) -> Value {
    let mut output = json!({
        "title": cut(&check.title, TITLE_BYTES_MAX),
        "summary": cut(&check.summary, SUMMARY_BYTES_MAX),
    });
    if !annotations.is_empty() {
        output["annotations"] = annotations.iter().map(annotation_body).collect();
    }
    output
}

fn annotation_body(annotation: &Annotation) -> Value {
    let mut body = json!({
        "path": annotation.path,
        "start_line": annotation.start_line,
        "end_line": annotation.end_line,
        "annotation_level": annotation.level.word(),
        "title": cut(&annotation.title, TITLE_BYTES_MAX),
        "message": cut(&annotation.message, MESSAGE_BYTES_MAX),
    });
    if let Some((start, end)) = annotation
        .columns
        .filter(|_| annotation.start_line == annotation.end_line)
    {
        body["start_column"] = json!(start);
        body["end_column"] = json!(end);
    }
    body
}

/// At most that many bytes, cut between characters, with an ellipsis where something was cut.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = (0..=bytes - '…'.len_utf8())
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    format!("{}…", &text[..end])
}
