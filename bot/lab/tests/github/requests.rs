//! The requests of a session: every operation at least once, and the important refusals.

use lab::github::{MergeMethod, NewPullRequest, WebhookFault};
use serde_json::{Value, json};

use crate::session::{CLAIM, HOME, Session, sha};

pub(crate) fn people(session: &mut Session) {
    for path in [
        "",
        "collaborators/alice/permission",
        "collaborators/rita/permission",
        "collaborators/mallory/permission",
        "teams",
        "/orgs/acme/teams/operators/memberships/alice",
        "/orgs/acme/teams/operators/memberships/ivan",
        "/orgs/acme/teams/operators/members",
        "/orgs/acme/memberships/olga",
        "/users/alice",
        "/rate_limit",
        "/meta",
        "/installation/repositories",
    ] {
        session.get(path);
    }
    assert_eq!(
        session.get("collaborators/rita/permission")["permission"],
        "read"
    );
    assert_eq!(
        session.get("/orgs/acme/teams/operators/memberships/ivan")["state"],
        "pending"
    );
    for path in [
        "collaborators/nobody/permission",
        "/orgs/acme/memberships/mallory",
        "/users/nobody",
    ] {
        session.bot(404, "GET", path, &Value::Null);
    }
    let mallory = session.hub.token("mallory");
    session.request_as(&mallory, 404, "GET", ("", &Value::Null));
    session.request_as("", 404, "GET", ("", &Value::Null));
    session.request_as("ghp_wrong", 401, "GET", ("", &Value::Null));
}

pub(crate) fn app(session: &mut Session) {
    let (_, installation) = session.hub.app_ids();
    let one = format!("/app/installations/{installation}");
    let paths = [
        "/app",
        "/app/installations",
        &one,
        "installation",
        "/orgs/acme/installation",
        "/app/hook/config",
        "/app/hook/deliveries?per_page=2",
    ];
    for path in paths {
        session.request_as(CLAIM, 200, "GET", (path, &Value::Null));
    }
    session.request_as("", 401, "GET", ("/app", &Value::Null));
    let created = session.request_as(
        CLAIM,
        201,
        "POST",
        (&format!("{one}/access_tokens"), &json!({})),
    );
    let token = created["token"].as_str().expect("it is a token").to_owned();
    session.request_as(&token, 200, "GET", ("", &Value::Null));
    session.request_as(&token, 204, "DELETE", ("/installation/token", &Value::Null));
    session.request_as(&token, 401, "GET", ("", &Value::Null));
    session.request_as(
        CLAIM,
        200,
        "PATCH",
        (
            "/app/hook/config",
            &json!({"url": "http://127.0.0.1:9/hook"}),
        ),
    );
    let log = session.request_as(CLAIM, 200, "GET", ("/app/hook/deliveries", &Value::Null));
    let id = log[0]["id"].to_string();
    session.request_as(
        CLAIM,
        200,
        "GET",
        (&format!("/app/hook/deliveries/{id}"), &Value::Null),
    );
    session.request_as(
        CLAIM,
        202,
        "POST",
        (&format!("/app/hook/deliveries/{id}/attempts"), &Value::Null),
    );
    session.request_as(
        "",
        201,
        "POST",
        ("/app-manifests/abc/conversions", &Value::Null),
    );
}

pub(crate) fn git(session: &mut Session) {
    for path in [
        "contents/README.md",
        "contents/topology?ref=main",
        "contents",
        "git/trees/main?recursive=1",
        "branches",
        "branches/main",
        "rules/branches/main",
        "commits",
        "commits/main",
        "git/ref/heads/main",
        "git/matching-refs/heads/ma",
    ] {
        session.get(path);
    }
    for path in [
        "contents/nothing",
        "contents/README.md?ref=nothing",
        "git/ref/heads/nothing",
        "branches/main/protection",
    ] {
        session.bot(404, "GET", path, &Value::Null);
    }
    let token = session.hub.bot_token();
    let raw = session.raw(
        &token,
        "GET",
        &format!("{HOME}/contents/README.md"),
        &Value::Null,
        &[("accept", "application/vnd.github.raw+json")],
    );
    assert_eq!(raw.body, b"# Network\n");
}

pub(crate) fn history(session: &mut Session) {
    let tip = sha(&session.get("git/ref/heads/main")["object"]);
    let blob = sha(&session.post(
        "git/blobs",
        &json!({"content": "aGVsbG8K", "encoding": "base64"}),
    ));
    assert_eq!(
        session.get(&format!("git/blobs/{blob}"))["content"],
        "aGVsbG8K\n"
    );
    let entries = json!([{"path": "history/run.json", "mode": "100644", "type": "blob", "sha": blob}, {"path": "README.md", "mode": "100644", "type": "blob", "sha": null}]);
    let tree = sha(&session.post("git/trees", &json!({"base_tree": tip, "tree": entries})));
    let commit = sha(&session.post(
        "git/commits",
        &json!({"message": "Note a run", "tree": tree, "parents": [tip]}),
    ));
    session.get(&format!("git/commits/{commit}"));
    session.post(
        "git/refs",
        &json!({"ref": "refs/heads/history", "sha": commit}),
    );
    session.bot(
        422,
        "POST",
        "git/refs",
        &json!({"ref": "refs/heads/history", "sha": commit}),
    );
    let other = sha(&session.post(
        "git/commits",
        &json!({"message": "Another", "tree": tree, "parents": [tip]}),
    ));
    session.bot(
        422,
        "PATCH",
        "git/refs/heads/history",
        &json!({"sha": other, "force": false}),
    );
    session.bot(
        200,
        "PATCH",
        "git/refs/heads/history",
        &json!({"sha": other, "force": true}),
    );
    let next = sha(&session.post(
        "git/commits",
        &json!({"message": "The next", "tree": tree, "parents": [other]}),
    ));
    session.bot(
        200,
        "PATCH",
        "git/refs/heads/history",
        &json!({"sha": next, "force": false}),
    );
    session.get("compare/main...history");
    session.bot(404, "GET", "compare/main...nothing", &Value::Null);
    session.post(
        "git/tags",
        &json!({"tag": "v1", "message": "one", "object": tip, "type": "commit"}),
    );
    write_a_file(session, &next);
    session.bot(204, "DELETE", "git/refs/heads/history", &Value::Null);
}

fn write_a_file(session: &mut Session, other: &str) {
    let note = json!({"message": "A note", "content": "YQ==", "branch": "history"});
    let created = session.bot(201, "PUT", "contents/notes/a.txt", &note);
    session.bot(422, "PUT", "contents/notes/a.txt", &note);
    let mut again =
        json!({"message": "A note", "content": "Yg==", "branch": "history", "sha": other});
    session.bot(409, "PUT", "contents/notes/a.txt", &again);
    again["sha"] = created["content"]["sha"].clone();
    session.bot(200, "PUT", "contents/notes/a.txt", &again);
}

pub(crate) fn pulls(session: &mut Session) {
    let alice = session.hub.token("alice");
    session
        .at()
        .commit_files(
            "alice",
            "wider",
            "Raise the MTU",
            &[("topology/oam.yaml", Some("vlan: 10\nmtu: 9000\n"))],
        )
        .expect("alice may push");
    let proposal =
        json!({"title": "Raise the MTU", "head": "wider", "base": "main", "body": "For storage."});
    session.request_as(&alice, 201, "POST", ("pulls", &proposal));
    session.request_as(&alice, 422, "POST", ("pulls", &proposal));
    session.request_as(
        &alice,
        422,
        "POST",
        (
            "pulls",
            &json!({"title": "None", "head": "nothing", "base": "main"}),
        ),
    );
    let head = session.get("pulls/1")["head"]["sha"].clone();
    for path in [
        "pulls/1",
        "pulls",
        "pulls?state=all&sort=updated&direction=asc",
        "pulls/1/files",
        "pulls/1/commits",
        "pulls/1/reviews",
        "issues/1",
        &format!("commits/{}/pulls", head.as_str().unwrap_or_default()),
    ] {
        session.get(path);
    }
    edit_and_merge(session, &alice, &head);
}

fn edit_and_merge(session: &mut Session, alice: &str, head: &Value) {
    session.request_as(
        alice,
        200,
        "PATCH",
        (
            "pulls/1",
            &json!({"title": "Raise the MTU to 9000", "body": "For storage, and soon."}),
        ),
    );
    session.bot(
        200,
        "POST",
        "pulls/1/reviews",
        &json!({"body": "Looks right", "event": "COMMENT"}),
    );
    session.get("pulls/1/reviews");
    session.post(
        "pulls/1/requested_reviewers",
        &json!({"reviewers": ["olga"]}),
    );
    session.request_as(
        alice,
        422,
        "POST",
        ("pulls/1/reviews", &json!({"event": "APPROVE"})),
    );
    session
        .at()
        .commit_files(
            "alice",
            "wider",
            "And say so",
            &[("README.md", Some("# Network\n\nWide.\n"))],
        )
        .expect("alice may push");
    session.request_as(
        alice,
        200,
        "PATCH",
        ("pulls/1", &json!({"state": "closed"})),
    );
    session.request_as(alice, 200, "PATCH", ("issues/1", &json!({"state": "open"})));
    session.request_as(alice, 409, "PUT", ("pulls/1/merge", &json!({"sha": head})));
    session.request_as(
        alice,
        200,
        "PUT",
        ("pulls/1/merge", &json!({"merge_method": "squash"})),
    );
    session.request_as(alice, 405, "PUT", ("pulls/1/merge", &json!({})));
    session.get("pulls/1");
    assert!(session.get("pulls?state=closed")[0]["merged_at"].is_string());
    session.bot(404, "GET", "pulls/7", &Value::Null);
}

pub(crate) fn comments(session: &mut Session) {
    let alice = session.hub.token("alice");
    let mine = session.post("issues/1/comments", &json!({"body": "A plan"}))["id"].clone();
    let theirs = session.request_as(
        &alice,
        201,
        "POST",
        ("issues/1/comments", &json!({"body": "/apply"})),
    )["id"]
        .clone();
    session.bot(
        422,
        "POST",
        "issues/1/comments",
        &json!({"body": "x".repeat(65_537)}),
    );
    session.bot(404, "POST", "issues/99/comments", &json!({"body": "x"}));
    session.get("issues/1/comments?per_page=1");
    session.get(&format!("issues/comments/{mine}"));
    session.bot(
        200,
        "PATCH",
        &format!("issues/comments/{mine}"),
        &json!({"body": "A better plan"}),
    );
    let reactions = format!("issues/comments/{theirs}/reactions");
    let eyes = session.post(&reactions, &json!({"content": "eyes"}))["id"].clone();
    session.bot(200, "POST", &reactions, &json!({"content": "eyes"}));
    session.bot(422, "POST", &reactions, &json!({"content": "shrug"}));
    session.get(&reactions);
    session.bot(204, "DELETE", &format!("{reactions}/{eyes}"), &Value::Null);
    session.post("issues/1/reactions", &json!({"content": "rocket"}));
    session.bot(
        200,
        "POST",
        "issues/1/reactions",
        &json!({"content": "rocket"}),
    );
    session.bot(
        204,
        "DELETE",
        &format!("issues/comments/{mine}"),
        &Value::Null,
    );
    session.bot(404, "GET", &format!("issues/comments/{mine}"), &Value::Null);
    session.bot(
        200,
        "POST",
        "issues/1/labels",
        &json!({"labels": ["applied", "gated"]}),
    );
    session.bot(200, "DELETE", "issues/1/labels/gated", &Value::Null);
    session.bot(404, "DELETE", "issues/1/labels/gated", &Value::Null);
    session.post(
        "labels",
        &json!({"name": "drift", "color": "ff0000", "description": "Not as declared"}),
    );
    session.bot(422, "POST", "labels", &json!({"name": "drift"}));
    session.get("labels");
    session.get("issues/1");
}

pub(crate) fn checks(session: &mut Session) {
    let head = sha(&session.get("commits/main"));
    let remark = |line: usize| json!({"path": "topology/oam.yaml", "start_line": line, "end_line": line, "annotation_level": "warning", "message": "wide"});
    let output =
        json!({"title": "2 changes", "summary": "Plan: 2 to change", "annotations": [remark(1)]});
    let run = json!({"name": "bot/plan", "head_sha": head, "external_id": "7f3a-91c2", "status": "in_progress", "output": output});
    let id = session.post("check-runs", &run)["id"].clone();
    session.bot(
        422,
        "POST",
        "check-runs",
        &json!({"name": "x", "head_sha": "0".repeat(40)}),
    );
    let many: Vec<Value> = (1..=51).map(remark).collect();
    session.bot(
        422,
        "PATCH",
        &format!("check-runs/{id}"),
        &json!({"output": {"title": "t", "summary": "s", "annotations": many}}),
    );
    let actions = json!([{"label": "Again", "description": "Plan again", "identifier": "replan"}]);
    session.bot(200, "PATCH", &format!("check-runs/{id}"), &json!({"status": "completed", "conclusion": "success", "output": {"title": "Done", "summary": "s", "annotations": [remark(2)]}, "actions": actions}));
    session.bot(
        422,
        "PATCH",
        &format!("check-runs/{id}"),
        &json!({"conclusion": "wonderful"}),
    );
    let suite = session.get(&format!("check-runs/{id}"))["check_suite"]["id"].clone();
    assert_eq!(
        session
            .get(&format!("check-runs/{id}/annotations"))
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    for path in [
        "commits/main/check-runs?check_name=bot%2Fplan&filter=latest",
        "commits/main/check-suites",
        &format!("check-suites/{suite}"),
    ] {
        session.get(path);
    }
    session.post(&format!("check-runs/{id}/rerequest"), &Value::Null);
    session
        .at()
        .request_action("alice", id.as_u64().expect("it is a number"), "replan");
    let alice = session.hub.token("alice");
    session.request_as(&alice, 403, "POST", ("check-runs", &run));
    for state in ["pending", "success"] {
        session.post(&format!("statuses/{head}"), &json!({"state": state, "context": "bot/apply", "description": "one", "target_url": "https://bot.example/1"}));
    }
    assert_eq!(session.get("commits/main/status")["state"], "success");
    assert_eq!(
        session
            .get("commits/main/statuses")
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

pub(crate) fn deployments(session: &mut Session) {
    let wanted = json!({"ref": "main", "environment": "site", "auto_merge": false, "required_contexts": [], "description": "Apply"});
    let id = session.post("deployments", &wanted)["id"].clone();
    session.bot(422, "POST", "deployments", &json!({"ref": "nothing"}));
    session.get("deployments?environment=site");
    session.get(&format!("deployments/{id}"));
    session.post(
        &format!("deployments/{id}/statuses"),
        &json!({"state": "success", "description": "Applied", "log_url": "https://bot.example/1"}),
    );
    session.bot(
        422,
        "POST",
        &format!("deployments/{id}/statuses"),
        &json!({"state": "glorious"}),
    );
    session.get(&format!("deployments/{id}/statuses"));
    session.bot(404, "GET", "deployments/1", &Value::Null);
    session.get("environments/site");
    session.bot(200, "PUT", "environments/site", &json!({}));
}

pub(crate) fn webhooks(session: &mut Session) {
    session.hub.ping();
    let mut at = session.at();
    at.commit_files(
        "alice",
        "split",
        "Split",
        &[("topology/b.yaml", Some("vlan: 20\n"))],
    )
    .expect("alice may push");
    let proposal = NewPullRequest {
        head: "split",
        base: "main",
        title: "Split",
        body: "",
    };
    let number = at.open_pull("alice", proposal).expect("it opens");
    let comment = at.comment("alice", number, "/plan").expect("she may");
    at.edit_comment("alice", comment, "/status")
        .expect("it is hers");
    at.delete_comment("alice", comment).expect("it is hers");
    at.open_issue("alice", "An issue", "It is none");
    at.close("alice", number).expect("it is hers");
    at.reopen("alice", number).expect("it is hers");
    at.merge("alice", number, MergeMethod::Merge)
        .expect("it is mergeable");
    session.hub.inject_webhook_fault(WebhookFault::Lose);
    session.hub.remove_user("alice");
    let token = session.hub.bot_token();
    session.request_as(&token, 200, "GET", ("issues/1/comments", &Value::Null));
    session.request_as(
        &token,
        201,
        "POST",
        (
            &format!("issues/{number}/comments"),
            &json!({"body": "She is gone"}),
        ),
    );
}
