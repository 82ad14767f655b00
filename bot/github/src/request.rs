//! One request, and the count of those that were sent.
//!
//! Requests are counted by method, route template and status: the templates are a fixed list, so the counts stay few
//! whatever names and numbers the paths hold.

use std::collections::BTreeMap;

use http::Method;
use serde::Serialize;
use serde_json::Value;

/// How many requests of each kind were sent.
pub type RequestCounts = BTreeMap<RequestKind, u64>;

/// What requests are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKind {
    /// `GET`, `POST` or `PATCH`.
    pub method: String,
    /// The path with placeholders, such as `/repos/{owner}/{repo}/git/blobs/{sha}`; `other` for one that is not listed here.
    pub route: &'static str,
    /// The status of the answer; 304 means that the remembered body is still right. `None`: no answer, or half of one.
    pub status: Option<u16>,
}

/// One request.
#[derive(Clone)]
pub(super) struct ApiRequest<'a> {
    pub(super) method: Method,
    /// Path and query, below the API's address.
    pub(super) route: &'a str,
    pub(super) body: Option<Value>,
    pub(super) accept: &'static str,
    /// Sent as `If-None-Match`.
    pub(super) etag: Option<String>,
}

impl<'a> ApiRequest<'a> {
    pub(super) fn get(route: &'a str) -> Self {
        Self {
            method: Method::GET,
            route,
            body: None,
            accept: "application/vnd.github+json",
            etag: None,
        }
    }

    pub(super) fn write(method: Method, route: &'a str, body: &impl Serialize) -> Self {
        let body = serde_json::to_value(body).expect("our own bodies are JSON");
        Self {
            method,
            body: Some(body),
            ..Self::get(route)
        }
    }

    /// The path without the query.
    pub(super) fn path(&self) -> &'a str {
        self.route.split('?').next().unwrap_or_default()
    }

    pub(super) fn kind(&self, status: Option<u16>) -> RequestKind {
        RequestKind {
            method: self.method.to_string(),
            route: template(self.path()),
            status,
        }
    }
}

/// The route of a path: every path that this crate asks for has a line here.
fn template(path: &str) -> &'static str {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["repos", _, _, rest @ ..] => repository_template(rest),
        ["orgs", _, "teams", _, "memberships", _] => {
            "/orgs/{org}/teams/{team_slug}/memberships/{username}"
        }
        ["user"] => "/user",
        ["app"] => "/app",
        ["app", "hook", "deliveries"] => "/app/hook/deliveries",
        ["app", "hook", "deliveries", _, "attempts"] => {
            "/app/hook/deliveries/{delivery_id}/attempts"
        }
        ["app", "installations", _, "access_tokens"] => {
            "/app/installations/{installation_id}/access_tokens"
        }
        _ => "other",
    }
}

fn repository_template(segments: &[&str]) -> &'static str {
    match segments {
        [] => "/repos/{owner}/{repo}",
        ["installation"] => "/repos/{owner}/{repo}/installation",
        ["git", "blobs", _] => "/repos/{owner}/{repo}/git/blobs/{sha}",
        ["git", "trees"] => "/repos/{owner}/{repo}/git/trees",
        ["git", "trees", _] => "/repos/{owner}/{repo}/git/trees/{sha}",
        ["git", "commits"] => "/repos/{owner}/{repo}/git/commits",
        ["git", "commits", _] => "/repos/{owner}/{repo}/git/commits/{sha}",
        ["git", "ref", ..] => "/repos/{owner}/{repo}/git/ref/{ref}",
        ["git", "refs"] => "/repos/{owner}/{repo}/git/refs",
        ["git", "refs", ..] => "/repos/{owner}/{repo}/git/refs/{ref}",
        ["compare", ..] => "/repos/{owner}/{repo}/compare/{basehead}",
        ["pulls"] => "/repos/{owner}/{repo}/pulls",
        ["pulls", _] => "/repos/{owner}/{repo}/pulls/{number}",
        ["pulls", _, "files"] => "/repos/{owner}/{repo}/pulls/{number}/files",
        ["issues", "comments", _] => "/repos/{owner}/{repo}/issues/comments/{id}",
        ["issues", "comments", _, "reactions"] => {
            "/repos/{owner}/{repo}/issues/comments/{id}/reactions"
        }
        ["issues", _, "comments"] => "/repos/{owner}/{repo}/issues/{number}/comments",
        ["commits", _, "check-runs"] => "/repos/{owner}/{repo}/commits/{ref}/check-runs",
        ["check-runs"] => "/repos/{owner}/{repo}/check-runs",
        ["check-runs", _] => "/repos/{owner}/{repo}/check-runs/{id}",
        ["deployments"] => "/repos/{owner}/{repo}/deployments",
        ["deployments", _, "statuses"] => "/repos/{owner}/{repo}/deployments/{id}/statuses",
        ["collaborators", _, "permission"] => {
            "/repos/{owner}/{repo}/collaborators/{username}/permission"
        }
        _ => "other",
    }
}
