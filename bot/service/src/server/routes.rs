//! The routes of the service that machines use: `/webhook`, `/healthz`, `/readyz`, `/metrics`.
//!
//! None of them says which version this is, or anything about a site.

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
use journal::{Delivery, Journal, Stored};
use tokio::sync::{Notify, Semaphore};
use topology::port::Clock;

use github::credentials::Secrets;
use github::webhook::{Forged, SignedDelivery, WebhookSignature, receive};

/// GitHub gives up on an answer after 10 s, so a body that takes longer is nobody's.
pub const BODY_SECONDS_MAX: Duration = Duration::from_secs(10);

/// Bodies up to this need no turn: GitHub's usual ones are 10 to 30 KiB.
const SMALL_BODY_BYTES_MAX: u64 = 256 * 1024;

/// Large bodies read at once: four of 25 MiB are all the memory that unsigned requests can hold.
const LARGE_BODIES_MAX: usize = 4;

/// What the door needs.
#[derive(Clone)]
pub struct WebhookState {
    /// Where deliveries are kept.
    pub journal: Journal,
    /// What they are signed with.
    pub secrets: Arc<Secrets>,
    /// What time it is.
    pub now: Clock,
    /// The largest body, in bytes.
    pub body_limit: usize,
    /// How long a body may take; [`BODY_SECONDS_MAX`] but for tests.
    pub body_patience: Duration,
    /// Told when a delivery was kept, so that nobody needs to poll for it.
    pub kept: Arc<Notify>,
    /// What was counted since the start.
    pub counts: Arc<WebhookCounts>,
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub struct WebhookCounts {
    kept: AtomicU64,
    seen_before: AtomicU64,
    forged: AtomicU64,
    not_kept: AtomicU64,
}

#[derive(Clone)]
struct Inside {
    door: WebhookState,
    large: Arc<Semaphore>,
}

/// The routes.
pub fn router(door: WebhookState) -> Router {
    let inside = Inside {
        door,
        large: Arc::new(Semaphore::new(LARGE_BODIES_MAX)),
    };
    Router::new()
        .route("/webhook", post(webhook))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(inside)
}

async fn webhook(State(inside): State<Inside>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let door = &inside.door;
    // A request that nobody could have signed is turned away before its body is read.
    if let Err(forged) = WebhookSignature::of(&parts.headers) {
        return turned_away(door, forged);
    }
    let body = match read(&inside, &parts.headers, body).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let now = (door.now)();
    let SignedDelivery { id, event, body } =
        match receive(&parts.headers, &body, &door.secrets, now) {
            Ok(signed) => signed,
            Err(forged) => return turned_away(door, forged),
        };
    let delivery = Delivery { id, event, body };
    // 202 is sent after the journal has the delivery, never before; GitHub logs a 503 as failed, to be sent again.
    match door.journal.store_delivery(&delivery, now).await {
        Ok(kept) => answer(door, kept),
        Err(error) => {
            tracing::error!(delivery = delivery.id, %error, "a delivery could not be kept");
            door.counts.not_kept.fetch_add(1, Ordering::Relaxed);
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn answer(door: &WebhookState, kept: Stored) -> Response {
    match kept {
        Stored::New => {
            door.counts.kept.fetch_add(1, Ordering::Relaxed);
            door.kept.notify_one();
            (StatusCode::ACCEPTED, "kept\n").into_response()
        }
        Stored::Duplicate => {
            door.counts.seen_before.fetch_add(1, Ordering::Relaxed);
            (StatusCode::ACCEPTED, "seen before\n").into_response()
        }
    }
}

fn turned_away(door: &WebhookState, forged: Forged) -> Response {
    door.counts.forged.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(%forged, "a webhook was turned away");
    let status = match forged {
        Forged::Unsigned | Forged::Malformed | Forged::Mismatch => StatusCode::UNAUTHORIZED,
        Forged::Header(_) | Forged::NotText => StatusCode::BAD_REQUEST,
        Forged::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    };
    (status, format!("{forged}\n")).into_response()
}

/// The whole body within its limits of size and time.
async fn read(inside: &Inside, headers: &HeaderMap, body: Body) -> Result<Bytes, StatusCode> {
    let limit = inside.door.body_limit;
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let whole = async {
        let _turn = match length {
            Some(0..=SMALL_BODY_BYTES_MAX) => None,
            Some(_) | None => Some(inside.large.acquire().await),
        };
        axum::body::to_bytes(body, limit).await
    };
    match tokio::time::timeout(inside.door.body_patience, whole).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // Too long without a length said before, or broken off; the answer is the same for both.
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

async fn readyz(State(inside): State<Inside>) -> Response {
    match inside.door.journal.queue_depth().await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "the journal does not answer");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the journal does not answer\n",
            )
                .into_response()
        }
    }
}

/// `OpenMetrics` 1.0 text: counts only, no names from outside.
async fn metrics(State(inside): State<Inside>) -> Response {
    let counts = &inside.door.counts;
    let mut text = String::from(
        "# TYPE planebot_webhooks counter\n# HELP planebot_webhooks Webhooks by what became of them.\n",
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
    if let Ok((waiting, parked)) = inside.door.journal.queue_depth().await {
        text.push_str(&format!(
            "# TYPE planebot_deliveries gauge\n# HELP planebot_deliveries Deliveries that are not settled, or wait for a person.\n\
             planebot_deliveries{{queue=\"waiting\"}} {waiting}\nplanebot_deliveries{{queue=\"parked\"}} {parked}\n"
        ));
    }
    if let Ok((owed, given_up)) = inside.door.journal.outbox_depth().await {
        text.push_str(&format!(
            "# TYPE planebot_replies gauge\n# HELP planebot_replies Replies that are to be said, or that GitHub refused.\n\
             planebot_replies{{queue=\"owed\"}} {owed}\nplanebot_replies{{queue=\"given_up\"}} {given_up}\n"
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
