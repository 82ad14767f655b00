//! The GitHub server over HTTP: signed, lost, duplicated and delayed webhooks, and lost answers.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on should stop its test"
)]

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit as _, Mac as _};
use lab::HttpFault;
use lab::github::{
    GitHubServer, GitHubServerOptions, MergeMethod, WebhookFault, WebhookOutcome, serve,
};
use lab::wire::LabRequest;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::rules::{NETWORK, github, propose};

/// The received webhooks: GUID, event, and whether the signature is valid.
type Received = Arc<Mutex<Vec<(String, String, bool)>>>;

async fn receive(
    State(received): State<Received>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> StatusCode {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
    mac.update(&body);
    let signed = text("x-hub-signature-256")
        == format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let action: Value = serde_json::from_slice(&body).unwrap();
    let event = format!(
        "{} {}",
        text("x-github-event"),
        action["action"].as_str().unwrap_or_default()
    );
    received
        .lock()
        .unwrap()
        .push((text("x-github-delivery"), event, signed));
    StatusCode::ACCEPTED
}

/// A GitHub server and a receiver for its webhooks.
#[expect(
    clippy::disallowed_methods,
    reason = "the receiver runs as long as the test"
)]
async fn serve_with_receiver() -> (GitHubServer, Received) {
    let received = Received::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhook", listener.local_addr().unwrap());
    let app = axum::Router::new()
        .fallback(receive)
        .with_state(Arc::clone(&received));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut hub = github();
    hub.set_webhook(&url, "secret");
    (
        serve(hub, GitHubServerOptions::default()).await.unwrap(),
        received,
    )
}

fn events(received: &Received) -> Vec<String> {
    received
        .lock()
        .unwrap()
        .iter()
        .map(|(_, event, _)| event.trim().to_owned())
        .collect()
}

#[tokio::test]
async fn webhooks_arrive_in_order_and_signed() {
    let (serving, received) = serve_with_receiver().await;
    let number = propose(&mut serving.github(), "top", "one\n");
    serving
        .github()
        .at(NETWORK)
        .merge("alice", number, MergeMethod::Merge)
        .unwrap();
    serving.settled().await;
    assert_eq!(
        events(&received),
        ["push", "pull_request opened", "pull_request closed", "push"]
    );
    assert!(
        received
            .lock()
            .unwrap()
            .iter()
            .all(|(_, _, signed)| *signed)
    );
    let answered = serving
        .github()
        .deliveries()
        .iter()
        .filter(|one| one.outcome == WebhookOutcome::Answered(202))
        .count();
    assert_eq!(answered, 4);
}

#[tokio::test]
async fn a_lost_webhook_is_redelivered_with_its_guid_and_others_are_duplicated_or_delayed() {
    let (serving, received) = serve_with_receiver().await;
    for mishap in [WebhookFault::Lose, WebhookFault::Delay] {
        serving.github().inject_webhook_fault(mishap);
    }
    let number = propose(&mut serving.github(), "top", "one\n");
    serving
        .github()
        .inject_webhook_fault(WebhookFault::Duplicate);
    serving
        .github()
        .at(NETWORK)
        .comment("alice", number, "/plan")
        .unwrap();
    serving.settled().await;
    assert_eq!(
        events(&received),
        [
            "issue_comment created",
            "pull_request opened",
            "issue_comment created"
        ]
    );
    let lost = serving
        .github()
        .deliveries()
        .into_iter()
        .find(|one| one.outcome == WebhookOutcome::Lost)
        .unwrap()
        .clone();
    assert_eq!(lost.event, "push");
    serving.github().redeliver(lost.id);
    serving.settled().await;
    let received = received.lock().unwrap().clone();
    assert_eq!(received.last().unwrap().0, lost.guid);
    assert_eq!(received[0].0, received[2].0);
}

#[tokio::test]
async fn a_client_gets_its_answers_over_http() {
    let (serving, _received) = serve_with_receiver().await;
    let token = serving.github().bot_token();
    let client = reqwest::Client::new();
    let url = format!(
        "{}/repos/{NETWORK}/contents/plane.yaml?ref=main",
        serving.url
    );
    let request = client
        .get(&url)
        .bearer_auth(&token)
        .header("accept", "application/vnd.github.raw+json");
    assert_eq!(
        request.send().await.unwrap().text().await.unwrap(),
        "1\n2\n3\n4\n5\n"
    );
    let shown: Value = client
        .get(&url)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(shown["url"].as_str().unwrap().starts_with(&serving.url));
    assert_eq!(
        client
            .get(&url)
            .bearer_auth("nobody's")
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
}

#[tokio::test]
async fn a_request_with_a_lost_answer_is_executed_and_a_refused_one_is_not() {
    let mut hub = github();
    let number = propose(&mut hub, "top", "one\n");
    let token = hub.bot_token();
    let faults = Mutex::new(
        vec![
            HttpFault::LoseAnswer,
            HttpFault::Answer(502),
            HttpFault::CutBefore,
        ]
        .into_iter(),
    );
    let faults = move |_: &LabRequest| faults.lock().unwrap().next().unwrap_or(HttpFault::None);
    let options = GitHubServerOptions {
        faults: Some(Arc::new(faults)),
        ..GitHubServerOptions::default()
    };
    let serving = serve(hub, options).await.unwrap();
    let url = format!("{}/repos/{NETWORK}/issues/{number}/comments", serving.url);
    let client = reqwest::Client::new();
    let mut seen = vec![];
    for body in ["lost", "refused", "cut", "said"] {
        let sent = client
            .post(&url)
            .bearer_auth(&token)
            .json(&json!({"body": body}))
            .send()
            .await;
        let whole = match sent {
            Ok(response) => response.status().as_u16() * u16::from(response.bytes().await.is_ok()),
            Err(_) => 0,
        };
        seen.push(whole);
    }
    assert_eq!(seen, [0, 502, 0, 201]);
    let comments: Vec<String> = serving
        .github()
        .at(NETWORK)
        .comments(number)
        .into_iter()
        .map(|one| one.body)
        .collect();
    assert_eq!(comments, ["lost", "said"]);
}

#[tokio::test]
async fn a_user_can_read_their_own_account_and_an_installation_cannot() {
    let hub = github();
    let (alice, bot) = (hub.token("alice"), hub.bot_token());
    let serving = serve(hub, GitHubServerOptions::default()).await.unwrap();
    let client = reqwest::Client::new();
    let mut seen = vec![];
    for token in [alice, bot, "eyJ.of.nobody".to_owned()] {
        let response = client
            .get(format!("{}/user", serving.url))
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        seen.push((status, body["login"].as_str().map(str::to_owned)));
    }
    assert_eq!(
        seen,
        [(200, Some("alice".to_owned())), (403, None), (401, None)]
    );
}
