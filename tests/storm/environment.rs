//! Where the storm is: PostgreSQL, a MAAS and a GitHub on loopback, three replicas, and people. It must not know what
//! happens next.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use journal::Journal;
use lab::github::{GitHubServerOptions, GitHubSetup, MergeMethod, NewPullRequest, WebhookOutcome};
use lab::maas::LabMaas;
use serde_json::Value;
use service::clock::machine;
use simulation::demo::site;
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use topology::port::Clock;

use super::posts::{Post, Storm};
use super::replicas::{NAMES, Replicas};
use super::watch::Watch;
use simulation::harness::{REPOSITORY, SimClock, declaration_files};
use support_postgres::Cluster;

pub(super) const SITE: &str = "reference";
const BRANCH: &str = "vip-plane";

/// How long anything may take before it is missed: far longer than it does on a busy machine.
const PATIENCE_MS: i64 = 300_000;

/// Between two looks at the world.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) struct StormEnvironment {
    folder: tempfile::TempDir,
    pub(super) cluster: Cluster,
    pub(super) store: AnyPool,
    /// The journal, to look into.
    pub(super) journal: Journal,
    pub(super) maas: lab::maas::MaasServer,
    pub(super) github: lab::github::GitHubServer,
    pub(super) replicas: Arc<Replicas>,
    pub(super) watch: Arc<Watch>,
    pub(super) storm: Arc<Storm>,
    pub(super) clock: Clock,
    pub(super) number: u64,
    began: i64,
}

impl StormEnvironment {
    pub(super) async fn open(cluster: Cluster) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = cluster.database().await;
        let clock = machine();
        let mut rows = LabMaas::load(site::BEFORE, None).unwrap();
        for host in rows.machines() {
            rows.set_status(&host, "Deployed");
        }
        let mut files = declaration_files(&rows, &SimClock::default())
            .await
            .unwrap();
        files.extend(site::RUNBOOKS.map(|(path, text)| (path.to_owned(), text.to_owned())));
        let keys = NAMES.map(|name| {
            rows.add_user(name, true);
            rows.api_key(name).unwrap()
        });
        let replicas = Arc::new(Replicas::new(folder.path()));
        let watch = Arc::new(Watch::new(Arc::clone(&replicas), &keys));
        let receives = Arc::clone(&watch);
        let maas = lab::maas::serve(
            rows,
            Some(Arc::new(move |request| receives.receives(request))),
        )
        .await
        .unwrap();
        let github = hub(files, &clock).await;
        let pool = AnyPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(Duration::from_secs(3));
        let environment = Self {
            storm: Arc::new(Storm::new(Arc::clone(&replicas))),
            store: pool.connect_lazy(&url).unwrap(),
            journal: Journal::open(&url).await.unwrap(),
            folder,
            cluster,
            maas,
            github,
            replicas,
            watch,
            began: clock().0,
            clock,
            number: 0,
        };
        environment.write_files(&url, &keys);
        for which in 0..NAMES.len() {
            environment.replicas.start(which);
        }
        environment.all_are("ready", true).await;
        environment.describe(SETTLEMENTS).await;
        environment
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn write_files(&self, store: &str, keys: &[String]) {
        {
            let hub = self.github.github();
            self.write("github-token", &hub.bot_token());
            self.write("webhook-secret", hub.webhook_secret());
        }
        self.juju(&["controller", "openstack"]);
        self.jumphost(&site::JUMPHOST_BEFORE);
        for (which, (name, key)) in NAMES.iter().zip(keys).enumerate() {
            self.write(&format!("{name}.key"), key);
            let text = format!(
                r#"
[server]
listen = "{place}"
replica = "{name}"
takeover_seconds = 10
[github]
api_url = "{github}"
token_file = "github-token"
webhook_secret_file = "webhook-secret"
[store]
url = "{store}"
[[site]]
name = "{SITE}"
repository = "{REPOSITORY}"
path = "topology"
maas_url = "{maas}"
maas_api_key_file = "{name}.key"
[site.operators]
users = ["bob"]
[site.policy]
settle_seconds = 1
unknown_pause_seconds = 1
lease_seconds = 15
[site.evidence]
juju_models = "juju-models.json"
jumphost_addresses = "jumphost.json"
"#,
                place = self.replicas.place(which),
                github = self.github.url,
                maas = self.maas.url,
            );
            std::fs::write(self.replicas.config(which), text).unwrap();
        }
    }

    /// The Juju models that are there now.
    pub(super) fn juju(&self, models: &[&str]) {
        let models: Vec<Value> = models
            .iter()
            .map(|name| {
                let is_controller = *name == "controller";
                serde_json::json!({"name": format!("admin/{name}"), "type": "maas", "is-controller": is_controller, "life": "alive"})
            })
            .collect();
        let text = serde_json::json!({ "models": models }).to_string();
        self.write("juju-models.json", &text);
    }

    /// The addresses that the jumphost has now.
    pub(super) fn jumphost(&self, list: &[(&str, &str)]) {
        self.write("jumphost.json", &site::addresses(list));
    }

    /// The machines are released, and nothing is left on the networks that go.
    pub(super) fn tear_down(&self) {
        self.juju(&["controller"]);
        let mut maas = self.maas.maas.lock().unwrap();
        for host in maas.machines() {
            maas.release(&host);
            for cidr in site::VACATED {
                maas.unlink_all(&host, cidr);
            }
        }
    }

    /// Alice's change, as one pull request.
    pub(super) fn propose(&mut self) {
        let mut hub = self.github.github();
        let mut at = hub.at(REPOSITORY);
        let old: Vec<String> = at.files_at("main").into_keys().collect();
        let mut files: BTreeMap<&str, Option<&str>> = old
            .iter()
            .filter(|path| path.starts_with("topology/"))
            .map(|path| (path.as_str(), None))
            .collect();
        files.extend(site::DECLARED.map(|(path, text)| (path, Some(text))));
        let files: Vec<_> = files.into_iter().collect();
        at.commit_files("alice", BRANCH, "Renumber", &files)
            .unwrap();
        let proposal = NewPullRequest {
            head: BRANCH,
            base: "main",
            title: "Renumber",
            body: "",
        };
        self.number = at.open_pull("alice", proposal).unwrap();
    }

    pub(super) fn merge(&self) {
        let mut hub = self.github.github();
        let mut at = hub.at(REPOSITORY);
        at.merge("bob", self.number, MergeMethod::Squash).unwrap();
    }

    pub(super) fn comment(&self, who: &str, words: &str) -> u64 {
        let mut hub = self.github.github();
        hub.at(REPOSITORY).comment(who, self.number, words).unwrap()
    }

    /// What the bot has said, oldest first.
    pub(super) fn comments(&self) -> Vec<String> {
        let mut hub = self.github.github();
        let comments = hub.at(REPOSITORY).comments(self.number).into_iter();
        comments
            .filter(|comment| comment.author.ends_with("[bot]"))
            .map(|comment| comment.body)
            .collect()
    }

    /// Waits until the bot says that, and gives it back whole.
    pub(super) async fn receive(&self, words: &str) -> String {
        let found = || {
            self.comments()
                .into_iter()
                .find(|body| body.contains(words))
        };
        self.until(words, async || found().is_some()).await;
        found().unwrap()
    }

    /// Looks at the world until it is so.
    pub(super) async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let deadline = (self.clock)().0 + PATIENCE_MS;
        let mut tick = tokio::time::interval(LOOK_EVERY);
        while !so().await {
            tick.tick().await;
            if (self.clock)().0 > deadline {
                self.missing(what);
            }
        }
    }

    /// Notes how far the day is: where it fails, that is the first thing to know.
    pub(super) fn passed(&self, what: &str) {
        let seconds = ((self.clock)().0 - self.began) / 1000;
        let line = format!("storm, {seconds} s: {what}\n");
        // Not captured by the test runner, so that it is seen.
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }

    fn missing(&self, what: &str) -> ! {
        let mut told = String::new();
        for (which, name) in NAMES.iter().enumerate() {
            let log = self.replicas.logged(which);
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(30)..].join("\n");
            told.push_str(&format!("\n-- {name}\n{tail}"));
        }
        let said = self.comments().pop().unwrap_or_default();
        panic!(
            "waited in vain for: {what}; {} writes to MAAS\n-- the bot's last comment\n{said}\n{told}",
            self.watch.writes()
        );
    }

    /// Waits until each replica says so.
    pub(super) async fn all_are(&self, what: &str, wanted: bool) {
        let is_so = async |which: usize| {
            let so = async || self.replicas.is_ready(which).await == wanted;
            self.until(&format!("`{}` is {what}", NAMES[which]), so)
                .await;
        };
        tokio::join!(is_so(0), is_so(1), is_so(2));
    }

    /// Says something to the database.
    pub(super) async fn describe(&self, statements: &'static str) {
        sqlx::raw_sql(statements)
            .execute(&self.store)
            .await
            .unwrap();
    }

    /// What the database counts; none while it is away.
    pub(super) async fn count(&self, query: &'static str) -> Option<i64> {
        let row: Result<(i64,), _> = sqlx::query_as(query).fetch_one(&self.store).await;
        row.ok().map(|(count,)| count)
    }

    /// Who works, and under which epoch; none where nobody does, or nobody can say.
    pub(super) async fn leader(&self) -> Option<(usize, i64)> {
        let row: Option<(String, i64)> = sqlx::query_as(
            "SELECT owner, epoch FROM lease WHERE site = '(queue)' AND until_ms > EXTRACT(EPOCH FROM clock_timestamp()) * 1000",
        )
        .fetch_optional(&self.store)
        .await
        .ok()?;
        let (owner, epoch) = row?;
        let which = NAMES
            .iter()
            .position(|name| owner == format!("replica {name}"));
        Some((which?, epoch))
    }

    /// Carries GitHub's own webhooks for as long as it is waited for, as its log and an operator's patience would.
    pub(super) async fn carry_webhooks(&self) -> std::convert::Infallible {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        for turn in 0.. {
            tick.tick().await;
            loop {
                let next = {
                    let mut hub = self.github.github();
                    hub.take_delivery().map(|one| (hub.sign(&one.body), one))
                };
                let Some((signature, one)) = next else {
                    break;
                };
                let post = Post {
                    id: one.guid,
                    event: one.event.to_owned(),
                    body: String::from_utf8(one.body).unwrap(),
                    signature,
                };
                self.storm.brought(&post, turn).await;
                self.github
                    .github()
                    .record_outcome(one.id, WebhookOutcome::Answered(202));
            }
        }
        unreachable!("it is called until the storm is over")
    }
}

/// Counts how often each delivery was settled: the journal itself only remembers the last time.
const SETTLEMENTS: &str = "
    CREATE TABLE settlement (id TEXT NOT NULL);
    CREATE FUNCTION settled_now() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO settlement VALUES (NEW.id); RETURN NULL; END $$;
    CREATE TRIGGER settled_now AFTER UPDATE ON delivery FOR EACH ROW
        WHEN (OLD.settled IS DISTINCT FROM NEW.settled) EXECUTE FUNCTION settled_now()";

/// A repository that declares what MAAS has now.
async fn hub(files: BTreeMap<String, String>, clock: &Clock) -> lab::github::GitHubServer {
    let demo = GitHubSetup {
        app: "planebot".to_owned(),
        repository: REPOSITORY.to_owned(),
        files,
        writers: vec!["alice".to_owned(), "bob".to_owned()],
        readers: vec!["mallory".to_owned()],
        webhook: Some("http://127.0.0.1/webhook".to_owned()),
        port: 0,
    };
    let clock = Arc::clone(clock);
    let options = GitHubServerOptions {
        clock: Some(Arc::new(move || clock().0 / 1000)),
        manual_delivery: true,
        ..GitHubServerOptions::default()
    };
    lab::github::serve(demo.github().unwrap(), options)
        .await
        .unwrap()
}
