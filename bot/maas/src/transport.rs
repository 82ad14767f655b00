//! A request to MAAS and its answer, as bytes: the seam between the client and whatever carries it.
//!
//! Two things carry it: [`crate::Http`] to a real MAAS, [`execution::rehearse::in_memory::InMemoryMaas`] to the lab's. Must not know what a
//! subnet is, nor what an API key looks like.

use std::fmt;
use std::future::Future;
use std::time::Duration;

/// Carries one request to one MAAS and brings back what it answered, whatever the status.
pub trait Transport: Send + Sync {
    /// Sends once. Never repeats, never follows a redirect.
    fn send(
        &self,
        request: MaasRequest,
    ) -> impl Future<Output = Result<MaasResponse, LostAnswer>> + Send;
}

/// The four methods that MAAS's API 2.0 uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes, or calls an `op`.
    Post,
    /// Changes the fields that are sent.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// As on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// One request, below `/api/2.0/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaasRequest {
    /// What kind.
    pub method: Method,
    /// Below `/api/2.0/`, with its trailing slash (a missing one is a 404), not percent-encoded: `subnets/7/`.
    pub path: String,
    /// In order; names may repeat.
    pub query: Vec<(String, String)>,
    /// In order; sent form-encoded. Names may repeat.
    pub form: Vec<(String, String)>,
}

impl MaasRequest {
    /// A read.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::Get, path)
    }

    /// A request without query or form.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            form: Vec::new(),
        }
    }

    /// With one more query parameter.
    #[must_use]
    pub fn asking(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// With one more form field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.form.push((name.to_owned(), value.into()));
        self
    }
}

/// Method, path and query, as people talk of it; never the form.
impl fmt::Display for MaasRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.name(), self.path)?;
        for (index, (name, value)) in self.query.iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            write!(f, "{mark}{name}={value}")?;
        }
        Ok(())
    }
}

/// What came back, whole.
#[derive(Clone, PartialEq, Eq)]
pub struct MaasResponse {
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`, or nothing.
    pub content_type: String,
    /// The `Retry-After`, when it is a number of seconds.
    pub retry_after: Option<Duration>,
    /// The body. That of a 401 may hold the secret that MAAS expected, so it is never shown.
    pub body: Vec<u8>,
}

impl MaasResponse {
    /// Whether the content type says HTML: an error page, or not MAAS at all.
    pub fn is_html(&self) -> bool {
        self.content_type
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("text/html")
    }
}

/// Without the body, which may hold a secret.
impl fmt::Debug for MaasResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaasResponse")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("retry_after", &self.retry_after)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// Why there is no answer. Whether the request arrived is unknown, except where it says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LostAnswer {
    /// No connection was made, so nothing was sent.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// The connection broke before the answer was whole.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer had begun and then nothing came.
    #[error("nothing came for {} s in the middle of the answer", .0.as_secs())]
    Silent(Duration),
    /// The answer was not whole in time.
    #[error("no whole answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The answer is larger than any MAAS has reason to send.
    #[error("the answer is larger than {} MiB", .0 / (1024 * 1024))]
    TooLarge(usize),
}

/// How far the reading of one answer is, for people who wait.
#[derive(Clone, Copy, Debug)]
pub struct ReadProgress<'a> {
    /// What is being read, for example `GET subnets/`.
    pub what: &'a str,
    /// Bytes so far.
    pub bytes: usize,
    /// Whether this was the last of it.
    pub whole: bool,
}
