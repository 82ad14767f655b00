//! The stage: a MAAS, a GitHub, the bot on a store of its own, and time that passes when told.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use execution::rehearse::in_memory::InMemoryMaas;
use journal::Journal;
use journal::{Delivery, Stored};
use lab::github::{
    GitHubServerOptions, IssueCommentView, MergeMethod, NewPullRequest, RepositoryPermission,
};
use lab::maas::{HttpFault, LabMaas};
use maas::{MaasClient, MaasWriter, WriteFence};
use service::config::Config;
use service::worker::{Wiring, Worker};
use topology::object::{Object, Subnet};
use topology::observed::{Scope, Timestamp};
use topology::port::Clock;
use topology::port::{Outcome, Write};

pub(super) const NAME: &str = "acme/network";

/// One plane with a machine-free subnet, as the MAAS has it.
pub(super) const LAYOUT: &str = r#"{"fabrics": [{"name": "blue", "vlans": [{"vid": 0, "mtu": 1500,
    "subnets": [{"cidr": "192.0.2.0/24", "name": "desks", "managed": true}]}]}]}"#;

/// The declaration of that, and one with a gateway: a plan of one change.
const PLAIN: &str = "plane: desks\nfabric: blue\nname: desks\ncidr: 192.0.2.0/24\n";
pub(super) const WITH_GATEWAY: &str =
    "plane: desks\nfabric: blue\nname: desks\ncidr: 192.0.2.0/24\ngateway: +1\n";

pub(super) const DESKS: &str = "topology/desks.yaml";

pub(super) struct Stage {
    pub(super) hub: lab::github::GitHubServer,
    pub(super) maas: lab::maas::MaasServer,
    pub(super) service: Instance,
    writes: Arc<AtomicUsize>,
    ahead: Arc<AtomicI64>,
    told: u64,
    wire: Arc<Mutex<Transport>>,
    pub(super) folder: tempfile::TempDir,
}

/// A service that nobody drives but the test.
pub(super) struct Instance {
    config: Config,
    pub(super) journal: Journal,
    pub(super) wiring: Wiring,
    pub(super) worker: Worker,
}

impl Instance {
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

/// What GitHub was asked, and when; and what goes wrong with what.
#[derive(Default)]
struct Transport {
    asked: Vec<(i64, String)>,
    trouble: Vec<(String, HttpFault)>,
}

/// A person at MAAS needs nobody's leave.
struct Anybody;

impl WriteFence for Anybody {
    fn still_held(&self) -> bool {
        true
    }
}

/// What the site is set to, beside where it is.
#[derive(Default)]
pub(super) struct Set<'a> {
    pub(super) layout: Option<&'a str>,
    pub(super) declared: Option<&'a str>,
    /// Another API key than MAAS knows.
    pub(super) key: Option<&'a str>,
    /// Lines below `[site.policy]`.
    pub(super) policy: &'a str,
    /// More files on the default branch.
    pub(super) files: &'a [(&'a str, &'a str)],
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::set(Set::default()).await
    }

    pub(super) async fn set(set: Set<'_>) -> Self {
        let mut hub = lab::github::LabGitHub::new("planebot");
        hub.create_repository(NAME, false);
        for login in ["alice", "bob", "carol", "mallory"] {
            hub.add_user(login);
        }
        hub.add_team_member("acme", "net-ops", "carol");
        let mut at = hub.at(NAME);
        at.grant("alice", RepositoryPermission::Write);
        at.grant("bob", RepositoryPermission::Write);
        at.grant_team("net-ops", RepositoryPermission::Write);
        let mut files = vec![(DESKS, Some(set.declared.unwrap_or(PLAIN)))];
        files.extend(set.files.iter().map(|(path, text)| (*path, Some(*text))));
        at.commit_files("alice", "main", "Begin", &files).unwrap();
        let token = hub.bot_token();
        let ahead = Arc::new(AtomicI64::new(0));
        let (wire, now) = (Arc::new(Mutex::new(Transport::default())), clock(&ahead));
        let heard = Arc::clone(&wire);
        let options = GitHubServerOptions {
            faults: Some(Arc::new(move |request: &lab::wire::LabRequest| {
                let asked = format!("{} {}", request.method, request.path);
                let mut wire = heard.lock().unwrap();
                wire.asked.push((now().0, asked.clone()));
                let fits = |(part, _): &&(String, HttpFault)| asked.contains(part);
                let found = wire.trouble.iter().find(fits);
                found.map_or(HttpFault::None, |(_, fault)| *fault)
            })),
            ..GitHubServerOptions::default()
        };
        let hub = lab::github::serve(hub, options).await.unwrap();
        let rows = LabMaas::load(set.layout.unwrap_or(LAYOUT), Some("3.7.3")).unwrap();
        let key = set
            .key
            .map_or_else(|| rows.api_key("admin").unwrap(), str::to_owned);
        let writes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&writes);
        let faults = Arc::new(move |request: &lab::wire::LabRequest| {
            if request.method != "GET" {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            HttpFault::None
        });
        let maas = lab::maas::serve(rows, Some(faults)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = config(&hub.url, &maas.url, folder.path(), set.policy);
        let mut variables = BTreeMap::from([
            ("PLANEBOT_GITHUB_TOKEN".to_owned(), token),
            ("PLANEBOT_SITE_DC_MAAS_API_KEY".to_owned(), key.clone()),
        ]);
        if set.policy.contains("name = 'east'") {
            variables.insert("PLANEBOT_SITE_EAST_MAAS_API_KEY".to_owned(), key);
        }
        let config = Config::parse(&config, Path::new("."), &variables).unwrap();
        let service = Instance::open(config, clock(&ahead)).await;
        Self {
            hub,
            maas,
            service,
            writes,
            ahead,
            told: 0,
            wire,
            folder,
        }
    }

    /// From now on GitHub answers so where "METHOD path" contains that.
    pub(super) fn breaks(&self, part: &str, fault: HttpFault) {
        let mut wire = self.wire.lock().unwrap();
        wire.trouble.push((part.to_owned(), fault));
    }

    /// GitHub is as it was.
    pub(super) fn mends(&self) {
        self.wire.lock().unwrap().trouble.clear();
    }

    /// When GitHub was asked something whose "METHOD path" contains that, in the stage's time.
    pub(super) fn asked(&self, part: &str) -> Vec<i64> {
        let wire = self.wire.lock().unwrap();
        let fits = wire.asked.iter().filter(|(_, asked)| asked.contains(part));
        fits.map(|(at, _)| *at).collect()
    }

    pub(super) fn now(&self) -> i64 {
        (self.service.wiring.clock)().0
    }

    /// Writes that MAAS was asked for so far.
    pub(super) fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    pub(super) fn pass(&self, milliseconds: i64) {
        self.ahead.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Brings the webhooks that GitHub has sent since, in their order, and works until nothing is to do or a minute has
    /// passed in vain.
    pub(super) async fn work(&mut self) {
        for delivery in self.sent() {
            self.keep(&delivery).await;
        }
        self.settle().await;
    }

    /// Works on what is kept.
    pub(super) async fn settle(&self) {
        for _ in 0..60 {
            let Some(until) = self.service.worker.run_until_idle().await.unwrap() else {
                return;
            };
            self.pass((until.0 - (self.service.wiring.clock)().0).clamp(1, 10_000));
        }
    }

    /// Brings the webhooks and works until the power goes, the journal's fuse being asked for the `cut`th time, and starts
    /// the service again; false where all was done before.
    pub(super) async fn is_cut_off(&mut self, cut: usize) -> bool {
        for delivery in self.sent() {
            self.keep(&delivery).await;
        }
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let fuse = Arc::new(move || counted.fetch_add(1, Ordering::SeqCst) + 1 == cut);
        let cut_off = self.service.journal.clone().with_crash_point(fuse);
        let worker = self.service.wiring.worker(&cut_off);
        while let Ok(Some(until)) = worker.run_until_idle().await {
            self.pass((until.0 - self.now()).clamp(1, 10_000));
        }
        let config = self.service.config.clone();
        self.service = Instance::open(config, clock(&self.ahead)).await;
        asked.load(Ordering::SeqCst) >= cut
    }

    pub(super) async fn keep(&self, delivery: &Delivery) -> Stored {
        let now = (self.service.wiring.clock)();
        self.service
            .journal
            .store_delivery(delivery, now)
            .await
            .unwrap()
    }

    /// The webhooks that GitHub has sent since the last time.
    pub(super) fn sent(&mut self) -> Vec<Delivery> {
        let hub = self.hub.github();
        let sent = hub.deliveries();
        let fresh = sent.iter().filter(|one| one.id > self.told);
        let fresh: Vec<Delivery> = fresh
            .map(|one| Delivery {
                id: one.guid.clone(),
                event: one.event.to_owned(),
                body: String::from_utf8(one.body.clone()).unwrap(),
            })
            .collect();
        self.told = sent.last().map_or(self.told, |one| one.id);
        fresh
    }

    /// Says it; the webhook that tells it, kept back.
    pub(super) fn order(&mut self, who: &str, number: u64, text: &str) -> Delivery {
        let id = self.say(who, number, text);
        let told = |delivery: &Delivery| {
            let body: serde_json::Value = serde_json::from_str(&delivery.body).unwrap();
            body["comment"]["id"] == id && body["action"] == "created"
        };
        self.sent().into_iter().find(told).unwrap()
    }

    pub(super) fn commit(&self, branch: &str, files: &[(&str, Option<&str>)]) {
        let mut hub = self.hub.github();
        let mut at = hub.at(NAME);
        at.commit_files("alice", branch, "Change", files).unwrap();
    }

    /// A pull request of alice's with these files, planned.
    pub(super) async fn proposed(&mut self, files: &[(&str, Option<&str>)]) -> u64 {
        self.commit("wip", files);
        let number = self.open("alice", "wip", "main");
        self.work().await;
        number
    }

    pub(super) fn open(&self, author: &str, head: &str, base: &str) -> u64 {
        let mut hub = self.hub.github();
        let proposal = NewPullRequest {
            head,
            base,
            title: "A change",
            body: "",
        };
        hub.at(NAME).open_pull(author, proposal).unwrap()
    }

    pub(super) fn merge(&self, number: u64, how: MergeMethod) {
        let mut hub = self.hub.github();
        hub.at(NAME).merge("bob", number, how).unwrap();
    }

    pub(super) fn say(&self, who: &str, number: u64, text: &str) -> u64 {
        let mut hub = self.hub.github();
        hub.at(NAME).comment(who, number, text).unwrap()
    }

    /// Says it, works, and returns what planebot wrote since.
    pub(super) async fn ask(&mut self, who: &str, number: u64, text: &str) -> String {
        let before = self.own(number).len();
        self.say(who, number, text);
        self.work().await;
        let own = self.own(number);
        let since: Vec<String> = own.into_iter().skip(before).map(|it| it.body).collect();
        since.join("\n")
    }

    pub(super) fn comments(&self, number: u64) -> Vec<IssueCommentView> {
        self.hub.github().at(NAME).comments(number)
    }

    /// planebot's own comments.
    pub(super) fn own(&self, number: u64) -> Vec<IssueCommentView> {
        let mut all = self.comments(number);
        all.retain(|comment| comment.author == "planebot[bot]");
        all
    }

    /// The plan comment: the first that planebot wrote.
    pub(super) fn plan(&self, number: u64) -> String {
        self.own(number).remove(0).body
    }

    /// The digest of the plan that stands in the conversation.
    pub(super) fn digest(&self, number: u64) -> String {
        let plan = self.plan(number);
        let at = plan.find("/apply ").expect("the plan says how to apply it");
        plan[at + 7..at + 16].to_owned()
    }

    fn hands(&self) -> Arc<MaasClient<InMemoryMaas>> {
        let outside = maas::Environment::of_this_process(&self.service.wiring.clock);
        MaasClient::new(
            InMemoryMaas::new(Arc::clone(&self.maas.maas), outside.clone()),
            outside,
        )
    }

    /// The first subnet, as MAAS has it now.
    pub(super) async fn subnet(&self) -> Subnet {
        let seen = self
            .hands()
            .reader()
            .observe(&Scope::default())
            .await
            .unwrap();
        seen.subnets().next().unwrap().clone()
    }

    /// Somebody changes it in MAAS, past planebot.
    pub(super) async fn by_hand(&self, change: impl FnOnce(&mut Subnet)) {
        let before = self.subnet().await;
        let mut after = before.clone();
        change(&mut after);
        let write = Write::Update(
            Box::new(Object::Subnet(before)),
            Box::new(Object::Subnet(after)),
        );
        let outcome = MaasWriter::new(&self.hands(), &Anybody).send(&write).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }

    /// A second service on the same store, as after a restart or beside the first.
    pub(super) async fn another(&self, port: u16) -> Instance {
        let mut config = self.service.config.clone();
        config.server.listen.set_port(port);
        Instance::open(config, clock(&self.ahead)).await
    }
}

fn clock(ahead: &Arc<AtomicI64>) -> Clock {
    let (machine, ahead) = (service::clock::machine(), Arc::clone(ahead));
    Arc::new(move || Timestamp(machine().0 + ahead.load(Ordering::SeqCst)))
}

fn config(github: &str, maas: &str, folder: &Path, policy: &str) -> String {
    let store = folder.join("journal.db");
    format!(
        "[github]\napi_url = '{github}'\n[store]\nurl = 'sqlite://{}'\n\
         [[site]]\nname = 'dc'\nrepository = '{NAME}'\npath = 'topology'\nmaas_url = '{maas}'\n\
         [site.operators]\nusers = ['bob']\nteams = ['acme/net-ops']\n\
         [site.policy]\nsettle_seconds = 1\nunknown_pause_seconds = 1\n{policy}\n",
        store.display()
    )
}
