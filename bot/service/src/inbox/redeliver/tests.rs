use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::body::Body;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use github::GitHub;
use journal::Journal;
use lab::github::{
    GitHubServer, GitHubServerOptions, NewPullRequest, RepositoryPermission, WebhookOutcome, serve,
};
use lab::maas::HttpFault;
use topology::observed::Timestamp;
use topology::port::Clock;

use super::*;
use crate::config::Config;
use crate::github_port::GitHubPort;
use crate::outbox::OutboxQueue;
use crate::server::routes::{BODY_SECONDS_MAX, WebhookCounts, WebhookState, router};
use crate::sites::Sites;
use crate::worker::{Wiring, Worker};

const NAME: &str = "acme/network";

/// How the inbox authenticates.
#[derive(Clone, Copy)]
enum As {
    App,
    Token,
}

struct Fixture {
    lab: GitHubServer,
    inbox: Inbox,
    journal: Journal,
    worker: Worker,
    router: axum::Router,
    /// Requests for the webhook log.
    asked: Arc<AtomicUsize>,
    /// Whether those get status 502.
    down: Arc<AtomicBool>,
    _folder: tempfile::TempDir,
}

/// A repository with one pull request, whose webhooks the test delivers.
fn hub() -> lab::github::LabGitHub {
    let mut hub = lab::github::LabGitHub::new("planebot");
    hub.set_webhook("http://127.0.0.1/webhook", "secret");
    hub.create_repository(NAME, false);
    hub.add_team_member("acme", "net-ops", "alice");
    let mut at = hub.at(NAME);
    at.grant_team("net-ops", RepositoryPermission::Write);
    for (branch, text) in [("main", "1\n"), ("wip", "2\n")] {
        let files = [("topology/a.yaml", Some(text))];
        at.commit_files("alice", branch, "Write", &files).unwrap();
    }
    let proposal = NewPullRequest {
        head: "wip",
        base: "main",
        title: "Two",
        body: "",
    };
    at.open_pull("alice", proposal).unwrap();
    hub
}

/// A configuration that authenticates as an app or with a token.
fn config(url: &str, who: As, app: u64, token: String) -> Config {
    let (app_id, credential) = match who {
        As::App => {
            let key = include_str!("../../../../github/src/tests/app.pem").to_owned();
            let name = "PLANEBOT_GITHUB_PRIVATE_KEY";
            (format!("app_id = {app}\n"), (name, key))
        }
        As::Token => (String::new(), ("PLANEBOT_GITHUB_TOKEN", token)),
    };
    let text = format!(
        "[github]\napi_url = '{url}'\n{app_id}[[site]]\nname = 'a'\nrepository = '{NAME}'\npath = 'topology'\nmaas_url = 'http://127.0.0.1:1/MAAS'\n"
    );
    let secret = ("PLANEBOT_GITHUB_WEBHOOK_SECRET", "secret".to_owned());
    let key = ("PLANEBOT_SITE_A_MAAS_API_KEY", "a:b:c".to_owned());
    let variables: BTreeMap<String, String> = [credential, secret, key]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
    Config::parse(&text, Path::new("."), &variables).unwrap()
}

fn wired(config: &Config, client: GitHub, clock: &Clock) -> Wiring {
    let url = &config.github.as_ref().unwrap().api_url;
    Wiring {
        github: GitHubPort::new(client, url),
        sites: Arc::new(Sites::open(config, clock).unwrap()),
        clock: Arc::clone(clock),
        owner: "test".to_owned(),
        keep_days: 30,
    }
}

fn inbox(wiring: &Wiring, journal: &Journal) -> Inbox {
    Inbox::new(
        journal.clone(),
        wiring.github.clone(),
        Arc::clone(&wiring.sites),
        OutboxQueue::new(journal.clone(), Arc::clone(&wiring.clock)),
        Arc::clone(&wiring.clock),
    )
}

/// A GitHub with a pull request, and an inbox behind the HTTP routes.
async fn fixture(who: As) -> Fixture {
    let hub = hub();
    let (app, token, began) = (hub.app_ids().0, hub.bot_token(), hub.now());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let options = GitHubServerOptions {
        faults: Some(Arc::new(move |request| {
            let about = request.path.starts_with("/app/hook/deliveries");
            count.fetch_add(usize::from(about), Ordering::SeqCst);
            if about && is_down.load(Ordering::SeqCst) {
                HttpFault::Answer(502)
            } else {
                HttpFault::None
            }
        })),
        manual_delivery: true,
        ..GitHubServerOptions::default()
    };
    let lab = serve(hub, options).await.unwrap();
    let config = config(&lab.url, who, app, token);
    // Two hours after the start of the lab's clock.
    let now = Timestamp((began + 7_200) * 1_000);
    let clock: Clock = Arc::new(move || now);
    let settings = config.github.as_ref().unwrap();
    let secrets = settings.secrets().unwrap();
    let github = GitHub::connect(settings, Arc::clone(&clock)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("p.db").display());
    let journal = Journal::open(&url).await.unwrap();
    let router = router(WebhookState {
        journal: journal.clone(),
        secrets: Arc::new(secrets),
        now: Arc::clone(&clock),
        body_limit: 1 << 20,
        body_patience: BODY_SECONDS_MAX,
        kept: Arc::new(Notify::new()),
        counts: Arc::new(WebhookCounts::default()),
    });
    let wiring = wired(&config, github, &clock);
    let (inbox, worker) = (inbox(&wiring, &journal), wiring.worker(&journal));
    Fixture {
        lab,
        inbox,
        journal,
        worker,
        router,
        asked,
        down,
        _folder: folder,
    }
}

impl Fixture {
    /// Steps the worker until it is idle.
    async fn work(&self) {
        self.worker.run_until_idle().await.unwrap();
    }

    fn comment(&self, body: &str) {
        self.lab
            .github()
            .at(NAME)
            .comment("alice", 1, body)
            .unwrap();
    }

    /// Fails every waiting webhook with this outcome.
    fn fail(&self, outcome: WebhookOutcome) {
        let mut hub = self.lab.github();
        while let Some(one) = hub.take_delivery() {
            hub.record_outcome(one.id, outcome);
        }
    }

    /// Delivers every waiting webhook to the routes and records the responses.
    async fn deliver(&self) -> Vec<u16> {
        let mut statuses = Vec::new();
        loop {
            let next = {
                let mut hub = self.lab.github();
                let one = hub.take_delivery();
                one.map(|one| (hub.headers(&one), one))
            };
            let Some((headers, one)) = next else {
                return statuses;
            };
            let mut request = http::Request::post("/webhook");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let request = request.body(Body::from(one.body)).unwrap();
            let response = self.router.clone().oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            let mut hub = self.lab.github();
            hub.record_outcome(one.id, WebhookOutcome::Answered(status));
            statuses.push(status);
        }
    }

    async fn redeliver(&self) -> usize {
        let Redelivered { asked, more } = self.inbox.redeliver_failed().await.unwrap();
        assert!(!more);
        asked
    }

    fn bot_comments(&self) -> usize {
        let mut hub = self.lab.github();
        let comments = hub.at(NAME).comments(1);
        let own = comments.iter().filter(|one| one.author.ends_with("[bot]"));
        own.count()
    }
}

#[tokio::test]
async fn webhooks_of_an_app_that_all_failed_for_an_hour_are_acted_on_once() {
    let fixture = fixture(As::App).await;
    fixture.deliver().await;
    fixture.work().await;
    // planebot's own comments cause webhooks too.
    fixture.deliver().await;
    let before = fixture.bot_comments();
    for minute in 0..60 {
        let word = if minute % 20 == 0 { "/help" } else { "hm" };
        fixture.comment(word);
        let outcome = match minute % 3 {
            0 => WebhookOutcome::Unreachable,
            1 => WebhookOutcome::Answered(503),
            _ => WebhookOutcome::Lost,
        };
        fixture.fail(outcome);
        fixture.lab.github().advance(60);
    }
    assert_eq!(fixture.redeliver().await, 60);
    assert_eq!(fixture.deliver().await, vec![202; 60]);
    fixture.work().await;
    assert_eq!(fixture.bot_comments() - before, 3);
    fixture.deliver().await;
    assert_eq!(fixture.redeliver().await, 0, "every webhook was stored");
    // A redelivery requested on GitHub's web page is the same delivery.
    let again = fixture.lab.github().deliveries()[0].id;
    fixture.lab.github().redeliver(again);
    fixture.deliver().await;
    fixture.work().await;
    assert_eq!(fixture.bot_comments() - before, 3);
}

#[tokio::test]
async fn a_webhook_that_fails_again_is_requested_again_unless_it_was_refused() {
    let fixture = fixture(As::App).await;
    fixture.fail(WebhookOutcome::Answered(401));
    let count = fixture.lab.github().deliveries().len();
    assert_eq!(fixture.redeliver().await, count);
    fixture.fail(WebhookOutcome::Answered(500));
    assert_eq!(fixture.redeliver().await, count);
    fixture.fail(WebhookOutcome::Answered(401));
    assert_eq!(
        fixture.redeliver().await,
        0,
        "it would be refused once more"
    );
}

#[tokio::test]
async fn a_log_of_many_pages_is_read_to_its_end_in_several_passes() {
    let fixture = fixture(As::App).await;
    for _ in 0..250 {
        fixture.comment("hm");
    }
    fixture.fail(WebhookOutcome::Unreachable);
    let count = fixture.lab.github().deliveries().len();
    let mut passes = Vec::new();
    loop {
        let pass = fixture.inbox.redeliver_failed().await.unwrap();
        passes.push(pass.asked);
        if !pass.more {
            break;
        }
    }
    assert_eq!(passes.iter().sum::<usize>(), count);
    assert_eq!(passes[..2], [100, 100], "one page is enough for a pass");
    fixture.deliver().await;
    assert_eq!(fixture.redeliver().await, 0);
}

#[tokio::test]
async fn webhooks_older_than_three_days_are_not_requested() {
    let fixture = fixture(As::App).await;
    fixture.fail(WebhookOutcome::Unreachable);
    let four_days = Timestamp((fixture.inbox.clock)().0 + 4 * 86_400_000);
    let mut old = fixture;
    old.inbox.clock = Arc::new(move || four_days);
    assert_eq!(old.redeliver().await, 0);
}

#[tokio::test]
async fn after_an_error_from_github_the_next_pass_starts_over() {
    let fixture = fixture(As::App).await;
    fixture.fail(WebhookOutcome::Unreachable);
    let dropped = r#"{"until":0,"under_way":{"newest":1,"page":"1"}}"#;
    let journal = &fixture.journal;
    journal.set_cursor(BOOKMARK, dropped).await.unwrap();
    fixture.down.store(true, Ordering::SeqCst);
    assert!(fixture.inbox.redeliver_failed().await.is_err());
    fixture.down.store(false, Ordering::SeqCst);
    let count = fixture.lab.github().deliveries().len();
    assert_eq!(fixture.redeliver().await, count);
}

#[tokio::test]
async fn with_a_token_the_log_is_never_read() {
    let fixture = fixture(As::Token).await;
    fixture.fail(WebhookOutcome::Unreachable);
    assert_eq!(fixture.redeliver().await, 0);
    assert_eq!(fixture.asked.load(Ordering::SeqCst), 0);
}
