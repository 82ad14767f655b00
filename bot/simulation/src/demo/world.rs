//! The story's world: a MAAS and a GitHub on loopback, a jumphost and a Juju controller as files, the service as a
//! process, and the people.

mod said;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use lab::github::{GitHubServerOptions, GitHubSetup, MergeMethod, NewPullRequest};
use lab::maas::{HttpFault, LabMaas};
use topology::observed::{Observed, Scope};
use topology::plane::Topology;

use execution::rehearse::in_memory::InMemoryMaas;
use maas::Environment;
use maas::{ApiKey, HttpTransport, MaasClient};
use service::clock::machine;
use service::site::declared;
use topology::port::Clock;

pub(super) use said::tell;

use crate::demo::site::{
    AFTER, BEFORE, DECLARED, JUMPHOST_AFTER, JUMPHOST_BEFORE, RUNBOOKS, VACATED, addresses,
};

pub(super) const TITLE: &str = "Give the public API endpoints a plane of their own";
const REPOSITORY: &str = "example/network";

/// How long anything in the story may take: the whole of it is meant to take less than a minute.
const PATIENCE: Duration = Duration::from_mins(2);

/// Between two looks at the world.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Kills the service at one delete, on request.
#[derive(Default)]
struct Trap {
    child: Mutex<Option<Child>>,
    deletes: AtomicUsize,
    at: AtomicUsize,
    sprung: AtomicBool,
}

/// Everything that the story plays in.
pub struct World {
    program: PathBuf,
    folder: PathBuf,
    maas: lab::maas::MaasServer,
    github: lab::github::GitHubServer,
    port: u16,
    trap: Arc<Trap>,
    told: BTreeMap<u64, String>,
    merge: String,
    /// The pull request.
    pub(super) number: u64,
    clock: Clock,
}

impl World {
    /// Opens the world and starts the service in it.
    pub async fn open(program: &Path) -> anyhow::Result<Self> {
        let clock = machine();
        let folder =
            std::env::temp_dir().join(format!("planebot-lab-{}-{}", std::process::id(), clock().0));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("making `{}`", folder.display()))?;
        let mut rows = LabMaas::load(BEFORE, None)?;
        for host in rows.machines() {
            rows.set_status(&host, "Deployed");
        }
        let trap = Arc::new(Trap::default());
        let spring = Arc::clone(&trap);
        let maas =
            lab::maas::serve(rows, Some(Arc::new(move |request| spring.hears(request)))).await?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let github = Self::github(&maas, port, &clock).await?;
        let mut world = Self {
            program: program.to_owned(),
            folder,
            maas,
            github,
            port,
            trap,
            told: BTreeMap::new(),
            merge: String::new(),
            number: 0,
            clock,
        };
        world.write_files()?;
        world.start_service().await?;
        Ok(world)
    }

    /// A repository whose default branch declares what the MAAS has now.
    async fn github(
        maas: &lab::maas::MaasServer,
        port: u16,
        clock: &Clock,
    ) -> anyhow::Result<lab::github::GitHubServer> {
        let observed = MaasClient::new(
            InMemoryMaas::new(Arc::clone(&maas.maas), Environment::of_this_process(clock)),
            Environment::of_this_process(clock),
        )
        .reader()
        .observe(&Scope {
            all_nodes: true,
            all_spaces: true,
            ..Scope::default()
        })
        .await?;
        let mut files: BTreeMap<String, String> = topology::write::files(&observed, "reference")
            .into_iter()
            .map(|(path, text)| {
                (
                    format!("topology/{}", path.rsplit('/').next().unwrap_or(&path)),
                    text,
                )
            })
            .collect();
        files.extend(
            RUNBOOKS
                .iter()
                .map(|(path, text)| ((*path).to_owned(), (*text).to_owned())),
        );
        let hub = GitHubSetup {
            app: "planebot".to_owned(),
            repository: REPOSITORY.to_owned(),
            files,
            writers: vec!["alice".to_owned(), "bob".to_owned()],
            readers: vec!["mallory".to_owned()],
            webhook: Some(format!("http://127.0.0.1:{port}/webhook")),
            port: 0,
        }
        .github()?;
        Ok(lab::github::serve(hub, GitHubServerOptions::default()).await?)
    }

    fn write_files(&self) -> anyhow::Result<()> {
        let (token, secret) = {
            let hub = self.github.github();
            (hub.bot_token(), hub.webhook_secret().to_owned())
        };
        let key = self
            .rows(|maas| maas.api_key("admin"))
            .context("the lab's MAAS has no administrator")?;
        let juju = r#"{"models":[{"name":"admin/controller","type":"maas","is-controller":true,"life":"alive"},{"name":"admin/openstack","type":"maas","is-controller":false,"life":"alive"}]}"#;
        let jumphost = addresses(&JUMPHOST_BEFORE);
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\n\n[github]\napi_url = \"{github}\"\ntoken_file = \"github-token\"\nwebhook_secret_file = \"webhook-secret\"\n\n[store]\nurl = \"sqlite://journal.db\"\n\n[[site]]\nname = \"reference\"\nrepository = \"{REPOSITORY}\"\npath = \"topology\"\nmaas_url = \"{maas}\"\nmaas_api_key_file = \"maas-key\"\n\n[site.operators]\nusers = [\"bob\"]\n\n[site.policy]\nsettle_seconds = 1\nunknown_pause_seconds = 1\n\n[site.evidence]\njuju_models = \"juju-models.json\"\njumphost_addresses = \"jumphost.json\"\n",
            port = self.port,
            github = self.github.url,
            maas = self.maas.url,
        );
        let files = [
            ("github-token", token.as_str()),
            ("webhook-secret", &secret),
            ("maas-key", &key),
            ("juju-models.json", juju),
            ("jumphost.json", &jumphost),
            ("planebot.toml", &config),
        ];
        for (name, text) in files {
            std::fs::write(self.folder.join(name), text)
                .with_context(|| format!("writing `{name}`"))?;
        }
        Ok(())
    }

    /// Starts the service and waits until it says that it is ready.
    pub(super) async fn start_service(&mut self) -> anyhow::Result<()> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("service.log"))?;
        let child = Command::new(&self.program)
            .arg("--config")
            .arg(self.folder.join("planebot.toml"))
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting `{}`", self.program.display()))?;
        *self.trap.child() = Some(child);
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        let http = reqwest::Client::new();
        let deadline = (self.clock)().0 + 30_000;
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            if http
                .get(&url)
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(());
            }
            if (self.clock)().0 > deadline {
                bail!("the service did not become ready:\n{}", self.service_log());
            }
        }
    }

    /// Ends the service and takes the world's files away.
    pub fn close(self) {
        self.trap.kill();
        let removed = std::fs::remove_dir_all(&self.folder);
        drop(removed);
    }

    pub(super) fn service_log(&self) -> String {
        std::fs::read_to_string(self.folder.join("service.log")).unwrap_or_default()
    }

    /// Where things are, for people.
    pub fn places(&self, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
        writeln!(
            out,
            "MAAS    {}\nGitHub  {}/repos/{REPOSITORY}\nplanebot http://127.0.0.1:{}\nfiles   {}\n",
            self.maas.url,
            self.github.url,
            self.port,
            self.folder.display()
        )
    }

    /// Where to look and what to type.
    pub(super) fn guide(&self) -> String {
        let (token, operator) = {
            let hub = self.github.github();
            (hub.token("alice"), hub.token("bob"))
        };
        let (github, maas, folder) = (&self.github.url, &self.maas.url, self.folder.display());
        format!(
            "A MAAS, a GitHub and planebot are running until Ctrl-C.\n\n\
             MAAS      {maas}   (API key in {folder}/maas-key)\n\
             GitHub    {github}/repos/{REPOSITORY}\n\
             planebot  http://127.0.0.1:{port}   (log in {folder}/service.log)\n\n\
             alice writes pull requests, bob is an operator, mallory is a stranger. Try, as alice:\n\n  \
             API={github}/repos/{REPOSITORY}; T='authorization: Bearer {token}'\n  \
             SHA=$(curl -s -H \"$T\" $API/git/ref/heads/main | jq -r .object.sha)\n  \
             curl -s -H \"$T\" $API/git/refs -d '{{\"ref\":\"refs/heads/try\",\"sha\":\"'$SHA'\"}}'\n  \
             # change a file on that branch with PUT $API/contents/topology/FILE.yaml, then\n  \
             curl -s -H \"$T\" $API/pulls -d '{{\"title\":\"try\",\"head\":\"try\",\"base\":\"main\"}}'\n  \
             curl -s -H \"$T\" $API/issues/1/comments | jq -r '.[].body'\n\n\
             and as bob, an operator (authorization: Bearer {operator}):\n\n  \
             curl -s -X PUT -H 'authorization: Bearer {operator}' $API/pulls/1/merge -d '{{}}'\n  \
             curl -s -H 'authorization: Bearer {operator}' $API/issues/1/comments -d '{{\"body\":\"/apply\"}}'\n\n\
             or look from a terminal:\n\n  \
             planebot --config {folder}/planebot.toml --topology topology plan\n",
            port = self.port,
        )
    }

    /// Looks at the world until it is so.
    pub(super) async fn until(&self, what: &str, so: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = (self.clock)().0 + i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX);
        let mut tick = tokio::time::interval(LOOK_EVERY);
        while !so(self) {
            tick.tick().await;
            if (self.clock)().0 > deadline {
                bail!("waited in vain for {what}");
            }
        }
        Ok(())
    }

    pub(super) fn head(&self) -> String {
        self.github
            .github()
            .at(REPOSITORY)
            .head("vip-plane")
            .map(|oid| oid.to_string())
            .unwrap_or_default()
    }

    /// The change, as one branch and one pull request.
    pub(super) fn propose(&mut self, who: &str) -> anyhow::Result<()> {
        let mut hub = self.github.github();
        let mut at = hub.at(REPOSITORY);
        let old: Vec<String> = at
            .files_at("main")
            .into_keys()
            .filter(|path| path.starts_with("topology/"))
            .collect();
        let mut files: BTreeMap<&str, Option<&str>> =
            old.iter().map(|path| (path.as_str(), None)).collect();
        files.extend(DECLARED.iter().map(|(path, text)| (*path, Some(*text))));
        let files: Vec<(&str, Option<&str>)> = files.into_iter().collect();
        at.commit_files(who, "vip-plane", TITLE, &files)?;
        self.number = at.open_pull(
            who,
            NewPullRequest {
                head: "vip-plane",
                base: "main",
                title: TITLE,
                body: "",
            },
        )?;
        Ok(())
    }

    pub(super) fn merge(&mut self, who: &str) -> anyhow::Result<()> {
        let oid =
            self.github
                .github()
                .at(REPOSITORY)
                .merge(who, self.number, MergeMethod::Squash)?;
        self.merge = oid.to_string();
        Ok(())
    }

    pub(super) fn merge_commit(&self) -> String {
        self.merge.clone()
    }

    pub(super) async fn history(&self) -> anyhow::Result<BTreeMap<String, String>> {
        self.until("the history", |world| {
            world
                .github
                .github()
                .at(REPOSITORY)
                .head("planebot-history")
                .is_some()
        })
        .await?;
        Ok(self
            .github
            .github()
            .at(REPOSITORY)
            .files_at("planebot-history"))
    }

    fn rows<T>(&self, look: impl FnOnce(&mut LabMaas) -> T) -> T {
        look(
            &mut self
                .maas
                .maas
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Writes to MAAS that took effect.
    pub(super) fn writes(&self) -> usize {
        self.rows(|maas| maas.writes().len())
    }

    pub(super) fn destroy_juju_model(&self) -> anyhow::Result<()> {
        let left = r#"{"models":[{"name":"admin/controller","type":"maas","is-controller":true,"life":"alive"}]}"#;
        Ok(std::fs::write(self.folder.join("juju-models.json"), left)?)
    }

    pub(super) fn release_machines(&self) {
        self.rows(|maas| {
            for host in maas.machines() {
                maas.release(&host);
            }
        });
    }

    /// Removes the machines' links on the networks that go; how many there were.
    pub(super) fn remove_links(&self) -> usize {
        self.rows(|maas| {
            let hosts = maas.machines();
            let pairs = hosts
                .iter()
                .flat_map(|host| VACATED.iter().map(move |cidr| (host, *cidr)));
            pairs.map(|(host, cidr)| maas.unlink_all(host, cidr)).sum()
        })
    }

    pub(super) fn move_bridges(&self) -> anyhow::Result<()> {
        Ok(std::fs::write(
            self.folder.join("jumphost.json"),
            addresses(&JUMPHOST_AFTER),
        )?)
    }

    pub(super) fn kill_the_service_at_delete(&self, count: usize) {
        self.trap.at.store(count, Ordering::SeqCst);
    }

    pub(super) fn is_killed(&self) -> bool {
        self.trap.sprung.load(Ordering::SeqCst)
    }

    pub(super) fn deletes(&self) -> usize {
        self.rows(|maas| {
            maas.writes()
                .iter()
                .filter(|(method, _)| method == "DELETE")
                .count()
        })
    }

    /// The declaration after the change, checked.
    pub(super) fn declared(&self) -> anyhow::Result<Topology> {
        let folder = self.folder.join("declared");
        std::fs::create_dir_all(&folder)?;
        for (path, text) in DECLARED {
            std::fs::write(folder.join(path.trim_start_matches("topology/")), text)?;
        }
        declared(&folder)?
            .topology
            .context("the story's declaration does not check")
    }

    pub(super) async fn observe(&self, topology: &Topology) -> anyhow::Result<Observed> {
        let key = self.rows(|maas| maas.api_key("admin")).unwrap_or_default();
        let http = HttpTransport::new(
            &self.maas.url,
            ApiKey::read(&key)?,
            Environment::of_this_process(&self.clock),
        )?;
        let client = MaasClient::new(http, Environment::of_this_process(&self.clock));
        Ok(execution::executor::observe(&client.reader(), topology).await?)
    }

    /// A MAAS that was made as the layout after the change says.
    pub(super) async fn after(&self) -> anyhow::Result<Observed> {
        let rows = Arc::new(Mutex::new(LabMaas::load(AFTER, None)?));
        let client = MaasClient::new(
            InMemoryMaas::new(rows, Environment::of_this_process(&self.clock)),
            Environment::of_this_process(&self.clock),
        );
        Ok(client.reader().observe(&Scope::default()).await?)
    }
}

impl Trap {
    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// At the chosen delete the service dies first, then MAAS does what it was asked: nobody hears the answer.
    fn hears(&self, request: &lab::wire::LabRequest) -> HttpFault {
        if request.method != "DELETE" {
            return HttpFault::None;
        }
        let count = self.deletes.fetch_add(1, Ordering::SeqCst) + 1;
        if count != self.at.load(Ordering::SeqCst) {
            return HttpFault::None;
        }
        self.kill();
        self.sprung.store(true, Ordering::SeqCst);
        HttpFault::LoseAnswer
    }

    fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            let ended = child.kill().and_then(|()| child.wait());
            drop(ended);
        }
    }
}
