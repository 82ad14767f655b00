//! What a client sees of each fault of the lab's servers.

use std::sync::Arc;

use lab::maas::{HttpFault, LabMaas, serve};
use lab::wire::LabRequest;
use reqwest::{Client, redirect::Policy};

async fn answered(fault: HttpFault) -> reqwest::Response {
    let faults = move |_: &LabRequest| fault;
    let serving = serve(LabMaas::empty("3.5.12"), Some(Arc::new(faults)));
    let serving = serving.await.expect("loopback answers");
    let client = Client::builder()
        .redirect(Policy::none())
        .build()
        .expect("a plain client");
    let url = format!("{}/api/2.0/version/", serving.url);
    let response = client.get(url).send().await.expect("loopback answers");
    // The connection has its own task, so the server can be dropped here.
    drop(serving);
    response
}

async fn whole() -> Vec<u8> {
    let body = answered(HttpFault::None)
        .await
        .bytes()
        .await
        .expect("loopback answers")
        .to_vec();
    assert!(body.len() > 8);
    body
}

#[tokio::test]
async fn a_truncated_body_is_the_start_of_the_whole_and_ends_with_the_connection() {
    let whole = whole().await;
    let mut response = answered(HttpFault::Truncate).await;
    assert_eq!(response.content_length(), Some(whole.len() as u64));
    let begun = response.chunk().await.unwrap().unwrap();
    assert_eq!(begun, whole[..whole.len() / 2]);
    assert!(response.chunk().await.is_err());
}

#[tokio::test]
async fn a_halved_body_has_the_announced_length() {
    let whole = whole().await;
    let response = answered(HttpFault::Halve).await;
    assert_eq!(response.bytes().await.unwrap(), whole[..whole.len() / 2]);
}

#[tokio::test]
async fn a_trickling_body_is_complete_in_the_end() {
    let mut response = answered(HttpFault::Trickle(1)).await;
    let mut received = vec![];
    let mut chunks = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        chunks += 1;
        received.extend(chunk);
    }
    assert!(chunks > 1);
    assert_eq!(received, whole().await);
}

#[tokio::test]
async fn a_page_of_a_proxy_is_a_200_without_json() {
    let response = answered(HttpFault::ProxyPage).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=utf-8"
    );
    assert!(response.text().await.unwrap().starts_with("<html>"));
}

#[tokio::test]
async fn a_redirect_has_a_location_and_a_retry_has_its_delay() {
    let response = answered(HttpFault::Redirect).await;
    assert_eq!(response.status(), 302);
    assert!(response.headers().contains_key("location"));
    for status in [429, 503] {
        let response = answered(HttpFault::RetryAfter(status, 7)).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["retry-after"], "7");
    }
}
