//! The demo's environment: a MAAS and a GitHub on loopback, files that stand for a jumphost and a Juju controller, and the
//! service as a process. It must not know what happens in it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};

use execution::rehearse::in_memory::InMemoryMaas;
use lab::github::{GitHubServerOptions, GitHubSetup};
use lab::maas::LabMaas;
use maas::{ApiKey, HttpTransport, MaasClient};
use service::clock::machine;
use service::site::declared;
use topology::observed::{Observed, Scope};
use topology::plane::Topology;
use topology::port::Clock;

use crate::demo::process::ServiceProcess;
use crate::demo::site::{AFTER, BEFORE, DECLARED, JUMPHOST_BEFORE, RUNBOOKS, addresses};

pub(super) const REPOSITORY: &str = "example/network";

/// How long any single step of the demo may take; the whole demo usually takes less than a minute.
const TIMEOUT: Duration = Duration::from_mins(2);

const POLL_EVERY: Duration = Duration::from_millis(25);

pub(super) struct DemoEnvironment {
    pub(super) folder: PathBuf,
    pub(super) maas: lab::maas::MaasServer,
    pub(super) github: lab::github::GitHubServer,
    pub(super) service: Arc<ServiceProcess>,
    /// The bot's comments as they were printed last, by id.
    pub(super) printed: BTreeMap<u64, String>,
    /// The pull request's number; 0 before it is opened.
    pub(super) number: u64,
    /// The pull request's merge commit; empty before the merge.
    pub(super) merge_commit: String,
    clock: Clock,
}

impl DemoEnvironment {
    /// Starts the servers, writes the configuration and starts the service.
    pub(super) async fn open(program: &Path) -> anyhow::Result<Self> {
        let clock = machine();
        let folder =
            std::env::temp_dir().join(format!("planebot-lab-{}-{}", std::process::id(), clock().0));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("creating `{}`", folder.display()))?;
        let mut rows = LabMaas::load(BEFORE, None)?;
        // People who play along can commission and deploy.
        rows.start_racks();
        for host in rows.machines() {
            rows.set_status(&host, "Deployed");
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let service = Arc::new(ServiceProcess::new(program, &folder, port));
        let killer = Arc::clone(&service);
        let maas = lab::maas::serve(
            rows,
            Some(Arc::new(move |request| killer.on_maas_request(request))),
        )
        .await?;
        let github = github(&maas, port, &clock).await?;
        let environment = Self {
            folder,
            maas,
            github,
            service,
            printed: BTreeMap::new(),
            number: 0,
            merge_commit: String::new(),
            clock,
        };
        environment.write_files()?;
        environment.start_service().await?;
        Ok(environment)
    }

    fn write_files(&self) -> anyhow::Result<()> {
        let (token, secret) = {
            let github = self.github.github();
            (github.bot_token(), github.webhook_secret().to_owned())
        };
        let key = self
            .rows(|maas| maas.api_key("admin"))
            .context("the lab's MAAS has no administrator")?;
        let juju = r#"{"models":[{"name":"admin/controller","type":"maas","is-controller":true,"life":"alive"},{"name":"admin/openstack","type":"maas","is-controller":false,"life":"alive"}]}"#;
        let jumphost = addresses(&JUMPHOST_BEFORE);
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\n\n[github]\napi_url = \"{github}\"\ntoken_file = \"github-token\"\nwebhook_secret_file = \"webhook-secret\"\n\n[store]\nurl = \"sqlite://journal.db\"\n\n[[site]]\nname = \"reference\"\nrepository = \"{REPOSITORY}\"\npath = \"topology\"\nmaas_url = \"{maas}\"\nmaas_api_key_file = \"maas-key\"\n\n[site.operators]\nusers = [\"bob\"]\n\n[site.policy]\nsettle_seconds = 1\nunknown_pause_seconds = 1\n\n[site.evidence]\njuju_models = \"juju-models.json\"\njumphost_addresses = \"jumphost.json\"\n",
            port = self.service.port,
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

    /// Starts the service and waits until it is ready.
    pub(super) async fn start_service(&self) -> anyhow::Result<()> {
        self.service.spawn()?;
        let http = reqwest::Client::new();
        let deadline = (self.clock)().0 + 30_000;
        let mut tick = tokio::time::interval(POLL_EVERY);
        while !self.service.is_ready(&http).await {
            tick.tick().await;
            if (self.clock)().0 > deadline {
                bail!("the service did not become ready:\n{}", self.service.log());
            }
        }
        Ok(())
    }

    /// Stops the service and removes the files.
    pub(super) fn close(self) {
        self.service.kill();
        let removed = std::fs::remove_dir_all(&self.folder);
        drop(removed);
    }

    /// Prints the addresses of the servers and the folder.
    pub(super) fn print_addresses(&self, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
        writeln!(
            out,
            "MAAS    {}\nGitHub  {}/repos/{REPOSITORY}\nplanebot http://127.0.0.1:{}\nfiles   {}\n",
            self.maas.url,
            self.github.url,
            self.service.port,
            self.folder.display()
        )
    }

    /// Polls until the condition holds. `what` is named in the error after a timeout.
    pub(super) async fn wait_for(
        &self,
        what: &str,
        condition: impl Fn(&Self) -> bool,
    ) -> anyhow::Result<()> {
        let deadline = (self.clock)().0 + i64::try_from(TIMEOUT.as_millis()).unwrap_or(i64::MAX);
        let mut tick = tokio::time::interval(POLL_EVERY);
        while !condition(self) {
            tick.tick().await;
            if (self.clock)().0 > deadline {
                bail!("timed out waiting for {what}");
            }
        }
        Ok(())
    }

    /// Reads or changes the MAAS directly, past its API.
    pub(super) fn rows<T>(&self, access: impl FnOnce(&mut LabMaas) -> T) -> T {
        access(
            &mut self
                .maas
                .maas
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// How many writes MAAS has executed.
    pub(super) fn writes(&self) -> usize {
        self.rows(|maas| maas.writes().len())
    }

    /// How many deletes MAAS has executed.
    pub(super) fn deletes(&self) -> usize {
        self.rows(|maas| {
            maas.writes()
                .iter()
                .filter(|(method, _)| method == "DELETE")
                .count()
        })
    }

    /// The commit at the head of the pull request's branch; empty where there is none.
    pub(super) fn head(&self) -> String {
        self.github
            .github()
            .at(REPOSITORY)
            .head("vip-plane")
            .map(|oid| oid.to_string())
            .unwrap_or_default()
    }

    /// Waits for the history branch; its files by path.
    pub(super) async fn history(&self) -> anyhow::Result<BTreeMap<String, String>> {
        const BRANCH: &str = "planebot-history";
        self.wait_for("the history", |environment| {
            let mut github = environment.github.github();
            github.at(REPOSITORY).head(BRANCH).is_some()
        })
        .await?;
        Ok(self.github.github().at(REPOSITORY).files_at(BRANCH))
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
            .context("the demo's declaration does not check")
    }

    /// Observes the MAAS over HTTP, as the service does.
    pub(super) async fn observe(&self, topology: &Topology) -> anyhow::Result<Observed> {
        let key = self.rows(|maas| maas.api_key("admin")).unwrap_or_default();
        let http = HttpTransport::new(
            &self.maas.url,
            ApiKey::read(&key)?,
            maas::Environment::of_this_process(&self.clock),
        )?;
        let client = MaasClient::new(http, maas::Environment::of_this_process(&self.clock));
        Ok(execution::executor::observe(&client.reader(), topology).await?)
    }

    /// What a MAAS has that was loaded with the layout after the change.
    pub(super) async fn observe_layout_after(&self) -> anyhow::Result<Observed> {
        let rows = Arc::new(Mutex::new(LabMaas::load(AFTER, None)?));
        Ok(in_memory(rows, &self.clock)
            .reader()
            .observe(&Scope::default())
            .await?)
    }
}

fn in_memory(rows: Arc<Mutex<LabMaas>>, clock: &Clock) -> Arc<MaasClient<InMemoryMaas>> {
    let environment = maas::Environment::of_this_process(clock);
    MaasClient::new(InMemoryMaas::new(rows, environment.clone()), environment)
}

/// A GitHub with a repository whose default branch declares what the MAAS has now.
async fn github(
    maas: &lab::maas::MaasServer,
    port: u16,
    clock: &Clock,
) -> anyhow::Result<lab::github::GitHubServer> {
    let everything = Scope {
        all_nodes: true,
        all_spaces: true,
        ..Scope::default()
    };
    let client = in_memory(Arc::clone(&maas.maas), clock);
    let observed = client.reader().observe(&everything).await?;
    let mut files: BTreeMap<String, String> = topology::write::files(&observed, "reference")
        .into_iter()
        .map(|(path, text)| {
            let name = path.rsplit('/').next().unwrap_or(&path);
            (format!("topology/{name}"), text)
        })
        .collect();
    files.extend(RUNBOOKS.map(|(path, text)| (path.to_owned(), text.to_owned())));
    let initial = GitHubSetup {
        app: "planebot".to_owned(),
        repository: REPOSITORY.to_owned(),
        files,
        writers: vec!["alice".to_owned(), "bob".to_owned()],
        readers: vec!["mallory".to_owned()],
        webhook: Some(format!("http://127.0.0.1:{port}/webhook")),
        port: 0,
    };
    Ok(lab::github::serve(initial.github()?, GitHubServerOptions::default()).await?)
}
