//! Serves a set of rules on a loopback port and injects faults. It must not know whose rules they are.

use std::collections::VecDeque;
use std::future::Future as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request as AxumRequest, State};
use axum::response::Response as AxumResponse;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::wire::{LabRequest, LabResponse, decode, pairs};

/// Limit of a request body, in bytes; larger than any request that the lab accepts.
const BODY_MAX: usize = 64 << 20;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpFault {
    None,
    /// The connection breaks and the request is not executed.
    CutBefore,
    /// The request is executed and the connection breaks before the response.
    LoseAnswer,
    /// The server answers with this status and does not execute the request.
    Answer(u16),
    /// The request is executed and the response is delayed by this many milliseconds.
    Slow(u64),
    /// The request is executed; `Content-Length` is right, but the connection ends after half of the body.
    Truncate,
    /// The request is executed; half of the body is sent, and `Content-Length` matches that half.
    Halve,
    /// A proxy answers 200 with its own HTML page; the request is not executed.
    ProxyPage,
    /// The server redirects with 302; the request is not executed.
    Redirect,
    /// The server answers with this status and this many seconds in `Retry-After`; the request is not executed.
    RetryAfter(u16, u32),
    /// The request is executed and the response never comes.
    HangAfter,
    /// The request is not executed and the response never comes.
    HangBefore,
    /// The request is executed; each byte of the body is sent after this many milliseconds.
    Trickle(u64),
}

/// Chooses the fault of a request. Called once per request, in order.
pub type HttpFaultPolicy = Arc<dyn Fn(&LabRequest) -> HttpFault + Send + Sync>;

/// A server's clock, in seconds since 1970.
pub type LabClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What is served on a port.
#[derive(Clone)]
pub(crate) struct HttpEndpoint {
    pub(crate) rules: Arc<dyn Fn(&LabRequest) -> LabResponse + Send + Sync>,
    pub(crate) faults: Option<HttpFaultPolicy>,
    /// Builds the response of [`HttpFault::Answer`].
    pub(crate) refusal: fn(u16) -> LabResponse,
    pub(crate) clock: LabClock,
}

/// Binds a loopback port (0: any free one). Returns its URL without a trailing slash.
pub(crate) async fn listen(port: u16) -> std::io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

/// Serves until the task is aborted.
#[expect(
    clippy::disallowed_methods,
    reason = "the lab's servers run beside the test that holds their handle"
)]
pub(crate) fn open(listener: TcpListener, endpoint: HttpEndpoint) -> JoinHandle<()> {
    let app = axum::Router::new().fallback(answer).with_state(endpoint);
    tokio::spawn(async move {
        let served = axum::serve(listener, app).await;
        drop(served);
    })
}

async fn answer(State(endpoint): State<HttpEndpoint>, http: AxumRequest) -> AxumResponse {
    let (parts, body) = http.into_parts();
    let body = axum::body::to_bytes(body, BODY_MAX)
        .await
        .unwrap_or_default();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter();
    let request = LabRequest {
        method: parts.method.to_string(),
        path: decode(parts.uri.path(), false),
        query: parts.uri.query().map(pairs).unwrap_or_default(),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: body.to_vec(),
        now: (endpoint.clock)(),
    };
    let fault = (endpoint.faults.as_ref()).map_or(HttpFault::None, |faults| faults(&request));
    match fault {
        HttpFault::CutBefore => cut(),
        HttpFault::Answer(status) => over_http((endpoint.refusal)(status)),
        HttpFault::None => over_http((endpoint.rules)(&request)),
        HttpFault::Slow(milliseconds) => {
            let response = (endpoint.rules)(&request);
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
            over_http(response)
        }
        HttpFault::LoseAnswer => {
            (endpoint.rules)(&request);
            cut()
        }
        HttpFault::HangAfter => {
            (endpoint.rules)(&request);
            std::future::pending().await
        }
        HttpFault::HangBefore => std::future::pending().await,
        HttpFault::Truncate => truncated((endpoint.rules)(&request)),
        HttpFault::Halve => {
            let mut response = (endpoint.rules)(&request);
            response.body.truncate(response.body.len() / 2);
            over_http(response)
        }
        HttpFault::ProxyPage => {
            over_http(LabResponse::html(200, "<html><body>Sign in</body></html>"))
        }
        HttpFault::Redirect => {
            over_http(LabResponse::text(302, "").with("location", "http://127.0.0.1:9/elsewhere"))
        }
        HttpFault::RetryAfter(status, seconds) => {
            let response = LabResponse::text(status, "later");
            over_http(response.with("retry-after", &seconds.to_string()))
        }
        HttpFault::Trickle(milliseconds) => trickling((endpoint.rules)(&request), milliseconds),
    }
}

/// A response that announces more bytes than it sends: the client sees the connection break.
fn cut() -> AxumResponse {
    let mut response = AxumResponse::new(Body::from_stream(Broken));
    response
        .headers_mut()
        .insert("content-length", http::HeaderValue::from_static("1000"));
    response
}

/// Half of the body with the `Content-Length` of the whole body.
fn truncated(mut response: LabResponse) -> AxumResponse {
    let length = response.body.len();
    response.body.truncate(length / 2);
    let half = Bytes::from(std::mem::take(&mut response.body));
    let ended = Err(std::io::Error::other("truncated"));
    let body = Paced::new([Ok(half), ended].into(), 1);
    with_body(response, length, body)
}

fn trickling(mut response: LabResponse, milliseconds: u64) -> AxumResponse {
    let bytes = std::mem::take(&mut response.body);
    let length = bytes.len();
    let parts = bytes.into_iter().map(|byte| Ok(Bytes::from(vec![byte])));
    with_body(response, length, Paced::new(parts.collect(), milliseconds))
}

fn with_body(response: LabResponse, length: usize, body: Paced) -> AxumResponse {
    let mut http = over_http(response);
    let length = http::HeaderValue::from(length);
    http.headers_mut().insert("content-length", length);
    *http.body_mut() = Body::from_stream(body);
    http
}

/// Parts of a body with a pause before each, so that earlier parts are already sent.
struct Paced {
    parts: VecDeque<std::io::Result<Bytes>>,
    pause: Duration,
    waiting: Pin<Box<tokio::time::Sleep>>,
}

impl Paced {
    fn new(parts: VecDeque<std::io::Result<Bytes>>, milliseconds: u64) -> Self {
        let pause = Duration::from_millis(milliseconds);
        Self {
            parts,
            pause,
            waiting: Box::pin(tokio::time::sleep(pause)),
        }
    }
}

impl futures_core::Stream for Paced {
    type Item = std::io::Result<Bytes>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.waiting.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let pause = self.pause;
        self.waiting.set(tokio::time::sleep(pause));
        Poll::Ready(self.parts.pop_front())
    }
}

struct Broken;

impl futures_core::Stream for Broken {
    type Item = Result<Bytes, std::io::Error>;
    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(Some(Err(std::io::Error::other("cut"))))
    }
}

fn over_http(response: LabResponse) -> AxumResponse {
    let mut http = AxumResponse::new(Body::from(response.body));
    *http.status_mut() = http::StatusCode::from_u16(response.status)
        .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        let name = http::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_str(&value)) {
            http.headers_mut().append(name, value);
        }
    }
    http
}
