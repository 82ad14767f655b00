use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::body::Body;
use journal::Journal;
use lab::github::{Options, Outcome, Permission, Proposal, Serving, serve};
use lab::maas::Fault;
use tokio::sync::Notify;
use topology::observed::Timestamp;
use tower::ServiceExt as _;

use super::*;
use crate::config::Config;
use crate::github_port::GitHubPort;
use crate::runs::publish::PublishedFacts;
use crate::server::routes::{BODY_SECONDS_MAX, WebhookCounts, WebhookState, router};
use github::GitHub;
use topology::port::Clock;

const NAME: &str = "acme/network";

/// How the office signs in.
#[derive(Clone, Copy)]
enum As {
    App,
    Token,
}

struct PullStatus {
    lab: Serving,
    office: Office,
    door: axum::Router,
    /// Requests about the log of webhooks.
    asked: Arc<AtomicUsize>,
    /// Whether those are answered 502.
    down: Arc<AtomicBool>,
    _folder: tempfile::TempDir,
}

/// A repository with one pull request, whose webhooks go where the test carries them.
fn hub() -> lab::github::GitHub {
    let mut hub = lab::github::GitHub::new("planebot");
    hub.hook("http://127.0.0.1/webhook", "secret");
    hub.create_repository(NAME, false);
    hub.add_team_member("acme", "net-ops", "alice");
    let mut at = hub.at(NAME);
    at.grant_team("net-ops", Permission::Write);
    for (branch, text) in [("main", "1\n"), ("wip", "2\n")] {
        let files = [("topology/a.yaml", Some(text))];
        at.commit_files("alice", branch, "Write", &files).unwrap();
    }
    let proposal = Proposal {
        head: "wip",
        base: "main",
        title: "Two",
        body: "",
    };
    at.open_pull("alice", proposal).unwrap();
    hub
}

/// The configuration of who signs in as an app, or with a token.
fn config(url: &str, who: As, app: u64, token: String) -> Config {
    let (app_id, signs_in) = match who {
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
    let variables: BTreeMap<String, String> = [signs_in, secret]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
    Config::parse(&text, Path::new("."), &variables).unwrap()
}

/// That GitHub, and an office with its door.
async fn stage(who: As) -> PullStatus {
    let hub = hub();
    let (app, token, began) = (hub.app_ids().0, hub.bot_token(), hub.now());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let options = Options {
        faults: Some(Arc::new(move |request| {
            let about = request.path.starts_with("/app/hook/deliveries");
            count.fetch_add(usize::from(about), Ordering::SeqCst);
            if about && is_down.load(Ordering::SeqCst) {
                Fault::Answer(502)
            } else {
                Fault::None
            }
        })),
        by_hand: true,
        ..Options::default()
    };
    let lab = serve(hub, options).await.unwrap();
    let config = config(&lab.url, who, app, token);
    // Two hours after GitHub's time began.
    let now = Timestamp((began + 7_200) * 1_000);
    let clock: Clock = Arc::new(move || now);
    let settings = config.github.as_ref().unwrap();
    let secrets = settings.secrets().unwrap();
    let github = GitHub::connect(settings, Arc::clone(&clock)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("p.db").display());
    let journal = Journal::open(&url).await.unwrap();
    let door = router(WebhookState {
        journal: journal.clone(),
        secrets: Arc::new(secrets),
        now: Arc::clone(&clock),
        body_limit: 1 << 20,
        body_patience: BODY_SECONDS_MAX,
        kept: Arc::new(Notify::new()),
        counts: Arc::new(WebhookCounts::default()),
    });
    let office = Office {
        config,
        journal,
        github: GitHubPort(github),
        desks: BTreeMap::new(),
        clock,
        owner: "test".to_owned(),
        told: PublishedFacts::default(),
    };
    PullStatus {
        lab,
        office,
        door,
        asked,
        down,
        _folder: folder,
    }
}

impl PullStatus {
    fn comment(&self, body: &str) {
        self.lab
            .github()
            .at(NAME)
            .comment("alice", 1, body)
            .unwrap();
    }

    /// Everything that waits fails so.
    fn fails(&self, outcome: Outcome) {
        let mut hub = self.lab.github();
        while let Some(one) = hub.take_delivery() {
            hub.delivered(one.id, outcome);
        }
    }

    /// Everything that waits is carried to the door, and what it answered is noted.
    async fn carry(&self) -> Vec<u16> {
        let mut answers = Vec::new();
        loop {
            let next = {
                let mut hub = self.lab.github();
                let one = hub.take_delivery();
                one.map(|one| (hub.headers(&one), one))
            };
            let Some((headers, one)) = next else {
                return answers;
            };
            let mut request = http::Request::post("/webhook");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let request = request.body(Body::from(one.body)).unwrap();
            let answer = self.door.clone().oneshot(request).await.unwrap();
            let status = answer.status().as_u16();
            let mut hub = self.lab.github();
            hub.delivered(one.id, Outcome::Answered(status));
            answers.push(status);
        }
    }

    async fn asks(&self) -> usize {
        let Redelivered { asked, more } = self.office.ask_for_failed().await.unwrap();
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
    let stage = stage(As::App).await;
    stage.carry().await;
    stage.office.settle_all().await.unwrap();
    for minute in 0..60 {
        let word = if minute % 20 == 0 { "/help" } else { "hm" };
        stage.comment(word);
        let outcome = match minute % 3 {
            0 => Outcome::Unreachable,
            1 => Outcome::Answered(503),
            _ => Outcome::Lost,
        };
        stage.fails(outcome);
        stage.lab.github().pass(60);
    }
    assert_eq!(stage.asks().await, 60);
    assert_eq!(stage.carry().await, vec![202; 60]);
    stage.office.settle_all().await.unwrap();
    assert_eq!(stage.bot_comments(), 3);
    stage.carry().await;
    assert_eq!(stage.asks().await, 0, "all of it was kept");
    // Somebody presses the button at GitHub as well: it is the same delivery.
    let again = stage.lab.github().deliveries()[0].id;
    stage.lab.github().redeliver(again);
    stage.carry().await;
    stage.office.settle_all().await.unwrap();
    assert_eq!(stage.bot_comments(), 3);
}

#[tokio::test]
async fn what_fails_again_is_asked_for_again_unless_it_was_turned_away() {
    let stage = stage(As::App).await;
    stage.fails(Outcome::Answered(401));
    let count = stage.lab.github().deliveries().len();
    assert_eq!(stage.asks().await, count);
    stage.fails(Outcome::Answered(500));
    assert_eq!(stage.asks().await, count);
    stage.fails(Outcome::Answered(401));
    assert_eq!(stage.asks().await, 0, "it would be turned away once more");
}

#[tokio::test]
async fn a_log_of_many_pages_is_read_to_its_end_bit_by_bit() {
    let stage = stage(As::App).await;
    for _ in 0..250 {
        stage.comment("hm");
    }
    stage.fails(Outcome::Unreachable);
    let count = stage.lab.github().deliveries().len();
    let mut looks = Vec::new();
    loop {
        let look = stage.office.ask_for_failed().await.unwrap();
        looks.push(look.asked);
        if !look.more {
            break;
        }
    }
    assert_eq!(looks.iter().sum::<usize>(), count);
    assert_eq!(looks[..2], [100, 100], "a page, then it is enough");
    stage.carry().await;
    assert_eq!(stage.asks().await, 0);
}

#[tokio::test]
async fn what_is_older_than_three_days_is_left_alone() {
    let stage = stage(As::App).await;
    stage.fails(Outcome::Unreachable);
    let four_days = Timestamp((stage.office.clock)().0 + 4 * 86_400_000);
    let old = PullStatus {
        office: Office {
            clock: Arc::new(move || four_days),
            ..stage.office
        },
        ..stage
    };
    assert_eq!(old.asks().await, 0);
}

#[tokio::test]
async fn where_github_says_no_the_next_look_begins_anew() {
    let stage = stage(As::App).await;
    stage.fails(Outcome::Unreachable);
    let forgotten = r#"{"until":0,"under_way":{"newest":1,"page":"1"}}"#;
    let journal = &stage.office.journal;
    journal.set_cursor(BOOKMARK, forgotten).await.unwrap();
    stage.down.store(true, Ordering::SeqCst);
    assert!(stage.office.ask_for_failed().await.is_err());
    stage.down.store(false, Ordering::SeqCst);
    let count = stage.lab.github().deliveries().len();
    assert_eq!(stage.asks().await, count);
}

#[tokio::test]
async fn a_token_never_asks_for_the_log() {
    let stage = stage(As::Token).await;
    stage.fails(Outcome::Unreachable);
    assert_eq!(stage.asks().await, 0);
    assert_eq!(stage.asked.load(Ordering::SeqCst), 0);
}
