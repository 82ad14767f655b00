//! What all endpoints share: the parsed request, refusals as GitHub words them, rate limits, entity tags.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::store::{GitHubActor, LabGitHub, RateUsage};
use crate::wire::{LabRequest, LabResponse};

/// Requests per hour and token owner.
const LIMIT: u64 = 5000;

/// The `documentation_url` of refusals.
const DOCS: &str = "https://docs.github.com/rest";

/// An answer or a refusal; both are sent to the client.
pub(crate) type GitHubAnswer = Result<LabResponse, LabResponse>;

/// A request and what is known of it so far.
#[derive(Clone, Debug)]
pub(crate) struct ApiCall<'a> {
    pub(crate) request: &'a LabRequest,
    pub(crate) who: GitHubActor,
    /// The repository's key; empty until the route is found.
    pub(crate) repo: String,
}

impl ApiCall<'_> {
    /// The body as JSON; an empty body is an empty object.
    pub(crate) fn json(&self) -> Result<Value, LabResponse> {
        if self.request.body.is_empty() {
            return Ok(json!({}));
        }
        serde_json::from_slice(&self.request.body)
            .map_err(|_error| refusal(400, "Problems parsing JSON"))
    }
}

impl LabGitHub {
    /// Counts a request. Returns the refusal if the rate limit is reached.
    pub(crate) fn count_request(&mut self, who: &GitHubActor) -> Option<LabResponse> {
        let hour = self.now / 3600;
        let usage = self.usage.entry(who.key()).or_default();
        if usage.hour != hour {
            *usage = RateUsage { hour, used: 0 };
        }
        if usage.used >= LIMIT {
            return Some(refusal(403, "API rate limit exceeded for this token."));
        }
        usage.used += 1;
        None
    }

    /// Sets how many requests the owner of `token` has left in this hour.
    pub fn set_remaining_requests(&mut self, token: &str, remaining: u64) {
        if let Some(who) = self.tokens.get(token) {
            let usage = RateUsage {
                hour: self.now / 3600,
                used: LIMIT.saturating_sub(remaining),
            };
            self.usage.insert(who.key(), usage);
        }
    }

    /// The rate limit: limit, used, remaining, reset.
    pub(crate) fn limits(&self, who: &GitHubActor) -> Value {
        let used = self.usage.get(&who.key()).map_or(0, |usage| usage.used);
        json!({"limit": LIMIT, "used": used, "remaining": LIMIT - used.min(LIMIT), "reset": (self.now / 3600 + 1) * 3600})
    }

    /// Adds the headers that every answer has. Answers 304 if `If-None-Match` matches.
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
                if let Some(usage) = who.and_then(|who| self.usage.get_mut(&who.key())) {
                    usage.used = usage.used.saturating_sub(1); // not modified is free
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

pub(crate) fn ok(value: &Value) -> LabResponse {
    LabResponse::json(200, value)
}

pub(crate) fn created(value: &Value) -> LabResponse {
    LabResponse::json(201, value)
}

pub(crate) fn no_content() -> LabResponse {
    LabResponse {
        status: 204,
        headers: vec![],
        body: vec![],
    }
}

/// A refusal with one message, as GitHub sends it.
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

/// `422` with one message.
pub(crate) fn unprocessable(message: &str) -> LabResponse {
    refusal(422, message)
}

/// A required string field.
pub(crate) fn text<'a>(
    body: &'a Value,
    resource: &str,
    field: &str,
) -> Result<&'a str, LabResponse> {
    body[field]
        .as_str()
        .ok_or_else(|| invalid(resource, field, "missing_field", ""))
}

/// An optional string field; null counts as missing.
pub(crate) fn maybe(body: &Value, field: &str) -> Option<String> {
    body[field].as_str().map(str::to_owned)
}

/// `422` if a text has more than `most` characters.
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

/// A time, in seconds since 1970, as GitHub writes it.
pub(crate) fn stamp(at: i64) -> String {
    chrono::DateTime::from_timestamp(at, 0).map_or_else(String::new, |time| {
        time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    })
}

/// A GraphQL node id; only its prefix is like GitHub's.
pub(crate) fn node(kind: &str, id: u64) -> String {
    format!("{kind}_lab{id}")
}
