//! A service that no webhook ever reaches finds commands by polling GitHub.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lab::github::{GitHubServer, GitHubServerOptions, NewPullRequest, RepositoryPermission, serve};

const NAME: &str = "example/network";

/// A command must be processed within this time, even if its webhook is lost.
const DELAY_MAX: Duration = Duration::from_mins(1);

/// A GitHub with one pull request and no webhook.
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

/// The service's process, killed with the test.
struct ServiceProcess(Child);

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn service(folder: &std::path::Path, lab: &GitHubServer) -> ServiceProcess {
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
    ServiceProcess(quiet.stderr(Stdio::null()).spawn().unwrap())
}

/// Waits until the bot has written that many comments.
async fn comments(lab: &GitHubServer, wanted: usize) {
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    loop {
        tick.tick().await;
        let all = lab.github().at(NAME).comments(1);
        let own = all.iter().filter(|one| one.author.ends_with("[bot]"));
        if own.count() >= wanted {
            return;
        }
    }
}

#[tokio::test]
async fn a_command_is_processed_within_a_minute_without_any_webhook() {
    let lab = hub().await;
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path(), &lab);
    let found = tokio::time::timeout(DELAY_MAX, comments(&lab, 1)).await;
    assert!(found.is_ok(), "the pull request was not found");
    lab.github().at(NAME).comment("alice", 1, "/help").unwrap();
    let answered = tokio::time::timeout(DELAY_MAX, comments(&lab, 2)).await;
    assert!(answered.is_ok(), "the command was not processed");
    drop(service);
}
