//! The whole bot in one process: the service's own office and door on a journal in a file, a MAAS and a GitHub on
//! loopback, one fuse for everything that leaves the process, and a clock that moves when told.
//!
//! It must not know which acts are played in it.

mod fuse;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use journal::Journal;
use lab::github::{Demo, GitHub, Options, Outcome};
use lab::maas::Maas;
use plan::run::Progress;
use planebot::clock::Clock;
use planebot::config::Config;
use planebot::maas::{Client, InLab};
use planebot::rehearse::Rehearsals;
use planebot::story::site;
use planebot::turn::{Office, Told, Turned};
use planebot::webhook::{BODY_SECONDS_MAX, Counts, Door, router};
use tokio::sync::Notify;
use topology::observed::{Scope, Timestamp};
use tower::ServiceExt as _;

use crate::lab::outside;
pub(crate) use fuse::Fuse;
use fuse::Kind;

pub(crate) const REPOSITORY: &str = "example/network";
const SITE: &str = "reference";

/// When the town's time begins, in milliseconds since 1970; it moves when the service rests.
const BEGINNING: i64 = 1_795_442_531_000;

/// Everything outside the process, and the clock.
pub(crate) struct Town {
    folder: tempfile::TempDir,
    pub(crate) maas: lab::maas::Serving,
    pub(crate) github: lab::github::Serving,
    pub(crate) fuse: Arc<Fuse>,
    now: Arc<AtomicI64>,
    /// The pull request, once there is one.
    pub(crate) number: u64,
    rehearsals: Rehearsals,
    before: BTreeMap<String, String>,
}

/// One life of the service.
pub(crate) struct Life {
    office: Office,
    door: Router,
}

/// All that outlives a process.
pub(crate) struct Moment {
    maas: Maas,
    github: GitHub,
    pub(crate) store: PathBuf,
    now: i64,
}

impl Life {
    /// What the process remembers, which the next one does not.
    pub(crate) fn told(&self) -> Told {
        self.office.told.clone()
    }
}

impl Town {
    /// The story's MAAS, and a repository that declares what it has.
    pub(crate) async fn open() -> Self {
        let fuse = Arc::new(Fuse::new());
        let mut rows = Maas::load(site::BEFORE, None).unwrap();
        for host in rows.machines() {
            rows.set_status(&host, "Deployed");
        }
        let declared = declared(&rows).await;
        let at_maas = Arc::clone(&fuse);
        let now = Arc::new(AtomicI64::new(BEGINNING));
        let at = Arc::clone(&now);
        let maas = lab::maas::serve_in_time(
            rows,
            Some(Arc::new(move |_| at_maas.hears(Kind::Maas))),
            Arc::new(move || at.load(Ordering::SeqCst) / 1000),
        )
        .await
        .unwrap();
        let hub = Demo {
            app: "planebot".to_owned(),
            repository: REPOSITORY.to_owned(),
            files: declared.clone(),
            people: vec!["alice".to_owned(), "bob".to_owned()],
            strangers: vec!["mallory".to_owned()],
            webhook: Some("http://127.0.0.1/webhook".to_owned()),
            port: 0,
        };
        let at_github = Arc::clone(&fuse);
        let options = Options {
            faults: Some(Arc::new(move |_| at_github.hears(Kind::GitHub))),
            by_hand: true,
            ..Options::default()
        };
        let github = lab::github::serve(hub.github().unwrap(), options)
            .await
            .unwrap();
        let town = Self {
            folder: tempfile::tempdir().unwrap(),
            maas,
            github,
            fuse,
            now,
            number: 0,
            rehearsals: Rehearsals::default(),
            before: declared,
        };
        town.write_secrets();
        town.juju(&["admin/controller", "admin/openstack"]);
        town.jumphost(&site::JUMPHOST_BEFORE);
        town
    }

    /// The repository's files in the beginning.
    pub(crate) fn declared_before(&self) -> BTreeMap<String, String> {
        self.before.clone()
    }

    fn write_secrets(&self) {
        let hub = self.github.github();
        self.write("github-token", &hub.bot_token());
        self.write("webhook-secret", hub.hook_secret());
        let key = self.rows(|maas| maas.api_key("admin")).unwrap();
        self.write("maas-key", &key);
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// The Juju models that are there now.
    pub(crate) fn juju(&self, models: &[&str]) {
        let models: Vec<_> = models
            .iter()
            .map(|name| serde_json::json!({"name": name, "type": "maas", "is-controller": name.ends_with("controller"), "life": "alive"}))
            .collect();
        self.write(
            "juju-models.json",
            &serde_json::json!({"models": models}).to_string(),
        );
    }

    /// The addresses that the jumphost has now.
    pub(crate) fn jumphost(&self, list: &[(&str, &str)]) {
        self.write("jumphost.json", &site::addresses(list));
    }

    pub(crate) fn rows<T>(&self, look: impl FnOnce(&mut Maas) -> T) -> T {
        look(
            &mut self
                .maas
                .maas
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn config(&self, store: &Path) -> Config {
        let text = format!(
            r#"
[server]
listen = "127.0.0.1:8080"
[github]
api_url = "{github}"
token_file = "github-token"
webhook_secret_file = "webhook-secret"
[store]
url = "sqlite://{store}"
[[site]]
name = "{SITE}"
repository = "{REPOSITORY}"
path = "topology"
maas_url = "{maas}"
maas_api_key_file = "maas-key"
[site.operators]
users = ["bob"]
[site.policy]
settle_seconds = 60
unknown_pause_seconds = 1
[site.evidence]
juju_models = "juju-models.json"
jumphost_addresses = "jumphost.json"
"#,
            github = self.github.url,
            maas = self.maas.url,
            store = store.display(),
        );
        Config::parse(&text, self.folder.path(), &BTreeMap::new()).unwrap()
    }

    fn clock(&self) -> Clock {
        let now = Arc::clone(&self.now);
        Arc::new(move || Timestamp(now.load(Ordering::SeqCst)))
    }

    /// Where the journal of the calm life is.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    /// The service starts, and asks GitHub what no webhook told; `None` when the power goes meanwhile.
    pub(crate) async fn wake(&self, store: &Path) -> Option<Life> {
        let waking = async {
            let life = self.started(store).await;
            if self.caught_up(&life.office).await.is_err() {
                // Only the fuse's doing: the power is gone, and this life with it.
                std::future::pending::<()>().await;
            }
            life
        };
        self.fuse.until_dark(waking).await
    }

    /// A life that goes on where another one stands: it remembers what that one told, and need not ask GitHub.
    pub(crate) async fn alive(&self, store: &Path, told: Told) -> Life {
        let mut life = self.started(store).await;
        life.office.told = told;
        life
    }

    async fn started(&self, store: &Path) -> Life {
        let config = self.config(store);
        let secrets = config.github.as_ref().unwrap().secrets().unwrap();
        let fuse = Arc::clone(&self.fuse);
        let journal = Journal::open_at(&config.store.address().unwrap())
            .await
            .unwrap()
            .with_fuse(Arc::new(move || fuse.burn(Kind::Journal)));
        let opened = planebot::service::open_with(config, journal.clone(), self.clock()).await;
        let Ok(mut office) = opened else {
            return std::future::pending().await;
        };
        // A rehearsal follows from what it is given, so that all lives may remember the same one.
        for desk in office.desks.values_mut() {
            desk.rehearsals = self.rehearsals.clone();
        }
        let door = router(Door {
            journal,
            secrets: Arc::new(secrets),
            now: self.clock(),
            body_limit: 1 << 20,
            body_patience: BODY_SECONDS_MAX,
            kept: Arc::new(Notify::new()),
            counts: Arc::new(Counts::default()),
        });
        Life { office, door }
    }

    /// What GitHub tells that no webhook did, settled and answered.
    /// Deliveries that wait come first: they may tell it.
    async fn caught_up(&self, office: &Office) -> anyhow::Result<()> {
        self.quieted(office).await?;
        office.catch_up().await?;
        self.quieted(office).await
    }

    async fn quieted(&self, office: &Office) -> anyhow::Result<()> {
        while !self.is_quiet(office).await? {
            office.turn().await?;
        }
        Ok(())
    }

    /// Nothing waits to be settled, and nothing is to be said now.
    async fn is_quiet(&self, office: &Office) -> anyhow::Result<bool> {
        let (waiting, _) = office.journal.queue().await?;
        let owed = office
            .journal
            .next_reply((office.clock)(), journal::Room::All)
            .await?;
        Ok(waiting == 0 && owed.is_none())
    }

    /// Carries the webhooks, then turns until the next move of a run, or until there is nothing to do: then true.
    /// `None` when the power goes meanwhile.
    pub(crate) async fn beat(&self, life: &Life) -> Option<bool> {
        self.fuse
            .until_dark(async {
                self.carry(life).await;
                self.turns(&life.office).await
            })
            .await
    }

    async fn carry(&self, life: &Life) {
        loop {
            let Some((headers, one)) = ({
                let mut hub = self.github.github();
                hub.take_delivery().map(|one| (hub.headers(&one), one))
            }) else {
                return;
            };
            let mut request = http::Request::post("/webhook");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let request = request.body(Body::from(one.body)).unwrap();
            let response = life.door.clone().oneshot(request).await.unwrap();
            let outcome = Outcome::Answered(response.status().as_u16());
            self.github.github().delivered(one.id, outcome);
        }
    }

    async fn turns(&self, office: &Office) -> bool {
        loop {
            match office.turn().await {
                Ok(Turned::Rests(None)) => return true,
                Ok(Turned::Rests(Some(until))) => {
                    self.now.store(until.0, Ordering::SeqCst);
                    return false;
                }
                Ok(Turned::Moved) if self.is_quiet(office).await.unwrap() => return false,
                Ok(Turned::Moved) => {}
                // Only the fuse's doing.
                Err(_) if self.fuse.is_dark() => return false,
                Err(error) => panic!("a turn failed: {error:#}"),
            }
        }
    }

    /// Everything as it is now, with a copy of the journal.
    pub(crate) fn save(&self, store: &Path, name: &str) -> Moment {
        let kept = self.folder.path().join(name);
        copied(store, &kept);
        Moment {
            maas: self.rows(|maas| maas.clone()),
            github: self.github.github().clone(),
            store: kept,
            now: self.now.load(Ordering::SeqCst),
        }
    }

    /// Puts the world back, but for the journal.
    pub(crate) fn put_back(&self, moment: &Moment) {
        self.rows(|maas| maas.clone_from(&moment.maas));
        self.github.github().clone_from(&moment.github);
        self.now.store(moment.now, Ordering::SeqCst);
    }

    /// Puts everything back, with a journal of its own; where that is.
    pub(crate) fn restore(&self, moment: &Moment, name: &str) -> PathBuf {
        self.put_back(moment);
        let store = self.folder.path().join(name);
        copied(&moment.store, &store);
        store
    }

    /// What the people and the next process see of all this, but for times.
    pub(crate) async fn portrait(&self, life: &Life) -> String {
        let journal = &life.office.journal;
        let mut told = Vec::new();
        for run in journal.runs(SITE, 9).await.unwrap() {
            let facts = journal.facts(run.id).await.unwrap();
            told.push(format!(
                "run {}: over {}, {:?}",
                run.id.0,
                run.ended.is_some(),
                Progress::of(&facts)
            ));
        }
        for number in 1..=2 {
            if let Some(pull) = journal.pull(REPOSITORY, number).await.unwrap() {
                told.push(format!("pull request {number}: {}", pull.stage));
            }
        }
        told.push(format!("deliveries: {:?}", journal.queue().await.unwrap()));
        let mut hub = self.github.github().clone();
        let at = hub.at(REPOSITORY);
        for comment in (1..=2).flat_map(|number| at.comments(number)) {
            let key = comment
                .body
                .lines()
                .find_map(|line| line.strip_prefix("<!-- planebot:")?.strip_suffix(" -->"));
            // A comment may be edited once in five seconds: what it is to say counts, not what it says yet.
            let said = match key {
                Some(key) => journal.reply(key).await.unwrap().unwrap().reply.body,
                None => comment.body.clone(),
            };
            told.push(format!(
                "{} {}: {} {:?}",
                comment.author,
                key.unwrap_or_default(),
                said.lines().next().unwrap_or_default(),
                at.reactions(comment.id)
            ));
        }
        let heads = ["vip-plane", "take-back"].map(|branch| at.head(branch));
        let merges = at.log("main").into_iter().map(|commit| commit.oid);
        for oid in heads.into_iter().flatten().chain(merges) {
            for run in at.check_runs(oid) {
                let (name, status) = (run.name, run.status);
                told.push(format!(
                    "check {name} on {oid}: {status} {:?}",
                    run.conclusion
                ));
            }
        }
        told.extend(
            at.log("planebot-history")
                .iter()
                .map(|commit| format!("history: {}", commit.message)),
        );
        told.join("\n")
    }

    /// Whether the rows of MAAS are these, and the writes that led to them.
    pub(crate) fn same_network(&self, moment: &Moment) -> bool {
        self.rows(|maas| maas.same_rows(&moment.maas) && maas.writes() == moment.maas.writes())
    }
}

/// The files that say what a MAAS has now, and the runbooks.
pub(crate) async fn declared(rows: &Maas) -> BTreeMap<String, String> {
    let shared = Arc::new(Mutex::new(rows.clone()));
    let client = Client::new(InLab::new(shared, outside()), outside());
    let everything = Scope {
        all_nodes: true,
        all_spaces: true,
        ..Scope::default()
    };
    let observed = client.eyes().observe(&everything).await.unwrap();
    let files = topology::write::files(&observed, SITE).into_iter();
    files
        .map(|(path, text)| {
            let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
            (format!("topology/{name}"), text)
        })
        .chain(site::RUNBOOKS.map(|(path, text)| (path.to_owned(), text.to_owned())))
        .collect()
}

/// A journal that nobody writes to now, as a second one.
fn copied(from: &Path, to: &Path) {
    let beside = |path: &Path, end: &str| PathBuf::from(format!("{}{end}", path.display()));
    for end in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(beside(to, end)));
    }
    for end in ["", "-wal"] {
        if beside(from, end).exists() {
            std::fs::copy(beside(from, end), beside(to, end)).unwrap();
        }
    }
}
