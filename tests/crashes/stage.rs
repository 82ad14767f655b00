//! The stage of the crash law: the reference site's town, moments of it that can be played again, and what people see.
//!
//! It must not know which acts are played on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use journal::Journal;
use lab::github::LabGitHub;
use lab::maas::LabMaas;
use plan::run::Progress;
use service::runs::PublishedFacts;
use service::worker::WorkerState;
use simulation::demo::site;
use simulation::harness::{
    Harness, HarnessSetup, REPOSITORY, SITE, ServiceInstance, SimClock, declaration_files,
};

use super::cut::Cut;

const TABLES: &str = "\
[site.policy]
settle_seconds = 60
unknown_pause_seconds = 1
[site.evidence]
juju_models = 'juju-models.json'
jumphost_addresses = 'jumphost.json'
";

/// The town and its fate.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    pub(crate) town: Harness,
    pub(crate) cut: Arc<Cut>,
    /// The pull request, once there is one.
    pub(crate) number: u64,
    before: BTreeMap<String, String>,
}

/// All that outlives a process.
pub(crate) struct Moment {
    maas: LabMaas,
    github: LabGitHub,
    store: PathBuf,
    now: i64,
}

impl Stage {
    /// The story's MAAS, and a repository that declares what it has.
    pub(crate) async fn open() -> Self {
        let mut rows = LabMaas::load(site::BEFORE, None).unwrap();
        for host in rows.machines() {
            rows.set_status(&host, "Deployed");
        }
        let hand = SimClock::default();
        let before = declaration_files(&rows, &hand).await.unwrap();
        let mut files = before.clone();
        files.extend(site::RUNBOOKS.map(|(path, text)| (path.to_owned(), text.to_owned())));
        let folder = tempfile::tempdir().unwrap();
        let place = HarnessSetup {
            rows,
            files,
            site: TABLES,
            folder: folder.path().to_owned(),
        };
        let cut = Arc::new(Cut::default());
        let town = Harness::open(place, Arc::clone(&cut) as _, hand)
            .await
            .unwrap();
        let stage = Self {
            folder,
            town,
            cut,
            number: 0,
            before,
        };
        stage.juju(&["admin/controller", "admin/openstack"]);
        stage.jumphost(&site::JUMPHOST_BEFORE);
        stage
    }

    /// The declaration in the beginning.
    pub(crate) fn declared_before(&self) -> BTreeMap<String, String> {
        self.before.clone()
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

    /// Everything that must never be in a log.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let hub = self.town.github.github();
        let key = self.town.rows(|maas| maas.api_key("admin")).unwrap();
        let parts = key.split(':').map(str::to_owned);
        let own = [hub.bot_token(), hub.webhook_secret().to_owned()];
        parts.chain(own).filter(|part| part.len() > 3).collect()
    }

    /// Where the journal of the calm life is.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    /// From now on the power goes with that operation, or never.
    pub(crate) fn arm(&self, at: Option<usize>) {
        self.cut.arm(at);
        self.town.crash_switch.reset();
    }

    /// The service starts, and asks GitHub what no webhook told; `None` when the power goes meanwhile.
    pub(crate) async fn wake(&self, store: &Path) -> Option<ServiceInstance> {
        let waking = async {
            let Ok(life) = self.started(store).await else {
                // Only the fuse's doing: the power is gone, and this life with it.
                return std::future::pending().await;
            };
            if caught_up(&life).await.is_err() {
                std::future::pending::<()>().await;
            }
            life
        };
        self.town.crash_switch.run_until_crash(waking).await
    }

    /// A life that goes on where another one stands: it remembers what that one told, and need not ask GitHub.
    pub(crate) async fn alive(&self, store: &Path, told: PublishedFacts) -> ServiceInstance {
        let mut life = self.started(store).await.unwrap();
        life.worker = life.wiring.worker_after(&life.journal, told);
        life
    }

    async fn started(&self, store: &Path) -> anyhow::Result<ServiceInstance> {
        let address = format!("sqlite://{}", store.display());
        let journal = Journal::open(&address).await.unwrap();
        self.town.start_service(journal, &address).await
    }

    /// Carries the webhooks, then turns until the next move of a run, or until there is nothing to do: then true.
    /// `None` when the power goes meanwhile.
    pub(crate) async fn beat(&self, life: &ServiceInstance) -> Option<bool> {
        let work = async {
            self.carry(life).await;
            self.turns(life).await
        };
        self.town.crash_switch.run_until_crash(work).await
    }

    async fn carry(&self, life: &ServiceInstance) {
        loop {
            let next = self.town.github.github().take_delivery();
            let Some(one) = next else { return };
            let id = one.id;
            let outcome = life.deliver(&self.town, one).await.unwrap();
            self.town.github.github().record_outcome(id, outcome);
        }
    }

    async fn turns(&self, life: &ServiceInstance) -> bool {
        loop {
            match life.worker.step().await {
                Ok(WorkerState::Idle(None)) => return true,
                Ok(WorkerState::Idle(Some(until))) => {
                    self.town.clock.set(until.0);
                    return false;
                }
                Ok(WorkerState::Progressed) if life.is_idle().await.unwrap() => return false,
                Ok(WorkerState::Progressed) => {}
                // Only the fuse's doing.
                Err(_) if self.town.crash_switch.is_crashed() => return false,
                Err(error) => panic!("a turn failed: {error:#}"),
            }
        }
    }

    /// Everything as it is now, with a copy of the journal.
    pub(crate) fn save(&self, store: &Path, name: &str) -> Moment {
        let kept = self.folder.path().join(name);
        copied(store, &kept);
        Moment {
            maas: self.town.rows(|maas| maas.clone()),
            github: self.town.github.github().clone(),
            store: kept,
            now: self.town.clock.now(),
        }
    }

    /// Puts the world back, but for the journal.
    pub(crate) fn put_back(&self, moment: &Moment) {
        self.town.rows(|maas| maas.clone_from(&moment.maas));
        self.town.github.github().clone_from(&moment.github);
        self.town.clock.set(moment.now);
    }

    /// Puts everything back, with a journal of its own; where that is.
    pub(crate) fn restore(&self, moment: &Moment, name: &str) -> PathBuf {
        self.put_back(moment);
        let store = self.folder.path().join(name);
        copied(&moment.store, &store);
        store
    }

    /// What the people and the next process see of all this, but for times.
    pub(crate) async fn portrait(&self, life: &ServiceInstance) -> String {
        let journal = &life.journal;
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
        told.push(format!(
            "deliveries: {:?}",
            journal.queue_depth().await.unwrap()
        ));
        let mut hub = self.town.github.github().clone();
        let at = hub.at(REPOSITORY);
        for comment in (1..=2).flat_map(|number| at.comments(number)) {
            let key = comment
                .body
                .lines()
                .find_map(|line| line.strip_prefix("<!-- planebot:")?.strip_suffix(" -->"));
            // A comment may be edited once in five seconds: what it is to say counts, not what it says yet.
            let said = match key {
                Some(key) => text_of(&journal.message(key).await.unwrap().unwrap()),
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
        self.town
            .rows(|maas| maas.same_rows(&moment.maas) && maas.writes() == moment.maas.writes())
    }
}

/// What GitHub tells that no webhook did, settled and answered.
/// Deliveries that wait come first: they may tell it.
async fn caught_up(life: &ServiceInstance) -> anyhow::Result<()> {
    quieted(life).await?;
    life.worker.poll().await?;
    quieted(life).await
}

async fn quieted(life: &ServiceInstance) -> anyhow::Result<()> {
    while !life.is_idle().await? {
        life.worker.step().await?;
    }
    Ok(())
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

/// The text of a message that is a comment.
fn text_of(message: &journal::PendingMessage) -> String {
    match message.payload.clone().unwrap() {
        journal::OutboxPayload::Comment { text } => text,
        other @ (journal::OutboxPayload::Reaction(_)
        | journal::OutboxPayload::Check(_)
        | journal::OutboxPayload::History(_)) => panic!("{other:?} is no comment"),
    }
}
