//! `planebot audit`, `plan` and `rehearse`: the commands that read a MAAS and change nothing.

use std::path::PathBuf;

use service::clock;

use crate::cli::output::print_progress;
use crate::cli::{Console, LocationArgs};
use crate::terminal::{OutputFormat, TerminalSession};

/// Options of every report.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
    /// The folder with the runbooks; default: the site's `runbooks`
    #[arg(long, env = "PLANEBOT_RUNBOOKS", value_name = "DIR")]
    runbooks: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ReportKind {
    Audit,
    Plan,
    Rehearse,
}

impl ReportArgs {
    pub(super) async fn run(
        self,
        kind: ReportKind,
        location: &LocationArgs,
        console: &mut Console<'_>,
    ) -> anyhow::Result<u8> {
        let clock = clock::machine();
        let site = location.open(console, &clock)?;
        let folder = location.declaration(&site.site)?;
        let runbooks = self
            .runbooks
            .unwrap_or_else(|| PathBuf::from(&site.site.runbooks));
        let mut session = TerminalSession {
            beside: location.beside(&site.site, &folder, console, &clock)?,
            site,
            folder,
            runbooks,
            format: self.format,
            clock: &clock,
            progress: &mut |line| print_progress(&line),
        };
        match kind {
            ReportKind::Audit => session.audit(console.out).await,
            ReportKind::Plan => session.plan(console.out).await,
            ReportKind::Rehearse => session.rehearse(console.out).await,
        }
    }
}
