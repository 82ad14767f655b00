//! The whole bot in one process: the service's own worker and webhook router, a MAAS and a GitHub on loopback, one crash
//! switch for everything that leaves the process, and a simulated clock.
//!
//! Requests are sent one at a time and pauses take no real time, so that a run is deterministic. It must not know which
//! scenario runs in it, nor which faults are injected.

mod crash;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use execution::rehearse::RehearsalCache;
use execution::rehearse::in_memory::InMemoryMaas;
use github::GitHub;
use journal::Journal;
use lab::github::{GitHubServerOptions, GitHubSetup, WebhookDelivery, WebhookOutcome};
use lab::maas::LabMaas;
use maas::{ApiKey, Environment, HttpTransport, MaasClient, RegionTransport};
use service::config::Config;
use service::github_port::GitHubPort;
use service::server::routes::{BODY_SECONDS_MAX, WebhookCounts, WebhookState, router};
use service::sites::Sites;
use service::worker::{Wiring, Worker};
use topology::observed::{Scope, Timestamp};
use topology::port::Clock;

pub use crash::{CrashSwitch, FaultPolicy, InjectedFault, Operation};

/// The repository in the lab's GitHub.
pub const REPOSITORY: &str = "example/network";
/// The name of the only site.
pub const SITE: &str = "reference";

/// When simulated time starts, in milliseconds since 1970.
const START: i64 = 1_795_442_531_000;

/// What a harness starts with.
pub struct HarnessSetup {
    /// The MAAS.
    pub rows: LabMaas,
    /// The repository's files on `main`, by path.
    pub files: BTreeMap<String, String>,
    /// Tables of the configuration below `[[site]]`, as TOML.
    pub site: &'static str,
    /// The folder that relative paths in those tables start from.
    pub folder: PathBuf,
}

/// Simulated time, with the request timeout of the MAAS client that depends on it. Clones share the time.
#[derive(Clone)]
pub struct SimClock {
    now: Arc<AtomicI64>,
    nonces: Arc<AtomicU64>,
    timed_out: Arc<Notify>,
}

/// Everything outside the process, and the clock.
pub struct Harness {
    pub maas: lab::maas::MaasServer,
    pub github: lab::github::GitHubServer,
    /// Sees everything that leaves the process.
    pub crash_switch: Arc<CrashSwitch>,
    pub clock: SimClock,
    site: (&'static str, PathBuf),
    rehearsals: RehearsalCache,
}

/// One process of the service, from its start to its end or crash.
pub struct ServiceInstance {
    /// What the worker is built from.
    pub wiring: Wiring,
    pub worker: Worker,
    pub journal: Journal,
    clock: Clock,
    router: Router,
}

impl Default for SimClock {
    fn default() -> Self {
        Self {
            now: Arc::new(AtomicI64::new(START)),
            nonces: Arc::default(),
            timed_out: Arc::default(),
        }
    }
}

impl SimClock {
    /// The time in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    /// Sets the time, in milliseconds since 1970.
    pub fn set(&self, now: i64) {
        self.now.store(now, Ordering::SeqCst);
    }

    /// Moves the time forward.
    pub fn advance(&self, milliseconds: i64) {
        self.now.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Lets the MAAS request in flight time out at once; the clock moves forward by the length of the timeout.
    pub fn time_out_request(&self) {
        self.timed_out.notify_one();
    }

    /// This time as the clock that the service reads.
    pub fn clock(&self) -> Clock {
        let sim = self.clone();
        Arc::new(move || Timestamp(sim.now()))
    }

    /// The MAAS client's time, nonces and pauses. A pause only moves the clock forward.
    fn environment(&self) -> Environment {
        let (nonces, sim) = (Arc::clone(&self.nonces), self.clone());
        Environment {
            now: self.clock(),
            nonce: Arc::new(move || format!("nonce{}", nonces.fetch_add(1, Ordering::SeqCst))),
            sleep: Arc::new(move |length| {
                sim.advance(milliseconds(length));
                Box::pin(std::future::ready(()))
            }),
        }
    }

    async fn timeout(self, length: Duration) {
        self.timed_out.notified().await;
        self.advance(milliseconds(length));
    }
}

fn milliseconds(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

impl Harness {
    /// Starts the MAAS and the GitHub. `policy` decides what happens to everything that leaves the service.
    pub async fn open(
        setup: HarnessSetup,
        policy: Arc<dyn FaultPolicy>,
        clock: SimClock,
    ) -> anyhow::Result<Self> {
        let crash_switch = Arc::new(CrashSwitch::new(policy));
        let (at_maas, time) = (Arc::clone(&crash_switch), clock.clone());
        let maas = lab::maas::serve_with_clock(
            setup.rows,
            Some(Arc::new(move |request| {
                at_maas.on_request(Operation::Maas(request))
            })),
            Arc::new(move || time.now() / 1000),
        )
        .await?;
        let initial = GitHubSetup {
            app: "planebot".to_owned(),
            repository: REPOSITORY.to_owned(),
            files: setup.files,
            writers: vec!["alice".to_owned(), "bob".to_owned()],
            readers: vec!["mallory".to_owned()],
            webhook: Some("http://127.0.0.1/webhook".to_owned()),
            port: 0,
        };
        let (at_github, time) = (Arc::clone(&crash_switch), clock.clone());
        let options = GitHubServerOptions {
            faults: Some(Arc::new(move |request| {
                at_github.on_request(Operation::GitHub(request))
            })),
            clock: Some(Arc::new(move || time.now() / 1000)),
            manual_delivery: true,
            ..GitHubServerOptions::default()
        };
        let github = lab::github::serve(initial.github()?, options).await?;
        Ok(Self {
            maas,
            github,
            crash_switch,
            clock,
            site: (setup.site, setup.folder),
            rehearsals: RehearsalCache::default(),
        })
    }

    /// Reads or changes the MAAS directly, past its API.
    pub fn rows<T>(&self, access: impl FnOnce(&mut LabMaas) -> T) -> T {
        access(
            &mut self
                .maas
                .maas
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn config(&self, store: &str) -> anyhow::Result<Config> {
        let (site, folder) = &self.site;
        let text = format!(
            "[server]\nlisten = '127.0.0.1:8080'\n[github]\napi_url = '{}'\n[store]\nurl = '{store}'\n\
             [[site]]\nname = '{SITE}'\nrepository = '{REPOSITORY}'\npath = 'topology'\nmaas_url = '{}'\n\
             [site.operators]\nusers = ['bob']\n{site}",
            self.github.url, self.maas.url,
        );
        let github = self.github.github();
        let variables = [
            ("PLANEBOT_GITHUB_TOKEN", github.bot_token()),
            (
                "PLANEBOT_GITHUB_WEBHOOK_SECRET",
                github.webhook_secret().to_owned(),
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

    /// Starts a service on this journal, with the crash switch. `store` is the journal's URL.
    pub async fn start_service(
        &self,
        journal: Journal,
        store: &str,
    ) -> anyhow::Result<ServiceInstance> {
        let config = self.config(store)?;
        let github = config.github.as_ref().context("no GitHub is configured")?;
        let secrets = github.secrets()?;
        let clock = self.clock.clock();
        let connected = GitHub::connect(github, Arc::clone(&clock))?.one_at_a_time();
        let crash_switch = Arc::clone(&self.crash_switch);
        let journal = journal.with_crash_point(Arc::new(move || crash_switch.on_journal_write()));
        let opened = service::service::open(&config, &journal, Arc::clone(&clock));
        let mut wiring = opened.await?;
        wiring.github = GitHubPort::new(connected, &github.api_url);
        let mut sites = Sites::open(&config, &clock)?;
        for site in sites.iter_mut() {
            let sim = self.clock.clone();
            let key = site.site.maas_api_key.as_ref().context("no API key")?;
            let key = ApiKey::read(key.read()?.expose_secret())?;
            let transport = HttpTransport::new(&site.site.maas_url, key, self.clock.environment())?
                .with_timer(move |length| Box::pin(sim.clone().timeout(length)));
            let transport = RegionTransport::one(transport);
            site.client = MaasClient::one_at_a_time(transport, self.clock.environment());
            // A rehearsal depends only on its input, so all instances share the cache.
            site.rehearsals = self.rehearsals.clone();
        }
        wiring.sites = Arc::new(sites);
        let worker = wiring.worker(&journal);
        let router = router(WebhookState {
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
            router,
        })
    }
}

impl ServiceInstance {
    /// Sends a webhook to the service.
    pub async fn deliver(
        &self,
        harness: &Harness,
        delivery: WebhookDelivery,
    ) -> anyhow::Result<WebhookOutcome> {
        let headers = harness.github.github().headers(&delivery);
        let mut request = http::Request::post("/webhook");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(delivery.body))?;
        let response = self.router.clone().oneshot(request).await?;
        Ok(WebhookOutcome::Answered(response.status().as_u16()))
    }

    /// Whether no delivery waits in the queue and no message is due now.
    pub async fn is_idle(&self) -> anyhow::Result<bool> {
        let (waiting, _) = self.journal.queue_depth().await?;
        let due = self
            .journal
            .next_message((self.clock)(), journal::RateTier::All)
            .await?;
        Ok(waiting == 0 && due.is_none())
    }
}

/// A declaration of what a MAAS has: files by their path in the repository, without runbooks.
pub async fn declaration_files(
    rows: &LabMaas,
    clock: &SimClock,
) -> anyhow::Result<BTreeMap<String, String>> {
    let shared = Arc::new(Mutex::new(rows.clone()));
    let client = MaasClient::new(
        InMemoryMaas::new(shared, clock.environment()),
        clock.environment(),
    );
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
