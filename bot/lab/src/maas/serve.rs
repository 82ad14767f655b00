//! The lab's MAAS on a loopback port, with faults on demand.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::response::Response as HttpResponse;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::store::Maas;
use crate::wire::{Request, Response, decode, pairs};

/// What may go wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection breaks before anything happens.
    CutBefore,
    /// It happens, and the answer is lost.
    LoseAnswer,
    /// MAAS answers that status without doing it.
    Answer(u16),
}

/// Decides what goes wrong. Called once per request, in order.
pub type Faults = Arc<dyn Fn(&Request) -> Fault + Send + Sync>;

/// A MAAS that is being served.
pub struct Serving {
    /// Where, ending in `/MAAS`.
    pub url: String,
    /// The rows, for whoever plays the world.
    pub maas: Arc<Mutex<Maas>>,
    task: JoinHandle<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Shared {
    maas: Arc<Mutex<Maas>>,
    faults: Faults,
}

/// Serves `maas` on a free loopback port.
#[expect(
    clippy::disallowed_methods,
    reason = "the lab's servers run beside the test that holds their handle"
)]
pub async fn serve(maas: Maas, faults: Option<Faults>) -> std::io::Result<Serving> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let url = format!("http://{}/MAAS", listener.local_addr()?);
    let maas = Arc::new(Mutex::new(maas));
    let shared = Shared {
        maas: Arc::clone(&maas),
        faults: faults.unwrap_or_else(|| Arc::new(|_| Fault::None)),
    };
    let app = axum::Router::new().fallback(answer).with_state(shared);
    let task = tokio::spawn(async move {
        let served = axum::serve(listener, app).await;
        drop(served);
    });
    Ok(Serving { url, maas, task })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the wire's clock: MAAS compares OAuth timestamps with its own"
)]
fn clock() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
}

async fn answer(State(shared): State<Shared>, http: HttpRequest) -> HttpResponse {
    let (parts, body) = http.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20)
        .await
        .unwrap_or_default();
    let request = Request {
        method: parts.method.to_string(),
        path: decode(parts.uri.path(), false),
        query: parts.uri.query().map(pairs).unwrap_or_default(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect(),
        body: body.to_vec(),
        now: clock(),
    };
    let fault = (shared.faults)(&request);
    match fault {
        Fault::CutBefore => return broken(),
        Fault::Answer(status) => {
            return http_of(
                Response::html(status, "<html>not now</html>").with("retry-after", "5"),
            );
        }
        Fault::None | Fault::LoseAnswer => {}
    }
    let response = shared
        .maas
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .answer(&request);
    if fault == Fault::LoseAnswer {
        return broken();
    }
    http_of(response)
}

/// A body that fails while it is sent: the client sees the connection die.
fn broken() -> HttpResponse {
    let parts: Vec<Result<Bytes, std::io::Error>> = vec![Err(std::io::Error::other("cut"))];
    let mut response = HttpResponse::new(Body::from_stream(Iter(parts.into_iter())));
    response
        .headers_mut()
        .insert("content-length", http::HeaderValue::from_static("1000"));
    response
}

struct Iter(std::vec::IntoIter<Result<Bytes, std::io::Error>>);

impl futures_core::Stream for Iter {
    type Item = Result<Bytes, std::io::Error>;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

fn http_of(response: Response) -> HttpResponse {
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

/// Serves a layout until SIGTERM; writes where and with which keys to `state`, in one rename, when ready.
pub async fn only(
    layout: &str,
    version: Option<&str>,
    state: &Path,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let maas = Maas::load(layout, version)?;
    let admin = maas.api_key("admin");
    let users: serde_json::Map<String, serde_json::Value> = maas
        .user_names()
        .into_iter()
        .filter_map(|name| maas.api_key(&name).map(|key| (name, json!(key))))
        .collect();
    let serving = serve(maas, None).await?;
    let text =
        json!({"maas_url": serving.url, "maas_api_key": admin, "maas_users": users}).to_string();
    let fresh = state.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, state)?;
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = term.recv() => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    Ok(())
}
