//! How many requests are sent, with which headers, and what is answered from memory.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use lab::github::{RepositoryActions, RepositoryPermission as Grant};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::super::*;
use crate::tests::{NAME, lab_fixture, now, settings, token};
use crate::webhook::event::{PullNumber, Sha};

const SHA: &str = "1111111111111111111111111111111111111111";
const BLOB: &str = "2222222222222222222222222222222222222222";

/// A GitHub that answers as a test says, and what it was asked.
struct ScriptedServer {
    url: String,
    requests: Arc<Mutex<Vec<SeenRequest>>>,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct SeenRequest {
    /// Method and path with query.
    line: String,
    headers: HeaderMap,
}

impl SeenRequest {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl ScriptedServer {
    async fn new(
        answer: impl Fn(&SeenRequest) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let router = Router::new().fallback(async move |request: Request| {
            let seen = SeenRequest {
                line: format!("{} {}", request.method(), request.uri()),
                headers: request.headers().clone(),
            };
            locked(&log).push(seen.clone());
            answer(&seen)
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("serving until the test drops it");
        });
        Self {
            url,
            requests,
            _tasks: tasks,
        }
    }

    fn seen(&self) -> Vec<SeenRequest> {
        locked(&self.requests).clone()
    }

    /// The requests since the last call.
    fn take(&self) -> Vec<String> {
        let seen = std::mem::take(&mut *locked(&self.requests));
        seen.into_iter().map(|request| request.line).collect()
    }

    async fn repository(&self, identity: Identity) -> Repository {
        let client = GitHub::connect(&settings(&self.url, identity), now()).unwrap();
        client.repository(NAME).await.unwrap()
    }
}

fn about() -> String {
    json!({"id": 1, "full_name": NAME, "default_branch": "main"}).to_string()
}

/// 200 with an `ETag`, or 304 where the asker has it.
fn tagged(request: &SeenRequest, tag: &str, body: String) -> Response {
    if request.header("if-none-match") == tag {
        return (StatusCode::NOT_MODIFIED, [("etag", tag.to_owned())], "").into_response();
    }
    ([("etag", tag.to_owned())], body).into_response()
}

fn app_identity() -> Identity {
    Identity::App {
        id: 1,
        private_key: credentials::Secret::Given(include_str!("app.pem").into()),
    }
}

/// Requests of a route that were answered with a status.
fn count(client: &GitHub, route: &str, status: u16) -> u64 {
    let counts = client.requests().into_iter();
    counts
        .filter(|(kind, _)| kind.route.ends_with(route) && kind.status == Some(status))
        .map(|(_, count)| count)
        .sum()
}

const OBJECTS: [&str; 3] = ["/git/commits/{sha}", "/git/trees/{sha}", "/git/blobs/{sha}"];

#[tokio::test]
async fn a_folder_that_is_read_again_asks_for_what_changed() {
    let fixture = lab_fixture().await;
    let main = fixture.main().await;
    let objects = || OBJECTS.map(|route| count(&fixture.client, route, 200));
    let read = async |commit: &Sha| {
        let folder = fixture.repository.folder(commit, "topology/a", |_| true);
        folder.await.unwrap()
    };
    let first = read(&main).await;
    // The commit; the root, `topology` and `topology/a` with all below it; two files.
    assert_eq!(objects(), [1, 3, 2]);
    assert_eq!(read(&main).await, first);
    assert_eq!(objects(), [1, 3, 2], "the same folder asks for nothing");

    fixture.open_pull();
    let head = fixture.repository.branch("wip").await.unwrap().unwrap();
    let changed = read(&head).await;
    assert_ne!(changed.files, first.files);
    assert_eq!(objects(), [2, 6, 3], "one file changed");
}

#[tokio::test]
async fn what_one_repository_showed_is_not_served_for_another() {
    let fixture = lab_fixture().await;
    let other = "acme/copy";
    fixture.lab.github().create_repository(other, false);
    let text = Some("cidr: 10.0.0.0/24\n");
    let files = [("topology/a/oam.yaml", text)];
    let commit = |mut at: RepositoryActions<'_>| {
        at.grant("alice", Grant::Write);
        at.commit_files("alice", "main", "Begin", &files).unwrap();
    };
    commit(fixture.lab.github().at(other));
    let main = fixture.main().await;
    let first = fixture.repository.folder(&main, "topology/a", |_| true);
    let first = first.await.unwrap();
    let before = count(&fixture.client, "/git/blobs/{sha}", 200);

    let copy = fixture.client.repository(other).await.unwrap();
    let head = copy.branch("main").await.unwrap().unwrap();
    let second = copy.folder(&head, "topology/a", |_| true).await.unwrap();
    let path = "topology/a/oam.yaml";
    assert_eq!(first.blobs[path], second.blobs[path]);
    let after = count(&fixture.client, "/git/blobs/{sha}", 200);
    assert_eq!(after, before + 1);
    // The commit of the first is none of the second's, although it is known.
    let foreign = copy.commit(&main).await;
    assert!(matches!(foreign, Err(GitHubError::Gone { .. })));
}

#[tokio::test]
async fn a_list_that_did_not_change_is_answered_304_and_costs_no_budget() {
    let fixture = lab_fixture().await;
    let number = fixture.open_pull();
    fixture.people(|mut at| at.comment("alice", number.0, "/plan").unwrap());
    let route = "/issues/{number}/comments";
    let first = fixture.repository.comments(number, None).await.unwrap();
    let second = fixture.repository.comments(number, None).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(count(&fixture.client, route, 304), 1);
    fixture.people(|mut at| at.comment("alice", number.0, "/help").unwrap());
    let third = fixture.repository.comments(number, None).await.unwrap();
    assert_eq!(third.len(), 2, "what changed is seen at once");
    assert_eq!(count(&fixture.client, route, 200), 2);
}

#[tokio::test]
async fn each_page_is_remembered_by_its_url() {
    let page = |from: u64| -> String {
        let comments: Vec<_> = (from..from + 100.min(150 - from))
            .map(|id| json!({"id": id, "body": "x", "user": null, "created_at": "", "updated_at": ""}))
            .collect();
        json!(comments).to_string()
    };
    let server = ScriptedServer::new(move |request| {
        if request.line.ends_with("page=1") {
            tagged(request, "W/\"one\"", page(0))
        } else if request.line.ends_with("page=2") {
            tagged(request, "W/\"two\"", page(100))
        } else {
            about().into_response()
        }
    })
    .await;
    let repository = server.repository(token("ghp_scripted")).await;
    let first = repository.comments(PullNumber(7), None).await.unwrap();
    let second = repository.comments(PullNumber(7), None).await.unwrap();
    assert_eq!((first.len(), first == second), (150, true));
    let tags: Vec<String> = (server.seen().iter())
        .map(|request| request.header("if-none-match").to_owned())
        .collect();
    assert_eq!(tags, ["", "", "", "W/\"one\"", "W/\"two\""]);
}

#[tokio::test]
async fn what_cannot_be_read_is_not_remembered() {
    let calls = Arc::new(Mutex::new(0));
    let server = ScriptedServer::new(move |request| {
        if !request.line.contains("/pulls") {
            return about().into_response();
        }
        let mut calls = locked(&calls);
        *calls += 1;
        let body = if *calls == 1 { "<html>" } else { "[]" };
        tagged(request, "W/\"same\"", body.to_owned())
    })
    .await;
    let repository = server.repository(token("ghp_scripted")).await;
    assert!(repository.open_pulls().await.is_err());
    assert!(repository.open_pulls().await.is_ok(), "asked without a tag");
}

#[tokio::test]
async fn neither_a_cut_tree_nor_a_page_of_a_proxy_is_kept_as_an_object() {
    let is_cut = Arc::new(AtomicBool::new(true));
    let cut = Arc::clone(&is_cut);
    let server = ScriptedServer::new(move |request| {
        let is_cut = cut.load(Ordering::Relaxed);
        let file =
            json!({"path": "a.yaml", "mode": "100644", "type": "blob", "sha": BLOB, "size": 5});
        let folder = json!({"path": "a", "mode": "040000", "type": "tree", "sha": SHA});
        let tree = if request.line.contains("recursive") {
            file
        } else {
            folder
        };
        if request.line.contains("/commits/") {
            json!({"sha": SHA, "tree": {"sha": SHA}, "parents": [], "message": ""}).to_string()
        } else if request.line.contains("/trees/") {
            json!({"sha": SHA, "tree": [tree], "truncated": is_cut}).to_string()
        } else if request.line.contains("/blobs/") {
            if is_cut {
                "<html>Sign in</html>"
            } else {
                "a: 1\n"
            }
            .to_owned()
        } else {
            about()
        }
        .into_response()
    })
    .await;
    let repository = server.repository(token("ghp_scripted")).await;
    let commit = Sha::parse(SHA).unwrap();
    let read = async || repository.folder(&commit, "a", |_| true).await;
    assert!(read().await.is_err(), "the tree is cut");
    let route = format!("{}/git/blobs/{BLOB}", repository.root);
    let blob = repository.client.blob("", &route, Some(5));
    assert!(matches!(blob.await, Err(GitHubError::Unknown { .. })));
    is_cut.store(false, Ordering::Relaxed);
    server.take();
    assert_eq!(read().await.unwrap().files["a/a.yaml"], "a: 1\n");
    let again = server.take();
    assert_eq!(
        again.len(),
        3,
        "two trees and the blob, the commit is known: {again:?}"
    );
    read().await.unwrap();
    assert!(server.take().is_empty());
}

fn installed(request: &SeenRequest, installation: u64) -> Response {
    if request.line.ends_with("/installation") {
        json!({"id": installation}).to_string().into_response()
    } else if request.line.ends_with("/access_tokens") {
        let granted =
            json!({"token": format!("ghs_{installation}"), "expires_at": "2099-01-01T00:00:00Z"});
        (StatusCode::CREATED, granted.to_string()).into_response()
    } else if request.line.contains("/pulls") {
        tagged(request, "W/\"pulls\"", "[]".to_owned())
    } else {
        tagged(request, "W/\"about\"", about())
    }
}

#[tokio::test]
async fn every_request_says_who_sends_it_and_for_which_version() {
    let server = ScriptedServer::new(|request| installed(request, 7)).await;
    let repository = server.repository(app_identity()).await;
    repository.open_pulls().await.unwrap();
    let seen = server.seen();
    let lines: Vec<&str> = seen.iter().map(|request| request.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "GET /repos/acme/network/installation",
            "POST /app/installations/7/access_tokens",
            "GET /repos/acme/network",
            "GET /repos/acme/network/pulls?state=open&per_page=100&page=1",
        ]
    );
    for request in seen {
        let agent = format!("planebot/{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(request.header("user-agent"), agent, "{}", request.line);
        let versions: Vec<_> = request
            .headers
            .get_all("x-github-api-version")
            .iter()
            .collect();
        assert_eq!(versions, ["2022-11-28"], "{}", request.line);
        assert_eq!(request.headers.get_all("user-agent").iter().count(), 1);
    }
}

#[tokio::test]
async fn many_who_wait_for_a_token_ask_once() {
    let server = ScriptedServer::new(|request| installed(request, 7)).await;
    let repository = server.repository(app_identity()).await;
    let Credentials::Installation(installation) = &repository.client.credentials else {
        panic!("an app has installations")
    };
    installation.forget_token().await;
    server.take();
    let mut tasks = JoinSet::new();
    for number in 0..10 {
        let repository = repository.clone();
        tasks.spawn(async move { repository.pull_paths(PullNumber(number)).await.unwrap() });
    }
    tasks.join_all().await;
    let tokens = server.take();
    let tokens = tokens
        .iter()
        .filter(|line| line.ends_with("/access_tokens"));
    assert_eq!(tokens.count(), 1);
}

#[tokio::test]
async fn what_one_installation_saw_is_no_answer_to_another() {
    let installation = Arc::new(AtomicU64::new(7));
    let current = Arc::clone(&installation);
    let server = ScriptedServer::new(move |request| {
        let current = current.load(Ordering::Relaxed);
        let expected = format!("Bearer ghs_{current}");
        let needs_token = !request.line.contains("installation");
        let is_removed =
            request.line.contains("/app/") && !request.line.contains(&current.to_string());
        if is_removed || (needs_token && request.header("authorization") != expected) {
            let status = if is_removed { 404 } else { 401 };
            return (StatusCode::from_u16(status).unwrap(), "{}").into_response();
        }
        installed(request, current)
    })
    .await;
    let client = GitHub::connect(&settings(&server.url, app_identity()), now()).unwrap();
    let repository = client.repository(NAME).await.unwrap();
    repository.open_pulls().await.unwrap();

    installation.store(8, Ordering::Relaxed);
    let refused = repository.open_pulls().await;
    assert!(
        matches!(refused, Err(GitHubError::Denied { status: 404, .. })),
        "a removed installation does not make a pull request absent: {refused:?}"
    );
    let repository = client.repository(NAME).await.unwrap();
    server.take();
    repository.open_pulls().await.unwrap();
    assert_eq!(server.take().len(), 1);
    let pulls = count(&client, "/pulls", 200);
    assert_eq!(pulls, 2, "asked without the other's tag");
    repository.open_pulls().await.unwrap();
    assert_eq!(count(&client, "/pulls", 304), 1);
}

/// Threat 54: a redirect cannot take the token to another server.
#[tokio::test]
async fn threat_54_a_redirect_is_followed_on_the_same_server_only() {
    let elsewhere = ScriptedServer::new(|_| about().into_response()).await;
    let target = format!("{}/repos/acme/network/pulls/1", elsewhere.url);
    let server = ScriptedServer::new(move |request| {
        let moved = |to: &str| {
            let headers = [("location", to.to_owned())];
            (StatusCode::MOVED_PERMANENTLY, headers, "{}").into_response()
        };
        match request.line.as_str() {
            "GET /repos/acme/network" => moved("/repositories/1"),
            "GET /repositories/1" if request.header("authorization") == "Bearer ghp_x" => {
                about().into_response()
            }
            _ => moved(&target),
        }
    })
    .await;
    let repository = server.repository(token("ghp_x")).await;
    let refused = repository.pull(PullNumber(1)).await;
    assert!(
        matches!(refused, Err(GitHubError::Unknown { .. })),
        "{refused:?}"
    );
    assert!(elsewhere.seen().is_empty());
}
