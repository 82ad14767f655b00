//! One request and its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use http::{HeaderMap, Method, StatusCode, header};
use octocrab::Octocrab;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use topology::observed::Timestamp;

use crate::GitHubError;
use topology::port::Clock;

/// GitHub's largest page.
const PAGE: usize = 100;

/// A list of more pages is not read to its end: 3,000 is also where GitHub ends the list of a pull request's files.
const PAGES_MAX: usize = 30;

/// At least this long after a limit without a time (GitHub docs, best practices: wait for at least one minute).
const LIMIT_PAUSE_MILLISECONDS: i64 = 60_000;

/// The hour that a budget lasts: no limit is longer.
const LIMIT_MAX_MILLISECONDS: i64 = 3_600_000;

/// Further ahead than any clock.
pub(super) const NEVER_SAID: i64 = i64::MAX;

/// As much of GitHub's words as people are shown.
const WHY_CHARACTERS_MAX: usize = 300;

/// A signed-in client.
#[derive(Clone)]
pub(super) struct SignedInClient {
    pub(super) crab: Arc<Octocrab>,
    pub(super) now: Clock,
    /// GitHub said 401: whoever keeps this line makes a new one.
    pub(super) turned_away: Arc<AtomicBool>,
    /// Until when GitHub wants to be left alone: by all lines, since a limit is hit by all and grows with each try.
    pub(super) quiet: Arc<AtomicI64>,
    /// How far GitHub's clock was ahead of ours when it last said the time, in milliseconds.
    pub(super) ahead: Arc<AtomicI64>,
    /// How many files are read at once.
    pub(super) at_once: usize,
}

/// The body of a 2xx.
pub(super) struct ApiResponse {
    /// `None` when it is not UTF-8.
    pub(super) body: Option<String>,
    headers: HeaderMap,
}

impl ApiResponse {
    /// The cursor of the next page, where the list goes on (RFC 8288, as GitHub writes it).
    pub(super) fn next_cursor(&self) -> Option<String> {
        let links = self.headers.get(header::LINK)?.to_str().ok()?;
        let next = links
            .split(',')
            .find(|link| link.contains("rel=\"next\""))?;
        let (_, rest) = next.split_once('<')?;
        let (url, _) = rest.split_once('>')?;
        let url = reqwest::Url::parse(url).ok()?;
        let (_, cursor) = url.query_pairs().find(|(name, _)| name == "cursor")?;
        Some(cursor.into_owned())
    }
}

impl SignedInClient {
    pub(super) fn new(crab: Octocrab, now: Clock) -> Self {
        Self {
            crab: Arc::new(crab),
            now,
            turned_away: Arc::new(AtomicBool::new(false)),
            quiet: Arc::new(AtomicI64::new(0)),
            ahead: Arc::new(AtomicI64::new(NEVER_SAID)),
            at_once: crate::folder::AT_ONCE,
        }
    }

    /// Until when GitHub wants to be left alone, if it does now. Never longer than its budgets last, so that a clock that
    /// was set back ends it too.
    pub(super) fn quiet_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.quiet.load(Ordering::Relaxed);
        let wait = until - now.0;
        (1..=LIMIT_MAX_MILLISECONDS)
            .contains(&wait)
            .then_some(Timestamp(until))
    }

    /// Notes GitHub's clock, which it says in whole seconds.
    fn note_time(&self, headers: &HeaderMap) {
        let said = headers.get(header::DATE).and_then(|said| {
            let said = chrono::DateTime::parse_from_rfc2822(said.to_str().ok()?).ok()?;
            Some(said.timestamp_millis())
        });
        if let Some(said) = said {
            self.ahead.store(said - (self.now)().0, Ordering::Relaxed);
        }
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        what: &str,
        route: &str,
    ) -> Result<T, GitHubError> {
        let answer = self.send(what, &ApiRequest::get(route)).await?;
        read(what, &answer)
    }

    /// The body as it is, for blobs; `None` when it is not UTF-8.
    pub(super) async fn raw(&self, what: &str, route: &str) -> Result<Option<String>, GitHubError> {
        let ask = ApiRequest {
            accept: Some("application/vnd.github.raw+json"),
            ..ApiRequest::get(route)
        };
        Ok(self.send(what, &ask).await?.body)
    }

    pub(super) async fn write<T: DeserializeOwned>(
        &self,
        what: &str,
        method: Method,
        (route, body): (&str, &impl Serialize),
    ) -> Result<T, GitHubError> {
        let answer = self
            .send(what, &ApiRequest::write(method, route, body))
            .await?;
        read(what, &answer)
    }

    /// A write whose answer says nothing more than yes. It is read all the same: a page of something in between, with a 200,
    /// is no yes of GitHub's.
    pub(super) async fn tell(
        &self,
        what: &str,
        method: Method,
        (route, body): (&str, &impl Serialize),
    ) -> Result<(), GitHubError> {
        let ask = ApiRequest::write(method, route, body);
        let answer = self.send(what, &ask).await?;
        read::<IgnoredAny>(what, &answer).map(drop)
    }

    /// All pages of a list. `items` finds the list in a page, since some are wrapped.
    pub(super) async fn list<P: DeserializeOwned, T>(
        &self,
        what: &str,
        route: &str,
        items: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>, GitHubError> {
        let mut all = Vec::new();
        let joint = if route.contains('?') { '&' } else { '?' };
        for page in 1..=PAGES_MAX {
            let route = format!("{route}{joint}per_page={PAGE}&page={page}");
            let answer: P = self.get(what, &route).await?;
            let found = items(answer);
            let last = found.len() < PAGE;
            all.extend(found);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// Sends once. 2xx is an answer, everything else an error.
    pub(super) async fn send(
        &self,
        what: &str,
        ask: &ApiRequest<'_>,
    ) -> Result<ApiResponse, GitHubError> {
        if let Some(retry_at) = self.quiet_until((self.now)()) {
            let what = what.to_owned();
            return Err(GitHubError::Limited { what, retry_at });
        }
        let mut request = http::request::Builder::new()
            .method(ask.method.clone())
            .uri(ask.route);
        request = request.header(
            header::ACCEPT,
            ask.accept.unwrap_or("application/vnd.github+json"),
        );
        let lost = |error: octocrab::Error| self.lost(what, &error);
        let request = self
            .crab
            .build_request(request, ask.body.as_ref())
            .map_err(lost)?;
        let response = self.crab.execute(request).await.map_err(lost)?;
        let status = response.status();
        let headers = response.headers().clone();
        self.note_time(&headers);
        let body = match self.crab.body_to_string(response).await {
            Ok(body) => Some(body),
            Err(octocrab::Error::InvalidUtf8 { .. }) => None,
            Err(error) => return Err(lost(error)),
        };
        if status.is_success() {
            return Ok(ApiResponse { body, headers });
        }
        if status == StatusCode::UNAUTHORIZED {
            self.turned_away.store(true, Ordering::Relaxed);
        }
        Err(self.no(what, status, (&headers, body.as_deref().unwrap_or(""))))
    }

    /// What an answer that is no yes means.
    fn no(
        &self,
        what: &str,
        status: StatusCode,
        (headers, body): (&HeaderMap, &str),
    ) -> GitHubError {
        let what = what.to_owned();
        let why = words(body);
        let number = status.as_u16();
        if matches!(number, 403 | 429)
            && let Some(retry_at) = self.limit(number, headers, &why)
        {
            self.quiet.fetch_max(retry_at.0, Ordering::Relaxed);
            return GitHubError::Limited { what, retry_at };
        }
        match number {
            404 | 410 | 451 => GitHubError::Gone {
                what,
                status: number,
            },
            401 | 403 => GitHubError::Denied {
                what,
                status: number,
                why,
            },
            500.. | 408 | 300..=399 => GitHubError::Unknown {
                what,
                why: format!("GitHub says {number}"),
            },
            _ => GitHubError::Refused {
                what,
                status: number,
                why,
            },
        }
    }

    /// When to ask again, if this no is a limit. `retry-after` counts first, then the reset of an empty budget.
    fn limit(&self, status: u16, headers: &HeaderMap, why: &str) -> Option<Timestamp> {
        let number = |name| -> Option<i64> { headers.get(name)?.to_str().ok()?.parse().ok() };
        let now = (self.now)();
        if let Some(seconds) = number("retry-after") {
            let wait = seconds.clamp(1, LIMIT_MAX_MILLISECONDS / 1000) * 1000;
            return Some(Timestamp(now.0 + wait));
        }
        let reset =
            number("x-ratelimit-reset").filter(|_| number("x-ratelimit-remaining") == Some(0));
        if let Some(seconds) = reset {
            // Clocks differ: never at once, never later than a budget lasts.
            let wait = seconds.saturating_mul(1000).saturating_sub(now.0);
            let wait = wait.clamp(1000, LIMIT_MAX_MILLISECONDS);
            return Some(Timestamp(now.0 + wait));
        }
        let secondary = status == 429 || why.to_ascii_lowercase().contains("rate limit");
        secondary.then_some(Timestamp(now.0 + LIMIT_PAUSE_MILLISECONDS))
    }

    /// No answer came, or octocrab could not ask for a token.
    pub(super) fn lost(&self, what: &str, error: &octocrab::Error) -> GitHubError {
        if let octocrab::Error::GitHub { source, .. } = error {
            let headers = source.headers.clone().unwrap_or_default();
            if source.status_code == StatusCode::UNAUTHORIZED {
                self.turned_away.store(true, Ordering::Relaxed);
            }
            return self.no(what, source.status_code, (&headers, &source.message));
        }
        let mut why = String::from("GitHub did not answer");
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            let words = cause.to_string();
            // Many put their cause into their own words as well.
            if !why.contains(&words) {
                why = format!("{why}: {words}");
            }
            source = cause.source();
        }
        GitHubError::Unknown {
            what: what.to_owned(),
            why: shown(&why),
        }
    }
}

/// One request.
pub(super) struct ApiRequest<'a> {
    pub(super) method: Method,
    pub(super) route: &'a str,
    pub(super) body: Option<Value>,
    pub(super) accept: Option<&'static str>,
}

impl<'a> ApiRequest<'a> {
    pub(super) fn get(route: &'a str) -> Self {
        Self {
            method: Method::GET,
            route,
            body: None,
            accept: None,
        }
    }

    fn write(method: Method, route: &'a str, body: &impl Serialize) -> Self {
        let body = serde_json::to_value(body).expect("our own bodies are JSON");
        Self {
            method,
            body: Some(body),
            ..Self::get(route)
        }
    }
}

/// Reads an answer; one that cannot be read leaves everything open.
pub(super) fn read<T: DeserializeOwned>(
    what: &str,
    answer: &ApiResponse,
) -> Result<T, GitHubError> {
    // An empty answer (204) is JSON's null.
    let body = match answer.body.as_deref() {
        Some("") => "null",
        Some(body) => body,
        None => "not UTF-8",
    };
    serde_json::from_str(body).map_err(|error| GitHubError::Unknown {
        what: what.to_owned(),
        why: shown(&format!("GitHub's answer cannot be read: {error}")),
    })
}

/// GitHub's message, with the messages of its errors.
fn words(body: &str) -> String {
    let Ok(body) = serde_json::from_str::<Value>(body) else {
        return shown(body);
    };
    let mut words = vec![body["message"].as_str().unwrap_or_default().to_owned()];
    for error in body["errors"].as_array().into_iter().flatten() {
        let message = error.as_str().or_else(|| error["message"].as_str());
        words.extend(message.map(str::to_owned));
    }
    words.retain(|word| !word.is_empty());
    shown(&words.join("; "))
}

/// Short, on one line, without anything that has a token's shape.
fn shown(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut words: Vec<&str> = Vec::new();
    for word in line.split(' ') {
        let secret = [
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
        words.push(if secret { "[secret]" } else { word });
    }
    words.join(" ").chars().take(WHY_CHARACTERS_MAX).collect()
}

/// One segment of a path, encoded: everything but unreserved characters.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Segments with slashes between, each encoded; `.` and `..` are no segments. They are encoded twice, because a URL takes
/// `%2E%2E` for `..` (WHATWG URL, "double-dot URL path segment") and would walk up: so GitHub is asked for what nobody has.
pub(super) fn path(text: &str) -> String {
    text.split('/')
        .map(|part| match part {
            "." | ".." => "%252E".repeat(part.len()),
            _ => segment(part),
        })
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_looks_like_a_token_is_shown() {
        let body = r#"{"message":"Bad credentials: ghs_0123 and Bearer eyJhbGciOi.x.y","errors":["a\u0000b",{"message":"github_pat_1"}]}"#;
        let said = words(body);
        assert!(
            !said.contains("0123") && !said.contains("hbGci") && !said.contains("pat_1"),
            "{said}"
        );
        assert_eq!(
            said,
            "Bad credentials: [secret] and Bearer [secret] a b; [secret]"
        );
    }

    #[test]
    fn names_do_not_leave_their_place_in_a_path() {
        assert_eq!(segment("a/b?c#d e"), "a%2Fb%3Fc%23d%20e");
        assert_eq!(path("acme/../admin"), "acme/%252E%252E/admin");
        for walking in ["a/../b", "a/./b", "../../b", "a/%2e%2e/b"] {
            let place = format!("https://github.test/repos/{}/x", path(walking));
            let asked = reqwest::Url::parse(&place).unwrap();
            assert_eq!(asked.as_str(), place, "{walking}");
        }
        assert_eq!(path("heads/planebot-history"), "heads/planebot-history");
    }
}
