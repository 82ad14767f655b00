//! What GitHub answered, and what an error status means to the caller. It must not know who asked for what.

use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use topology::observed::Timestamp;

use crate::error::GitHubError;

/// At least this long after a limit without a time (GitHub docs, best practices: wait for at least one minute).
const LIMIT_PAUSE_MILLISECONDS: i64 = 60_000;

/// A budget lasts for an hour, so no limit lasts longer.
pub(super) const LIMIT_MAX_MILLISECONDS: i64 = 3_600_000;

/// GitHub's message is cut to this length.
const WHY_CHARACTERS_MAX: usize = 300;

/// A 2xx, or a 304 to a conditional request.
pub(super) struct ApiResponse {
    /// `None` when it is not UTF-8.
    pub(super) body: Option<String>,
    /// 304: the body is the one that the `ETag` stands for.
    pub(super) is_not_modified: bool,
    pub(super) etag: Option<String>,
    link: Option<String>,
}

impl ApiResponse {
    pub(super) fn new(is_not_modified: bool, headers: &HeaderMap, body: Option<String>) -> Self {
        let text = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
        Self {
            body,
            is_not_modified,
            etag: text(header::ETAG),
            link: text(header::LINK),
        }
    }

    /// What it takes to keep it, in bytes.
    pub(super) fn bytes(&self) -> usize {
        [&self.body, &self.etag, &self.link]
            .into_iter()
            .flatten()
            .map(String::len)
            .sum()
    }

    /// The cursor of the next page, if there is one (RFC 8288, as GitHub writes it).
    pub(super) fn next_cursor(&self) -> Option<String> {
        let mut links = self.link.as_deref()?.split(',');
        let next = links.find(|link| link.contains("rel=\"next\""))?;
        let (_, rest) = next.split_once('<')?;
        let (url, _) = rest.split_once('>')?;
        let url = reqwest::Url::parse(url).ok()?;
        let (_, cursor) = url.query_pairs().find(|(name, _)| name == "cursor")?;
        Some(cursor.into_owned())
    }

    /// Parses the body. A body that cannot be parsed says nothing about what happened.
    pub(super) fn parse<T: DeserializeOwned>(&self, what: &str) -> Result<T, GitHubError> {
        // An empty body (204) reads as JSON's null.
        let body = match self.body.as_deref() {
            Some("") => "null",
            Some(body) => body,
            None => "not UTF-8",
        };
        serde_json::from_str(body).map_err(|error| GitHubError::Unknown {
            what: what.to_owned(),
            why: redacted(&format!("GitHub's answer cannot be read: {error}")),
        })
    }
}

/// What an answer means that is neither a 2xx nor an expected 304. `retry_at` is set for a rate limit.
pub(super) fn error_of(
    what: &str,
    status: u16,
    body: &str,
    retry_at: Option<Timestamp>,
) -> GitHubError {
    let what = what.to_owned();
    let why = message(body);
    match (status, retry_at) {
        (_, Some(retry_at)) => GitHubError::Limited { what, retry_at },
        (404 | 410 | 451, None) => GitHubError::Gone { what, status },
        (401 | 403, None) => GitHubError::Denied { what, status, why },
        (500.. | 408 | 300..=399, None) => GitHubError::Unknown {
            what,
            why: format!("GitHub answered {status}"),
        },
        (_, None) => GitHubError::Refused { what, status, why },
    }
}

/// When to ask again, if this answer is a rate limit. `retry-after` counts first, then the reset of an empty budget.
pub(super) fn retry_at(
    status: u16,
    headers: &HeaderMap,
    body: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    if !matches!(status, 403 | 429) {
        return None;
    }
    let number = |name| -> Option<i64> { headers.get(name)?.to_str().ok()?.parse().ok() };
    if let Some(seconds) = number("retry-after") {
        let wait = seconds.clamp(1, LIMIT_MAX_MILLISECONDS / 1000) * 1000;
        return Some(Timestamp(now.0 + wait));
    }
    let reset = number("x-ratelimit-reset").filter(|_| number("x-ratelimit-remaining") == Some(0));
    if let Some(seconds) = reset {
        // The clocks may differ: wait at least a second and at most as long as a budget lasts.
        let wait = seconds.saturating_mul(1000).saturating_sub(now.0);
        let wait = wait.clamp(1000, LIMIT_MAX_MILLISECONDS);
        return Some(Timestamp(now.0 + wait));
    }
    let is_secondary = status == 429 || message(body).to_ascii_lowercase().contains("rate limit");
    is_secondary.then_some(Timestamp(now.0 + LIMIT_PAUSE_MILLISECONDS))
}

/// No answer came.
pub(super) fn no_answer(what: &str, error: &dyn std::error::Error) -> GitHubError {
    let mut why = String::from("GitHub did not answer");
    let mut source = Some(error);
    while let Some(cause) = source {
        let text = cause.to_string();
        // Many errors repeat their cause in their own text.
        if !why.contains(&text) {
            why = format!("{why}: {text}");
        }
        source = cause.source();
    }
    GitHubError::Unknown {
        what: what.to_owned(),
        why: redacted(&why),
    }
}

/// GitHub's message, with the messages of its errors.
fn message(body: &str) -> String {
    let Ok(body) = serde_json::from_str::<Value>(body) else {
        return redacted(body);
    };
    let mut parts = vec![body["message"].as_str().unwrap_or_default().to_owned()];
    for error in body["errors"].as_array().into_iter().flatten() {
        let message = error.as_str().or_else(|| error["message"].as_str());
        parts.extend(message.map(str::to_owned));
    }
    parts.retain(|part| !part.is_empty());
    redacted(&parts.join("; "))
}

/// Short, on one line, without anything that has a token's shape.
fn redacted(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut words: Vec<&str> = Vec::new();
    for word in line.split(' ') {
        let is_secret = [
            "ghp_",
            "gho_",
            "ghu_",
            "ghs_",
            "ghr_",
            "github_pat_",
            "eyJ",
            "PRIVATE",
        ]
        .iter()
        .any(|shape| word.contains(shape));
        words.push(if is_secret { "[secret]" } else { word });
    }
    words.join(" ").chars().take(WHY_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_looks_like_a_token_is_shown() {
        let body = r#"{"message":"Bad credentials: ghs_0123 and Bearer eyJhbGciOi.x.y","errors":["a\u0000b",{"message":"github_pat_1"}]}"#;
        let shown = message(body);
        assert!(
            !shown.contains("0123") && !shown.contains("hbGci") && !shown.contains("pat_1"),
            "{shown}"
        );
        assert_eq!(
            shown,
            "Bad credentials: [secret] and Bearer [secret] a b; [secret]"
        );
    }
}
