//! One site at work: its MAAS, its policy, its runbooks, its witnesses.
//!
//! What the terminal and the service do alike: look, plan, rehearse, make moves. It must not know GitHub or the journal's
//! SQL.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use plan::plan::{Plan, Policy, Refused};
use plan::run::{Move, Pace};
use plan::runbook::Runbook;
use plan::telling::Rehearsed;
use secrecy::ExposeSecret as _;
use topology::draft::Source;
use topology::finding::Finding;
use topology::observed::Observed;
use topology::plane::Topology;

use crate::config;
use crate::config::Site;
use execution::evidence::{EvidenceReading, EvidenceSource};
use execution::executor::observe;
use execution::rehearse::{Play, Rehearsals};
use maas::Environment;
use maas::outgoing::client_to;
use maas::{ApiKey, Http, MaasClient, ReadProgress};
use topology::port::Clock;

/// A witness is a listing of a few kilobytes: 30 s is a witness that does not answer.
const WITNESS_SECONDS_MAX: Duration = Duration::from_secs(30);

/// `ip -j addr` of a busy host is some hundred kilobytes.
const WITNESS_BYTES_MAX: usize = 4 << 20;

/// One site at work.
pub struct SiteRuntime {
    /// Its configuration.
    pub site: Site,
    /// Its MAAS.
    pub client: Arc<MaasClient<Http>>,
    /// Its last rehearsal.
    pub rehearsals: Rehearsals,
}

/// What came of looking and planning.
pub struct PlanningResult {
    /// What MAAS said.
    pub observed: Observed,
    /// The plan, or why there is none.
    pub outcome: Result<Plan, Refused>,
    /// What its rehearsal found; empty where there was nothing to rehearse.
    pub rehearsed: Rehearsed,
}

impl SiteRuntime {
    /// Opens a site. `watch` hears how far long reads are.
    pub fn open(
        site: Site,
        clock: &Clock,
        watch: impl Fn(ReadProgress<'_>) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let secret = site.maas_api_key.as_ref().with_context(|| {
            format!(
                "site `{}` has no MAAS API key; set `maas_api_key_file`",
                site.name
            )
        })?;
        let key = ApiKey::read(secret.read()?.expose_secret())?;
        let http =
            Http::new(&site.maas_url, key, Environment::of_this_process(clock))?.watched(watch);
        let client = MaasClient::new(http, Environment::of_this_process(clock));
        Ok(Self {
            site,
            client,
            rehearsals: Rehearsals::default(),
        })
    }

    /// The pace of this site's runs.
    pub fn pace(&self) -> Pace {
        Pace {
            unknown: self.site.policy.unknown_pause_ms(),
            settle: self.site.policy.settle_ms(),
        }
    }

    /// The planner's policy, with the runbooks that are in force.
    pub fn policy(&self, runbooks: &[Runbook]) -> Policy {
        Policy {
            runbooks: runbooks
                .iter()
                .map(|runbook| (runbook.gate, runbook.pin.clone()))
                .collect(),
            ..Policy::default()
        }
    }

    /// Looks, plans, rehearses. `tell` hears the rehearsal, a line each.
    pub async fn survey(
        &self,
        topology: &Topology,
        policy: &Policy,
        tell: &mut (dyn FnMut(String) + Send),
    ) -> anyhow::Result<PlanningResult> {
        let observed = observe(&self.client.eyes(), topology)
            .await
            .context("observing MAAS")?;
        let outcome = Plan::between(&observed, topology, policy);
        let rehearsed = match &outcome {
            Ok(plan) => {
                let play = Play {
                    plan,
                    topology,
                    policy,
                    observed: &observed,
                };
                self.rehearsals.of(&play, tell).await
            }
            Err(_) => Rehearsed::default(),
        };
        Ok(PlanningResult {
            observed,
            outcome,
            rehearsed,
        })
    }

    /// Asks the site's witnesses, now, where the move is one that looks at a gate; no other needs them.
    pub async fn witness(&self, next: &Move) -> EvidenceReadings {
        if !matches!(next, Move::Examine(_)) {
            return EvidenceReadings {
                juju: EvidenceReading::Nobody,
                jumphost: EvidenceReading::Nobody,
            };
        }
        let evidence = &self.site.evidence;
        EvidenceReadings {
            juju: asked(&evidence.juju_models, true).await,
            jumphost: asked(&evidence.jumphost_addresses, false).await,
        }
    }
}

/// What the witnesses said when they were asked.
pub struct EvidenceReadings {
    juju: EvidenceReading,
    jumphost: EvidenceReading,
}

impl EvidenceSource for EvidenceReadings {
    fn juju_models(&self) -> EvidenceReading {
        self.juju.clone()
    }

    fn jumphost_addresses(&self) -> EvidenceReading {
        self.jumphost.clone()
    }
}

/// Reads every source and lays their lists together: `{"models": […]}` of each controller, or `[…]`.
async fn asked(sources: &[config::EvidenceLocation], models: bool) -> EvidenceReading {
    if sources.is_empty() {
        return EvidenceReading::Nobody;
    }
    let mut all = Vec::new();
    for source in sources {
        let text = match read(source).await {
            Ok(text) => text,
            Err(why) => return EvidenceReading::Silent(format!("{why:#}")),
        };
        let value: serde_json::Value = match serde_json::from_str(&text) {
            Ok(value) => value,
            Err(error) => return EvidenceReading::Silent(format!("no JSON: {error}")),
        };
        let list = if models {
            value.get("models").and_then(|list| list.as_array())
        } else {
            value.as_array()
        };
        match list {
            Some(list) => all.extend(list.iter().cloned()),
            None => return EvidenceReading::Silent("not the list that was expected".to_owned()),
        }
    }
    let all = serde_json::Value::Array(all);
    EvidenceReading::Said(if models {
        serde_json::json!({"models": all}).to_string()
    } else {
        all.to_string()
    })
}

async fn read(source: &config::EvidenceLocation) -> anyhow::Result<String> {
    match source {
        config::EvidenceLocation::File(path) => {
            std::fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))
        }
        config::EvidenceLocation::Url(url) => fetched(url)
            .await
            .map_err(reqwest::Error::without_url)
            .context("asking a witness")?,
    }
}

async fn fetched(url: &str) -> reqwest::Result<anyhow::Result<String>> {
    let http = client_to(url).timeout(WITNESS_SECONDS_MAX).build()?;
    let mut answer = http.get(url).send().await?;
    let status = answer.status();
    if !status.is_success() {
        return Ok(Err(anyhow!("a witness answered {}", status.as_u16())));
    }
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        text.extend_from_slice(&chunk);
        if text.len() > WITNESS_BYTES_MAX {
            return Ok(Err(anyhow!(
                "a witness said more than {WITNESS_BYTES_MAX} bytes"
            )));
        }
    }
    Ok(Ok(String::from_utf8_lossy(&text).into_owned()))
}

/// A declaration and the runbooks beside it, as read from a folder.
pub struct Declared {
    /// The network, when nothing is wrong.
    pub topology: Option<Topology>,
    /// Everything that was found.
    pub findings: Vec<Finding>,
}

/// The declaration's files of a folder.
pub fn sources(folder: &Path) -> anyhow::Result<Vec<Source>> {
    let mut files = BTreeMap::new();
    gather(folder, folder, &mut files)?;
    let sources = files.into_iter();
    Ok(sources
        .map(|(path, bytes)| Source { path, bytes })
        .collect())
}

/// Checks the files of a folder.
pub fn declared(folder: &Path) -> anyhow::Result<Declared> {
    let checked = topology::check::check(&sources(folder)?);
    Ok(Declared {
        topology: checked.topology,
        findings: checked.findings,
    })
}

fn gather(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("reading the folder `{}`", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_symlink() {
            bail!(
                "`{}` is a symbolic link; a declaration is made of plain files",
                path.display()
            );
        }
        if kind.is_dir() {
            gather(root, &path, files)?;
        } else if topology::draft::is_declaration(&path.to_string_lossy()) {
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            files.insert(
                name,
                std::fs::read(&path).with_context(|| format!("reading `{}`", path.display()))?,
            );
        }
    }
    Ok(())
}

/// The runbooks of a folder; none where there is no folder.
pub fn runbooks(folder: &Path) -> anyhow::Result<Vec<Runbook>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    let mut paths: Vec<_> = std::fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    for path in paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
    {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading `{}`", path.display()))?;
        let name = format!(
            "runbooks/{}",
            path.file_name().unwrap_or_default().to_string_lossy()
        );
        found.push(Runbook::read(&name, &text)?);
    }
    Ok(found)
}
