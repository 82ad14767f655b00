use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use secrecy::SecretString;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use github::credentials::Secrets;
use github::webhook::{Forged, SignedDelivery, receive};
use journal::Journal;
use topology::observed::Timestamp;

use super::routes::*;
use crate::config::BODY_BYTES_MAX;

const SECRET: &str = "It's a Secret to Everybody";
const BODY: &[u8] = b"{\"zen\":\"Keep it logically awesome.\"}";
const NOW: Timestamp = Timestamp(1_000_000);

fn secrets() -> Secrets {
    Secrets::new(SecretString::from(SECRET)).unwrap()
}

fn sign(body: &[u8], secret: &str) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let tag = mac.chain_update(body).finalize().into_bytes();
    format!("sha256={}", hex::encode(tag))
}

fn signed(body: &[u8], secret: &str) -> Vec<(&'static str, String)> {
    vec![
        ("x-hub-signature-256", sign(body, secret)),
        ("x-github-event", "ping".to_owned()),
        (
            "x-github-delivery",
            "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
        ),
        ("content-type", "application/json".to_owned()),
    ]
}

fn map(headers: &[(&'static str, String)]) -> HeaderMap {
    headers
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect::<Vec<_>>()
        .into_iter()
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
}

fn received(headers: &[(&'static str, String)], body: &[u8]) -> Result<SignedDelivery, Forged> {
    receive(&map(headers), body, &secrets(), NOW)
}

fn without(name: &str) -> Vec<(&'static str, String)> {
    let mut headers = signed(BODY, SECRET);
    headers.retain(|(key, _)| *key != name);
    headers
}

fn with(name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    let mut headers = without(name);
    headers.push((name, value.to_owned()));
    headers
}

#[test]
fn a_signed_body_is_a_delivery() {
    let delivery = received(&signed(BODY, SECRET), BODY).unwrap();
    assert_eq!(delivery.event, "ping");
    assert_eq!(delivery.body.as_bytes(), BODY);
}

/// GitHub's own test vector (docs, "Validating webhook deliveries", testing the webhook payload validation).
#[test]
fn githubs_documented_signature_is_accepted() {
    let mut headers = with(
        "x-hub-signature-256",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    );
    assert!(received(&headers, b"Hello, World!").is_ok());
    headers.push(("x-hub-signature", "sha1=0000".to_owned()));
    assert!(
        received(&headers, b"Hello, World!").is_ok(),
        "GitHub sends both"
    );
}

#[test]
fn threat_1_no_signature_is_forged() {
    assert_eq!(
        received(&without("x-hub-signature-256"), BODY),
        Err(Forged::Unsigned)
    );
}

#[test]
fn threat_2_a_sha_1_signature_does_not_count() {
    let mut headers = without("x-hub-signature-256");
    headers.push((
        "x-hub-signature",
        "sha1=b1f8020f5b4cd42042f807dd939015c4a418bc1ff".to_owned(),
    ));
    assert_eq!(received(&headers, BODY), Err(Forged::Unsigned));
}

#[test]
fn threat_3_a_signature_in_any_other_form_is_forged() {
    let good = sign(BODY, SECRET);
    let digits = &good[7..];
    for odd in [
        String::new(),
        "sha256=".to_owned(),
        good[..good.len() - 1].to_owned(),
        good[..good.len() - 2].to_owned(),
        format!("{good}00"),
        format!("sha256={}", digits.to_ascii_uppercase()),
        format!("SHA256={digits}"),
        format!("sha1={digits}"),
        digits.to_owned(),
        format!("sha256= {digits}"),
        format!("{good},{good}"),
        format!("sha256={}", digits.replacen(|_: char| true, "g", 1)),
        format!("sha256=0x{}", &digits[2..]),
    ] {
        assert_eq!(
            received(&with("x-hub-signature-256", &odd), BODY),
            Err(Forged::Malformed),
            "{odd}"
        );
    }
    let mut twice = signed(BODY, SECRET);
    twice.push(("x-hub-signature-256", good));
    assert_eq!(received(&twice, BODY), Err(Forged::Malformed));
}

#[test]
fn threat_4_one_changed_byte_is_forged() {
    let headers = signed(BODY, SECRET);
    for at in 0..BODY.len() {
        let mut body = BODY.to_vec();
        body[at] ^= 1;
        assert_eq!(
            received(&headers, &body),
            Err(Forged::Mismatch),
            "byte {at}"
        );
    }
    assert_eq!(received(&signed(BODY, ""), BODY), Err(Forged::Mismatch));
    assert_eq!(
        received(&signed(BODY, "other"), BODY),
        Err(Forged::Mismatch)
    );
}

#[test]
fn threat_5_the_old_secret_counts_only_inside_its_window() {
    let both = secrets()
        .with_previous(SecretString::from("old"), NOW)
        .unwrap();
    let with_old = map(&signed(BODY, "old"));
    assert!(receive(&with_old, BODY, &both, Timestamp(NOW.0 - 1)).is_ok());
    assert_eq!(receive(&with_old, BODY, &both, NOW), Err(Forged::Mismatch));
    let with_new = map(&signed(BODY, SECRET));
    assert!(receive(&with_new, BODY, &both, NOW).is_ok());
}

#[test]
fn threat_6_encoded_and_form_bodies_are_refused() {
    let encoded = |value| received(&with("content-encoding", value), BODY);
    assert_eq!(encoded("gzip"), Err(Forged::NotJson));
    assert_eq!(encoded("identity"), Err(Forged::NotJson));
    let typed = |value| received(&with("content-type", value), BODY);
    assert_eq!(
        typed("application/x-www-form-urlencoded"),
        Err(Forged::NotJson)
    );
    assert_eq!(typed("text/plain"), Err(Forged::NotJson));
    assert_eq!(
        received(&without("content-type"), BODY),
        Err(Forged::NotJson)
    );
    assert!(typed("application/json; charset=utf-8").is_ok());
}

#[test]
fn odd_headers_and_bytes_are_refused_even_when_signed() {
    for value in ["", "pull request", "../x", "PING", "a\u{e9}"] {
        assert_eq!(
            received(&with("x-github-event", value), BODY),
            Err(Forged::Header("x-github-event")),
            "{value}"
        );
    }
    for value in ["", "a b", "' OR 1=1", &"a".repeat(65)] {
        assert_eq!(
            received(&with("x-github-delivery", value), BODY),
            Err(Forged::Header("x-github-delivery")),
            "{value}"
        );
    }
    let latin: &[u8] = b"{\"a\":\"\xe9\"}";
    assert_eq!(
        received(&signed(latin, SECRET), latin),
        Err(Forged::NotText)
    );
}

struct Fixture {
    state: WebhookState,
    now: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("planebot.db").display());
    let now = Arc::new(AtomicI64::new(NOW.0));
    let clock = Arc::clone(&now);
    Fixture {
        state: WebhookState {
            journal: Journal::open(&url).await.unwrap(),
            secrets: Arc::new(secrets()),
            now: Arc::new(move || Timestamp(clock.load(Ordering::Relaxed))),
            body_limit: BODY_BYTES_MAX,
            body_patience: BODY_SECONDS_MAX,
            kept: Arc::new(Notify::new()),
            counts: Arc::default(),
        },
        now,
        _folder: folder,
    }
}

impl Fixture {
    async fn send(&self, headers: &[(&'static str, String)], body: impl Into<Body>) -> StatusCode {
        let mut request = Request::post("/webhook").body(body.into()).unwrap();
        *request.headers_mut() = map(headers);
        router(self.state.clone())
            .oneshot(request)
            .await
            .unwrap()
            .status()
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(self.state.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 65_536)
            .await
            .unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn waiting(&self) -> i64 {
        self.state.journal.queue_depth().await.unwrap().0
    }
}

#[tokio::test]
async fn a_delivery_is_stored_before_it_is_accepted() {
    let fixture = fixture().await;
    assert_eq!(
        fixture.send(&signed(BODY, SECRET), BODY).await,
        StatusCode::ACCEPTED
    );
    let stored = fixture
        .state
        .journal
        .next_delivery(NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.delivery.body.as_bytes(), BODY);
}

#[tokio::test]
async fn a_forged_delivery_leaves_no_trace() {
    let fixture = fixture().await;
    for headers in [without("x-hub-signature-256"), signed(BODY, "other")] {
        assert_eq!(fixture.send(&headers, BODY).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(fixture.waiting().await, 0);
}

#[tokio::test]
async fn threat_8_the_same_delivery_twice_is_stored_once() {
    let fixture = fixture().await;
    let headers = signed(BODY, SECRET);
    let (first, second) = tokio::join!(fixture.send(&headers, BODY), fixture.send(&headers, BODY));
    assert_eq!(
        (first, second),
        (StatusCode::ACCEPTED, StatusCode::ACCEPTED)
    );
    assert_eq!(fixture.send(&headers, BODY).await, StatusCode::ACCEPTED);
    assert_eq!(fixture.waiting().await, 1);
}

#[tokio::test]
async fn threat_8_a_delivery_that_was_not_stored_gets_503_and_is_stored_when_resent() {
    let fixture = fixture().await;
    let mut broken = fixture.state.clone();
    broken.journal = broken.journal.with_crash_point(Arc::new(|| true));
    let mut request = Request::post("/webhook").body(Body::from(BODY)).unwrap();
    *request.headers_mut() = map(&signed(BODY, SECRET));
    let status = router(broken).oneshot(request).await.unwrap().status();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        fixture.send(&signed(BODY, SECRET), BODY).await,
        StatusCode::ACCEPTED
    );
    assert_eq!(fixture.waiting().await, 1);
}

#[tokio::test]
async fn threat_6_a_body_over_the_limit_is_refused_unread() {
    let fixture = fixture().await;
    let large = vec![b' '; BODY_BYTES_MAX + 1];
    let headers = signed(&large, SECRET);
    assert_eq!(
        fixture.send(&headers, large.clone()).await,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let mut declared = headers.clone();
    declared.push(("content-length", large.len().to_string()));
    assert_eq!(
        fixture.send(&declared, Body::empty()).await,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let whole = vec![b' '; BODY_BYTES_MAX];
    assert_eq!(
        fixture.send(&signed(&whole, SECRET), whole.clone()).await,
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn threat_6_a_body_that_never_ends_times_out() {
    let mut fixture = fixture().await;
    fixture.state.body_patience = Duration::from_millis(20);
    let endless = Body::new(Endless);
    assert_eq!(
        fixture.send(&signed(BODY, SECRET), endless).await,
        StatusCode::REQUEST_TIMEOUT
    );
}

/// A body that never yields a frame.
struct Endless;

impl hyper::body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn the_old_secret_expires_while_the_service_runs() {
    let mut fixture = fixture().await;
    let both = secrets().with_previous(SecretString::from("old"), Timestamp(NOW.0 + 1));
    fixture.state.secrets = Arc::new(both.unwrap());
    assert_eq!(
        fixture.send(&signed(BODY, "old"), BODY).await,
        StatusCode::ACCEPTED
    );
    fixture.now.fetch_add(1, Ordering::Relaxed);
    assert_eq!(
        fixture.send(&signed(BODY, "old"), BODY).await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn health_says_ok_and_nothing_else() {
    let fixture = fixture().await;
    assert_eq!(
        fixture.get("/healthz").await,
        (StatusCode::OK, "ok\n".to_owned())
    );
    assert_eq!(
        fixture.get("/readyz").await,
        (StatusCode::OK, "ready\n".to_owned())
    );
    fixture.send(&signed(BODY, SECRET), BODY).await;
    insta::assert_snapshot!(fixture.get("/metrics").await.1, @r#"
    # TYPE planebot_webhooks counter
    # HELP planebot_webhooks Webhooks by result.
    planebot_webhooks_total{result="kept"} 1
    planebot_webhooks_total{result="seen_before"} 0
    planebot_webhooks_total{result="forged"} 0
    planebot_webhooks_total{result="not_kept"} 0
    # TYPE planebot_deliveries gauge
    # HELP planebot_deliveries Deliveries that are not settled, and dead letters.
    planebot_deliveries{queue="waiting"} 1
    planebot_deliveries{queue="parked"} 0
    # TYPE planebot_replies gauge
    # HELP planebot_replies Messages to GitHub that are not sent, and those that were given up.
    planebot_replies{queue="owed"} 0
    planebot_replies{queue="given_up"} 0
    # EOF
    "#);
}

#[tokio::test]
async fn only_post_is_a_webhook() {
    let fixture = fixture().await;
    assert_eq!(
        fixture.get("/webhook").await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

/// There are no web pages and no setup page, so there is no session, cookie or `state` parameter to attack. Whoever adds one
/// must replace these tests with tests of the same threats.
async fn nothing_at(paths: &[&str]) {
    let fixture = fixture().await;
    for path in paths {
        let (status, body) = fixture.get(path).await;
        assert_eq!(
            (status, body.as_str()),
            (StatusCode::NOT_FOUND, ""),
            "{path}"
        );
    }
}

#[tokio::test]
async fn threat_55_there_is_no_page_to_attack() {
    nothing_at(&["/", "/runs/1", "/events", "/login", "/debug", "/api/locks"]).await;
}

#[tokio::test]
async fn threat_56_there_is_no_setup_to_take_over() {
    nothing_at(&[
        "/setup",
        "/setup/callback?code=x&state=y",
        "/github-app/exchange-code?code=x",
    ])
    .await;
}
