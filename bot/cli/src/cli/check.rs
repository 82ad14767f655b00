//! `planebot check`: the declaration and the runbooks, without any network.

use std::path::{Path, PathBuf};

use serde_json::json;
use topology::finding::Finding;

use crate::cli::{Console, Format, Where, files};
use crate::terminal::exit;
use service::site::{declared, runbooks};

/// Looks for mistakes in the declaration and the runbooks, without any network
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot check                     the sites under `topology/`
  planebot check topology/dc1        one site
  planebot check --format json | jq '.findings[] | .file, .line, .message'

Exit codes: 0 nothing to mend, 1 findings. Warnings alone are 0.")]
pub(super) struct Check {
    /// A site's folder, or the folder of several
    path: Option<PathBuf>,
    /// How to write the findings
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The folder of the runbooks
    #[arg(
        long,
        env = "PLANEBOT_RUNBOOKS",
        value_name = "DIR",
        default_value = "runbooks"
    )]
    runbooks: PathBuf,
}

impl Check {
    pub(super) fn run(&self, place: &Where, console: &mut Console<'_>) -> anyhow::Result<u8> {
        let path = self.path.as_deref().or(place.topology());
        let mut report = Report::default();
        for folder in files::sites(path.unwrap_or(Path::new("topology")))? {
            let declared = declared(&folder)?;
            report.refused |= declared.topology.is_none();
            report.sites += 1;
            report.planes += declared
                .topology
                .map_or(0, |topology| topology.planes.len());
            let findings = declared.findings.into_iter();
            report
                .findings
                .extend(findings.map(|finding| placed(finding, &folder)));
        }
        match runbooks(&self.runbooks) {
            Ok(read) => report.runbooks = read.len(),
            Err(error) => report.unreadable = Some(format!("{error:#}")),
        }
        match self.format {
            Format::Json => writeln!(console.out, "{}", report.as_json()?)?,
            Format::Markdown => write!(console.out, "```\n{}```\n", report.as_text())?,
            Format::Text => write!(console.out, "{}", report.as_text())?,
        }
        Ok(if report.sound() {
            exit::OK
        } else {
            exit::WRONG
        })
    }
}

#[derive(Default)]
struct Report {
    refused: bool,
    sites: usize,
    planes: usize,
    runbooks: usize,
    unreadable: Option<String>,
    findings: Vec<Finding>,
}

impl Report {
    fn sound(&self) -> bool {
        !self.refused && self.unreadable.is_none()
    }

    fn as_json(&self) -> anyhow::Result<String> {
        let report = json!({
            "ok": self.sound(),
            "sites": self.sites,
            "planes": self.planes,
            "runbooks": self.runbooks,
            "unreadable_runbook": self.unreadable,
            "findings": self.findings,
        });
        Ok(serde_json::to_string_pretty(&report)?)
    }

    fn as_text(&self) -> String {
        let mut lines: Vec<String> = self.findings.iter().map(ToString::to_string).collect();
        lines.extend(
            self.unreadable
                .iter()
                .map(|why| format!("error[runbook]: {why}\n")),
        );
        lines.push(format!(
            "{}, {}, {}, {}: {}\n",
            counted(self.sites, "site"),
            counted(self.planes, "plane"),
            counted(self.runbooks, "runbook"),
            counted(self.findings.len(), "finding"),
            if self.sound() {
                "sound"
            } else {
                "to be mended"
            }
        ));
        lines.join("\n")
    }
}

/// With the path that leads to the file from here, so that an editor can follow it.
fn placed(mut finding: Finding, folder: &Path) -> Finding {
    if !finding.file.is_empty() {
        finding.file = folder.join(&finding.file).display().to_string();
    }
    finding
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
