//! What the doctor finds about an app: its permissions, the clock, its repositories, and whether its webhooks arrive.

use std::collections::BTreeMap;
use std::path::Path;

use lab::github::{GitHubServer, GitHubServerOptions, RepositoryPermission, WebhookOutcome, serve};
use topology::observed::Timestamp;

use super::*;
use crate::doctor::DiagnosisStatus;

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

/// Delivers everything that is queued, and a ping, with that outcome.
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

/// The results where this machine's clock is `late` seconds ahead of GitHub's. GitHub's is the real clock, which the server
/// sends with each answer.
async fn diagnoses(lab: &GitHubServer, repository: &str, late: i64) -> Vec<Diagnosis> {
    let real = service::clock::machine();
    let clock: Clock = Arc::new(move || Timestamp(real().0 + late * 1_000));
    examine(&config(lab, repository), &clock).await
}

fn problems(diagnoses: &[Diagnosis]) -> Vec<&str> {
    let problems = diagnoses
        .iter()
        .filter(|it| it.status == DiagnosisStatus::Problem);
    problems
        .inspect(|it| assert!(it.remedy.is_some(), "{it:?}"))
        .map(|it| it.message.as_str())
        .collect()
}

#[tokio::test]
async fn a_complete_app_has_no_problems() {
    let lab = hub().await;
    let found = diagnoses(&lab, NAME, 0).await;
    assert_eq!(problems(&found), Vec::<&str>::new());
    let messages: Vec<&str> = found.iter().map(|it| it.message.as_str()).collect();
    for word in [
        "with all permissions",
        "clock agrees with GitHub's",
        "`acme/network` is readable; its default branch is `main`",
    ] {
        assert!(
            messages.iter().any(|message| message.contains(word)),
            "{messages:#?}"
        );
    }
}

#[tokio::test]
async fn webhooks_that_do_not_arrive_are_a_problem() {
    let lab = hub().await;
    let found = diagnoses(&lab, NAME, 0).await;
    let last = found.last().unwrap();
    assert!(
        last.message.contains("the last webhook arrived"),
        "{last:?}"
    );
    settle(&lab, WebhookOutcome::Unreachable);
    let found = diagnoses(&lab, NAME, 0).await;
    let problems_found = problems(&found);
    assert_eq!(problems_found.len(), 1, "{problems_found:?}");
    assert!(
        problems_found[0].contains("did not arrive"),
        "{problems_found:?}"
    );
    // Only the last one counts.
    settle(&lab, WebhookOutcome::Answered(202));
    let found = diagnoses(&lab, NAME, 0).await;
    assert_eq!(problems(&found), Vec::<&str>::new());
    assert!(
        found.last().unwrap().message.contains("1 never arrived"),
        "{found:#?}"
    );
}

#[tokio::test]
async fn a_repository_without_the_app_and_a_wrong_clock_are_problems() {
    let lab = hub().await;
    let found = diagnoses(&lab, "acme/elsewhere", 0).await;
    let problems_found = problems(&found);
    assert_eq!(problems_found.len(), 1, "{problems_found:?}");
    assert!(
        problems_found[0].contains("`acme/elsewhere` does not exist"),
        "{problems_found:?}"
    );
    let found = diagnoses(&lab, NAME, -45).await;
    let problems_found = problems(&found);
    assert!(
        problems_found
            .iter()
            .any(|message| message.contains("by 4")),
        "{problems_found:?}"
    );
}

#[test]
fn missing_permissions_are_named() {
    let identified = |given: &[(&str, &str)]| {
        let config = Config::parse("", Path::new("."), &BTreeMap::new()).unwrap();
        let me = Me {
            login: Some("planebot[bot]".to_owned()),
            app: Some(7),
            permissions: given
                .iter()
                .map(|(name, least)| ((*name).to_owned(), (*least).to_owned()))
                .collect(),
        };
        let mut list = DiagnosisList::new("github");
        identity(&mut list, &me, &config);
        list.diagnoses.remove(0)
    };
    let all = [
        ("checks", "write"),
        ("contents", "write"),
        ("pull_requests", "write"),
        ("metadata", "read"),
    ];
    assert_eq!(identified(&all).status, DiagnosisStatus::Ok);
    let some = identified(&[
        ("checks", "read"),
        ("contents", "write"),
        ("metadata", "read"),
    ]);
    assert_eq!(some.status, DiagnosisStatus::Problem);
    assert!(
        some.message
            .ends_with("lacks the permissions `checks: write`, `pull_requests: write`"),
        "{some:?}"
    );
}
