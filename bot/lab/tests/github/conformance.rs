//! Compares every operation and every webhook of the lab's GitHub with GitHub's published API description.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::session::Session;
use crate::{requests, spec};

/// Of the description's 89 operations, those that the lab does not implement.
const NOT_SERVED: [&str; 1] = ["repos/download-tarball-archive"];
/// The webhooks that the lab sends.
const SENT: [&str; 15] = [
    "check_run completed",
    "check_run created",
    "check_run requested_action",
    "check_run rerequested",
    "issue_comment created",
    "issue_comment deleted",
    "issue_comment edited",
    "ping",
    "pull_request closed",
    "pull_request edited",
    "pull_request opened",
    "pull_request reopened",
    "pull_request synchronize",
    "push",
    "push deleted",
];

#[test]
fn every_answer_and_every_webhook_matches_the_published_description() {
    let spec = spec::Spec::read();
    let mut session = Session::begin();
    for part in [
        requests::people,
        requests::git,
        requests::history,
        requests::pulls,
        requests::comments,
        requests::checks,
        requests::deployments,
        requests::webhooks,
        requests::app,
    ] {
        part(&mut session);
    }
    let mut wrong = vec![];
    let mut served = BTreeSet::new();
    for line in &session.exchanges {
        let findings = spec.exchange(line);
        // A request that is answered with 422 is malformed on purpose.
        let on_purpose = line["status"] == 422;
        let found = findings
            .request
            .into_iter()
            .filter(|_| !on_purpose)
            .chain(findings.answer);
        let place = format!("{} {} {}", line["method"], line["path"], line["status"]);
        wrong.extend(found.map(|what| format!("{place}: {what}")));
        served.insert(findings.operation);
    }
    let mut sent = BTreeSet::new();
    for one in session.hub.deliveries() {
        let payload: Value = serde_json::from_slice(&one.body).expect("payloads are JSON");
        wrong.extend(
            spec.webhook(one.event, &payload)
                .into_iter()
                .map(|what| format!("{} {:?}: {what}", one.event, one.action)),
        );
        let deleted = one.event == "push" && payload["deleted"] == true;
        let action = if deleted {
            Some("deleted")
        } else {
            one.action.as_deref()
        };
        sent.insert(
            [one.event]
                .into_iter()
                .chain(action)
                .collect::<Vec<_>>()
                .join(" "),
        );
    }
    write_session(&session);
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let missing: Vec<String> = spec
        .operations()
        .into_iter()
        .filter(|id| !served.contains(id))
        .collect();
    assert_eq!(missing, NOT_SERVED);
    assert_eq!(sent.into_iter().collect::<Vec<_>>(), SENT);
}

/// Writes the session to a file, for other validators.
fn write_session(session: &Session) {
    let deliveries = session.hub.deliveries().into_iter().map(|one| {
        let headers: serde_json::Map<String, Value> =
            session.hub.headers(one).into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        let raw = String::from_utf8_lossy(&one.body).into_owned();
        let payload: Value = serde_json::from_str(&raw).expect("payloads are JSON");
        json!({"event": one.event, "headers": headers, "payload": payload, "raw": raw, "secret": session.hub.webhook_secret()})
    });
    let lines: Vec<String> = session
        .exchanges
        .iter()
        .cloned()
        .chain(deliveries)
        .map(|line| line.to_string())
        .collect();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("github.jsonl");
    std::fs::write(file, lines.join("\n")).expect("the target folder can be written to");
}
