//! What the doctor says of an app: its rights, its clock, its repositories, and whether its webhooks arrive.

use std::collections::BTreeMap;
use std::path::Path;

use lab::github::{GitHubServer, GitHubServerOptions, RepositoryPermission, WebhookOutcome, serve};
use topology::observed::Timestamp;

use super::*;
use crate::doctor::Mark;

const NAME: &str = "acme/network";

/// A GitHub with one app and one repository.
async fn hub() -> GitHubServer {
    let mut hub = lab::github::LabGitHub::new("planebot");
    hub.set_webhook("http://127.0.0.1/webhook", "secret");
    hub.create_repository(NAME, false);
    hub.add_team_member("acme", "net-ops", "alice");
    let mut at = hub.at(NAME);
    at.grant_team("net-ops", RepositoryPermission::Write);
    let files = [("topology/a.yaml", Some("1\n"))];
    at.commit_files("alice", "main", "Write", &files).unwrap();
    let options = GitHubServerOptions {
        manual_delivery: true,
        ..GitHubServerOptions::default()
    };
    let lab = serve(hub, options).await.unwrap();
    settle(&lab, WebhookOutcome::Answered(202));
    lab
}

/// What waits to be delivered, and a ping, are answered so.
fn settle(lab: &GitHubServer, outcome: WebhookOutcome) {
    let mut hub = lab.github();
    hub.ping();
    while let Some(one) = hub.take_delivery() {
        hub.record_outcome(one.id, outcome);
    }
}

fn config(lab: &GitHubServer, repository: &str) -> Config {
    let app = lab.github().app_ids().0;
    let text = format!(
        "[github]\napi_url = '{}'\napp_id = {app}\n[[site]]\nname = 'a'\nrepository = '{repository}'\npath = 'topology'\nmaas_url = 'http://127.0.0.1:1/MAAS'\n[site.operators]\nteams = ['acme/net-ops']\n",
        lab.url
    );
    let key = include_str!("../../../../github/src/tests/app.pem").to_owned();
    let variables: BTreeMap<String, String> = [
        ("PLANEBOT_GITHUB_PRIVATE_KEY", key),
        ("PLANEBOT_GITHUB_WEBHOOK_SECRET", "secret".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    Config::parse(&text, Path::new("."), &variables).unwrap()
}

/// The findings where this machine's clock is `late` seconds after GitHub's, which is the real one: a server's answers
/// carry it.
async fn findings(lab: &GitHubServer, repository: &str, late: i64) -> Vec<Finding> {
    let real = service::clock::machine();
    let clock: Clock = Arc::new(move || Timestamp(real().0 + late * 1_000));
    examine(&config(lab, repository), &clock).await
}

fn wrongs(findings: &[Finding]) -> Vec<&str> {
    let wrong = findings.iter().filter(|it| it.mark == Mark::Wrong);
    wrong
        .inspect(|it| assert!(it.todo.is_some(), "{it:?}"))
        .map(|it| it.says.as_str())
        .collect()
}

#[tokio::test]
async fn an_app_that_fits_has_nothing_wrong() {
    let lab = hub().await;
    let found = findings(&lab, NAME, 0).await;
    assert_eq!(wrongs(&found), Vec::<&str>::new());
    let said: Vec<&str> = found.iter().map(|it| it.says.as_str()).collect();
    for word in [
        "with the rights that it needs",
        "clock is GitHub's",
        "`acme/network` can be read; its default branch is `main`",
    ] {
        assert!(said.iter().any(|says| says.contains(word)), "{said:#?}");
    }
}

#[tokio::test]
async fn webhooks_that_do_not_arrive_are_told_with_what_to_look_at() {
    let lab = hub().await;
    let found = findings(&lab, NAME, 0).await;
    let told = found.last().unwrap();
    assert!(told.says.contains("the last webhook arrived"), "{told:?}");
    settle(&lab, WebhookOutcome::Unreachable);
    let found = findings(&lab, NAME, 0).await;
    let wrong = wrongs(&found);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].contains("did not arrive"), "{wrong:?}");
    // One that comes through later is what counts.
    settle(&lab, WebhookOutcome::Answered(202));
    let found = findings(&lab, NAME, 0).await;
    assert_eq!(wrongs(&found), Vec::<&str>::new());
    assert!(
        found.last().unwrap().says.contains("1 never did"),
        "{found:#?}"
    );
}

#[tokio::test]
async fn a_repository_where_the_app_is_not_and_a_clock_that_is_off_are_told() {
    let lab = hub().await;
    let found = findings(&lab, "acme/elsewhere", 0).await;
    let wrong = wrongs(&found);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(
        wrong[0].contains("`acme/elsewhere` is not there"),
        "{wrong:?}"
    );
    let found = findings(&lab, NAME, -45).await;
    let wrong = wrongs(&found);
    assert!(
        wrong.iter().any(|says| says.contains("clock is 4")),
        "{wrong:?}"
    );
}

#[test]
fn rights_that_lack_are_named() {
    let lacking = |given: &[(&str, &str)]| {
        let config = Config::parse("", Path::new("."), &BTreeMap::new()).unwrap();
        let me = Me {
            login: Some("planebot[bot]".to_owned()),
            app: Some(7),
            permissions: given
                .iter()
                .map(|(right, least)| ((*right).to_owned(), (*least).to_owned()))
                .collect(),
        };
        let mut chart = Chart::of("github");
        who(&mut chart, &me, &config);
        chart.findings.remove(0)
    };
    let all = [
        ("checks", "write"),
        ("contents", "write"),
        ("pull_requests", "write"),
        ("metadata", "read"),
    ];
    assert_eq!(lacking(&all).mark, Mark::Good);
    let some = lacking(&[
        ("checks", "read"),
        ("contents", "write"),
        ("metadata", "read"),
    ]);
    assert_eq!(some.mark, Mark::Wrong);
    assert!(
        some.says
            .ends_with("without `checks: write`, `pull_requests: write`"),
        "{some:?}"
    );
}
