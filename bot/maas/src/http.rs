//! Carries requests to a real MAAS over HTTP, signed.
//!
//! Bounds everything: the connection, the silence in the middle of an answer, the whole, the size. Must not know what
//! an answer means.

use std::sync::Arc;
use std::time::Duration;

use crate::environment::{Environment, Pausing};
use crate::key::ApiKey;
use crate::outgoing::client_to;
use crate::transport::{LostAnswer, MaasRequest, MaasResponse, Method, ReadProgress, Transport};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};

/// A MAAS on the same continent answers a SYN in far less; a wrong address should not hold a person up for long.
pub const CONNECT_SECONDS_MAX: Duration = Duration::from_secs(10);

/// MAAS computes an answer whole and then sends it, so silence before the first byte is work (3.7.3: 190 s for
/// `subnets/` with 2,000 VLANs on one fabric) and only silence after it is trouble.
pub const SILENCE_SECONDS_MAX: Duration = Duration::from_mins(1);

/// The largest list that was measured took 190 s alone, and two in flight slow each other.
pub const READ_SECONDS_MAX: Duration = Duration::from_mins(5);

/// A write takes 0.05 s whatever the load, but MAAS retries a conflict for up to 90 s before it says 409.
pub const WRITE_SECONDS_MAX: Duration = Duration::from_mins(2);

/// 10,000 ranges are 15 MB and 500 machines 10 MB; four times that is no MAAS network any more.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The network between planebot and one MAAS.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    base: Url,
    key: ApiKey,
    outside: Environment,
    limits: Limits,
    patience: Arc<Patience>,
    watch: Option<Arc<Watch>>,
}

type Patience = dyn Fn(Duration) -> Pausing + Send + Sync;

type Watch = dyn Fn(ReadProgress<'_>) + Send + Sync;

/// How long and how much. [`Default`] is what production uses.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte on, between bytes.
    pub silence: Duration,
    /// A whole GET.
    pub read: Duration,
    /// A whole POST, PUT or DELETE.
    pub write: Duration,
    /// Bytes of an answer, after decompression.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            silence: SILENCE_SECONDS_MAX,
            read: READ_SECONDS_MAX,
            write: WRITE_SECONDS_MAX,
            bytes: BODY_BYTES_MAX,
        }
    }
}

/// Why a text is not the URL of a MAAS.
#[derive(Debug, thiserror::Error)]
pub enum NotAUrl {
    /// It does not parse.
    #[error("`{0}` is not a URL; MAAS's looks like `http://maas.example:5240/MAAS`")]
    Unreadable(String),
    /// Neither http nor https.
    #[error("a MAAS URL begins with `http://` or `https://`, not `{0}:`")]
    Scheme(String),
    /// A user name or password in it: they would be logged.
    #[error("the MAAS URL must not hold a user name or password; the API key is given by file")]
    Credentials,
    /// A query or a fragment.
    #[error("the MAAS URL must not have a `?` or `#`")]
    Query,
    /// The TLS library cannot start.
    #[error("cannot set up HTTP: {0}")]
    Client(#[source] reqwest::Error),
}

impl Http {
    /// A way to the MAAS at `url`, with or without `/api/2.0/` at its end.
    pub fn new(url: &str, key: ApiKey, outside: Environment) -> Result<Self, NotAUrl> {
        let client = client_to(url)
            .connect_timeout(CONNECT_SECONDS_MAX)
            .user_agent(concat!("planebot/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(NotAUrl::Client)?;
        Ok(Self {
            client,
            base: base(url)?,
            key,
            outside,
            limits: Limits::default(),
            patience: Arc::new(|length| Box::pin(tokio::time::sleep(length))),
            watch: None,
        })
    }

    /// The same, with other limits.
    #[must_use]
    pub fn within(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same, whose waiting is over when `patience` for that long is: for worlds with a clock of their own.
    #[must_use]
    pub fn patient(
        mut self,
        patience: impl Fn(Duration) -> Pausing + Send + Sync + 'static,
    ) -> Self {
        self.patience = Arc::new(patience);
        self
    }

    /// Waits for it that long at most.
    async fn waited<T>(&self, most: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = (self.patience)(most) => None,
        }
    }

    /// The same, telling `watch` how far each answer is.
    #[must_use]
    pub fn watched(mut self, watch: impl Fn(ReadProgress<'_>) + Send + Sync + 'static) -> Self {
        self.watch = Some(Arc::new(watch));
        self
    }

    fn url(&self, request: &MaasRequest) -> Url {
        let mut url = self.base.clone();
        // `set_path` percent-encodes what a path may not hold and leaves `:` and `/`, which CIDR paths need.
        url.set_path(&format!("{}{}", self.base.path(), request.path));
        url
    }

    async fn fetch(&self, request: &MaasRequest) -> Result<MaasResponse, LostAnswer> {
        let mut url = self.url(request);
        let header = self
            .key
            .header(request.method.name(), url.as_str(), &self.outside.stamp());
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut sending = self
            .client
            .request(method, url)
            .header(AUTHORIZATION, header);
        if !request.form.is_empty() {
            sending = sending.form(&request.form);
        }
        // MAAS may compute for minutes before the first byte, and people want to know what it is that they wait for.
        self.tell(request, 0, false);
        let response = sending.send().await.map_err(lost)?;
        let text = |name| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let (status, content_type) = (response.status().as_u16(), text(CONTENT_TYPE));
        let retry_after = text(RETRY_AFTER)
            .trim()
            .parse()
            .ok()
            .map(Duration::from_secs);
        let mut body = self.body(request, response).await?;
        if !(200..300).contains(&status) {
            body = self.key.hide(body);
        }
        Ok(MaasResponse {
            status,
            content_type,
            retry_after,
            body,
        })
    }

    fn tell(&self, request: &MaasRequest, bytes: usize, whole: bool) {
        if let Some(watch) = &self.watch {
            let what = &request.to_string();
            watch(ReadProgress { what, bytes, whole });
        }
    }

    async fn body(
        &self,
        request: &MaasRequest,
        mut response: reqwest::Response,
    ) -> Result<Vec<u8>, LostAnswer> {
        let mut body = Vec::new();
        while let Some(chunk) = self
            .waited(self.limits.silence, response.chunk())
            .await
            .ok_or(LostAnswer::Silent(self.limits.silence))?
            .map_err(lost)?
        {
            if body.len() + chunk.len() > self.limits.bytes {
                return Err(LostAnswer::TooLarge(self.limits.bytes));
            }
            body.extend_from_slice(&chunk);
            self.tell(request, body.len(), false);
        }
        self.tell(request, body.len(), true);
        Ok(body)
    }
}

impl Transport for Http {
    async fn send(&self, request: MaasRequest) -> Result<MaasResponse, LostAnswer> {
        let whole = match request.method {
            Method::Get => self.limits.read,
            Method::Post | Method::Put | Method::Delete => self.limits.write,
        };
        self.waited(whole, self.fetch(&request))
            .await
            .ok_or(LostAnswer::Late(whole))?
    }
}

/// The URL that request paths are appended to, ending in `/api/2.0/`.
fn base(text: &str) -> Result<Url, NotAUrl> {
    let mut url =
        Url::parse(text.trim()).map_err(|_unreadable| NotAUrl::Unreadable(shown(text)))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(NotAUrl::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NotAUrl::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(NotAUrl::Query);
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/api/2.0").unwrap_or(path);
    let path = format!("{path}/api/2.0/");
    url.set_path(&path);
    Ok(url)
}

/// A mistyped URL may hold a password before an `@`.
fn shown(text: &str) -> String {
    let tail = text.trim().rsplit('@').next().unwrap_or_default();
    tail.chars().take(100).collect()
}

/// In the words of the innermost cause: those around it say that a request was being sent, which is said anyway.
fn lost(error: reqwest::Error) -> LostAnswer {
    let refused = error.is_connect();
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        words = inner.to_string();
        cause = inner.source();
    }
    if refused {
        LostAnswer::Unreachable(words)
    } else {
        LostAnswer::Broken(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maas_url_is_taken_as_people_write_it_and_never_with_a_password() {
        for given in [
            "http://maas.test:5240/MAAS",
            "http://maas.test:5240/MAAS/",
            " http://maas.test:5240/MAAS/api/2.0/\n",
        ] {
            assert_eq!(
                base(given).unwrap().as_str(),
                "http://maas.test:5240/MAAS/api/2.0/"
            );
        }
        for bad in [
            "maas.test",
            "ftp://maas.test/MAAS",
            "http://a:b@maas.test/MAAS",
            "http://m/MAAS?x=1",
            "a:b@ c",
        ] {
            let words = base(bad).unwrap_err().to_string();
            assert!(!words.contains("a:b"), "{words}");
        }
    }
}
