//! The client against the lab's GitHub over HTTP, which shares no code with it.

mod logged;
mod record;
mod requests;
mod scripted;

use std::sync::Arc;

use http::Method;
use lab::github::{
    GitHubServer, GitHubServerOptions, MergeMethod, NewPullRequest, RepositoryActions,
    RepositoryPermission as Grant, serve,
};
use secrecy::SecretString;
use serde_json::json;
use topology::observed::Timestamp;

use super::*;
use crate::credentials::{Identity, Secret};
use crate::people::Membership;
use crate::people::Team;
use crate::webhook::event::{PullNumber, Sha};

const NAME: &str = "acme/network";
const NOW: Timestamp = Timestamp(1_000_000_000);

fn now() -> Clock {
    Arc::new(|| NOW)
}

fn settings(url: &str, identity: Identity) -> crate::credentials::GitHubSettings {
    crate::credentials::GitHubSettings {
        api_url: url.to_owned(),
        identity,
        webhook_secret: None,
        previous_webhook_secret: None,
    }
}

fn token(text: &str) -> Identity {
    Identity::Token(Secret::Given(SecretString::from(text)))
}

struct LabFixture {
    lab: GitHubServer,
    client: GitHub,
    repository: Repository,
}

/// A repository with a declaration on main, alice who may push, and mallory who may not.
async fn lab_fixture() -> LabFixture {
    let mut hub = lab::github::LabGitHub::new("planebot");
    hub.create_repository(NAME, false);
    hub.add_team_member("acme", "net-ops", "alice");
    hub.add_user("mallory");
    let mut at = hub.at(NAME);
    at.grant_team("net-ops", Grant::Write);
    at.commit_files(
        "alice",
        "main",
        "Begin",
        &[
            ("README.md", Some("# A network\n")),
            ("topology/a/oam.yaml", Some("cidr: 10.0.0.0/24\n")),
            ("topology/a/deep/ceph.yaml", Some("cidr: 10.0.1.0/24 # ü\n")),
            ("topology/ab/x.yaml", Some("not ours\n")),
        ],
    )
    .unwrap();
    let bot = hub.bot_token();
    let lab = serve(hub, GitHubServerOptions::default()).await.unwrap();
    let client = GitHub::connect(&settings(&lab.url, token(&bot)), now()).unwrap();
    let repository = client.repository(NAME).await.unwrap();
    LabFixture {
        lab,
        client,
        repository,
    }
}

impl LabFixture {
    /// Does something as a person.
    fn people<T>(&self, what: impl FnOnce(RepositoryActions<'_>) -> T) -> T {
        what(self.lab.github().at(NAME))
    }

    /// Opens a pull request that makes one change.
    fn open_pull(&self) -> PullNumber {
        let number = self.people(|mut at| {
            at.commit_files(
                "alice",
                "wip",
                "Widen oam",
                &[("topology/a/oam.yaml", Some("cidr: 10.0.0.0/23\n"))],
            )
            .unwrap();
            let proposal = NewPullRequest {
                head: "wip",
                base: "main",
                title: "Widen oam",
                body: "",
            };
            at.open_pull("alice", proposal).unwrap()
        });
        PullNumber(number)
    }

    async fn main(&self) -> Sha {
        self.repository.branch("main").await.unwrap().unwrap()
    }
}

impl Drop for LabFixture {
    fn drop(&mut self) {
        let counts = self.client.requests();
        let unlisted = counts.keys().any(|kind| kind.route == "other");
        assert!(!unlisted || std::thread::panicking(), "{counts:#?}");
    }
}

#[tokio::test]
async fn a_repository_says_its_number_and_its_default_branch() {
    let fixture = lab_fixture().await;
    let about = &fixture.repository.about;
    assert_eq!(
        (about.full_name.as_str(), about.default_branch.as_str()),
        (NAME, "main")
    );
    assert!(about.id > 0 && !about.archived);
    let missing = fixture.client.repository("acme/other").await.err();
    assert!(matches!(
        missing,
        Some(GitHubError::Gone { status: 404, .. })
    ));
}

#[tokio::test]
async fn a_pull_request_is_followed_to_its_merge() {
    let fixture = lab_fixture().await;
    let number = fixture.open_pull();
    let open = fixture.repository.pull(number).await.unwrap();
    assert!(open.open && open.merged.is_none());
    assert_eq!(open.author.as_ref().unwrap().login, "alice");
    assert_eq!(open.base, "main");
    assert_eq!(fixture.repository.open_pulls().await.unwrap().len(), 1);
    let paths = fixture.repository.pull_paths(number).await.unwrap();
    assert_eq!(paths.unwrap(), ["topology/a/oam.yaml"]);

    fixture.people(|mut at| at.merge("alice", number.0, MergeMethod::Squash).unwrap());
    let merged = fixture.repository.pull(number).await.unwrap();
    let commit = merged.merged.unwrap();
    assert_eq!(commit, fixture.main().await);
    assert_eq!(merged.merged_by.unwrap().login, "alice");
    assert!(fixture.repository.open_pulls().await.unwrap().is_empty());
    let recent = fixture.repository.recent_pulls(None).await.unwrap();
    assert_eq!(recent[0].merged.as_ref(), Some(&commit));
    let since = async |time: &str| fixture.repository.recent_pulls(Some(time)).await.unwrap();
    assert_eq!(since(&recent[0].updated_at).await.len(), 1);
    assert!(since("2099-01-01T00:00:00Z").await.is_empty());
}

#[tokio::test]
async fn a_folder_is_read_at_a_commit_without_its_neighbours() {
    let fixture = lab_fixture().await;
    let main = fixture.main().await;
    let folder = fixture
        .repository
        .folder(&main, "topology/a", |_| true)
        .await
        .unwrap();
    assert_eq!(
        folder.files.into_iter().collect::<Vec<_>>(),
        [
            (
                "topology/a/deep/ceph.yaml".to_owned(),
                "cidr: 10.0.1.0/24 # ü\n".to_owned()
            ),
            (
                "topology/a/oam.yaml".to_owned(),
                "cidr: 10.0.0.0/24\n".to_owned()
            ),
        ]
    );
    fixture.open_pull();
    let head = fixture.repository.branch("wip").await.unwrap().unwrap();
    let changed = fixture
        .repository
        .folder(&head, "topology/a", |_| true)
        .await
        .unwrap();
    assert_ne!(changed.tree, folder.tree);
    let nothing = fixture
        .repository
        .folder(&main, "topology/c", |_| true)
        .await
        .unwrap();
    assert_eq!(nothing, Folder::default());
    let file = fixture
        .repository
        .folder(&main, "README.md", |_| true)
        .await;
    assert!(matches!(file, Err(FolderError::Unreadable(_))));
}

#[tokio::test]
async fn threat_47_a_link_in_the_folder_is_refused() {
    let fixture = lab_fixture().await;
    let main = fixture.main().await;
    let repository = &fixture.repository;
    for (mode, kind, words) in [
        ("120000", "blob", "symbolic link"),
        ("160000", "commit", "submodule"),
    ] {
        let entry = if kind == "commit" {
            json!({"path": "topology/a/odd.yaml", "mode": mode, "type": kind, "sha": main})
        } else {
            json!({"path": "topology/a/odd.yaml", "mode": mode, "type": kind, "content": "/etc/passwd"})
        };
        let before = repository.commit(&main).await.unwrap().tree;
        let body = json!({"base_tree": before, "tree": [entry]});
        let tree: serde_json::Value = repository
            .client
            .write(
                "",
                Method::POST,
                (&format!("{}/git/trees", repository.root), &body),
            )
            .await
            .unwrap();
        let body = json!({"message": "odd", "tree": tree["sha"], "parents": [main]});
        let commit: serde_json::Value = repository
            .client
            .write(
                "",
                Method::POST,
                (&format!("{}/git/commits", repository.root), &body),
            )
            .await
            .unwrap();
        let odd = Sha::parse(commit["sha"].as_str().unwrap()).unwrap();
        let refused = repository
            .folder(&odd, "topology/a", |_| true)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
    }
}

#[tokio::test]
async fn comments_are_written_changed_listed_and_reacted_to() {
    let fixture = lab_fixture().await;
    let number = fixture.open_pull();
    let asked = fixture.people(|mut at| at.comment("alice", number.0, "/plan").unwrap());
    let seen = fixture.repository.comment(asked).await.unwrap();
    assert_eq!((seen.body.as_str(), seen.edited()), ("/plan", false));
    fixture
        .repository
        .react(asked, Reaction::Eyes)
        .await
        .unwrap();
    fixture
        .repository
        .react(asked, Reaction::Eyes)
        .await
        .unwrap();
    let reactions = fixture.people(|at| at.reactions(asked));
    assert_eq!(reactions, [("planebot[bot]".to_owned(), "eyes".to_owned())]);

    let ours = fixture
        .repository
        .create_comment(number, "planning")
        .await
        .unwrap();
    let changed = fixture
        .repository
        .update_comment(ours.id, "planned")
        .await
        .unwrap();
    assert_eq!((changed.id, changed.body.as_str()), (ours.id, "planned"));
    let all = fixture.repository.comments(number, None).await.unwrap();
    assert_eq!(
        all.iter().map(|one| one.id).collect::<Vec<_>>(),
        [asked, ours.id]
    );
    let late = fixture
        .repository
        .comments(number, Some(&changed.updated_at))
        .await
        .unwrap();
    assert_eq!(late.iter().map(|one| one.id).collect::<Vec<_>>(), [ours.id]);

    // Threat 44: a comment is ours by its author, not by what it says.
    let me = fixture.client.me().await.unwrap();
    assert!(me.wrote(&ours) && !me.wrote(&seen));

    fixture.people(|mut at| at.delete_comment("alice", ours.id).ok());
    let long = "x".repeat(COMMENT_CHARACTERS_MAX + 1);
    let refused = fixture.repository.create_comment(number, &long).await;
    assert!(matches!(
        refused,
        Err(GitHubError::Refused { status: 422, .. })
    ));
    assert!(matches!(
        fixture.repository.comment(999_999).await,
        Err(GitHubError::Gone { .. })
    ));
}

#[tokio::test]
async fn more_comments_than_a_page_are_all_listed() {
    let fixture = lab_fixture().await;
    let number = fixture.open_pull();
    fixture.people(|mut at| {
        for at_comment in 0..250 {
            at.comment("alice", number.0, &at_comment.to_string())
                .unwrap();
        }
    });
    let all = fixture.repository.comments(number, None).await.unwrap();
    assert_eq!(all.len(), 250);
    assert_eq!(all[249].body, "249");
}

fn check(head: &Sha, annotations: usize) -> Check {
    Check {
        name: "planebot/plan".to_owned(),
        head: head.clone(),
        external_id: "plan/7/7f3a-91c2".to_owned(),
        details_url: Some("https://planebot.example/runs/1".to_owned()),
        status: CheckStatus::Completed(Conclusion::Failure),
        title: "2 findings".to_owned(),
        summary: "x".repeat(70_000),
        annotations: (0..annotations)
            .map(|at| Annotation {
                path: "topology/a/oam.yaml".to_owned(),
                start_line: 1 + at as u64,
                end_line: 1 + at as u64,
                columns: Some((1, 5)),
                level: AnnotationSeverity::Failure,
                title: "overlap/subnet".to_owned(),
                message: format!("finding {at}"),
            })
            .collect(),
        actions: vec![CheckAction {
            label: "Re-plan".to_owned(),
            description: "Look at MAAS and plan again".to_owned(),
            identifier: "replan".to_owned(),
        }],
    }
}

#[tokio::test]
async fn a_check_with_many_annotations_gets_all_of_them() {
    let fixture = lab_fixture().await;
    let head = fixture.main().await;
    let made = fixture
        .repository
        .create_check(&check(&head, 120))
        .await
        .unwrap();
    let seen = fixture.people(|at| at.check_runs(head.as_str().parse().unwrap()));
    assert_eq!(seen[0].annotations.len(), 120);
    assert_eq!(seen[0].conclusion.as_deref(), Some("failure"));
    assert!(seen[0].summary.len() <= 65_535 && seen[0].summary.ends_with('…'));

    let mut better = check(&head, 0);
    better.status = CheckStatus::Completed(Conclusion::Success);
    fixture
        .repository
        .update_check(made.id, &better)
        .await
        .unwrap();
    let found = fixture
        .repository
        .checks(&head, "planebot/plan")
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].external_id.as_deref(), Some("plan/7/7f3a-91c2"));
    assert_eq!(found[0].conclusion.as_deref(), Some("success"));
    assert!(
        fixture
            .repository
            .checks(&head, "other")
            .await
            .unwrap()
            .is_empty()
    );
}

/// Threat 17, as GitHub answers: a member, an invitation, another account, a team that does not exist.
#[tokio::test]
async fn threat_17_memberships_are_active_pending_or_unseen() {
    let fixture = lab_fixture().await;
    fixture.lab.github().invite("acme", "net-ops", "bob");
    let team = |slug: &str| Team {
        org: "acme".to_owned(),
        slug: slug.to_owned(),
    };
    let ask = async |slug: &str, login: &str| {
        let found = fixture.repository.memberships(&[team(slug)], login).await;
        found.into_values().next().unwrap()
    };
    assert_eq!(ask("net-ops", "alice").await, Membership::Active);
    assert_eq!(ask("net-ops", "bob").await, Membership::Pending);
    assert!(
        matches!(ask("net-ops", "mallory").await, Membership::Unseen(why) if why.contains("404"))
    );
    assert!(matches!(
        ask("secret-ops", "alice").await,
        Membership::Unseen(_)
    ));
    assert!(matches!(
        ask("net-ops", "../alice").await,
        Membership::Unseen(_)
    ));
    let may = async |login| fixture.repository.permission(login).await.unwrap();
    assert_eq!(may("alice").await, Permission::Write);
    assert_eq!(may("mallory").await, Permission::Read);
}

/// Threat 32: somebody force-pushed the branch after the merge.
#[tokio::test]
async fn threat_32_a_commit_is_on_a_branch_until_a_force_push_removes_it() {
    let fixture = lab_fixture().await;
    let before = fixture.main().await;
    let number = fixture.open_pull();
    fixture.people(|mut at| at.merge("alice", number.0, MergeMethod::Merge).unwrap());
    let merged = fixture.main().await;
    assert!(fixture.repository.is_on(&merged, "main").await.unwrap());
    assert!(fixture.repository.is_on(&before, "main").await.unwrap());
    fixture.people(|mut at| {
        let oid = before.as_str().parse().unwrap();
        at.push("alice", "main", oid).unwrap();
    });
    assert!(!fixture.repository.is_on(&merged, "main").await.unwrap());
    let unknown = Sha::parse(&"0".repeat(39).replace('0', "a").replacen('a', "aa", 1)).unwrap();
    assert!(!fixture.repository.is_on(&unknown, "main").await.unwrap());
    let found = fixture
        .repository
        .compare(before.as_str(), merged.as_str())
        .await
        .unwrap();
    assert_eq!(found.ancestry, Ancestry::Ahead);
    assert_eq!(found.paths.unwrap(), ["topology/a/oam.yaml"]);
}

#[tokio::test]
async fn a_deployment_is_made_and_followed() {
    let fixture = lab_fixture().await;
    let main = fixture.main().await;
    let made = fixture
        .repository
        .create_deployment(&main, "a", "7f3a-91c2")
        .await
        .unwrap();
    let long = "ü".repeat(200);
    fixture
        .repository
        .set_deployment(made.id, DeploymentStatus::Success, &long)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_app_signs_in_by_its_key_and_finds_its_installation() {
    let fixture = lab_fixture().await;
    let (id, _) = fixture.lab.github().app_ids();
    let identity = Identity::App {
        id,
        private_key: Secret::Given(SecretString::from(include_str!("tests/app.pem"))),
    };
    let app = GitHub::connect(&settings(&fixture.lab.url, identity), now()).unwrap();
    let me = app.me().await.unwrap();
    assert_eq!(
        (me.login.as_deref(), me.app),
        (Some("planebot[bot]"), Some(id))
    );
    let number = fixture.open_pull();
    let repository = app.repository(NAME).await.unwrap();
    repository.create_comment(number, "here").await.unwrap();
    // Its token expires early: the client asks for another.
    fixture.lab.github().expire_tokens();
    repository
        .create_comment(number, "still here")
        .await
        .unwrap();
    assert_eq!(fixture.people(|at| at.comments(number.0)).len(), 2);
    assert!(app.hook_deliveries(None).await.is_ok());
}

#[test]
fn a_malformed_key_is_refused() {
    let identity = Identity::App {
        id: 1,
        private_key: Secret::Given(SecretString::from("not a key")),
    };
    let refused = GitHub::connect(&settings("http://127.0.0.1:1", identity), now());
    assert!(matches!(refused.err(), Some(SignInError::Malformed)));
}
