//! What every request and answer has: who asks, refusals in GitHub's words, rate limits, entity tags.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::store::{GitHubActor, LabGitHub, RateUsage};
use crate::wire::{LabRequest, LabResponse};

/// Requests an hour for each token's owner.
const LIMIT: u64 = 5000;

/// The documentation that refusals point at.
const DOCS: &str = "https://docs.github.com/rest";

/// An answer, or a refusal: both go out.
pub(crate) type GitHubAnswer = Result<LabResponse, LabResponse>;

/// A request that has been understood so far.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) request: &'a LabRequest,
    pub(crate) who: GitHubActor,
    /// The repository's key, once the route knows it.
    pub(crate) repo: String,
}

impl Call<'_> {
    /// The body; an empty one is an empty object.
    pub(crate) fn json(&self) -> Result<Value, LabResponse> {
        if self.request.body.is_empty() {
            return Ok(json!({}));
        }
        serde_json::from_slice(&self.request.body)
            .map_err(|_error| refusal(400, "Problems parsing JSON"))
    }
}

impl LabGitHub {
    /// Counts the request; the answer to give instead when nothing is left.
    pub(crate) fn count_request(&mut self, who: &GitHubActor) -> Option<LabResponse> {
        let hour = self.now / 3600;
        let spent = self.spent.entry(who.key()).or_default();
        if spent.hour != hour {
            *spent = RateUsage { hour, used: 0 };
        }
        if spent.used >= LIMIT {
            return Some(refusal(403, "API rate limit exceeded for this token."));
        }
        spent.used += 1;
        None
    }

    /// Leaves `remaining` requests of this hour to whoever holds `token`.
    pub fn set_remaining_requests(&mut self, token: &str, remaining: u64) {
        if let Some(who) = self.tokens.get(token) {
            let spent = RateUsage {
                hour: self.now / 3600,
                used: LIMIT.saturating_sub(remaining),
            };
            self.spent.insert(who.key(), spent);
        }
    }

    /// The four numbers of a rate limit.
    pub(crate) fn limits(&self, who: &GitHubActor) -> Value {
        let used = self.spent.get(&who.key()).map_or(0, |spent| spent.used);
        json!({"limit": LIMIT, "used": used, "remaining": LIMIT - used.min(LIMIT), "reset": (self.now / 3600 + 1) * 3600})
    }

    /// The headers that every answer has; 304 where the asker knows the answer already.
    pub(crate) fn with_standard_headers(
        &mut self,
        request: &LabRequest,
        who: Option<&GitHubActor>,
        mut response: LabResponse,
    ) -> LabResponse {
        if request.method == "GET" && response.status == 200 {
            let tag = format!("W/\"{}\"", hex::encode(Sha256::digest(&response.body)));
            if request.header("if-none-match") == Some(tag.as_str()) {
                response = LabResponse {
                    status: 304,
                    headers: vec![],
                    body: vec![],
                };
                if let Some(spent) = who.and_then(|who| self.spent.get_mut(&who.key())) {
                    spent.used = spent.used.saturating_sub(1); // not modified is free
                }
            }
            response = response.with("etag", &tag);
        }
        let limits = self.limits(who.unwrap_or(&GitHubActor::Anonymous));
        for name in ["limit", "remaining", "used", "reset"] {
            response = response.with(&format!("x-ratelimit-{name}"), &limits[name].to_string());
        }
        response
            .with("x-ratelimit-resource", "core")
            .with("x-github-api-version-selected", "2022-11-28")
            .with(
                "x-github-request-id",
                &format!("0LAB:{:06X}", self.requests),
            )
    }
}

/// `200` with JSON.
pub(crate) fn ok(value: &Value) -> LabResponse {
    LabResponse::json(200, value)
}

/// `201` with JSON.
pub(crate) fn created(value: &Value) -> LabResponse {
    LabResponse::json(201, value)
}

/// `204`.
pub(crate) fn no_content() -> LabResponse {
    LabResponse {
        status: 204,
        headers: vec![],
        body: vec![],
    }
}

/// GitHub's plain refusal.
pub(crate) fn refusal(status: u16, message: &str) -> LabResponse {
    LabResponse::json(
        status,
        &json!({"message": message, "documentation_url": DOCS, "status": status.to_string()}),
    )
}

pub(crate) fn not_found() -> LabResponse {
    refusal(404, "Not Found")
}

pub(crate) fn forbidden() -> LabResponse {
    refusal(403, "Resource not accessible by integration")
}

/// `422` for one field of a resource; `code` is `missing_field`, `invalid`, `already_exists` or `custom`.
pub(crate) fn invalid(resource: &str, field: &str, code: &str, message: &str) -> LabResponse {
    let mut error = json!({"resource": resource, "field": field, "code": code});
    if !message.is_empty() {
        error["message"] = json!(message);
    }
    let body = json!({"message": "Validation Failed", "errors": [error], "documentation_url": DOCS, "status": "422"});
    LabResponse::json(422, &body)
}

/// `422` in a sentence.
pub(crate) fn unprocessable(message: &str) -> LabResponse {
    refusal(422, message)
}

/// A string that must be there.
pub(crate) fn text<'a>(
    body: &'a Value,
    resource: &str,
    field: &str,
) -> Result<&'a str, LabResponse> {
    body[field]
        .as_str()
        .ok_or_else(|| invalid(resource, field, "missing_field", ""))
}

/// A string that may be there; null counts as absent.
pub(crate) fn maybe(body: &Value, field: &str) -> Option<String> {
    body[field].as_str().map(str::to_owned)
}

/// `422` where a text is longer than GitHub takes, in characters.
pub(crate) fn fits(
    value: &str,
    resource: &str,
    field: &str,
    most: usize,
) -> Result<(), LabResponse> {
    if value.chars().count() <= most {
        return Ok(());
    }
    let message = format!("{field} is too long (maximum is {most} characters)");
    Err(invalid(resource, field, "custom", &message))
}

/// Seconds since 1970 as GitHub writes them.
pub(crate) fn stamp(at: i64) -> String {
    chrono::DateTime::from_timestamp(at, 0).map_or_else(String::new, |time| {
        time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    })
}

/// A node id that only says what it is of.
pub(crate) fn node(kind: &str, id: u64) -> String {
    format!("{kind}_lab{id}")
}
