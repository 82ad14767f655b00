//! A server's rules on a loopback port, with faults on demand. It must not know whose rules they are.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::response::Response as HttpResponse;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::wire::{Request, Response, decode, pairs};

/// More than any request that a server of the lab would take, in bytes.
const BODY_MAX: usize = 64 << 20;

/// What may go wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection breaks before anything happens.
    CutBefore,
    /// It happens, and the answer is lost.
    LoseAnswer,
    /// The server answers that status without doing it.
    Answer(u16),
    /// It happens, and the answer comes after so many milliseconds.
    Slow(u64),
}

/// Decides what goes wrong. Called once per request, in order.
pub type Faults = Arc<dyn Fn(&Request) -> Fault + Send + Sync>;

/// A clock that a server asks, in seconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Everything behind a port.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) rules: Arc<dyn Fn(&Request) -> Response + Send + Sync>,
    pub(crate) faults: Option<Faults>,
    /// What a status looks like that is answered without doing anything.
    pub(crate) refusal: fn(u16) -> Response,
    pub(crate) clock: Clock,
}

/// Takes a port on loopback, any free one for 0; where it is, as a URL without a slash at its end.
pub(crate) async fn listen(port: u16) -> std::io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

/// Answers until the task is aborted.
#[expect(
    clippy::disallowed_methods,
    reason = "the lab's servers run beside the test that holds their handle"
)]
pub(crate) fn open(listener: TcpListener, door: Door) -> JoinHandle<()> {
    let app = axum::Router::new().fallback(answer).with_state(door);
    tokio::spawn(async move {
        let served = axum::serve(listener, app).await;
        drop(served);
    })
}

async fn answer(State(door): State<Door>, http: HttpRequest) -> HttpResponse {
    let (parts, body) = http.into_parts();
    let body = axum::body::to_bytes(body, BODY_MAX)
        .await
        .unwrap_or_default();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter();
    let request = Request {
        method: parts.method.to_string(),
        path: decode(parts.uri.path(), false),
        query: parts.uri.query().map(pairs).unwrap_or_default(),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: body.to_vec(),
        now: (door.clock)(),
    };
    let fault = (door.faults.as_ref()).map_or(Fault::None, |faults| faults(&request));
    match fault {
        Fault::CutBefore => cut(),
        Fault::Answer(status) => over_http((door.refusal)(status)),
        Fault::None => over_http((door.rules)(&request)),
        Fault::Slow(milliseconds) => {
            let response = (door.rules)(&request);
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
            over_http(response)
        }
        Fault::LoseAnswer => {
            (door.rules)(&request);
            cut()
        }
    }
}

/// An answer that promises more than it sends: the client sees the connection die.
fn cut() -> HttpResponse {
    let mut response = HttpResponse::new(Body::from_stream(Broken));
    response
        .headers_mut()
        .insert("content-length", http::HeaderValue::from_static("1000"));
    response
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

fn over_http(response: Response) -> HttpResponse {
    let mut http = HttpResponse::new(Body::from(response.body));
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
