//! The lab's GitHub on a loopback port, and the task that carries its webhooks.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::response::Response as HttpResponse;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::webhook::{Delivery, Outcome};
use super::{GitHub, answer};
use crate::maas::{Fault, Faults};
use crate::wire::{Request, decode, pairs};

/// GitHub waits that long for an answer to a webhook (docs.github.com, "Best practices for using webhooks").
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// More than any request that GitHub would take.
const BODY_MAX: usize = 64 << 20;

/// A clock that the server asks, in seconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What a served GitHub may be given.
#[derive(Clone, Default)]
pub struct Options {
    /// What goes wrong, request by request.
    pub faults: Option<Faults>,
    /// Its time; without one, each write takes a second and nothing else passes.
    pub clock: Option<Clock>,
    /// The port; any free one by default.
    pub port: u16,
}

/// A GitHub that is being served. Dropped, it is gone.
pub struct Serving {
    /// Where, without a slash at the end.
    pub url: String,
    github: Arc<Mutex<GitHub>>,
    answered: Arc<Notify>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Serving {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Serving {
    /// GitHub itself, for whoever plays the people. Let it go before the next `await`.
    pub fn github(&self) -> MutexGuard<'_, GitHub> {
        self.github.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for another task.
    pub fn shared(&self) -> Arc<Mutex<GitHub>> {
        Arc::clone(&self.github)
    }

    /// Waits until every webhook was answered, or was found to have nobody to answer it.
    pub async fn settled(&self) {
        loop {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            answered.as_mut().enable(); // before looking, so that none is missed
            if self.github().is_settled() {
                return;
            }
            answered.await;
        }
    }
}

#[derive(Clone)]
struct Shared {
    github: Arc<Mutex<GitHub>>,
    options: Options,
}

/// Serves `github` on loopback.
#[expect(
    clippy::disallowed_methods,
    reason = "the lab's servers run beside the test that holds their handle"
)]
pub async fn serve(mut github: GitHub, options: Options) -> std::io::Result<Serving> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], options.port))).await?;
    let url = format!("http://{}", listener.local_addr()?);
    github.base.clone_from(&url);
    let wake = Arc::new(Notify::new());
    github.outbox.wake = Arc::clone(&wake);
    wake.notify_one();
    let github = Arc::new(Mutex::new(github));
    let answered = Arc::new(Notify::new());
    let shared = Shared {
        github: Arc::clone(&github),
        options,
    };
    let app = axum::Router::new().fallback(over_http).with_state(shared);
    let door = tokio::spawn(async move {
        let served = axum::serve(listener, app).await;
        drop(served);
    });
    let carrier = tokio::spawn(carry(Arc::clone(&github), wake, Arc::clone(&answered)));
    Ok(Serving {
        url,
        github,
        answered,
        tasks: [door, carrier],
    })
}

/// Carries webhooks, one after the other, for as long as it lives.
async fn carry(github: Arc<Mutex<GitHub>>, wake: Arc<Notify>, answered: Arc<Notify>) {
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .build()
        .unwrap_or_default();
    loop {
        let next = {
            let mut github = github.lock().unwrap_or_else(PoisonError::into_inner);
            github.take_delivery().map(|one| {
                let url = github.outbox.url.clone().unwrap_or_default();
                (url, github.headers(&one), one)
            })
        };
        let Some((url, headers, one)) = next else {
            wake.notified().await;
            continue;
        };
        let id = one.id;
        let outcome = posted(&client, &url, headers, one).await;
        github
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .delivered(id, outcome);
        answered.notify_waiters();
    }
}

async fn posted(
    client: &reqwest::Client,
    url: &str,
    headers: Vec<(&'static str, String)>,
    one: Delivery,
) -> Outcome {
    let mut request = client.post(url).body(one.body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    match request.send().await {
        Ok(response) => Outcome::Answered(response.status().as_u16()),
        Err(_told) => Outcome::Unreachable,
    }
}

async fn over_http(State(shared): State<Shared>, http: HttpRequest) -> HttpResponse {
    let (parts, body) = http.into_parts();
    let body = axum::body::to_bytes(body, BODY_MAX)
        .await
        .unwrap_or_default();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let request = Request {
        method: parts.method.to_string(),
        path: decode(parts.uri.path(), false),
        query: parts.uri.query().map(pairs).unwrap_or_default(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: body.to_vec(),
        now: shared.options.clock.as_ref().map_or(0, |clock| clock()),
    };
    let fault = shared
        .options
        .faults
        .as_ref()
        .map_or(Fault::None, |faults| faults(&request));
    match fault {
        Fault::CutBefore => return cut(),
        Fault::Answer(status) => return http_of(answer::refusal(status, "Not now")),
        Fault::None | Fault::LoseAnswer => {}
    }
    let response = shared
        .github
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .answer(&request);
    if fault == Fault::LoseAnswer {
        cut()
    } else {
        http_of(response)
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

fn http_of(response: crate::wire::Response) -> HttpResponse {
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
