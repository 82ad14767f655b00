//! `planebot check`: the declaration and the runbooks, without network access.

use std::path::{Path, PathBuf};

use serde_json::json;
use service::site::{declared, runbooks};
use topology::finding::Finding;

use crate::cli::{Console, LocationArgs, folders};
use crate::terminal::{OutputFormat, exit_code};
use crate::text::counted;

/// Check the declaration and the runbooks for mistakes, without network access
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot check                     all sites under `topology/`
  planebot check topology/dc1        one site
  planebot check --format json | jq '.findings[] | .file, .line, .message'

Exit codes: 0 no errors (there may be warnings), 1 errors.")]
pub(super) struct CheckArgs {
    /// The folder of a site, or of several sites; default: `--topology`, or `topology`
    path: Option<PathBuf>,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
    /// The folder with the runbooks
    #[arg(
        long,
        env = "PLANEBOT_RUNBOOKS",
        value_name = "DIR",
        default_value = "runbooks"
    )]
    runbooks: PathBuf,
}

impl CheckArgs {
    pub(super) fn run(
        &self,
        location: &LocationArgs,
        console: &mut Console<'_>,
    ) -> anyhow::Result<u8> {
        let path = self.path.as_deref().or(location.topology());
        let mut report = CheckReport::default();
        for folder in folders::site_folders(path.unwrap_or(Path::new("topology")))? {
            let declared = declared(&folder)?;
            report.refused |= declared.topology.is_none();
            report.sites += 1;
            report.planes += declared
                .topology
                .map_or(0, |topology| topology.planes.len());
            let findings = declared.findings.into_iter();
            report
                .findings
                .extend(findings.map(|finding| with_path(finding, &folder)));
        }
        match runbooks(&self.runbooks) {
            Ok(read) => report.runbooks = read.len(),
            Err(error) => report.unreadable = Some(format!("{error:#}")),
        }
        match self.format {
            OutputFormat::Json => writeln!(console.out, "{}", report.as_json()?)?,
            OutputFormat::Markdown => write!(console.out, "```\n{}```\n", report.as_text())?,
            OutputFormat::Text => write!(console.out, "{}", report.as_text())?,
        }
        Ok(if report.is_valid() {
            exit_code::OK
        } else {
            exit_code::ERROR
        })
    }
}

#[derive(Default)]
struct CheckReport {
    refused: bool,
    sites: usize,
    planes: usize,
    runbooks: usize,
    unreadable: Option<String>,
    findings: Vec<Finding>,
}

impl CheckReport {
    fn is_valid(&self) -> bool {
        !self.refused && self.unreadable.is_none()
    }

    fn as_json(&self) -> anyhow::Result<String> {
        let report = json!({
            "ok": self.is_valid(),
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
                .map(|error| format!("error[runbook]: {error}\n")),
        );
        lines.push(format!(
            "{}, {}, {}, {}: {}\n",
            counted(self.sites, "site"),
            counted(self.planes, "plane"),
            counted(self.runbooks, "runbook"),
            counted(self.findings.len(), "finding"),
            if self.is_valid() {
                "no errors"
            } else {
                "errors"
            }
        ));
        lines.join("\n")
    }
}

/// The finding with the file's path from the working directory, so that editors can open it.
fn with_path(mut finding: Finding, folder: &Path) -> Finding {
    if !finding.file.is_empty() {
        finding.file = folder.join(&finding.file).display().to_string();
    }
    finding
}
