//! The log of `planebot serve`: its format, and that no secret is in it, whatever is logged.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lab::github::{GitHubServer, GitHubServerOptions, NewPullRequest, RepositoryPermission, serve};

const NAME: &str = "example/network";

/// The webhook's secret, and the previous one.
const WEBHOOK_SECRETS: [&str; 2] = ["webhook-s3cr3t-one", "webhook-s3cr3t-two"];

/// A MAAS with one network, which the pull request renames.
const LAYOUT: &str = r#"{"fabrics": [{"name": "blue", "vlans": [{"vid": 0, "subnets": [{"cidr": "192.0.2.0/24", "name": "desks"}]}]}]}"#;

const DECLARED: &str = "plane: desks\nfabric: blue\nname: desks\ncidr: 192.0.2.0/24\n";
const PROPOSED: &str = "plane: desks\nfabric: blue\nname: office\ncidr: 192.0.2.0/24\n";

/// A GitHub with a pull request, whose webhooks are signed and sent to `listen`.
async fn github(listen: &str) -> GitHubServer {
    let mut hub = lab::github::LabGitHub::new("planebot");
    hub.set_webhook(&format!("http://{listen}/webhook"), WEBHOOK_SECRETS[0]);
    hub.create_repository(NAME, false);
    hub.add_team_member("example", "net-ops", "alice");
    let mut at = hub.at(NAME);
    at.grant_team("net-ops", RepositoryPermission::Write);
    for (branch, text) in [("main", DECLARED), ("wip", PROPOSED)] {
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

fn start(
    folder: &Path,
    listen: &str,
    github: &GitHubServer,
    maas: &Maas,
    options: &[&str],
) -> Child {
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    put("token", &github.github().bot_token());
    put("secret", WEBHOOK_SECRETS[0]);
    put("previous", WEBHOOK_SECRETS[1]);
    put("key", &maas.key);
    put(
        "planebot.toml",
        &format!(
            "[server]\nlisten = '{listen}'\nlog = 'trace'\n[github]\napi_url = '{}'\ntoken_file = 'token'\nwebhook_secret_file = 'secret'\n\
             previous_webhook_secret_file = 'previous'\nprevious_webhook_secret_until = 2099-01-01\n\
             [store]\nurl = 'sqlite://journal.db'\n[[site]]\nname = 'dc'\nrepository = '{NAME}'\npath = 'topology'\n\
             maas_url = '{}'\nmaas_api_key_file = 'key'\n",
            github.url, maas.serving.url
        ),
    );
    Command::new(env!("CARGO_BIN_EXE_planebot"))
        .arg("--config")
        .arg(folder.join("planebot.toml"))
        .arg("serve")
        .args(options)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap()
}

struct Maas {
    key: String,
    serving: lab::maas::MaasServer,
}

async fn maas() -> Maas {
    let maas = lab::maas::LabMaas::load(LAYOUT, Some("3.7.3")).unwrap();
    let key = maas.api_key("admin").unwrap();
    let serving = lab::maas::serve(maas, None).await.unwrap();
    Maas { key, serving }
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

/// Runs the service until it has planned a pull request, answered a command and refused a forged webhook. The answer is its
/// whole log, and the secrets that it was given.
async fn logged(options: &[&str]) -> (String, Vec<String>) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = free.local_addr().unwrap().to_string();
    drop(free);
    let (lab, maas) = (github(&listen).await, maas().await);
    let folder = tempfile::tempdir().unwrap();
    let mut child = start(folder.path(), &listen, &lab, &maas, options);
    let done = tokio::time::timeout(Duration::from_mins(1), async {
        comments(&lab, 1).await;
        // Planning proves that MAAS was asked, with the key.
        let plan = lab.github().at(NAME).comments(1).remove(0).body;
        assert!(plan.contains("Plan for `dc`"), "{plan}");
        lab.github().at(NAME).comment("alice", 1, "/help").unwrap();
        comments(&lab, 2).await;
        let forged = reqwest::Client::new()
            .post(format!("http://{listen}/webhook"))
            .header("x-github-event", "issue_comment")
            .header("x-github-delivery", "1")
            .header("x-hub-signature-256", "sha256=00")
            .body("{}")
            .send();
        assert_eq!(forged.await.unwrap().status().as_u16(), 401);
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(done.is_ok(), "the service did not answer:\n{log}");
    let mut secrets = WEBHOOK_SECRETS.map(str::to_owned).to_vec();
    secrets.push(lab.github().bot_token());
    // Consumer key, token key and token secret; the log needs none of them.
    secrets.extend(maas.key.split(':').map(str::to_owned));
    (log, secrets)
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level_in_any_format() {
    for format in ["text", "json"] {
        let (log, secrets) = logged(&["--log-format", format]).await;
        assert!(log.contains("listening on"), "{log}");
        assert!(log.contains("TRACE"), "trace was configured");
        for secret in secrets {
            let line = log.lines().find(|line| line.contains(&secret));
            assert_eq!(line, None, "`{secret}` is in the {format} log");
        }
        let is_json = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
        assert_eq!(log.lines().all(is_json), format == "json");
    }
}

/// What a process that cannot start writes to standard error.
fn startup_error(folder: &Path, options: &[&str]) -> String {
    let ended = Command::new(env!("CARGO_BIN_EXE_planebot"))
        .arg("--config")
        .arg(folder.join("planebot.toml"))
        .arg("serve")
        .args(options)
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(1));
    String::from_utf8(ended.stderr).unwrap()
}

#[test]
fn an_invalid_configuration_is_reported_in_the_format_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("planebot.toml"),
        "[server]\nlog = 'inof'\n",
    )
    .unwrap();
    let text = startup_error(folder.path(), &[]);
    assert!(text.starts_with("error: "), "{text}");
    let json = startup_error(folder.path(), &["--log-format", "json"]);
    let line: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(line["level"], "ERROR", "{json}");
    for message in [text.as_str(), line["fields"]["message"].as_str().unwrap()] {
        for part in ["planebot.toml", "line 2", "`inof` is not a log filter"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
