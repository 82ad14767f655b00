//! Whether everything that planebot leans on is there and fits: one finding each, with what to do.
//!
//! It looks, and changes nothing. It must not know how findings are printed.

mod github;
mod maas;
mod store;

use serde::Serialize;
use topology::observed::Timestamp;

use ::github::credentials::SecretError;
use service::config::Config;
use service::reply::because;
use topology::port::Clock;

/// How good or bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// As it should be.
    Good,
    /// Worth knowing; nobody has to do anything.
    Note,
    /// Somebody has to do something.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about: `store`, `github`, `maas dc1`, …
    pub about: String,
    /// How good or bad it is.
    pub mark: Mark,
    /// What was found, in a sentence.
    pub says: String,
    /// More of it, a line each.
    pub lines: Vec<String>,
    /// What to do about it.
    pub todo: Option<String>,
}

/// What to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The store.
    Store,
    /// GitHub: who we are there, and its webhooks.
    Github,
    /// Every site's MAAS.
    Maas,
}

/// Collects the findings about one thing.
struct Chart {
    about: String,
    findings: Vec<Finding>,
}

impl Chart {
    fn of(about: &str) -> Self {
        Self {
            about: about.to_owned(),
            findings: Vec::new(),
        }
    }

    fn add(&mut self, mark: Mark, says: impl Into<String>) -> &mut Finding {
        self.findings.push(Finding {
            about: self.about.clone(),
            mark,
            says: says.into(),
            lines: Vec::new(),
            todo: None,
        });
        self.findings.last_mut().expect("one was just added")
    }

    fn good(&mut self, says: impl Into<String>) {
        self.add(Mark::Good, says);
    }

    fn note(&mut self, says: impl Into<String>) {
        self.add(Mark::Note, says);
    }

    fn wrong(&mut self, says: impl Into<String>, todo: &str) -> &mut Finding {
        let finding = self.add(Mark::Wrong, says);
        finding.todo = Some(todo.to_owned());
        finding
    }
}

/// Looks at everything, or at one part of it.
pub async fn examine(config: &Config, clock: &Clock, only: Option<Part>) -> Vec<Finding> {
    let wanted = |part| only.is_none_or(|only| only == part);
    let mut findings = configured(config);
    if wanted(Part::Store) {
        findings.extend(store::examine(config, clock).await);
    }
    if wanted(Part::Github) {
        findings.extend(github::examine(config, clock).await);
    }
    if wanted(Part::Maas) {
        for site in &config.sites {
            findings.extend(maas::examine(site, clock).await);
        }
    }
    findings
}

/// What the configuration says that reading it did not already refuse.
fn configured(config: &Config) -> Vec<Finding> {
    let mut chart = Chart::of("configuration");
    let sites = counted(config.sites.len(), "site");
    match &config.github {
        None => {
            let todo = "write `[github]` with `app_id` and `private_key_file`, or `token_file`";
            chart.wrong(
                format!("{sites}, and no `[github]`: `planebot serve` does not start"),
                todo,
            );
        }
        Some(github) => match github.secrets() {
            Ok(_) => chart.good(format!("{sites}, GitHub, and the webhook's secret")),
            Err(withheld) => {
                chart.wrong(said(withheld), "put the webhook's secret there: `openssl rand -hex 32` makes one, and GitHub's settings of the webhook take it");
            }
        },
    }
    if config.sites.is_empty() {
        chart.wrong(
            "no `[[site]]`: there is nothing to look after",
            "write one for each MAAS",
        );
    }
    for site in &config.sites {
        if site.operators.users.is_empty() && site.operators.teams.is_empty() {
            chart.wrong(
                format!(
                    "`{}` has no operators: nobody can apply anything there",
                    site.name
                ),
                "name users or teams in `[site.operators]`",
            );
        }
    }
    chart.findings
}

fn said(withheld: SecretError) -> String {
    because(&anyhow::Error::from(withheld))
}

/// `1 site`, `2 sites`.
fn counted(count: impl TryInto<i64>, what: &str) -> String {
    let count = count.try_into().unwrap_or(i64::MAX);
    let (stem, plural) = match what.strip_suffix('y') {
        Some(stem) if count != 1 => (stem, "ies"),
        Some(_) | None if count == 1 => (what, ""),
        Some(_) | None => (what, "s"),
    };
    format!("{count} {stem}{plural}")
}

/// A length of time as people say it: `40 s`, `3 min`, `5 h`, `2 days`.
fn spoken(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{} min", seconds / 60),
        6_000..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    format!("{} ago", spoken(now.0 - at.0))
}
