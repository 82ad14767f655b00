//! `planebot audit`, `plan`, `rehearse`: the commands that look at a MAAS and change nothing.

use std::path::PathBuf;

use crate::cli::told::remark_line;
use crate::cli::{Console, Format, Where};
use crate::terminal::Terminal;
use service::clock;

/// What every look is given.
#[derive(Debug, clap::Args)]
pub(super) struct Look {
    /// How to write the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The folder of the runbooks; else the site's
    #[arg(long, env = "PLANEBOT_RUNBOOKS", value_name = "DIR")]
    runbooks: Option<PathBuf>,
}

/// Which look.
#[derive(Clone, Copy, Debug)]
pub(super) enum Report {
    Audit,
    Plan,
    Rehearse,
}

impl Look {
    pub(super) async fn run(
        self,
        kind: Report,
        place: &Where,
        console: &mut Console<'_>,
    ) -> anyhow::Result<u8> {
        let clock = clock::machine();
        let desk = place.desk(console, &clock)?;
        let folder = place.declaration(&desk.site)?;
        let runbooks = self
            .runbooks
            .unwrap_or_else(|| PathBuf::from(&desk.site.runbooks));
        let mut terminal = Terminal {
            desk,
            folder,
            runbooks,
            format: self.format.into(),
            clock: &clock,
            tell: &mut |line| remark_line(&line),
        };
        match kind {
            Report::Audit => terminal.audit(console.out).await,
            Report::Plan => terminal.plan(console.out).await,
            Report::Rehearse => terminal.rehearse(console.out).await,
        }
    }
}
