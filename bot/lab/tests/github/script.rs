//! What is asked and done in a day: every operation at least once, and the refusals worth having.

use lab::github::{MergeMethod, NewPullRequest, WebhookFault};
use serde_json::{Value, json};

use crate::day::{CLAIM, Day, HOME, sha};

pub(crate) fn people(day: &mut Day) {
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
        day.get(path);
    }
    assert_eq!(
        day.get("collaborators/rita/permission")["permission"],
        "read"
    );
    assert_eq!(
        day.get("/orgs/acme/teams/operators/memberships/ivan")["state"],
        "pending"
    );
    for path in [
        "collaborators/nobody/permission",
        "/orgs/acme/memberships/mallory",
        "/users/nobody",
    ] {
        day.bot(404, "GET", path, &Value::Null);
    }
    let mallory = day.hub.token("mallory");
    day.say(&mallory, 404, "GET", ("", &Value::Null));
    day.say("", 404, "GET", ("", &Value::Null));
    day.say("ghp_wrong", 401, "GET", ("", &Value::Null));
}

pub(crate) fn app(day: &mut Day) {
    let (_, installation) = day.hub.app_ids();
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
        day.say(CLAIM, 200, "GET", (path, &Value::Null));
    }
    day.say("", 401, "GET", ("/app", &Value::Null));
    let made = day.say(
        CLAIM,
        201,
        "POST",
        (&format!("{one}/access_tokens"), &json!({})),
    );
    let token = made["token"].as_str().expect("it is a token").to_owned();
    day.say(&token, 200, "GET", ("", &Value::Null));
    day.say(&token, 204, "DELETE", ("/installation/token", &Value::Null));
    day.say(&token, 401, "GET", ("", &Value::Null));
    day.say(
        CLAIM,
        200,
        "PATCH",
        (
            "/app/hook/config",
            &json!({"url": "http://127.0.0.1:9/hook"}),
        ),
    );
    let log = day.say(CLAIM, 200, "GET", ("/app/hook/deliveries", &Value::Null));
    let id = log[0]["id"].to_string();
    day.say(
        CLAIM,
        200,
        "GET",
        (&format!("/app/hook/deliveries/{id}"), &Value::Null),
    );
    day.say(
        CLAIM,
        202,
        "POST",
        (&format!("/app/hook/deliveries/{id}/attempts"), &Value::Null),
    );
    day.say(
        "",
        201,
        "POST",
        ("/app-manifests/abc/conversions", &Value::Null),
    );
}

pub(crate) fn git(day: &mut Day) {
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
        day.get(path);
    }
    for path in [
        "contents/nothing",
        "contents/README.md?ref=nothing",
        "git/ref/heads/nothing",
        "branches/main/protection",
    ] {
        day.bot(404, "GET", path, &Value::Null);
    }
    let token = day.hub.bot_token();
    let raw = day.raw(
        &token,
        "GET",
        &format!("{HOME}/contents/README.md"),
        &Value::Null,
        &[("accept", "application/vnd.github.raw+json")],
    );
    assert_eq!(raw.body, b"# Network\n");
}

pub(crate) fn history(day: &mut Day) {
    let tip = sha(&day.get("git/ref/heads/main")["object"]);
    let blob = sha(&day.post(
        "git/blobs",
        &json!({"content": "aGVsbG8K", "encoding": "base64"}),
    ));
    assert_eq!(
        day.get(&format!("git/blobs/{blob}"))["content"],
        "aGVsbG8K\n"
    );
    let entries = json!([{"path": "history/run.json", "mode": "100644", "type": "blob", "sha": blob}, {"path": "README.md", "mode": "100644", "type": "blob", "sha": null}]);
    let tree = sha(&day.post("git/trees", &json!({"base_tree": tip, "tree": entries})));
    let commit = sha(&day.post(
        "git/commits",
        &json!({"message": "Note a run", "tree": tree, "parents": [tip]}),
    ));
    day.get(&format!("git/commits/{commit}"));
    day.post(
        "git/refs",
        &json!({"ref": "refs/heads/history", "sha": commit}),
    );
    day.bot(
        422,
        "POST",
        "git/refs",
        &json!({"ref": "refs/heads/history", "sha": commit}),
    );
    let other = sha(&day.post(
        "git/commits",
        &json!({"message": "Another", "tree": tree, "parents": [tip]}),
    ));
    day.bot(
        422,
        "PATCH",
        "git/refs/heads/history",
        &json!({"sha": other, "force": false}),
    );
    day.bot(
        200,
        "PATCH",
        "git/refs/heads/history",
        &json!({"sha": other, "force": true}),
    );
    let next = sha(&day.post(
        "git/commits",
        &json!({"message": "The next", "tree": tree, "parents": [other]}),
    ));
    day.bot(
        200,
        "PATCH",
        "git/refs/heads/history",
        &json!({"sha": next, "force": false}),
    );
    day.get("compare/main...history");
    day.bot(404, "GET", "compare/main...nothing", &Value::Null);
    day.post(
        "git/tags",
        &json!({"tag": "v1", "message": "one", "object": tip, "type": "commit"}),
    );
    write_a_file(day, &next);
    day.bot(204, "DELETE", "git/refs/heads/history", &Value::Null);
}

fn write_a_file(day: &mut Day, other: &str) {
    let note = json!({"message": "A note", "content": "YQ==", "branch": "history"});
    let made = day.bot(201, "PUT", "contents/notes/a.txt", &note);
    day.bot(422, "PUT", "contents/notes/a.txt", &note);
    let mut again =
        json!({"message": "A note", "content": "Yg==", "branch": "history", "sha": other});
    day.bot(409, "PUT", "contents/notes/a.txt", &again);
    again["sha"] = made["content"]["sha"].clone();
    day.bot(200, "PUT", "contents/notes/a.txt", &again);
}

pub(crate) fn pulls(day: &mut Day) {
    let alice = day.hub.token("alice");
    day.at()
        .commit_files(
            "alice",
            "wider",
            "Raise the MTU",
            &[("topology/oam.yaml", Some("vlan: 10\nmtu: 9000\n"))],
        )
        .expect("alice may push");
    let proposal =
        json!({"title": "Raise the MTU", "head": "wider", "base": "main", "body": "For storage."});
    day.say(&alice, 201, "POST", ("pulls", &proposal));
    day.say(&alice, 422, "POST", ("pulls", &proposal));
    day.say(
        &alice,
        422,
        "POST",
        (
            "pulls",
            &json!({"title": "None", "head": "nothing", "base": "main"}),
        ),
    );
    let head = day.get("pulls/1")["head"]["sha"].clone();
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
        day.get(path);
    }
    land(day, &alice, &head);
}

fn land(day: &mut Day, alice: &str, head: &Value) {
    day.say(
        alice,
        200,
        "PATCH",
        (
            "pulls/1",
            &json!({"title": "Raise the MTU to 9000", "body": "For storage, and soon."}),
        ),
    );
    day.bot(
        200,
        "POST",
        "pulls/1/reviews",
        &json!({"body": "Looks right", "event": "COMMENT"}),
    );
    day.get("pulls/1/reviews");
    day.post(
        "pulls/1/requested_reviewers",
        &json!({"reviewers": ["olga"]}),
    );
    day.say(
        alice,
        422,
        "POST",
        ("pulls/1/reviews", &json!({"event": "APPROVE"})),
    );
    day.at()
        .commit_files(
            "alice",
            "wider",
            "And say so",
            &[("README.md", Some("# Network\n\nWide.\n"))],
        )
        .expect("alice may push");
    day.say(
        alice,
        200,
        "PATCH",
        ("pulls/1", &json!({"state": "closed"})),
    );
    day.say(alice, 200, "PATCH", ("issues/1", &json!({"state": "open"})));
    day.say(alice, 409, "PUT", ("pulls/1/merge", &json!({"sha": head})));
    day.say(
        alice,
        200,
        "PUT",
        ("pulls/1/merge", &json!({"merge_method": "squash"})),
    );
    day.say(alice, 405, "PUT", ("pulls/1/merge", &json!({})));
    day.get("pulls/1");
    assert!(day.get("pulls?state=closed")[0]["merged_at"].is_string());
    day.bot(404, "GET", "pulls/7", &Value::Null);
}

pub(crate) fn comments(day: &mut Day) {
    let alice = day.hub.token("alice");
    let mine = day.post("issues/1/comments", &json!({"body": "A plan"}))["id"].clone();
    let theirs = day.say(
        &alice,
        201,
        "POST",
        ("issues/1/comments", &json!({"body": "/apply"})),
    )["id"]
        .clone();
    day.bot(
        422,
        "POST",
        "issues/1/comments",
        &json!({"body": "x".repeat(65_537)}),
    );
    day.bot(404, "POST", "issues/99/comments", &json!({"body": "x"}));
    day.get("issues/1/comments?per_page=1");
    day.get(&format!("issues/comments/{mine}"));
    day.bot(
        200,
        "PATCH",
        &format!("issues/comments/{mine}"),
        &json!({"body": "A better plan"}),
    );
    let reactions = format!("issues/comments/{theirs}/reactions");
    let eyes = day.post(&reactions, &json!({"content": "eyes"}))["id"].clone();
    day.bot(200, "POST", &reactions, &json!({"content": "eyes"}));
    day.bot(422, "POST", &reactions, &json!({"content": "shrug"}));
    day.get(&reactions);
    day.bot(204, "DELETE", &format!("{reactions}/{eyes}"), &Value::Null);
    day.post("issues/1/reactions", &json!({"content": "rocket"}));
    day.bot(
        200,
        "POST",
        "issues/1/reactions",
        &json!({"content": "rocket"}),
    );
    day.bot(
        204,
        "DELETE",
        &format!("issues/comments/{mine}"),
        &Value::Null,
    );
    day.bot(404, "GET", &format!("issues/comments/{mine}"), &Value::Null);
    day.bot(
        200,
        "POST",
        "issues/1/labels",
        &json!({"labels": ["applied", "gated"]}),
    );
    day.bot(200, "DELETE", "issues/1/labels/gated", &Value::Null);
    day.bot(404, "DELETE", "issues/1/labels/gated", &Value::Null);
    day.post(
        "labels",
        &json!({"name": "drift", "color": "ff0000", "description": "Not as declared"}),
    );
    day.bot(422, "POST", "labels", &json!({"name": "drift"}));
    day.get("labels");
    day.get("issues/1");
}

pub(crate) fn checks(day: &mut Day) {
    let head = sha(&day.get("commits/main"));
    let remark = |line: usize| json!({"path": "topology/oam.yaml", "start_line": line, "end_line": line, "annotation_level": "warning", "message": "wide"});
    let output =
        json!({"title": "2 changes", "summary": "Plan: 2 to change", "annotations": [remark(1)]});
    let run = json!({"name": "bot/plan", "head_sha": head, "external_id": "7f3a-91c2", "status": "in_progress", "output": output});
    let id = day.post("check-runs", &run)["id"].clone();
    day.bot(
        422,
        "POST",
        "check-runs",
        &json!({"name": "x", "head_sha": "0".repeat(40)}),
    );
    let many: Vec<Value> = (1..=51).map(remark).collect();
    day.bot(
        422,
        "PATCH",
        &format!("check-runs/{id}"),
        &json!({"output": {"title": "t", "summary": "s", "annotations": many}}),
    );
    let actions = json!([{"label": "Again", "description": "Plan again", "identifier": "replan"}]);
    day.bot(200, "PATCH", &format!("check-runs/{id}"), &json!({"status": "completed", "conclusion": "success", "output": {"title": "Done", "summary": "s", "annotations": [remark(2)]}, "actions": actions}));
    day.bot(
        422,
        "PATCH",
        &format!("check-runs/{id}"),
        &json!({"conclusion": "wonderful"}),
    );
    let suite = day.get(&format!("check-runs/{id}"))["check_suite"]["id"].clone();
    assert_eq!(
        day.get(&format!("check-runs/{id}/annotations"))
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    for path in [
        "commits/main/check-runs?check_name=bot%2Fplan&filter=latest",
        "commits/main/check-suites",
        &format!("check-suites/{suite}"),
    ] {
        day.get(path);
    }
    day.post(&format!("check-runs/{id}/rerequest"), &Value::Null);
    day.at()
        .press("alice", id.as_u64().expect("it is a number"), "replan");
    let alice = day.hub.token("alice");
    day.say(&alice, 403, "POST", ("check-runs", &run));
    for state in ["pending", "success"] {
        day.post(&format!("statuses/{head}"), &json!({"state": state, "context": "bot/apply", "description": "one", "target_url": "https://bot.example/1"}));
    }
    assert_eq!(day.get("commits/main/status")["state"], "success");
    assert_eq!(
        day.get("commits/main/statuses").as_array().map(Vec::len),
        Some(2)
    );
}

pub(crate) fn deployments(day: &mut Day) {
    let wanted = json!({"ref": "main", "environment": "site", "auto_merge": false, "required_contexts": [], "description": "Apply"});
    let id = day.post("deployments", &wanted)["id"].clone();
    day.bot(422, "POST", "deployments", &json!({"ref": "nothing"}));
    day.get("deployments?environment=site");
    day.get(&format!("deployments/{id}"));
    day.post(
        &format!("deployments/{id}/statuses"),
        &json!({"state": "success", "description": "Applied", "log_url": "https://bot.example/1"}),
    );
    day.bot(
        422,
        "POST",
        &format!("deployments/{id}/statuses"),
        &json!({"state": "glorious"}),
    );
    day.get(&format!("deployments/{id}/statuses"));
    day.bot(404, "GET", "deployments/1", &Value::Null);
    day.get("environments/site");
    day.bot(200, "PUT", "environments/site", &json!({}));
}

pub(crate) fn webhooks(day: &mut Day) {
    day.hub.ping();
    let mut at = day.at();
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
    day.hub.mishap(WebhookFault::Lose);
    day.hub.remove_user("alice");
    let token = day.hub.bot_token();
    day.say(&token, 200, "GET", ("issues/1/comments", &Value::Null));
    day.say(
        &token,
        201,
        "POST",
        (
            &format!("issues/{number}/comments"),
            &json!({"body": "She is gone"}),
        ),
    );
}
