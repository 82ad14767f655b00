//! A request to MAAS and its response, as bytes: the interface between the client and whatever carries them.
//!
//! There are two implementations: [`crate::HttpTransport`] to a real MAAS, and `execution::rehearse::in_memory::InMemoryMaas`
//! to the lab's. Must not know what a subnet is, nor what an API key looks like.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::speaker::AnswerHeaders;

/// Sends one request to one MAAS and returns its response, whatever the status.
pub trait Transport: Send + Sync {
    /// Sends exactly once: never retries, never follows a redirect.
    fn send(
        &self,
        request: MaasRequest,
    ) -> impl Future<Output = Result<MaasResponse, LostAnswer>> + Send;
}

/// The four HTTP methods that MAAS's API 2.0 uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates, or calls an `op`.
    Post,
    /// Changes the fields that are sent.
    Put,
    /// Deletes.
    Delete,
}

impl Method {
    /// In upper case, as HTTP spells it.
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
    /// GET for reads; everything else is a write.
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

    /// Adds a query parameter.
    #[must_use]
    pub fn with_query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a form field.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: impl Into<String>) -> Self {
        self.form.push((name.to_owned(), value.into()));
        self
    }
}

/// Method, path and query; never the form.
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

/// A complete response.
#[derive(Clone, PartialEq, Eq)]
pub struct MaasResponse {
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`, empty when absent.
    pub content_type: String,
    /// The `Retry-After`, when it is a number of seconds.
    pub retry_after: Option<Duration>,
    /// Who wrote it.
    pub headers: AnswerHeaders,
    /// The body. That of a 401 may hold the secret that MAAS expected, so it is never shown.
    pub body: Vec<u8>,
}

impl MaasResponse {
    /// Whether the content type is HTML: an error page, or a server that is not MAAS.
    pub fn is_html(&self) -> bool {
        self.is_type("text/html")
    }

    /// Whether the content type is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.is_type("application/json")
    }

    fn is_type(&self, name: &str) -> bool {
        self.content_type
            .trim_start()
            .to_ascii_lowercase()
            .starts_with(name)
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
            .finish_non_exhaustive()
    }
}

/// Why there is no response. Unless a variant says otherwise, MAAS may have received the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LostAnswer {
    /// No connection was made, so nothing was sent.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// No connection can be made until a setting changes: nothing was sent, and a retry fails in the same way.
    #[error("cannot connect: {0}")]
    Misconfigured(String),
    /// The connection closed before the response was complete.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The response had begun, and then no byte arrived for this long.
    #[error("the response stalled for {} s", .0.as_secs())]
    Stalled(Duration),
    /// The response was not complete within this time.
    #[error("no complete response within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The response has more bytes than this.
    #[error("the response is larger than {} MiB", .0 / (1024 * 1024))]
    TooLarge(usize),
}

/// How much of one response has arrived, for a progress display.
#[derive(Clone, Copy, Debug)]
pub struct ReadProgress<'a> {
    /// The request, for example `GET subnets/`.
    pub request: &'a str,
    /// Bytes so far.
    pub bytes: usize,
    /// Whether the response is complete.
    pub complete: bool,
}
