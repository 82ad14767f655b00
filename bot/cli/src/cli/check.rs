//! `planebot check`: the declaration and the runbooks, without network access.

use std::path::{Path, PathBuf};

use serde_json::json;
use service::site::{runbooks, sources};
use topology::finding::Finding;

use crate::cli::beside::{self, CheckedSite, with_path};
use crate::cli::output::print_note;
use crate::cli::{Console, LocationArgs, folders};
use crate::terminal::reports::FORMAT;
use crate::terminal::{OutputFormat, exit_code};
use crate::text::counted;

/// Check the declaration and the runbooks for mistakes, without network access
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot check                     all sites under `topology/`
  planebot check topology/dc1        one site
  planebot --config planebot.toml check    also: no two sites of one MAAS declare the same network
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
        let mut sites = Vec::new();
        for folder in folders::site_folders(path.unwrap_or(Path::new("topology")))? {
            let checked = topology::check::check(&sources(&folder)?);
            sites.push(CheckedSite { folder, checked });
        }
        for site in &sites {
            report.add(site);
        }
        let config = if location.has_config() {
            match location.load(console) {
                Ok(config) => Some(config),
                Err(error) => {
                    let why = service::reply::because(&error);
                    print_note(console, &format!("sites are compared without it: {why}"))?;
                    None
                }
            }
        } else {
            None
        };
        let shared = beside::check(&sites, config.as_ref())?;
        report.refused |= shared.iter().any(Finding::is_error);
        report.findings.extend(shared);
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
    fn add(&mut self, site: &CheckedSite) {
        let checked = &site.checked;
        let topology = checked.topology.as_ref();
        self.refused |= topology.is_none();
        self.sites += 1;
        self.planes += topology.map_or(0, |topology| topology.planes.len());
        let findings = checked.findings.iter().cloned();
        self.findings
            .extend(findings.map(|finding| with_path(finding, &site.folder)));
    }

    fn is_valid(&self) -> bool {
        !self.refused && self.unreadable.is_none()
    }

    fn as_json(&self) -> anyhow::Result<String> {
        let report = json!({
            "format": FORMAT,
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
