//! The client against a server that answers what a test scripts, and against none.

use axum::Router;
use axum::response::IntoResponse as _;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::super::*;
use super::logged::keep_events_enabled;
use crate::tests::{NAME, NOW, now, settings, token};
use crate::webhook::event::PullNumber;

/// A server under a path, as GHES has it, that knows the repository and gives one answer to everything else.
pub(super) async fn scripted(
    status: u16,
    headers: &[(&str, &str)],
    body: &str,
) -> (Repository, JoinSet<()>) {
    keep_events_enabled();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v3", listener.local_addr().unwrap());
    let mut answer = HeaderMap::new();
    for (name, value) in headers {
        answer.insert(
            http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
            value.parse().unwrap(),
        );
    }
    let answer = (
        StatusCode::from_u16(status).unwrap(),
        answer,
        body.to_owned(),
    );
    let about = json!({"id": 1, "full_name": NAME, "default_branch": "main"}).to_string();
    let router = Router::new()
        .route(
            "/api/v3/repos/acme/network",
            axum::routing::get(async || about),
        )
        .fallback(async || answer.into_response());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        axum::serve(listener, router)
            .await
            .expect("serving until the test drops it");
    });
    let client = GitHub::connect(&settings(&url, token("ghp_scripted")), now()).unwrap();
    (client.repository(NAME).await.unwrap(), tasks)
}

#[tokio::test]
async fn a_page_of_a_proxy_confirms_no_write() {
    let page = "<html><body>Sign in</body></html>";
    for (status, body, is_confirmed) in [(200, page, false), (204, "", true), (201, "{}", true)] {
        let (repository, _tasks) = scripted(status, &[], body).await;
        let answer = repository.react(7, Reaction::Eyes).await;
        assert_eq!(answer.is_ok(), is_confirmed, "{status}: {answer:?}");
        assert!(
            is_confirmed || matches!(answer, Err(GitHubError::Unknown { .. })),
            "{answer:?}"
        );
    }
}

/// Threat 57: what each error status means to the caller.
#[tokio::test]
async fn threat_57_every_error_says_what_to_do_next() {
    let limited = |seconds: i64| format!("limited for {seconds} s");
    let reset = (NOW.0 / 1000 + 120).to_string();
    let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
    let forbidden = r#"{"message":"Resource not accessible by integration"}"#;
    for (status, headers, body, wanted) in [
        (404, vec![], "{}", "gone".to_owned()),
        (410, vec![], "{}", "gone".to_owned()),
        (401, vec![], "{}", "denied".to_owned()),
        (403, vec![], forbidden, "denied".to_owned()),
        (
            403,
            vec![
                ("x-ratelimit-remaining", "4999"),
                ("x-ratelimit-reset", reset.as_str()),
            ],
            forbidden,
            "denied".to_owned(),
        ),
        (
            403,
            vec![
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", reset.as_str()),
            ],
            "{}",
            limited(120),
        ),
        (
            429,
            vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")],
            "{}",
            limited(1),
        ),
        (403, vec![("retry-after", "30")], secondary, limited(30)),
        (429, vec![("retry-after", "999999")], "{}", limited(3600)),
        (403, vec![], secondary, limited(60)),
        (429, vec![], "", limited(60)),
        (500, vec![], "", "unknown".to_owned()),
        (502, vec![], "<html>", "unknown".to_owned()),
        (503, vec![], "{}", "unknown".to_owned()),
        (200, vec![], "<html>", "unknown".to_owned()),
        (200, vec![], "{}", "unknown".to_owned()),
        (409, vec![], "{}", "refused".to_owned()),
        (422, vec![], "{}", "refused".to_owned()),
    ] {
        let (repository, _tasks) = scripted(status, &headers, body).await;
        let answer = match repository
            .create_comment(PullNumber(1), "x")
            .await
            .unwrap_err()
        {
            GitHubError::Gone { .. } => "gone".to_owned(),
            GitHubError::Denied { .. } => "denied".to_owned(),
            GitHubError::Limited { retry_at, .. } => limited((retry_at.0 - NOW.0) / 1000),
            GitHubError::Unknown { .. } => "unknown".to_owned(),
            GitHubError::Refused { .. } => "refused".to_owned(),
        };
        assert_eq!(answer, wanted, "{status} {headers:?} {body}");
    }
}

#[tokio::test]
async fn without_a_server_the_outcome_is_unknown_and_no_token_is_shown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = GitHub::connect(&settings(&url, token("ghp_secret")), now()).unwrap();
    let error = client.repository(NAME).await.err().unwrap();
    assert!(matches!(error, GitHubError::Unknown { .. }));
    assert!(!format!("{error} {error:?}").contains("ghp_secret"));
}

/// Threat 53: GitHub's message may hold what it was sent.
#[tokio::test]
async fn threat_53_a_token_in_githubs_message_is_not_shown() {
    let body = r#"{"message":"Bad credentials ghp_scripted"}"#;
    let (repository, _tasks) = scripted(401, &[], body).await;
    let error = repository.pull(PullNumber(1)).await.unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("ghp_scripted"),
        "{error}"
    );
}

#[test]
fn a_delivery_is_undelivered_if_no_attempt_succeeded() {
    let attempt = |id, guid: &str, status_code| HookDelivery {
        id,
        guid: guid.to_owned(),
        delivered_at: String::new(),
        redelivery: false,
        status: String::new(),
        status_code,
        event: "push".to_owned(),
    };
    let log = [
        attempt(5, "c", 0),
        attempt(4, "a", 202),
        attempt(3, "c", 503),
        attempt(2, "b", 200),
        attempt(1, "a", 0),
    ];
    let undelivered: Vec<u64> = HookDelivery::undelivered(&log)
        .iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(undelivered, [5]);
}
