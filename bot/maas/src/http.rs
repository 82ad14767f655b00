//! Sends signed requests to a real MAAS over HTTP.
//!
//! Everything has a limit: the time to connect, a stall in the middle of a response, the time of the whole, the size. Must
//! not know what a response means.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderName, LOCATION, PROXY_AUTHENTICATE, RETRY_AFTER, SERVER,
    VIA, WWW_AUTHENTICATE,
};

use crate::environment::{Environment, SleepFuture};
use crate::key::ApiKey;
use crate::lost::RequestRoute;
use crate::outgoing::client_to;
use crate::speaker::AnswerHeaders;
use crate::transport::{LostAnswer, MaasRequest, MaasResponse, Method, ReadProgress, Transport};
use crate::trust::CertificateTrust;

/// A MAAS on the same continent answers a SYN in far less, and nobody should wait long for a wrong address.
pub const CONNECT_SECONDS_MAX: Duration = Duration::from_secs(10);

/// MAAS computes a whole response before it sends the first byte, so a wait before that byte is normal (3.7.3: 190 s for
/// `subnets/` with 2,000 VLANs on one fabric). Only a stall after it is a fault.
pub const STALL_SECONDS_MAX: Duration = Duration::from_mins(1);

/// The largest list that was measured took 190 s alone, and two requests in flight slow each other down.
pub const READ_SECONDS_MAX: Duration = Duration::from_mins(5);

/// A write takes 0.05 s whatever the load, but MAAS retries a conflict for up to 90 s before it answers 409.
pub const WRITE_SECONDS_MAX: Duration = Duration::from_mins(2);

/// 10,000 ranges are 15 MB and 500 machines 10 MB; no real MAAS network needs four times that.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Reaches one MAAS over HTTP.
#[derive(Clone)]
pub struct HttpTransport {
    client: reqwest::Client,
    base: Url,
    route: RequestRoute,
    key: ApiKey,
    environment: Environment,
    limits: HttpLimits,
    timer: Arc<Timer>,
    on_progress: Option<Arc<OnProgress>>,
}

type Timer = dyn Fn(Duration) -> SleepFuture + Send + Sync;

type OnProgress = dyn Fn(ReadProgress<'_>) + Send + Sync;

/// Time and size limits. Production uses [`Default`].
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Between two bytes of a response, after the first.
    pub stall: Duration,
    /// A GET, from the request to the last byte.
    pub read: Duration,
    /// A POST, PUT or DELETE, from the request to the last byte.
    pub write: Duration,
    /// Bytes of a response, after decompression.
    pub bytes: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            stall: STALL_SECONDS_MAX,
            read: READ_SECONDS_MAX,
            write: WRITE_SECONDS_MAX,
            bytes: BODY_BYTES_MAX,
        }
    }
}

/// Why a text is not the URL of a MAAS.
#[derive(Debug, thiserror::Error)]
pub enum MaasUrlError {
    /// It cannot be parsed.
    #[error("`{0}` is not a URL; MAAS's looks like `http://maas.example:5240/MAAS`")]
    Unreadable(String),
    /// Neither http nor https.
    #[error("a MAAS URL begins with `http://` or `https://`, not `{0}:`")]
    Scheme(String),
    /// It has a user name or password, which would be logged.
    #[error("the MAAS URL must not hold a user name or password; the API key is given by file")]
    Credentials,
    /// It has a query or a fragment.
    #[error("the MAAS URL must not have a `?` or `#`")]
    Query,
    /// The TLS library cannot start.
    #[error("cannot set up HTTP: {0}")]
    Client(#[source] reqwest::Error),
    /// The certificates that are trusted cannot be used.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

impl HttpTransport {
    /// The MAAS at `url`, which may end in `/api/2.0/`.
    pub fn new(url: &str, key: ApiKey, environment: Environment) -> Result<Self, MaasUrlError> {
        Self::with_trust(url, key, environment, CertificateTrust::default())
    }

    /// The same, where the configuration says which certificates MAAS may show.
    pub fn with_trust(
        url: &str,
        key: ApiKey,
        environment: Environment,
        trust: CertificateTrust,
    ) -> Result<Self, MaasUrlError> {
        let base = base(url)?;
        let mut client = client_to(base.as_str());
        if base.scheme() == "https" {
            let host = base.host_str().unwrap_or_default();
            let host = host.trim_matches(['[', ']']);
            let tls = trust.client_config(host);
            let tls = tls.map_err(|error| MaasUrlError::Tls(error.to_string()))?;
            client = client.tls_backend_preconfigured(tls);
        }
        let client = client
            .connect_timeout(CONNECT_SECONDS_MAX)
            .user_agent(concat!("planebot/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(MaasUrlError::Client)?;
        Ok(Self {
            client,
            route: RequestRoute::to(&base),
            base,
            key,
            environment,
            limits: HttpLimits::default(),
            timer: Arc::new(|length| Box::pin(tokio::time::sleep(length))),
            on_progress: None,
        })
    }

    /// Replaces the default limits.
    #[must_use]
    pub fn with_limits(mut self, limits: HttpLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces the timer behind all time limits, for a simulation with its own clock.
    #[must_use]
    pub fn with_timer(
        mut self,
        timer: impl Fn(Duration) -> SleepFuture + Send + Sync + 'static,
    ) -> Self {
        self.timer = Arc::new(timer);
        self
    }

    /// `None` when `work` takes longer than `limit`.
    async fn timeout<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = (self.timer)(limit) => None,
        }
    }

    /// Calls `on_progress` as the bytes of each response arrive.
    #[must_use]
    pub fn on_progress(
        mut self,
        on_progress: impl Fn(ReadProgress<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.on_progress = Some(Arc::new(on_progress));
        self
    }

    fn url(&self, request: &MaasRequest) -> Url {
        let mut url = self.base.clone();
        // `set_path` percent-encodes characters that a path may not hold and leaves `:` and `/`, which CIDR paths need.
        url.set_path(&format!("{}{}", self.base.path(), request.path));
        url
    }

    async fn fetch(&self, request: &MaasRequest) -> Result<MaasResponse, LostAnswer> {
        let mut url = self.url(request);
        let header = self.key.header(
            request.method.name(),
            url.as_str(),
            &self.environment.stamp(),
        );
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
        // MAAS may compute for minutes before the first byte, and a person who waits should see for which request.
        self.report_progress(request, 0, false);
        let response = sending
            .send()
            .await
            .map_err(|error| self.route.explain(error))?;
        let text = |name| header_text(&response, name);
        let (status, content_type) = (response.status().as_u16(), text(CONTENT_TYPE));
        let retry_after = retry_after(&text(RETRY_AFTER), self.environment.stamp().seconds);
        let headers = AnswerHeaders {
            server: text(SERVER),
            via: text(VIA),
            authenticate: match status {
                407 => text(PROXY_AUTHENTICATE),
                _ => text(WWW_AUTHENTICATE),
            },
            location: text(LOCATION),
            is_signed_by_maas: response.headers().contains_key("x-maas-api-hash"),
        };
        let mut body = self.body(request, response).await?;
        if !(200..300).contains(&status) {
            body = self.key.hide(body);
        }
        Ok(MaasResponse {
            status,
            content_type,
            retry_after,
            headers,
            body,
        })
    }

    fn report_progress(&self, request: &MaasRequest, bytes: usize, complete: bool) {
        if let Some(on_progress) = &self.on_progress {
            let request = &request.to_string();
            on_progress(ReadProgress {
                request,
                bytes,
                complete,
            });
        }
    }

    async fn body(
        &self,
        request: &MaasRequest,
        mut response: reqwest::Response,
    ) -> Result<Vec<u8>, LostAnswer> {
        let mut body = Vec::new();
        while let Some(chunk) = self
            .timeout(self.limits.stall, response.chunk())
            .await
            .ok_or(LostAnswer::Stalled(self.limits.stall))?
            .map_err(|error| self.route.explain(error))?
        {
            if body.len() + chunk.len() > self.limits.bytes {
                return Err(LostAnswer::TooLarge(self.limits.bytes));
            }
            body.extend_from_slice(&chunk);
            self.report_progress(request, body.len(), false);
        }
        self.report_progress(request, body.len(), true);
        Ok(body)
    }
}

impl Transport for HttpTransport {
    async fn send(&self, request: MaasRequest) -> Result<MaasResponse, LostAnswer> {
        let limit = match request.method {
            Method::Get => self.limits.read,
            Method::Post | Method::Put | Method::Delete => self.limits.write,
        };
        self.timeout(limit, self.fetch(&request))
            .await
            .ok_or(LostAnswer::TimedOut(limit))?
    }
}

fn header_text(response: &reqwest::Response, name: HeaderName) -> String {
    let value = response.headers().get(name);
    let value = value.and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// Seconds, or a date, of which the time until then counts.
fn retry_after(value: &str, now_seconds: u64) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    let seconds = u64::try_from(date.timestamp()).ok()?;
    Some(Duration::from_secs(seconds.saturating_sub(now_seconds)))
}

/// A MAAS's URL in one form, however it was written: the scheme and the host in lower case, no default port, the path of
/// API 2.0. `None` where it is no URL of a MAAS.
pub fn same_form(url: &str) -> Option<String> {
    base(url).ok().map(String::from)
}

/// The URL that request paths are appended to, ending in `/api/2.0/`.
fn base(text: &str) -> Result<Url, MaasUrlError> {
    let mut url =
        Url::parse(text.trim()).map_err(|_unreadable| MaasUrlError::Unreadable(shown(text)))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(MaasUrlError::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(MaasUrlError::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(MaasUrlError::Query);
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/api/2.0").unwrap_or(path);
    let path = format!("{path}/api/2.0/");
    url.set_path(&path);
    Ok(url)
}

/// Without what precedes an `@`: a mistyped URL may hold a password there.
fn shown(text: &str) -> String {
    let tail = text.trim().rsplit('@').next().unwrap_or_default();
    tail.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maas_url_may_be_written_in_three_ways_but_never_with_a_password() {
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
            let message = base(bad).unwrap_err().to_string();
            assert!(!message.contains("a:b"), "{message}");
        }
    }
}
