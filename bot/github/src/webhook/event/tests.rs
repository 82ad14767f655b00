use serde_json::{Value, json};

use super::*;

const HEAD: &str = "1111111111111111111111111111111111111111";
const BASE: &str = "2222222222222222222222222222222222222222";
const MERGE: &str = "3333333333333333333333333333333333333333";

fn repository_event(event: &str, body: &Value) -> Option<RepositoryEvent> {
    match read(event, &body.to_string()).unwrap() {
        Some(Event::Repository(event)) => Some(*event),
        Some(Event::Ping) => panic!("a ping"),
        None => None,
    }
}

fn account(login: &str) -> Value {
    json!({"id": 5, "login": login, "type": "User", "gravatar_id": null})
}

fn pull(action: &str) -> Value {
    json!({
        "action": action,
        "number": 7,
        "pull_request": {
            "number": 7, "state": "open", "user": account("alice"),
            "head": {"ref": "wip", "sha": HEAD, "repo": null},
            "base": {"ref": "main", "sha": BASE, "repo": {"id": 9}},
            "merged": false, "merge_commit_sha": MERGE,
        },
        "repository": {"id": 9, "full_name": "acme/network", "license": {"spdx_id": null}},
        "installation": {"id": 3, "account": null},
        "sender": account("alice"),
    })
}

fn comment(action: &str, body: &str) -> Value {
    json!({
        "action": action,
        "issue": {"number": 7, "user": null, "pull_request": {"url": "…"}},
        "comment": {
            "id": 9_007_199_254_740_993_u64, "body": body, "user": account("bob"),
            "created_at": "2026-11-23T12:00:00Z", "updated_at": "2026-11-23T12:00:00Z",
            "performed_via_github_app": null, "author_association": "OWNER",
        },
        "repository": {"id": 9, "full_name": "acme/network"},
        "sender": account("bob"),
    })
}

fn push() -> Value {
    json!({
        "ref": "refs/heads/main", "before": BASE, "after": HEAD, "forced": true, "commits": [],
        "repository": {"id": 9, "full_name": "acme/network"}, "pusher": {"name": "alice"},
        "sender": account("alice"),
    })
}

#[test]
fn a_pull_request_is_opened_pushed_to_reopened_and_retargeted() {
    for (action, retargeted, wanted) in [
        ("opened", false, "PullOpened"),
        ("synchronize", false, "PullSynchronized"),
        ("reopened", false, "PullReopened"),
        ("edited", true, "PullRetargeted"),
        ("edited", false, "None"),
        ("labeled", false, "None"),
        ("an_action_of_tomorrow", false, "None"),
    ] {
        let mut body = pull(action);
        body["changes"] = if retargeted {
            json!({"base": {"ref": {"from": "old"}}})
        } else {
            json!({"title": {"from": "old"}})
        };
        let details = repository_event("pull_request", &body).map(|event| event.details);
        let shown = details.map_or("None".to_owned(), |details| format!("{details:?}"));
        assert!(shown.starts_with(wanted), "{action}: {shown}");
    }
}

#[test]
fn only_a_merge_has_a_merge_commit() {
    let mut body = pull("closed");
    body["pull_request"]["state"] = json!("closed");
    let EventDetails::PullClosed(closed) = repository_event("pull_request", &body).unwrap().details
    else {
        panic!("not closed")
    };
    assert_eq!(closed.merged, None, "the test merge is on no branch");
    body["pull_request"]["merged"] = json!(true);
    let EventDetails::PullClosed(merged) = repository_event("pull_request", &body).unwrap().details
    else {
        panic!("not closed")
    };
    assert_eq!(merged.merged.unwrap().as_str(), MERGE);
    assert_eq!(merged.base, "main");
    assert!(!merged.open);
    body["pull_request"]["merge_commit_sha"] = json!(null);
    assert!(read("pull_request", &body.to_string()).is_err());
}

#[test]
fn a_comment_keeps_its_author_its_sender_and_whether_it_was_edited() {
    let mut body = comment("created", "/plan");
    let event = repository_event("issue_comment", &body).unwrap();
    assert_eq!(event.repository.repository_id, 9);
    let EventDetails::Commented(comment_event) = event.details else {
        panic!("no comment")
    };
    assert_eq!(
        comment_event.id, 9_007_199_254_740_993,
        "2^53 + 1 is read exactly"
    );
    assert!(comment_event.on_pull && !comment_event.edited && !comment_event.via_app);
    assert_eq!(comment_event.opener, None, "a deleted account");
    body["comment"]["updated_at"] = json!("2026-11-23T12:00:01Z");
    body["comment"]["performed_via_github_app"] = json!({"id": 1});
    body["issue"]
        .as_object_mut()
        .unwrap()
        .remove("pull_request");
    body["comment"]["user"] = json!(null);
    let EventDetails::Commented(comment_event) =
        repository_event("issue_comment", &body).unwrap().details
    else {
        panic!("no comment")
    };
    assert!(!comment_event.on_pull && comment_event.edited && comment_event.via_app);
    assert_eq!(comment_event.author, None);
}

#[test]
fn edited_and_deleted_comments_are_not_new_ones() {
    let edited = repository_event("issue_comment", &comment("edited", "/apply")).unwrap();
    assert!(matches!(edited.details, EventDetails::CommentEdited(_)));
    let deleted = repository_event("issue_comment", &comment("deleted", "/apply")).unwrap();
    assert!(matches!(deleted.details, EventDetails::CommentDeleted(_)));
    assert!(repository_event("issue_comment", &comment("pinned", "/apply")).is_none());
}

#[test]
fn pushes_checks_and_pings_are_read() {
    let EventDetails::Pushed(pushed) = repository_event("push", &push()).unwrap().details else {
        panic!("no push")
    };
    assert!(pushed.forced && !pushed.before.is_zero());
    let check = json!({
        "action": "rerequested", "check_run": {"id": 4, "head_sha": HEAD, "app": {"id": 6}},
        "repository": {"id": 9, "full_name": "acme/network"}, "sender": account("alice"),
    });
    assert!(matches!(
        repository_event("check_run", &check).unwrap().details,
        EventDetails::CheckRerequested {
            check_run: Some(4),
            app: Some(6),
            ..
        }
    ));
    let ping = read("ping", r#"{"zen": "…", "hook_id": 1}"#).unwrap();
    assert_eq!(ping, Some(Event::Ping));
}

#[test]
fn other_events_are_not_read() {
    for event in [
        "star",
        "pull_request_review",
        "pull_request_review_comment",
        "commit_comment",
        "issues",
    ] {
        assert_eq!(read(event, "not even JSON").unwrap(), None, "{event}");
    }
}

/// Threat 10: the signature does not cover `X-GitHub-Event`.
#[test]
fn threat_10_a_body_of_another_kind_than_its_header_is_refused() {
    let mut review_comment = pull("edited");
    review_comment["comment"] = comment("created", "/apply")["comment"].clone();
    let mut review = pull("edited");
    review["review"] = json!({"id": 1, "body": "/apply"});
    let suite = json!({"action": "rerequested", "check_suite": {"head_sha": HEAD},
        "repository": {"id": 9, "full_name": "acme/network"}});
    let deployed = json!({"action": "created", "deployment": {}, "deployment_status": {},
        "check_run": {"id": 4, "head_sha": HEAD}, "repository": {"id": 9, "full_name": "acme/network"}});
    let ping = json!({"zen": "…", "hook_id": 1});
    let bodies = [
        ("pull_request", pull("opened")),
        ("issue_comment", comment("created", "/apply")),
        ("push", push()),
        ("check_suite", suite),
        ("ping", ping),
        ("none", deployed),
        ("none", review_comment),
        ("none", review),
    ];
    for header in [
        "pull_request",
        "issue_comment",
        "push",
        "check_run",
        "check_suite",
        "ping",
    ] {
        for (kind, body) in &bodies {
            let read = read(header, &body.to_string());
            assert_eq!(read.is_ok(), header == *kind, "{header} with {body}");
        }
    }
}

/// Threat 7: JSON that parsers disagree about.
#[test]
fn threat_7_json_that_could_be_read_two_ways_is_refused() {
    let good = comment("created", "/plan").to_string();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (case, body) in [
        (
            "a key twice",
            good.replacen("\"action\"", "\"action\":\"deleted\",\"action\"", 1),
        ),
        (
            "an author twice",
            good.replacen(
                "\"body\"",
                "\"user\":{\"id\":1,\"login\":\"alice\"},\"body\"",
                1,
            ),
        ),
        (
            "depth where we read",
            good.replacen("\"issue\":{", &format!("\"issue\":{deep},\"x\":{{"), 1),
        ),
        ("a lone surrogate", good.replacen("/plan", "\\ud800", 1)),
        (
            "a number beyond 64 bits",
            good.replacen("9007199254740993", "99999999999999999999999", 1),
        ),
        ("a fraction", good.replacen("9007199254740993", "1.5", 1)),
        ("two documents", format!("{good}{good}")),
        ("nothing", String::new()),
    ] {
        assert!(read("issue_comment", &body).is_err(), "{case}");
    }
    // A field that is not read is skipped without recursion.
    let unread = good.replacen("\"action\"", &format!("\"x\":{deep},\"action\""), 1);
    assert!(read("issue_comment", &unread).is_ok());
}

#[test]
fn a_sha_is_forty_or_sixty_four_lower_case_hex_digits() {
    assert_eq!(Sha::parse(HEAD).unwrap().short(), "1111111");
    assert!(Sha::parse(&"a".repeat(64)).is_ok());
    for text in [
        "",
        "abc",
        "../../../../../../../../../../../../../x",
        &"A".repeat(40),
        &"g".repeat(40),
    ] {
        assert!(Sha::parse(text).is_err(), "{text}");
    }
}
