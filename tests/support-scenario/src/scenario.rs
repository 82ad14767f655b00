//! The parts of a scenario: how they are set up, how time passes, how webhooks reach the service, and which faults GitHub
//! has.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use journal::{Delivery, Journal, Stored};
use lab::github::{GitHubServer, GitHubServerOptions, LabGitHub, RepositoryPermission};
use lab::maas::{HttpFault, LabMaas, MaasServer};
use lab::wire::LabRequest;
use service::config::Config;
use service::worker::{Wiring, Worker};
use topology::observed::Timestamp;
use topology::port::Clock;

use crate::transcript::Recorder;
use crate::{DESKS, LAYOUT, REPOSITORY, WITHOUT_GATEWAY};

/// The time at the start, in milliseconds: noon in UTC.
const START: i64 = 1_795_435_200_000;

/// A MAAS, a GitHub and the service.
///
/// alice and bob may write to the repository, and so may carol as a member of the team `net-ops`. bob and that team are
/// operators. mallory is neither.
pub struct Scenario {
    pub hub: GitHubServer,
    pub maas: MaasServer,
    pub service: TestService,
    pub folder: tempfile::TempDir,
    pub(crate) recorder: Arc<Recorder>,
    writes: Arc<AtomicUsize>,
    /// How many milliseconds the scenario's clock is ahead of [`START`].
    ahead: Arc<AtomicI64>,
    /// The id of the last webhook that was taken.
    taken: u64,
    traffic: Arc<Mutex<Traffic>>,
}

/// A service that works only when the test says so.
pub struct TestService {
    config: Config,
    pub journal: Journal,
    pub wiring: Wiring,
    pub worker: Worker,
}

impl TestService {
    async fn open(config: Config, clock: Clock) -> Self {
        let address = config.store.address().unwrap();
        let journal = Journal::open_at(&address).await.unwrap();
        let wiring = service::service::open(&config, &journal, clock)
            .await
            .unwrap();
        Self {
            worker: wiring.worker(&journal),
            config,
            journal,
            wiring,
        }
    }
}

/// The requests that GitHub got, and the faults that it injects.
#[derive(Default)]
struct Traffic {
    /// The time in milliseconds, and "METHOD path".
    requests: Vec<(i64, String)>,
    /// A part of "METHOD path", and the fault of each request that has it.
    faults: Vec<(String, HttpFault)>,
}

/// How a site differs from the usual one.
#[derive(Default)]
pub struct ScenarioOptions<'a> {
    pub layout: Option<&'a str>,
    /// The declaration at [`DESKS`].
    pub declaration: Option<&'a str>,
    /// An API key that MAAS does not know.
    pub api_key: Option<&'a str>,
    /// Lines below `[site.policy]`. `MAAS_URL` stands for the MAAS, `MAAS_ALIAS` for another URL of it.
    pub policy: &'a str,
    /// More files on the default branch.
    pub files: &'a [(&'a str, &'a str)],
}

impl Scenario {
    pub async fn new() -> Self {
        Self::with(ScenarioOptions::default()).await
    }

    pub async fn with(options: ScenarioOptions<'_>) -> Self {
        let hub = seeded_github(&options);
        let token = hub.bot_token();
        let recorder = Arc::new(Recorder::default());
        let ahead = Arc::new(AtomicI64::new(0));
        let traffic = Arc::new(Mutex::new(Traffic::default()));
        let hub = serve_github(hub, &traffic, clock(&ahead), &recorder).await;
        recorder.begin(hub.shared());
        let rows = LabMaas::load(options.layout.unwrap_or(LAYOUT), Some("3.7.3")).unwrap();
        let key = options
            .api_key
            .map_or_else(|| rows.api_key("admin").unwrap(), str::to_owned);
        let writes = Arc::new(AtomicUsize::new(0));
        let maas = serve_maas(rows, &writes, clock(&ahead), &recorder).await;
        let folder = tempfile::tempdir().unwrap();
        let mut variables = BTreeMap::from([
            ("PLANEBOT_GITHUB_TOKEN".to_owned(), token),
            ("PLANEBOT_SITE_DC_MAAS_API_KEY".to_owned(), key.clone()),
        ]);
        if options.policy.contains("name = 'east'") {
            variables.insert("PLANEBOT_SITE_EAST_MAAS_API_KEY".to_owned(), key);
        }
        let config = config(&hub.url, &maas.url, folder.path(), options.policy);
        let config = Config::parse(&config, Path::new("."), &variables).unwrap();
        let service = TestService::open(config, clock(&ahead)).await;
        Self {
            hub,
            maas,
            service,
            folder,
            recorder,
            writes,
            ahead,
            taken: 0,
            traffic,
        }
    }

    /// From now on GitHub has this fault wherever "METHOD path" contains `part`.
    pub fn inject_fault(&self, part: &str, fault: HttpFault) {
        self.recorder
            .note("GitHub", &format!("fails with {fault:?}: {part}"));
        let mut traffic = self.traffic.lock().unwrap();
        traffic.faults.push((part.to_owned(), fault));
    }

    pub fn clear_faults(&self) {
        self.recorder.note("GitHub", "works again");
        self.traffic.lock().unwrap().faults.clear();
    }

    /// The times of GitHub's requests whose "METHOD path" contains `part`.
    pub fn request_times(&self, part: &str) -> Vec<i64> {
        let traffic = self.traffic.lock().unwrap();
        let fitting = traffic.requests.iter().filter(|(_, on)| on.contains(part));
        fitting.map(|(at, _)| *at).collect()
    }

    /// The scenario's time in milliseconds.
    pub fn now(&self) -> i64 {
        (self.service.wiring.clock)().0
    }

    /// How many writes the bot has sent to MAAS.
    pub fn write_count(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    pub fn advance(&self, milliseconds: i64) {
        self.ahead.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Delivers the webhooks that GitHub has queued, in their order, and runs the service until it is idle.
    pub async fn run(&mut self) {
        self.deliver_all().await;
        self.run_until_idle().await;
    }

    /// Runs the service until it has nothing to do or has waited 60 times.
    pub async fn run_until_idle(&self) {
        for _ in 0..60 {
            let Some(until) = self.service.worker.run_until_idle().await.unwrap() else {
                return;
            };
            self.advance((until.0 - self.now()).clamp(1, 10_000));
        }
    }

    /// Delivers the webhooks, crashes the service at its `nth` write to the journal and starts it again; false where it was
    /// idle before that.
    pub async fn crash_at(&mut self, nth: usize) -> bool {
        self.deliver_all().await;
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let crash_point = Arc::new(move || counted.fetch_add(1, Ordering::SeqCst) + 1 == nth);
        let crashing = self.service.journal.clone().with_crash_point(crash_point);
        let worker = self.service.wiring.worker(&crashing);
        while let Ok(Some(until)) = worker.run_until_idle().await {
            self.advance((until.0 - self.now()).clamp(1, 10_000));
        }
        let config = self.service.config.clone();
        self.service = TestService::open(config, clock(&self.ahead)).await;
        count.load(Ordering::SeqCst) >= nth
    }

    /// Stores each queued webhook in the journal; the service does not run yet.
    pub async fn deliver_all(&mut self) {
        for delivery in self.take_webhooks() {
            self.store(&delivery).await;
        }
    }

    /// Stores the queued webhooks in the wrong order, the last one first, and runs the service.
    pub async fn run_in_reverse(&mut self) {
        let mut webhooks = self.take_webhooks();
        webhooks.reverse();
        for delivery in &webhooks {
            self.deliver(delivery).await;
        }
        self.run_until_idle().await;
    }

    /// Stores one webhook that the test held back or made.
    pub async fn deliver(&self, delivery: &Delivery) -> Stored {
        let stored = self.store(delivery).await;
        self.recorder.delivered(delivery, stored);
        stored
    }

    async fn store(&self, delivery: &Delivery) -> Stored {
        let now = Timestamp(self.now());
        self.service
            .journal
            .store_delivery(delivery, now)
            .await
            .unwrap()
    }

    /// Takes the webhooks that GitHub has queued since the last time; nobody else delivers them.
    pub fn take_webhooks(&mut self) -> Vec<Delivery> {
        let hub = self.hub.github();
        let sent = hub.deliveries();
        let fresh = sent.iter().filter(|one| one.id > self.taken);
        let fresh: Vec<Delivery> = fresh
            .map(|one| Delivery {
                id: one.guid.clone(),
                event: one.event.to_owned(),
                body: String::from_utf8(one.body.clone()).unwrap(),
            })
            .collect();
        self.taken = sent.last().map_or(self.taken, |one| one.id);
        fresh
    }

    /// From now on the service works on this journal, as after its store was replaced.
    pub fn use_journal(&mut self, journal: Journal) {
        self.service.worker = self.service.wiring.worker(&journal);
        self.service.journal = journal;
    }

    /// A second service on the same store, as after a restart or beside the first.
    pub async fn another_service(&self, port: u16) -> TestService {
        let mut config = self.service.config.clone();
        config.server.listen.set_port(port);
        TestService::open(config, clock(&self.ahead)).await
    }

    /// Everything so far: people, bot and MAAS in order.
    pub fn transcript(&self) -> String {
        self.recorder.transcript()
    }

    /// The part of the transcript since the last call of this method.
    pub fn since_last(&self) -> String {
        self.recorder.since_last()
    }
}

fn seeded_github(options: &ScenarioOptions<'_>) -> LabGitHub {
    let mut hub = LabGitHub::new("planebot");
    hub.create_repository(REPOSITORY, false);
    for login in ["alice", "bob", "carol", "mallory"] {
        hub.add_user(login);
    }
    hub.add_team_member("acme", "net-ops", "carol");
    let mut at = hub.at(REPOSITORY);
    at.grant("alice", RepositoryPermission::Write);
    at.grant("bob", RepositoryPermission::Write);
    at.grant_team("net-ops", RepositoryPermission::Write);
    let declaration = options.declaration.unwrap_or(WITHOUT_GATEWAY);
    let mut files = vec![(DESKS, Some(declaration))];
    files.extend(
        options
            .files
            .iter()
            .map(|(path, text)| (*path, Some(*text))),
    );
    at.commit_files("alice", "main", "Begin", &files).unwrap();
    hub
}

async fn serve_github(
    hub: LabGitHub,
    traffic: &Arc<Mutex<Traffic>>,
    now: Clock,
    recorder: &Arc<Recorder>,
) -> GitHubServer {
    let (traffic, recorder) = (Arc::clone(traffic), Arc::clone(recorder));
    let faults = move |request: &LabRequest| {
        let on = format!("{} {}", request.method, request.path);
        let mut traffic = traffic.lock().unwrap();
        let found = traffic.faults.iter().find(|(part, _)| on.contains(part));
        let fault = found.map_or(HttpFault::None, |(_, fault)| *fault);
        traffic.requests.push((now().0, on));
        drop(traffic);
        recorder.github_request(request, fault);
        fault
    };
    let options = GitHubServerOptions {
        faults: Some(Arc::new(faults)),
        ..GitHubServerOptions::default()
    };
    lab::github::serve(hub, options).await.unwrap()
}

async fn serve_maas(
    rows: LabMaas,
    writes: &Arc<AtomicUsize>,
    now: Clock,
    recorder: &Arc<Recorder>,
) -> MaasServer {
    let (writes, recorder) = (Arc::clone(writes), Arc::clone(recorder));
    let observe = move |request: &LabRequest| {
        if request.method != "GET" {
            writes.fetch_add(1, Ordering::SeqCst);
            recorder.maas_write(request);
        }
        HttpFault::None
    };
    let seconds = Arc::new(move || now().0 / 1_000);
    lab::maas::serve_with_clock(rows, Some(Arc::new(observe)), seconds)
        .await
        .unwrap()
}

/// A clock that only the scenario advances, so that the order of what the service does never depends on the machine.
fn clock(ahead: &Arc<AtomicI64>) -> Clock {
    let ahead = Arc::clone(ahead);
    Arc::new(move || Timestamp(START + ahead.load(Ordering::SeqCst)))
}

fn config(github: &str, maas: &str, folder: &Path, policy: &str) -> String {
    let store = folder.join("journal.db");
    let alias = maas.replace("127.0.0.1", "localhost");
    let policy = policy
        .replace("MAAS_ALIAS", &alias)
        .replace("MAAS_URL", maas);
    format!(
        "[github]\napi_url = '{github}'\n[store]\nurl = 'sqlite://{}'\n\
         [[site]]\nname = 'dc'\nrepository = '{REPOSITORY}'\npath = 'topology'\nmaas_url = '{maas}'\n\
         [site.operators]\nusers = ['bob']\nteams = ['acme/net-ops']\n\
         [site.policy]\nsettle_seconds = 1\nunknown_pause_seconds = 1\n{policy}\n",
        store.display()
    )
}
