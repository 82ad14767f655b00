//! The client that signs requests in, sends each once, and asks for as little as it can.
//!
//! Three things save requests or budget. Git objects never change, so each is asked for once (`objects`). The answer to
//! any other GET is kept with its `ETag`, and asked for again with `If-None-Match`: a 304 is a fresh answer, and GitHub
//! does not count it against the budget (`answers`). While GitHub's limit lasts, nothing is sent. It must not know what a
//! request is for.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use octocrab::auth::AppAuth;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use topology::observed::Timestamp;
use topology::port::Clock;

use crate::cache::{BoundedCache, locked};
use crate::error::GitHubError;
use crate::installation::{Installation, app_token};
use crate::request::{ApiRequest, RequestCounts};
use crate::response::{ApiResponse, LIMIT_MAX_MILLISECONDS, error_of, no_answer, retry_at};

/// GitHub's largest page.
pub(super) const PAGE: usize = 100;

/// A list of more pages is not read to its end: 3,000 is also where GitHub ends the list of a pull request's files.
const PAGES_MAX: usize = 30;

/// Files read at the same time: GitHub asks for few (docs, best practices).
const CONCURRENCY: usize = 6;

/// Git objects that are kept: twice the largest folder that is read (16 MiB), so that a pull request's base and head fit
/// together. A usual folder takes less than 1 MiB.
const OBJECTS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Other answers that are kept: a page of a hundred items is some hundred KiB, 6 MiB at most (a hundred comments of
/// 64 KiB), so this holds the pages of several dozen open pull requests.
const ANSWERS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The value of `clock_offset` until GitHub's clock was seen.
pub(super) const NEVER_SEEN: i64 = i64::MAX;

/// A signed-in client. Clones share everything.
#[derive(Clone)]
pub(super) struct SignedInClient {
    pub(super) credentials: Credentials,
    pub(super) now: Clock,
    /// GitHub answered 401: whoever keeps this client must make a new one.
    pub(super) unauthorized: Arc<AtomicBool>,
    pub(super) shared: Arc<Shared>,
    /// How many files are read at the same time.
    pub(super) concurrency: usize,
}

/// What requests are signed with.
#[derive(Clone)]
pub(super) enum Credentials {
    /// The token of a person or a machine account.
    Token(SecretString),
    /// A new JWT for each request, as the app itself.
    App(AppAuth),
    /// A token of one installation, renewed when it expires.
    Installation(Arc<Installation>),
}

/// What all clients of one [`crate::GitHub`] share.
pub(super) struct Shared {
    http: reqwest::Client,
    /// Without a slash at the end.
    api_url: String,
    /// Until when nothing is sent. A limit is hit by all clients, and grows with each try.
    paused_until: AtomicI64,
    /// How far GitHub's clock was ahead of ours when it was last seen, in milliseconds.
    pub(super) clock_offset: AtomicI64,
    /// Git objects by their path, which holds the repository and the SHA: no repository is answered from another's objects.
    objects: Mutex<BoundedCache<Arc<ApiResponse>>>,
    /// Answers with an `ETag` by installation and URL: what one installation may see is no answer to another.
    answers: Mutex<BoundedCache<Arc<ApiResponse>>>,
    counts: Mutex<RequestCounts>,
}

impl Shared {
    fn new(http: reqwest::Client, api_url: String) -> Self {
        Self {
            http,
            api_url,
            paused_until: AtomicI64::new(0),
            clock_offset: AtomicI64::new(NEVER_SEEN),
            objects: Mutex::new(BoundedCache::new(OBJECTS_BYTES_MAX)),
            answers: Mutex::new(BoundedCache::new(ANSWERS_BYTES_MAX)),
            counts: Mutex::default(),
        }
    }

    pub(super) fn counts(&self) -> RequestCounts {
        locked(&self.counts).clone()
    }

    fn known_object(&self, route: &str) -> Option<Arc<ApiResponse>> {
        locked(&self.objects).get(route)
    }

    fn keep_object(&self, route: &str, answer: ApiResponse) {
        let bytes = answer.bytes();
        locked(&self.objects).insert(route, Arc::new(answer), bytes);
    }
}

impl SignedInClient {
    pub(super) fn new(
        http: reqwest::Client,
        api_url: String,
        credentials: Credentials,
        now: Clock,
    ) -> Self {
        Self {
            credentials,
            now,
            unauthorized: Arc::new(AtomicBool::new(false)),
            shared: Arc::new(Shared::new(http, api_url)),
            concurrency: CONCURRENCY,
        }
    }

    /// Until when nothing is sent, if a limit lasts now. Never longer than a budget lasts, so that a clock that was set back
    /// ends it too.
    pub(super) fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.shared.paused_until.load(Ordering::Relaxed);
        let wait = until - now.0;
        (1..=LIMIT_MAX_MILLISECONDS)
            .contains(&wait)
            .then_some(Timestamp(until))
    }

    /// Reads something that may change.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        what: &str,
        route: &str,
    ) -> Result<T, GitHubError> {
        let (value, _) = self.get_answer(what, route).await?;
        Ok(value)
    }

    /// The same with the answer that holds the value, for its headers.
    pub(super) async fn get_answer<T: DeserializeOwned>(
        &self,
        what: &str,
        route: &str,
    ) -> Result<(T, Arc<ApiResponse>), GitHubError> {
        let key = match &self.credentials {
            Credentials::Token(_) | Credentials::App(_) => route.to_owned(),
            Credentials::Installation(installation) => format!("{} {route}", installation.id),
        };
        let known = locked(&self.shared.answers).get(&key);
        let request = ApiRequest {
            etag: known.as_ref().and_then(|known| known.etag.clone()),
            ..ApiRequest::get(route)
        };
        let answer = Arc::new(self.send(what, &request).await?);
        if let Some(known) = known.filter(|_| answer.is_not_modified) {
            return Ok((known.parse(what)?, known));
        }
        // Kept only when it can be read: otherwise each later 304 would stand for the same unreadable body.
        let value = answer.parse(what)?;
        if answer.etag.is_some() {
            let bytes = answer.bytes();
            locked(&self.shared.answers).insert(&key, Arc::clone(&answer), bytes);
        }
        Ok((value, answer))
    }

    /// Reads a git object other than a blob by its SHA, once. `is_whole` says whether this is the object and all of it.
    pub(super) async fn object<T: DeserializeOwned>(
        &self,
        what: &str,
        route: &str,
        is_whole: impl FnOnce(&T) -> bool,
    ) -> Result<T, GitHubError> {
        if let Some(known) = self.shared.known_object(route) {
            return known.parse(what);
        }
        let answer = self.send(what, &ApiRequest::get(route)).await?;
        let object = answer.parse(what)?;
        if is_whole(&object) {
            self.shared.keep_object(route, answer);
        }
        Ok(object)
    }

    /// Reads the text of a blob by its SHA, once; `None` when it is not UTF-8. A text of another size than the tree says is
    /// not the blob: a proxy's page, for example, which must not be kept.
    pub(super) async fn blob(
        &self,
        what: &str,
        route: &str,
        size: Option<u64>,
    ) -> Result<Option<String>, GitHubError> {
        if let Some(known) = self.shared.known_object(route) {
            return Ok(known.body.clone());
        }
        let request = ApiRequest {
            accept: "application/vnd.github.raw+json",
            ..ApiRequest::get(route)
        };
        let answer = self.send(what, &request).await?;
        let text = answer.body.clone();
        if let (Some(text), Some(size)) = (&text, size)
            && text.len() as u64 != size
        {
            let found = text.len();
            return Err(GitHubError::Unknown {
                what: what.to_owned(),
                why: format!("GitHub sent {found} bytes of a file of {size} bytes"),
            });
        }
        self.shared.keep_object(route, answer);
        Ok(text)
    }

    pub(super) async fn write<T: DeserializeOwned>(
        &self,
        what: &str,
        method: Method,
        (route, body): (&str, &impl Serialize),
    ) -> Result<T, GitHubError> {
        let request = ApiRequest::write(method, route, body);
        self.send(what, &request).await?.parse(what)
    }

    /// A write whose answer is of no further use. It is parsed all the same: a proxy's page with a 200 is not GitHub's
    /// confirmation.
    pub(super) async fn submit(
        &self,
        what: &str,
        method: Method,
        (route, body): (&str, &impl Serialize),
    ) -> Result<(), GitHubError> {
        let answer = self.write::<IgnoredAny>(what, method, (route, body)).await;
        answer.map(drop)
    }

    /// All pages of a list. `items` finds the list in a page, since some are wrapped.
    pub(super) async fn list<P: DeserializeOwned, T>(
        &self,
        what: &str,
        route: &str,
        items: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>, GitHubError> {
        let mut all = Vec::new();
        let separator = if route.contains('?') { '&' } else { '?' };
        for page in 1..=PAGES_MAX {
            let route = format!("{route}{separator}per_page={PAGE}&page={page}");
            let answer: P = self.get(what, &route).await?;
            let found = items(answer);
            let is_last = found.len() < PAGE;
            all.extend(found);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// Sends a request once; every answer but a 2xx and the 304 to a conditional request is an error.
    async fn send(&self, what: &str, request: &ApiRequest<'_>) -> Result<ApiResponse, GitHubError> {
        let answer = match &self.credentials {
            Credentials::Token(token) => self.exchange(token, what, request).await,
            Credentials::App(app) => {
                let token = app_token(app, what)?;
                self.exchange(&token, what, request).await
            }
            Credentials::Installation(installation) => installation.send(self, what, request).await,
        };
        if let Err(GitHubError::Denied { status: 401, .. }) = answer {
            self.unauthorized.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// One request, signed with a token or JWT, and its answer.
    pub(super) async fn exchange(
        &self,
        token: &SecretString,
        what: &str,
        request: &ApiRequest<'_>,
    ) -> Result<ApiResponse, GitHubError> {
        let started = (self.now)();
        if let Some(retry_at) = self.paused_until(started) {
            let what = what.to_owned();
            return Err(GitHubError::Limited { what, retry_at });
        }
        let answer = self.transfer(token, request).await;
        let status = answer.as_ref().ok().map(|(status, ..)| status.as_u16());
        self.observe(request, status, started);
        let (status, headers, body) = answer.map_err(|error| no_answer(what, &error))?;
        self.note_time(&headers);
        let is_not_modified = status == StatusCode::NOT_MODIFIED && request.etag.is_some();
        if status.is_success() || is_not_modified {
            return Ok(ApiResponse::new(is_not_modified, &headers, body));
        }
        let body = body.unwrap_or_default();
        let retry_at = retry_at(status.as_u16(), &headers, &body, (self.now)());
        if let Some(until) = retry_at {
            self.pause(until);
        }
        Err(error_of(what, status.as_u16(), &body, retry_at))
    }

    /// Sends a request and reads the whole answer; the body is `None` when it is not UTF-8.
    async fn transfer(
        &self,
        token: &SecretString,
        request: &ApiRequest<'_>,
    ) -> Result<(StatusCode, HeaderMap, Option<String>), reqwest::Error> {
        let url = format!("{}{}", self.shared.api_url, request.route);
        let mut builder = self
            .shared
            .http
            .request(request.method.clone(), url)
            .header(header::ACCEPT, request.accept)
            .bearer_auth(token.expose_secret());
        if let Some(etag) = &request.etag {
            builder = builder.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(body) = &request.body {
            let json = HeaderValue::from_static("application/json");
            builder = builder
                .header(header::CONTENT_TYPE, json)
                .body(body.to_string());
        }
        let response = builder.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await?;
        Ok((status, headers, String::from_utf8(body.into()).ok()))
    }

    /// Counts and logs a request. Neither ever holds a token, a query or a body.
    fn observe(&self, request: &ApiRequest<'_>, status: Option<u16>, started: Timestamp) {
        *locked(&self.shared.counts)
            .entry(request.kind(status))
            .or_default() += 1;
        tracing::debug!(
            target: "github",
            method = request.method.as_str(),
            path = request.path(),
            status,
            cached = status == Some(304),
            elapsed_ms = (self.now)().0 - started.0,
            "github_request"
        );
    }

    /// Sends nothing until then. Logged when the pause begins, not for each request that met the limit or waits for it.
    fn pause(&self, until: Timestamp) {
        let is_paused = self.paused_until((self.now)()).is_some();
        self.shared
            .paused_until
            .fetch_max(until.0, Ordering::Relaxed);
        if !is_paused {
            let until = chrono::DateTime::from_timestamp_millis(until.0)
                .unwrap_or_default()
                .to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            tracing::warn!(target: "github", until, "GitHub's rate limit is reached, sending nothing until then");
        }
    }

    /// Notes GitHub's clock, which it gives in whole seconds.
    fn note_time(&self, headers: &HeaderMap) {
        let theirs = headers.get(header::DATE).and_then(|date| {
            let date = chrono::DateTime::parse_from_rfc2822(date.to_str().ok()?).ok()?;
            Some(date.timestamp_millis())
        });
        if let Some(theirs) = theirs {
            let offset = theirs - (self.now)().0;
            self.shared.clock_offset.store(offset, Ordering::Relaxed);
        }
    }
}
