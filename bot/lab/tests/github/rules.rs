//! Behaviour of GitHub that no schema describes: merges, fast-forwards, pagination, permissions, forks.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on should stop its test"
)]

use std::collections::BTreeMap;

use lab::github::{LabGitHub, MergeMethod, NewPullRequest, Oid, RepositoryPermission};
use lab::wire::{LabRequest, LabResponse, pairs};
use serde_json::{Value, json};

pub(crate) const NETWORK: &str = "acme/network";

/// A public repository with one file of five lines, which alice may change.
pub(crate) fn github() -> LabGitHub {
    let mut hub = LabGitHub::new("bot");
    hub.add_user("mallory");
    let mut at = hub.create_repository(NETWORK, false);
    at.grant("alice", RepositoryPermission::Write);
    at.commit_files(
        "alice",
        "main",
        "Begin",
        &[("plane.yaml", Some("1\n2\n3\n4\n5\n"))],
    )
    .unwrap();
    hub
}

pub(crate) fn propose(hub: &mut LabGitHub, branch: &str, text: &str) -> u64 {
    let mut at = hub.at(NETWORK);
    at.commit_files(
        "alice",
        branch,
        &format!("Write {branch}"),
        &[("plane.yaml", Some(text))],
    )
    .unwrap();
    at.open_pull(
        "alice",
        NewPullRequest {
            head: branch,
            base: "main",
            title: branch,
            body: "",
        },
    )
    .unwrap()
}

fn ask(
    hub: &mut LabGitHub,
    token: &str,
    method: &str,
    (path, body): (&str, &Value),
) -> LabResponse {
    ask_with(hub, token, method, (path, body), &[])
}

fn ask_with(
    hub: &mut LabGitHub,
    token: &str,
    method: &str,
    (path, body): (&str, &Value),
    more: &[(&str, &str)],
) -> LabResponse {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut headers = vec![("authorization".to_owned(), format!("token {token}"))];
    headers.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    hub.answer(&LabRequest {
        method: method.to_owned(),
        path: format!("/repos/{NETWORK}{path}"),
        query: pairs(query),
        headers,
        body: body.to_string().into_bytes(),
        now: 0,
    })
}

fn json_of(response: &LabResponse) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

#[test]
fn a_ref_moves_only_forwards_unless_forced() {
    let mut hub = github();
    let token = hub.bot_token();
    let base = hub.at(NETWORK).head("main").unwrap().to_string();
    let tree = json_of(&ask(
        &mut hub,
        &token,
        "GET",
        (&format!("/git/commits/{base}"), &Value::Null),
    ))["tree"]["sha"]
        .clone();
    let commit = |hub: &mut LabGitHub, message: &str| {
        let body = json!({"message": message, "tree": tree, "parents": [base]});
        json_of(&ask(hub, &token, "POST", ("/git/commits", &body)))["sha"].clone()
    };
    let (ours, theirs) = (commit(&mut hub, "ours"), commit(&mut hub, "theirs"));
    let mut update = |sha: &Value, force: bool| {
        let response = ask(
            &mut hub,
            &token,
            "PATCH",
            ("/git/refs/heads/main", &json!({"sha": sha, "force": force})),
        );
        (response.status, json_of(&response)["message"].clone())
    };
    assert_eq!(update(&ours, false).0, 200);
    assert_eq!(
        update(&theirs, false),
        (422, json!("Update is not a fast forward"))
    );
    assert_eq!(update(&theirs, true).0, 200);
}

/// After a merge with this method: the number of parents of the tip of main, the files of main, and its history.
fn merged_by(how: MergeMethod) -> (usize, BTreeMap<String, String>, Vec<String>) {
    let mut hub = github();
    let number = propose(&mut hub, "top", "one\n2\n3\n4\n5\n");
    hub.at(NETWORK)
        .commit_files("alice", "top", "More", &[("more.yaml", Some("more\n"))])
        .unwrap();
    hub.at(NETWORK)
        .commit_files(
            "alice",
            "main",
            "Meanwhile",
            &[("plane.yaml", Some("1\n2\n3\n4\nfive\n"))],
        )
        .unwrap();
    let mut at = hub.at(NETWORK);
    let oid = at.merge("alice", number, how).unwrap();
    assert_eq!(at.head("main"), Some(oid));
    assert_eq!(at.pull_state(number), Some("merged"));
    let files = at.files_at("main");
    let log = at
        .log("main")
        .into_iter()
        .map(|seen| seen.message.lines().next().unwrap_or_default().to_owned())
        .collect();
    let token = hub.bot_token();
    let parents = json_of(&ask(
        &mut hub,
        &token,
        "GET",
        (&format!("/git/commits/{oid}"), &Value::Null),
    ))["parents"]
        .clone();
    let shown = json_of(&ask(
        &mut hub,
        &token,
        "GET",
        (&format!("/pulls/{number}"), &Value::Null),
    ));
    assert_eq!(shown["merge_commit_sha"], oid.to_string());
    (parents.as_array().unwrap().len(), files, log)
}

#[test]
fn every_merge_method_keeps_both_sides_of_a_file() {
    let both = BTreeMap::from([
        ("more.yaml".to_owned(), "more\n".to_owned()),
        ("plane.yaml".to_owned(), "one\n2\n3\n4\nfive\n".to_owned()),
    ]);
    let (parents, files, log) = merged_by(MergeMethod::Merge);
    assert_eq!((parents, files), (2, both.clone()));
    assert_eq!(
        log,
        [
            "Merge pull request #1 from acme/top",
            "Meanwhile",
            "More",
            "Write top",
            "Begin"
        ]
    );
    let (parents, files, log) = merged_by(MergeMethod::Squash);
    assert_eq!((parents, files), (1, both.clone()));
    assert_eq!(log, ["top (#1)", "Meanwhile", "Begin"]);
    let (parents, files, log) = merged_by(MergeMethod::Rebase);
    assert_eq!((parents, files), (1, both));
    assert_eq!(log, ["More", "Write top", "Meanwhile", "Begin"]);
}

#[test]
fn a_squash_onto_an_unchanged_base_has_the_tree_of_the_head() {
    let mut hub = github();
    let number = propose(&mut hub, "top", "one\n2\n3\n4\n5\n");
    let mut at = hub.at(NETWORK);
    let before = at.files_at("top");
    at.merge("alice", number, MergeMethod::Squash).unwrap();
    assert_eq!(at.files_at("main"), before);
}

#[test]
fn a_conflict_is_shown_and_not_merged() {
    let mut hub = github();
    let first = propose(&mut hub, "first", "eins\n2\n3\n4\n5\n");
    let second = propose(&mut hub, "second", "uno\n2\n3\n4\n5\n");
    hub.at(NETWORK)
        .merge("alice", first, MergeMethod::Merge)
        .unwrap();
    let token = hub.bot_token();
    let shown = json_of(&ask(
        &mut hub,
        &token,
        "GET",
        (&format!("/pulls/{second}"), &Value::Null),
    ));
    assert_eq!(
        (&shown["mergeable"], &shown["merge_commit_sha"]),
        (&json!(false), &Value::Null)
    );
    let refused = hub
        .at(NETWORK)
        .merge("alice", second, MergeMethod::Squash)
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "GitHub answered 405: Pull Request is not mergeable"
    );
    assert_eq!(hub.at(NETWORK).pull_state(second), Some("open"));
}

#[test]
fn a_pull_request_follows_its_branch_and_closes_when_its_head_is_pushed_to_the_base() {
    let mut hub = github();
    let number = propose(&mut hub, "top", "one\n2\n3\n4\n5\n");
    let before = hub.at(NETWORK).head("top").unwrap();
    let after = hub
        .at(NETWORK)
        .commit_files("alice", "top", "More", &[("b", Some("b"))])
        .unwrap();
    let last = payload(&hub, hub.deliveries().len() - 1);
    let seen = [
        &last["action"],
        &last["before"],
        &last["after"],
        &last["pull_request"]["head"]["sha"],
    ];
    assert_eq!(
        seen,
        [
            &json!("synchronize"),
            &json!(before.to_string()),
            &json!(after.to_string()),
            &json!(after.to_string())
        ]
    );
    hub.at(NETWORK).push("alice", "main", after).unwrap();
    assert_eq!(hub.at(NETWORK).pull_state(number), Some("merged"));
}

fn payload(hub: &LabGitHub, at: usize) -> Value {
    serde_json::from_slice(&hub.deliveries()[at].body).unwrap()
}

#[test]
fn long_lists_come_in_pages_that_link_to_each_other() {
    let mut hub = github();
    let number = propose(&mut hub, "top", "one\n2\n3\n4\n5\n");
    for at in 0..5 {
        hub.at(NETWORK)
            .comment("alice", number, &format!("{at}"))
            .unwrap();
    }
    let token = hub.bot_token();
    let mut seen = vec![];
    let mut path = format!("/issues/{number}/comments?per_page=2");
    let mut links = vec![];
    loop {
        let response = ask(&mut hub, &token, "GET", (&path, &Value::Null));
        for comment in json_of(&response).as_array().unwrap() {
            seen.push(comment["body"].as_str().unwrap().to_owned());
        }
        let link = response
            .headers
            .iter()
            .find(|(name, _)| name == "link")
            .unwrap()
            .1
            .clone();
        links.push(
            link.split(", ")
                .map(|one| one.rsplit_once("rel=").unwrap().1.to_owned())
                .collect::<Vec<_>>()
                .join(" "),
        );
        let Some(next) = link.split(", ").find(|one| one.ends_with("rel=\"next\"")) else {
            break;
        };
        let url = next.trim_start_matches('<').split('>').next().unwrap();
        path = url.split_once(NETWORK).unwrap().1.to_owned();
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4"]);
    assert_eq!(
        links,
        [
            r#""next" "last""#,
            r#""prev" "next" "last" "first""#,
            r#""prev" "first""#
        ]
    );
}

#[test]
fn a_comment_is_changed_only_by_patch() {
    let mut hub = github();
    let number = propose(&mut hub, "top", "one\n2\n3\n4\n5\n");
    let id = hub.at(NETWORK).comment("alice", number, "first").unwrap();
    let (path, alice, mallory) = (
        format!("/issues/comments/{id}"),
        hub.token("alice"),
        hub.token("mallory"),
    );
    let mut status = |token: &str, method: &str| {
        ask(&mut hub, token, method, (&path, &json!({"body": "second"}))).status
    };
    // octocrab 0.54.9 updates comments by POST.
    assert_eq!(
        (
            status(&alice, "POST"),
            status(&mallory, "PATCH"),
            status(&alice, "PATCH")
        ),
        (404, 403, 200)
    );
    let seen = hub.at(NETWORK).comments(number);
    assert_eq!((seen[0].body.as_str(), seen[0].edited), ("second", true));
}

#[test]
fn an_unchanged_answer_is_not_sent_again_and_does_not_count_against_the_rate_limit() {
    let mut hub = github();
    let token = hub.bot_token();
    let header = |response: &LabResponse, name: &str| {
        response
            .headers
            .iter()
            .find(|(own, _)| own == name)
            .unwrap()
            .1
            .clone()
    };
    let first = ask(&mut hub, &token, "GET", ("/pulls", &Value::Null));
    let tag = header(&first, "etag");
    let again = ask_with(
        &mut hub,
        &token,
        "GET",
        ("/pulls", &Value::Null),
        &[("if-none-match", &tag)],
    );
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(
        header(&again, "x-ratelimit-remaining"),
        header(&first, "x-ratelimit-remaining")
    );
    propose(&mut hub, "top", "one\n");
    let other = ask_with(
        &mut hub,
        &token,
        "GET",
        ("/pulls", &Value::Null),
        &[("if-none-match", &tag)],
    );
    assert_eq!(other.status, 200);
    hub.set_remaining_requests(&token, 1);
    let spent: Vec<u16> = (0..2)
        .map(|_| ask(&mut hub, &token, "GET", ("", &Value::Null)).status)
        .collect();
    assert_eq!(spent, [200, 403]);
}

#[test]
fn the_same_requests_give_the_same_bytes() {
    let run = || {
        let mut hub = github();
        let number = propose(&mut hub, "top", "one\n");
        hub.at(NETWORK)
            .comment("mallory", number, "/apply")
            .unwrap();
        hub.at(NETWORK)
            .merge("alice", number, MergeMethod::Squash)
            .unwrap();
        hub.deliveries().into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn users_without_write_access_can_comment_but_change_nothing() {
    let mut hub = github();
    let number = propose(&mut hub, "top", "one\n");
    let mut at = hub.at(NETWORK);
    let refused = [
        at.merge("mallory", number, MergeMethod::Merge)
            .map(drop)
            .unwrap_err(),
        at.close("mallory", number).unwrap_err(),
        at.push("mallory", "main", Oid::ZERO).unwrap_err(),
    ];
    assert_eq!(refused.map(|refused| refused.status), [403, 403, 403]);
    at.comment("mallory", number, "/apply").unwrap();
    at.lock(number);
    assert_eq!(
        at.comment("mallory", number, "/apply").unwrap_err().status,
        403
    );
}

#[test]
fn a_pull_request_from_a_fork_follows_it_and_outlives_it() {
    let mut hub = github();
    let fork = hub.fork(NETWORK, "mallory");
    let write = |hub: &mut LabGitHub, text: &str| {
        let files = [("plane.yaml", Some(text))];
        hub.at(&fork)
            .commit_files("mallory", "fix", "Fix", &files)
            .unwrap()
    };
    write(&mut hub, "uno\n2\n3\n4\n5\n");
    let before = hub.deliveries().len();
    let proposal = NewPullRequest {
        head: "mallory:fix",
        base: "main",
        title: "Fix",
        body: "",
    };
    let number = hub.at(NETWORK).open_pull("mallory", proposal).unwrap();
    let oid = write(&mut hub, "one\n2\n3\n4\n5\n");
    let sent: Vec<_> = hub.deliveries()[before..]
        .iter()
        .map(|one| (one.event, one.action.as_deref()))
        .collect();
    assert_eq!(
        sent,
        [
            ("pull_request", Some("opened")),
            ("pull_request", Some("synchronize"))
        ]
    );
    let token = hub.bot_token();
    let head = json_of(&ask(
        &mut hub,
        &token,
        "GET",
        (&format!("/pulls/{number}"), &Value::Null),
    ))["head"]
        .clone();
    assert_eq!(
        [
            &head["label"],
            &head["repo"]["full_name"],
            &head["repo"]["fork"]
        ],
        [&json!("mallory:fix"), &json!(fork), &json!(true)]
    );
    let path = format!("/contents/plane.yaml?ref={oid}");
    assert_eq!(
        ask(&mut hub, &token, "GET", (&path, &Value::Null)).status,
        200
    );
    hub.delete_repository(&fork);
    let head = json_of(&ask(
        &mut hub,
        &token,
        "GET",
        (&format!("/pulls/{number}"), &Value::Null),
    ))["head"]
        .clone();
    assert_eq!(head["repo"], Value::Null);
    hub.at(NETWORK)
        .merge("alice", number, MergeMethod::Merge)
        .unwrap();
    assert_eq!(
        hub.at(NETWORK).files_at("main")["plane.yaml"],
        "one\n2\n3\n4\n5\n"
    );
}

#[test]
fn a_renamed_repository_redirects_and_a_new_one_of_its_name_has_another_id() {
    let mut hub = github();
    let token = hub.bot_token();
    let id =
        |hub: &mut LabGitHub| json_of(&ask(hub, &token, "GET", ("", &Value::Null)))["id"].clone();
    let old = id(&mut hub);
    hub.rename_repository(NETWORK, "acme/planes");
    let moved = ask(&mut hub, &token, "GET", ("", &Value::Null));
    assert_eq!(
        (moved.status, &json_of(&moved)["url"]),
        (301, &json!(format!("http://127.0.0.1/repositories/{old}")))
    );
    hub.create_repository(NETWORK, false);
    assert_ne!(id(&mut hub), old);
}
