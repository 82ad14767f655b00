//! `planebot doctor`: prints what the doctor found, and retries failed items.
//!
//! It must not know how anything is examined.

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use journal::{Journal, Retried, SchemaState};
use serde_json::json;
use service::clock;
use service::config::Config;
use service::reply::because;

use crate::cli::{Console, LocationArgs};
use crate::doctor::{Diagnosis, DiagnosisStatus, DoctorPart, examine};
use crate::terminal::reports::FORMAT;
use crate::terminal::{OutputFormat, exit_code};
use crate::text::counted;

/// Check the configuration, the store, GitHub, webhooks, clocks and every MAAS, and say what to fix
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot doctor                         check everything; changes nothing
  planebot doctor --only store            what is in the store, and what in it needs attention
  planebot doctor --format json | jq '.findings[] | select(.mark == \"wrong\") | .says, .todo'
  planebot doctor --retry 72d3162e-cc78-11e3-81ab-4c9367dc0958

A delivery that failed too often is a dead letter, and a message that GitHub rejects is given up;
neither blocks anything else. Fix the cause, then retry it with `--retry` and the ID that the
doctor shows. A running `planebot serve` picks it up within half a minute.

Exit codes: 0 no problems, 1 problems.")]
pub(super) struct DoctorArgs {
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
    /// Check only one part
    #[arg(long, value_enum)]
    only: Option<DoctorPart>,
    /// Retry a dead-letter delivery or a message that was given up
    #[arg(long, value_name = "ID", conflicts_with = "only")]
    retry: Option<String>,
}

impl DoctorArgs {
    pub(super) async fn run(
        self,
        location: &LocationArgs,
        console: &mut Console<'_>,
    ) -> anyhow::Result<u8> {
        let loaded = location.load(console);
        if let Some(id) = &self.retry {
            return retry(&loaded?, id, console).await;
        }
        let diagnoses = match loaded {
            Ok(config) => Box::pin(examine(&config, &clock::machine(), self.only)).await,
            Err(error) => vec![config_error(&error)],
        };
        let problems = diagnoses.iter();
        let problems = problems.filter(|it| it.status == DiagnosisStatus::Problem);
        let ok = problems.count() == 0;
        match self.format {
            OutputFormat::Json => {
                let whole = json!({"format": FORMAT, "ok": ok, "findings": diagnoses});
                writeln!(console.out, "{}", serde_json::to_string_pretty(&whole)?)?;
            }
            OutputFormat::Markdown => {
                let text = anstream::adapter::strip_str(&text(&diagnoses)).to_string();
                write!(console.out, "{}", plan::render::fence("text", &text))?;
            }
            OutputFormat::Text => write!(console.out, "{}", text(&diagnoses))?,
        }
        Ok(if ok { exit_code::OK } else { exit_code::ERROR })
    }
}

/// A configuration that cannot be used is something to fix, like everything else.
fn config_error(error: &anyhow::Error) -> Diagnosis {
    Diagnosis {
        subject: "configuration".to_owned(),
        status: DiagnosisStatus::Problem,
        message: because(error),
        details: Vec::new(),
        remedy: Some("fix it; the README shows a complete one".to_owned()),
    }
}

async fn retry(config: &Config, id: &str, console: &mut Console<'_>) -> anyhow::Result<u8> {
    let address = config.store.address()?;
    let standing = SchemaState::of(&address).await?;
    anyhow::ensure!(
        standing == SchemaState::Current,
        "the store was not set up by this version of planebot: start `planebot serve` first"
    );
    let journal = Journal::open_at(&address).await?;
    let retried = journal.retry(id).await.context("retrying it")?;
    let answer = match retried {
        Retried::Delivery => {
            "the delivery will be processed again, before later ones of its pull request"
        }
        Retried::Message => "the message will be sent again",
        Retried::Nothing => anyhow::bail!(
            "no dead letter and no message that was given up has the ID `{id}`: `planebot doctor --only store` lists them"
        ),
    };
    writeln!(console.out, "{answer}")?;
    Ok(exit_code::OK)
}

const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// A block for each subject, and at the end how many problems there are.
fn text(diagnoses: &[Diagnosis]) -> String {
    let mut out = String::new();
    let mut subject = "";
    for diagnosis in diagnoses {
        if diagnosis.subject != subject {
            let gap = if subject.is_empty() { "" } else { "\n" };
            subject = &diagnosis.subject;
            out.push_str(&format!("{gap}{BOLD}{subject}{BOLD:#}\n"));
        }
        let (style, sign) = match diagnosis.status {
            DiagnosisStatus::Ok => (GREEN, "✔"),
            DiagnosisStatus::Info => (DIM, "·"),
            DiagnosisStatus::Problem => (RED, "✖"),
        };
        let message = diagnosis.message.replace('\n', "\n    ");
        out.push_str(&format!("  {style}{sign}{style:#} {message}\n"));
        for line in &diagnosis.details {
            out.push_str(&format!("      {line}\n"));
        }
        if let Some(remedy) = &diagnosis.remedy {
            out.push_str(&format!("    {BOLD}→{BOLD:#} {remedy}\n"));
        }
    }
    let problems = diagnoses
        .iter()
        .filter(|it| it.status == DiagnosisStatus::Problem);
    out.push_str(&match problems.count() {
        0 => format!("\n{GREEN}no problems{GREEN:#}\n"),
        count => format!("\n{RED}{}{RED:#}\n", counted(count, "problem")),
    });
    out
}
