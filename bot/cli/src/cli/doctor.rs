//! `planebot doctor`: whether everything is there and fits, and what to do where it is not.

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use journal::{Journal, Retried, SchemaState};
use serde_json::json;

use crate::cli::{Console, Format, Where};
use crate::doctor::{Finding, Mark, Part, examine};
use crate::terminal::exit;
use service::clock;
use service::config::Config;
use service::reply::because;

/// Looks whether configuration, store, GitHub, webhooks, clocks and every MAAS are as they should be
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot doctor                         everything; changes nothing
  planebot doctor --only store            what is in the store, and what in it waits for a person
  planebot doctor --format json | jq '.findings[] | select(.mark == \"wrong\") | .says, .todo'
  planebot doctor --retry 72d3162e-cc78-11e3-81ab-4c9367dc0958

A delivery that failed too often is parked, and a reply that GitHub refuses is given up; neither
holds up anything else. When what stood in the way is mended, `--retry` has it done after all,
with the ID that the doctor shows. A running `planebot serve` takes it up within half a minute.

Exit codes: 0 nothing to do, 1 something waits for a person.")]
pub(super) struct Doctor {
    /// How to write the findings
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Looks at one part only
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Has a parked delivery, or a reply that was given up, tried again
    #[arg(long, value_name = "ID", conflicts_with = "only")]
    retry: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Only {
    /// The store: reachable, writable, whole, and what waits in it
    Store,
    /// GitHub: rights, repositories, clock, webhooks
    Github,
    /// Every site's MAAS: release and rights
    Maas,
}

impl From<Only> for Part {
    fn from(only: Only) -> Self {
        match only {
            Only::Store => Self::Store,
            Only::Github => Self::Github,
            Only::Maas => Self::Maas,
        }
    }
}

impl Doctor {
    pub(super) async fn run(self, place: &Where, console: &mut Console<'_>) -> anyhow::Result<u8> {
        let loaded = place.load(console);
        if let Some(id) = &self.retry {
            return retry(&loaded?, id, console).await;
        }
        let findings = match loaded {
            Ok(config) => {
                let only = self.only.map(Part::from);
                Box::pin(examine(&config, &clock::machine(), only)).await
            }
            Err(error) => vec![unusable(&error)],
        };
        let well = findings.iter().all(|finding| finding.mark != Mark::Wrong);
        match self.format {
            Format::Json => {
                let whole = json!({"ok": well, "findings": findings});
                writeln!(console.out, "{}", serde_json::to_string_pretty(&whole)?)?;
            }
            Format::Markdown => {
                let text = anstream::adapter::strip_str(&text(&findings)).to_string();
                write!(console.out, "{}", plan::render::fence("text", &text))?;
            }
            Format::Text => write!(console.out, "{}", text(&findings))?,
        }
        Ok(if well { exit::OK } else { exit::WRONG })
    }
}

/// A configuration that cannot be read is a finding too.
fn unusable(error: &anyhow::Error) -> Finding {
    Finding {
        about: "configuration".to_owned(),
        mark: Mark::Wrong,
        says: because(error),
        lines: Vec::new(),
        todo: Some("mend it; the README shows a whole one".to_owned()),
    }
}

async fn retry(config: &Config, id: &str, console: &mut Console<'_>) -> anyhow::Result<u8> {
    let address = config.store.address()?;
    let standing = SchemaState::of(&address).await?;
    anyhow::ensure!(
        standing == SchemaState::Current,
        "the store is not this version's yet: start `planebot serve` first"
    );
    let journal = Journal::open_at(&address).await?;
    let retried = journal.retry(id).await.context("having it tried again")?;
    let told = match retried {
        Retried::Delivery => {
            "the delivery is taken up again, before the later ones of its pull request"
        }
        Retried::Message => "the reply is said again",
        Retried::Nothing => anyhow::bail!(
            "nothing of the name `{id}` is parked or given up; `planebot doctor --only store` shows what is"
        ),
    };
    writeln!(console.out, "{told}")?;
    Ok(exit::OK)
}

const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// A block for each thing, and at the end how much there is to do.
fn text(findings: &[Finding]) -> String {
    let mut out = String::new();
    let mut about = "";
    for finding in findings {
        if finding.about != about {
            let gap = if about.is_empty() { "" } else { "\n" };
            about = &finding.about;
            out.push_str(&format!("{gap}{BOLD}{about}{BOLD:#}\n"));
        }
        let (style, sign) = match finding.mark {
            Mark::Good => (GREEN, "✔"),
            Mark::Note => (DIM, "·"),
            Mark::Wrong => (RED, "✖"),
        };
        let says = finding.says.replace('\n', "\n    ");
        out.push_str(&format!("  {style}{sign}{style:#} {says}\n"));
        for line in &finding.lines {
            out.push_str(&format!("      {line}\n"));
        }
        if let Some(todo) = &finding.todo {
            out.push_str(&format!("    {BOLD}→{BOLD:#} {todo}\n"));
        }
    }
    let wrong = findings
        .iter()
        .filter(|finding| finding.mark == Mark::Wrong);
    out.push_str(&match wrong.count() {
        0 => format!("\n{GREEN}nothing to do{GREEN:#}\n"),
        1 => format!("\n{RED}1 thing to do{RED:#}\n"),
        count => format!("\n{RED}{count} things to do{RED:#}\n"),
    });
    out
}
