//! Servers that answer in MAAS's place: which one spoke, and what to do about it.

use std::sync::Arc;

use topology::observed::Scope;

use crate::scripted::{ScriptedTransport, fixed_environment, json, page, text};
use crate::tests::filled;
use crate::*;

fn by(response: MaasResponse, change: impl FnOnce(&mut AnswerHeaders)) -> MaasResponse {
    let mut headers = AnswerHeaders::default();
    change(&mut headers);
    MaasResponse {
        headers,
        ..response
    }
}

/// A MAAS that answers `GET subnets/` with this every time.
fn answering(answer: &Result<MaasResponse, LostAnswer>) -> Arc<ScriptedTransport> {
    let maas = ScriptedTransport::default();
    for _ in 0..4 {
        maas.push("GET subnets/", answer.clone());
    }
    filled(maas)
}

/// The error of a read that is answered with this, and how often it was sent.
async fn error(response: MaasResponse) -> (String, usize) {
    let maas = answering(&Ok(response));
    let client = MaasClient::new(Arc::clone(&maas), fixed_environment().0);
    let error = client.reader().observe(&Scope::default()).await;
    let sent = maas.requests();
    let sent = sent.iter().filter(|line| *line == "GET subnets/").count();
    (error.unwrap_err().to_string(), sent)
}

/// Headers of a proxy.
fn squid(headers: &mut AnswerHeaders) {
    headers.server = "squid/5.7".to_owned();
    headers.via = "1.1 gate".to_owned();
}

/// A response, a part of what is said of it, and how often it was asked for.
type Answered = (MaasResponse, &'static str, usize);

/// Answers that trying again does not change, and that no setting is at fault for.
fn refusals() -> [Answered; 5] {
    [
        (
            by(page(407, "<h1>Login</h1>"), squid),
            "a server on the way to MAAS (squid/5.7, via 1.1 gate) wants a login (407)",
            1,
        ),
        (
            by(page(401, "<h1>Login</h1>"), |it| {
                it.authenticate = "Basic realm=\"gate\"".to_owned();
            }),
            "wants a login of its own (401, Basic), and it is not MAAS, so the API key is not at fault",
            1,
        ),
        (
            by(page(401, "Authorization Error: Invalid API key."), |it| {
                it.authenticate = "OAuth realm=\"OAuth\"".to_owned();
            }),
            "MAAS does not accept the API key",
            1,
        ),
        (
            by(page(403, "<h1>Blocked</h1>"), squid),
            "(squid/5.7, via 1.1 gate) answered with a web page (403)",
            1,
        ),
        (text(403, "No."), "the API key's user may not read this", 1),
    ]
}

#[tokio::test]
async fn who_answered_in_the_place_of_maas_is_named_with_what_to_do() {
    let rows = [
        (
            by(page(502, "<h1>Bad Gateway</h1>"), squid),
            "(squid/5.7, via 1.1 gate) answered 502 after 4 attempts",
            4,
        ),
        (
            text(502, ""),
            "a server on the way to MAAS answered 502 after 4 attempts",
            4,
        ),
        (
            page(504, "<h1>late</h1>"),
            "a server on the way to MAAS answered 504 after 4 attempts",
            4,
        ),
        (
            page(503, "<h1>away</h1>"),
            "a server on the way to MAAS answered 503 after 4 attempts",
            4,
        ),
        (
            text(503, "busy"),
            "MAAS answered 503 after 4 attempts: busy",
            4,
        ),
        (json(429, "{}"), "MAAS answered 429 after 4 attempts", 4),
        (text(500, "oops"), "MAAS answered 500: oops", 1),
        (
            by(text(301, ""), |it| {
                it.location = "https://maas.test:5443/MAAS/?next=x".to_owned();
            }),
            "redirect (301) to `https://maas.test:5443/MAAS/`; configure the URL",
            1,
        ),
        (
            page(
                400,
                "<center>The plain HTTP request was sent to HTTPS port</center>",
            ),
            "begin `maas_url` with `https://`",
            1,
        ),
        (
            text(400, "Client sent an HTTP request to an HTTPS server.\n"),
            "begin `maas_url` with `https://`",
            1,
        ),
    ];
    for (response, expected, attempts) in refusals().into_iter().chain(rows) {
        let (message, sent) = error(response).await;
        assert!(message.contains(expected), "{expected}: {message}");
        assert_eq!(sent, attempts, "{message}");
    }
}

#[tokio::test]
async fn what_cannot_work_until_a_setting_changes_is_tried_once() {
    let lost = Err(LostAnswer::Misconfigured("set `maas_ca_file`".to_owned()));
    let maas = answering(&lost);
    let client = MaasClient::new(Arc::clone(&maas), fixed_environment().0);
    let error = client.reader().observe(&Scope::default()).await;
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("cannot connect: set `maas_ca_file`"),
        "{message}"
    );
    let sent = maas.requests();
    let sent = sent.iter().filter(|line| *line == "GET subnets/");
    assert_eq!(sent.count(), 1);
}
