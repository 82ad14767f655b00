//! A service that no webhook ever reaches: what is said at GitHub is found by asking.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lab::github::{GitHubServer, GitHubServerOptions, NewPullRequest, RepositoryPermission, serve};

const NAME: &str = "example/network";

/// A command is acted on in that time, whatever happened to its webhook.
const HEARD_WITHIN: Duration = Duration::from_mins(1);

/// A GitHub with one pull request that knows of no webhook.
async fn hub() -> GitHubServer {
    let mut hub = lab::github::LabGitHub::new("planebot");
    hub.create_repository(NAME, false);
    hub.add_team_member("example", "net-ops", "alice");
    let mut at = hub.at(NAME);
    at.grant_team("net-ops", RepositoryPermission::Write);
    for (branch, text) in [("main", "plane: a\n"), ("wip", "plane: b\n")] {
        let files = [("topology/a.yaml", Some(text))];
        at.commit_files("alice", branch, "Write", &files).unwrap();
    }
    let proposal = NewPullRequest {
        head: "wip",
        base: "main",
        title: "Another name",
        body: "",
    };
    at.open_pull("alice", proposal).unwrap();
    let clock = service::clock::machine();
    let options = GitHubServerOptions {
        clock: Some(Arc::new(move || clock().0 / 1_000)),
        ..GitHubServerOptions::default()
    };
    serve(hub, options).await.unwrap()
}

/// The service, ended with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn service(folder: &std::path::Path, lab: &GitHubServer) -> Service {
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    put("token", &lab.github().bot_token());
    put("secret", "s3cret");
    put("key", "a:b:c");
    let store = folder.join("journal.db");
    put(
        "planebot.toml",
        &format!(
            "[server]\nlisten = '127.0.0.1:0'\n[github]\napi_url = '{}'\ntoken_file = 'token'\nwebhook_secret_file = 'secret'\n\
             [store]\nurl = 'sqlite://{}'\n[[site]]\nname = 'dc'\nrepository = '{NAME}'\npath = 'topology'\n\
             maas_url = 'http://127.0.0.1:1/MAAS'\nmaas_api_key_file = 'key'\n",
            lab.url,
            store.display()
        ),
    );
    let mut planebot = Command::new(env!("CARGO_BIN_EXE_planebot"));
    planebot.arg("--config").arg(folder.join("planebot.toml"));
    let quiet = planebot.arg("serve").stdout(Stdio::null());
    Service(quiet.stderr(Stdio::null()).spawn().unwrap())
}

/// Waits until the bot has said so many words more.
async fn comments(lab: &GitHubServer, wanted: usize) {
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    loop {
        tick.tick().await;
        let said = lab.github().at(NAME).comments(1);
        let own = said.iter().filter(|one| one.author.ends_with("[bot]"));
        if own.count() >= wanted {
            return;
        }
    }
}

#[tokio::test]
async fn a_command_is_acted_on_within_a_minute_although_no_webhook_ever_came() {
    let lab = hub().await;
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path(), &lab);
    let found = tokio::time::timeout(HEARD_WITHIN, comments(&lab, 1)).await;
    assert!(found.is_ok(), "the pull request was not found");
    lab.github().at(NAME).comment("alice", 1, "/help").unwrap();
    let heard = tokio::time::timeout(HEARD_WITHIN, comments(&lab, 2)).await;
    assert!(heard.is_ok(), "the command was not heard");
    drop(service);
}
