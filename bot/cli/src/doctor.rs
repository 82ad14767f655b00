//! Checks everything that planebot depends on. Each result says what is wrong and what to do.
//!
//! It reads, and changes nothing. It must not know how results are printed.

mod github;
mod maas;
mod store;

use ::github::credentials::SecretError;
use serde::Serialize;
use service::config::Config;
use service::reply::because;
use topology::port::Clock;

use crate::text::counted;

/// Whether somebody must act on a [`Diagnosis`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiagnosisStatus {
    /// As it should be.
    #[serde(rename = "good")]
    Ok,
    /// Worth knowing; nobody has to act.
    #[serde(rename = "note")]
    Info,
    /// Somebody has to act.
    #[serde(rename = "wrong")]
    Problem,
}

/// One result. The keys of its JSON form are relied upon by scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// What was checked: `store`, `github`, `maas dc1`, …
    #[serde(rename = "about")]
    pub subject: String,
    /// Whether somebody must act.
    #[serde(rename = "mark")]
    pub status: DiagnosisStatus,
    /// The result in one sentence.
    #[serde(rename = "says")]
    pub message: String,
    /// More lines below the message.
    #[serde(rename = "lines")]
    pub details: Vec<String>,
    /// What to do, where somebody must act.
    #[serde(rename = "todo")]
    pub remedy: Option<String>,
}

/// What to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DoctorPart {
    /// The store: reachable, writable and undamaged, and what waits in it
    Store,
    /// GitHub: permissions, repositories, clock, webhooks
    Github,
    /// The MAAS of every site: release and permissions
    Maas,
}

/// Collects the results about one subject.
struct DiagnosisList {
    subject: String,
    diagnoses: Vec<Diagnosis>,
}

impl DiagnosisList {
    fn new(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            diagnoses: Vec::new(),
        }
    }

    fn push(&mut self, status: DiagnosisStatus, message: impl Into<String>) -> &mut Diagnosis {
        self.diagnoses.push(Diagnosis {
            subject: self.subject.clone(),
            status,
            message: message.into(),
            details: Vec::new(),
            remedy: None,
        });
        self.diagnoses.last_mut().expect("one was just added")
    }

    fn ok(&mut self, message: impl Into<String>) {
        self.push(DiagnosisStatus::Ok, message);
    }

    fn info(&mut self, message: impl Into<String>) {
        self.push(DiagnosisStatus::Info, message);
    }

    fn problem(&mut self, message: impl Into<String>, remedy: &str) -> &mut Diagnosis {
        let diagnosis = self.push(DiagnosisStatus::Problem, message);
        diagnosis.remedy = Some(remedy.to_owned());
        diagnosis
    }
}

/// Checks everything, or only one part besides the configuration.
pub async fn examine(config: &Config, clock: &Clock, only: Option<DoctorPart>) -> Vec<Diagnosis> {
    let wanted = |part| only.is_none_or(|only| only == part);
    let mut diagnoses = configuration(config);
    if wanted(DoctorPart::Store) {
        diagnoses.extend(store::examine(config, clock).await);
    }
    if wanted(DoctorPart::Github) {
        diagnoses.extend(github::examine(config, clock).await);
    }
    if wanted(DoctorPart::Maas) {
        for site in &config.sites {
            diagnoses.extend(maas::examine(site, clock).await);
        }
    }
    diagnoses
}

/// What a configuration may leave out, although `planebot serve` needs it.
fn configuration(config: &Config) -> Vec<Diagnosis> {
    let mut list = DiagnosisList::new("configuration");
    let sites = counted(config.sites.len(), "site");
    match &config.github {
        None => {
            list.problem(
                format!("{sites}, but no `[github]`: `planebot serve` cannot start"),
                "add `[github]` with `app_id` and `private_key_file`, or with `token_file`",
            );
        }
        Some(github) => match github.secrets() {
            Ok(_) => list.ok(format!("{sites}, GitHub, and the webhook secret")),
            Err(error) => {
                list.problem(secret_error(error), "create the webhook secret with `openssl rand -hex 32` and enter it in GitHub's settings of the webhook too");
            }
        },
    }
    if config.sites.is_empty() {
        list.problem(
            "no `[[site]]`: planebot manages nothing",
            "add a `[[site]]` for each MAAS",
        );
    }
    for site in &config.sites {
        if site.operators.users.is_empty() && site.operators.teams.is_empty() {
            list.problem(
                format!(
                    "site `{}` has no operators: nobody can apply a plan there",
                    site.name
                ),
                "add users or teams to `[site.operators]`",
            );
        }
    }
    list.diagnoses
}

fn secret_error(error: SecretError) -> String {
    because(&anyhow::Error::from(error))
}
