//! The routes: `/webhook`, `/healthz`, `/readyz`, `/metrics`.
//!
//! No response reveals the version or anything about a site. It must not know how a delivery is processed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use tokio::sync::{Notify, Semaphore};

use github::credentials::Secrets;
use github::webhook::{Forged, SignedDelivery, WebhookSignature, receive};
use journal::{Delivery, Journal, Stored};
use topology::port::Clock;

/// GitHub waits 10 s for a response, so a body that takes longer is not GitHub's.
pub const BODY_SECONDS_MAX: Duration = Duration::from_secs(10);

/// Bodies up to this size are read without a permit: GitHub's usual ones are 10 to 30 KiB.
const SMALL_BODY_BYTES_MAX: u64 = 256 * 1024;

/// How many large bodies are read at once: unsigned requests can hold at most four of 25 MiB in memory.
const LARGE_BODIES_MAX: usize = 4;

/// What the webhook route needs.
#[derive(Clone)]
pub struct WebhookState {
    /// Where deliveries are stored.
    pub journal: Journal,
    /// The secrets that deliveries are signed with.
    pub secrets: Arc<Secrets>,
    pub now: Clock,
    /// The largest body, in bytes.
    pub body_limit: usize,
    /// How long a body may take: [`BODY_SECONDS_MAX`], except in tests.
    pub body_patience: Duration,
    /// Notified when a delivery was stored, so that the leader need not poll for it.
    pub kept: Arc<Notify>,
    pub counts: Arc<WebhookCounts>,
}

/// Webhooks since the process started, by result.
#[derive(Debug, Default)]
pub struct WebhookCounts {
    kept: AtomicU64,
    seen_before: AtomicU64,
    forged: AtomicU64,
    not_kept: AtomicU64,
}

#[derive(Clone)]
struct RouterState {
    webhook: WebhookState,
    large_bodies: Arc<Semaphore>,
}

/// Builds the router.
pub fn router(webhook_state: WebhookState) -> Router {
    let state = RouterState {
        webhook: webhook_state,
        large_bodies: Arc::new(Semaphore::new(LARGE_BODIES_MAX)),
    };
    Router::new()
        .route("/webhook", post(webhook))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(state)
}

async fn webhook(State(state): State<RouterState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let webhook = &state.webhook;
    // A request without a well-formed signature header is rejected before its body is read.
    if let Err(forged) = WebhookSignature::of(&parts.headers) {
        return rejected(webhook, forged);
    }
    let body = match read(&state, &parts.headers, body).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let now = (webhook.now)();
    let SignedDelivery { id, event, body } =
        match receive(&parts.headers, &body, &webhook.secrets, now) {
            Ok(signed) => signed,
            Err(forged) => return rejected(webhook, forged),
        };
    let delivery = Delivery { id, event, body };
    // 202 is sent only after the delivery is stored. GitHub logs a 503 as a failure, which can be redelivered.
    match webhook.journal.store_delivery(&delivery, now).await {
        Ok(stored) => accepted(webhook, stored),
        Err(error) => {
            tracing::error!(delivery = delivery.id, %error, "storing a delivery failed");
            webhook.counts.not_kept.fetch_add(1, Ordering::Relaxed);
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn accepted(webhook: &WebhookState, stored: Stored) -> Response {
    match stored {
        Stored::New => {
            webhook.counts.kept.fetch_add(1, Ordering::Relaxed);
            webhook.kept.notify_one();
            (StatusCode::ACCEPTED, "stored\n").into_response()
        }
        Stored::Duplicate => {
            webhook.counts.seen_before.fetch_add(1, Ordering::Relaxed);
            (StatusCode::ACCEPTED, "already stored\n").into_response()
        }
    }
}

fn rejected(webhook: &WebhookState, forged: Forged) -> Response {
    webhook.counts.forged.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(%forged, "a webhook was rejected");
    let status = match forged {
        Forged::Unsigned | Forged::Malformed | Forged::Mismatch => StatusCode::UNAUTHORIZED,
        Forged::Header(_) | Forged::NotText => StatusCode::BAD_REQUEST,
        Forged::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    };
    (status, format!("{forged}\n")).into_response()
}

/// Reads the whole body within the limits of size and time.
async fn read(state: &RouterState, headers: &HeaderMap, body: Body) -> Result<Bytes, StatusCode> {
    let limit = state.webhook.body_limit;
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let whole = async {
        let _permit = match length {
            Some(0..=SMALL_BODY_BYTES_MAX) => None,
            Some(_) | None => Some(state.large_bodies.acquire().await),
        };
        axum::body::to_bytes(body, limit).await
    };
    match tokio::time::timeout(state.webhook.body_patience, whole).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // Too large without a `content-length`, or interrupted; the status is the same for both.
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

async fn readyz(State(state): State<RouterState>) -> Response {
    match state.webhook.journal.queue_depth().await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "the store does not respond");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the store does not respond\n",
            )
                .into_response()
        }
    }
}

/// `OpenMetrics` 1.0 text. It has counts only, no text from outside.
async fn metrics(State(state): State<RouterState>) -> Response {
    let counts = &state.webhook.counts;
    let mut text = String::from(
        "# TYPE planebot_webhooks counter\n# HELP planebot_webhooks Webhooks by result.\n",
    );
    for (result, count) in [
        ("kept", &counts.kept),
        ("seen_before", &counts.seen_before),
        ("forged", &counts.forged),
        ("not_kept", &counts.not_kept),
    ] {
        let count = count.load(Ordering::Relaxed);
        text.push_str("planebot_webhooks_total{result=\"");
        text.push_str(result);
        text.push_str("\"} ");
        text.push_str(&count.to_string());
        text.push('\n');
    }
    if let Ok((waiting, dead_letters)) = state.webhook.journal.queue_depth().await {
        text.push_str(&format!(
            "# TYPE planebot_deliveries gauge\n# HELP planebot_deliveries Deliveries that are not settled, and dead letters.\n\
             planebot_deliveries{{queue=\"waiting\"}} {waiting}\nplanebot_deliveries{{queue=\"parked\"}} {dead_letters}\n"
        ));
    }
    if let Ok((pending, given_up)) = state.webhook.journal.outbox_depth().await {
        text.push_str(&format!(
            "# TYPE planebot_replies gauge\n# HELP planebot_replies Messages to GitHub that are not sent, and those that were given up.\n\
             planebot_replies{{queue=\"owed\"}} {pending}\nplanebot_replies{{queue=\"given_up\"}} {given_up}\n"
        ));
    }
    text.push_str("# EOF\n");
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
        .into_response()
}
