//! The whole bot in one process: the service's own office and door, a MAAS and a GitHub on loopback, one fuse for
//! everything that leaves the process, and a clock that moves when told.
//!
//! Requests go one at a time and no pause is waited for, so that the same town plays the same twice. It must not know
//! what is played in it, nor what goes wrong.

mod crash;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use journal::Journal;
use lab::github::{GitHubServerOptions, GitHubSetup, WebhookDelivery, WebhookOutcome};
use lab::maas::LabMaas;
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;
use topology::observed::{Scope, Timestamp};
use tower::ServiceExt as _;

use execution::rehearse::RehearsalCache;
use execution::rehearse::in_memory::InMemoryMaas;
use github::GitHub;
use maas::{ApiKey, Environment, HttpTransport, MaasClient};
use service::config::Config;
use service::github_port::GitHubPort;
use service::server::routes::{BODY_SECONDS_MAX, WebhookCounts, WebhookState, router};
use service::sites::Sites;
use service::worker::{Wiring, Worker};
use topology::port::Clock;

pub use crash::{CrashPoint, FaultPolicy, InjectedFault, Operation};

/// The one repository.
pub const REPOSITORY: &str = "example/network";
/// The one site.
pub const SITE: &str = "reference";

/// When the town's time begins, in milliseconds since 1970.
const BEGINNING: i64 = 1_795_442_531_000;

/// What a town is made of.
pub struct Location {
    /// The rows of its MAAS.
    pub rows: LabMaas,
    /// The repository's files.
    pub files: BTreeMap<String, String>,
    /// Tables of the configuration below `[[site]]`.
    pub site: &'static str,
    /// Where relative paths in them begin.
    pub folder: PathBuf,
}

/// The town's time, and the client's patience that goes by it.
#[derive(Clone)]
pub struct SimClock {
    now: Arc<AtomicI64>,
    nonces: Arc<AtomicU64>,
    stalled: Arc<Notify>,
}

/// Everything outside the process, and the clock.
pub struct Harness {
    /// The MAAS.
    pub maas: lab::maas::MaasServer,
    /// The GitHub.
    pub github: lab::github::GitHubServer,
    /// What everything that leaves the process passes.
    pub fuse: Arc<CrashPoint>,
    /// The time.
    pub hand: SimClock,
    place: (&'static str, PathBuf),
    rehearsals: RehearsalCache,
}

/// One life of the service.
pub struct ServiceInstance {
    /// What its worker is built from.
    pub wiring: Wiring,
    /// Its worker.
    pub worker: Worker,
    /// Its journal.
    pub journal: Journal,
    clock: Clock,
    door: Router,
}

impl Default for SimClock {
    fn default() -> Self {
        Self {
            now: Arc::new(AtomicI64::new(BEGINNING)),
            nonces: Arc::default(),
            stalled: Arc::default(),
        }
    }
}

impl SimClock {
    /// What time it is, in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    /// Puts the clock there.
    pub fn put(&self, now: i64) {
        self.now.store(now, Ordering::SeqCst);
    }

    /// Lets time pass.
    pub fn pass(&self, milliseconds: i64) {
        self.now.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// The request that is under way is never answered: whoever waits for it loses their patience at once, and the time
    /// that it takes passes.
    pub fn stall(&self) {
        self.stalled.notify_one();
    }

    /// As a clock.
    pub fn clock(&self) -> Clock {
        let hand = self.clone();
        Arc::new(move || Timestamp(hand.now()))
    }

    /// Time and chance for the MAAS client: pauses that pass at once.
    fn outside(&self) -> Environment {
        let (nonces, hand) = (Arc::clone(&self.nonces), self.clone());
        Environment {
            now: self.clock(),
            nonce: Arc::new(move || format!("town{}", nonces.fetch_add(1, Ordering::SeqCst))),
            sleep: Arc::new(move |length| {
                hand.pass(milliseconds(length));
                Box::pin(std::future::ready(()))
            }),
        }
    }

    async fn patience(self, length: Duration) {
        self.stalled.notified().await;
        self.pass(milliseconds(length));
    }
}

fn milliseconds(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

impl Harness {
    /// Opens a town; `fate` decides what becomes of everything that leaves the service.
    pub async fn open(
        place: Location,
        fate: Arc<dyn FaultPolicy>,
        hand: SimClock,
    ) -> anyhow::Result<Self> {
        let fuse = Arc::new(CrashPoint::new(fate));
        let (at_maas, time) = (Arc::clone(&fuse), hand.clone());
        let maas = lab::maas::serve_with_clock(
            place.rows,
            Some(Arc::new(move |request| {
                at_maas.hears(Operation::Maas(request))
            })),
            Arc::new(move || time.now() / 1000),
        )
        .await?;
        let hub = GitHubSetup {
            app: "planebot".to_owned(),
            repository: REPOSITORY.to_owned(),
            files: place.files,
            writers: vec!["alice".to_owned(), "bob".to_owned()],
            readers: vec!["mallory".to_owned()],
            webhook: Some("http://127.0.0.1/webhook".to_owned()),
            port: 0,
        };
        let (at_github, time) = (Arc::clone(&fuse), hand.clone());
        let options = GitHubServerOptions {
            faults: Some(Arc::new(move |request| {
                at_github.hears(Operation::GitHub(request))
            })),
            clock: Some(Arc::new(move || time.now() / 1000)),
            manual_delivery: true,
            ..GitHubServerOptions::default()
        };
        let github = lab::github::serve(hub.github()?, options).await?;
        Ok(Self {
            maas,
            github,
            fuse,
            hand,
            place: (place.site, place.folder),
            rehearsals: RehearsalCache::default(),
        })
    }

    /// The rows of MAAS, for people at work there.
    pub fn rows<T>(&self, look: impl FnOnce(&mut LabMaas) -> T) -> T {
        look(
            &mut self
                .maas
                .maas
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn config(&self, store: &str) -> anyhow::Result<Config> {
        let (site, folder) = &self.place;
        let text = format!(
            "[server]\nlisten = '127.0.0.1:8080'\n[github]\napi_url = '{}'\n[store]\nurl = '{store}'\n\
             [[site]]\nname = '{SITE}'\nrepository = '{REPOSITORY}'\npath = 'topology'\nmaas_url = '{}'\n\
             [site.operators]\nusers = ['bob']\n{site}",
            self.github.url, self.maas.url,
        );
        let hub = self.github.github();
        let variables = [
            ("PLANEBOT_GITHUB_TOKEN", hub.bot_token()),
            (
                "PLANEBOT_GITHUB_WEBHOOK_SECRET",
                hub.webhook_secret().to_owned(),
            ),
            ("PLANEBOT_SITE_REFERENCE_MAAS_API_KEY", self.key()?),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Ok(Config::parse(&text, folder, &variables.into())?)
    }

    fn key(&self) -> anyhow::Result<String> {
        self.rows(|maas| maas.api_key("admin"))
            .context("the lab's MAAS has no administrator")
    }

    /// A service that starts on that journal, under the fuse. `store` is where the journal is.
    pub async fn started(&self, journal: Journal, store: &str) -> anyhow::Result<ServiceInstance> {
        let config = self.config(store)?;
        let github = config.github.as_ref().context("no GitHub is configured")?;
        let secrets = github.secrets()?;
        let clock = self.hand.clock();
        let connected = GitHub::connect(github, Arc::clone(&clock))?.one_at_a_time();
        let fuse = Arc::clone(&self.fuse);
        let journal = journal.with_crash_point(Arc::new(move || fuse.burn()));
        let opened = service::service::open(&config, &journal, Arc::clone(&clock));
        let mut wiring = opened.await?;
        wiring.github = GitHubPort::new(connected, &github.api_url);
        let mut sites = Sites::open(&config, &clock)?;
        for site in sites.iter_mut() {
            let sim = self.hand.clone();
            let key = site.site.maas_api_key.as_ref().context("no API key")?;
            let key = ApiKey::read(key.read()?.expose_secret())?;
            let transport = HttpTransport::new(&site.site.maas_url, key, self.hand.outside())?
                .with_timer(move |length| Box::pin(sim.clone().patience(length)));
            site.client = MaasClient::one_at_a_time(transport, self.hand.outside());
            // A rehearsal follows from what it is given, so that all instances may remember the same one.
            site.rehearsals = self.rehearsals.clone();
        }
        wiring.sites = Arc::new(sites);
        let worker = wiring.worker(&journal);
        let door = router(WebhookState {
            journal: journal.clone(),
            secrets: Arc::new(secrets),
            now: Arc::clone(&clock),
            body_limit: 1 << 20,
            body_patience: BODY_SECONDS_MAX,
            kept: Arc::new(Notify::new()),
            counts: Arc::new(WebhookCounts::default()),
        });
        Ok(ServiceInstance {
            wiring,
            worker,
            journal,
            clock,
            door,
        })
    }
}

impl ServiceInstance {
    /// Brings a webhook to the door; what came of it.
    pub async fn receives(
        &self,
        town: &Harness,
        one: WebhookDelivery,
    ) -> anyhow::Result<WebhookOutcome> {
        let headers = town.github.github().headers(&one);
        let mut request = http::Request::post("/webhook");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(one.body))?;
        let response = self.door.clone().oneshot(request).await?;
        Ok(WebhookOutcome::Answered(response.status().as_u16()))
    }

    /// Nothing waits to be settled, and nothing is to be said now.
    pub async fn is_quiet(&self) -> anyhow::Result<bool> {
        let (waiting, _) = self.journal.queue_depth().await?;
        let owed = self
            .journal
            .next_message((self.clock)(), journal::RateTier::All)
            .await?;
        Ok(waiting == 0 && owed.is_none())
    }
}

/// The files that say what a MAAS has, without runbooks.
pub async fn declared(rows: &LabMaas, hand: &SimClock) -> anyhow::Result<BTreeMap<String, String>> {
    let shared = Arc::new(Mutex::new(rows.clone()));
    let client = MaasClient::new(InMemoryMaas::new(shared, hand.outside()), hand.outside());
    let everything = Scope {
        all_nodes: true,
        all_spaces: true,
        ..Scope::default()
    };
    let observed = client.reader().observe(&everything).await?;
    let files = topology::write::files(&observed, SITE).into_iter();
    Ok(files
        .map(|(path, text)| {
            let name = Path::new(&path)
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            (format!("topology/{name}"), text)
        })
        .collect())
}
