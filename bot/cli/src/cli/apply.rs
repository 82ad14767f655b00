//! `planebot apply`: the same run as the service's, for the day GitHub is down.

use std::path::PathBuf;

use journal::{Journal, StoreAddress};
use plan::gate::GateName;

use crate::cli::told::remark_line;
use crate::cli::{Console, Format, Where};
use crate::terminal::{ApplyRequest, Terminal, store_beside};
use service::clock;

/// Carries out the plan of that digest, journalled, with the same gates; goes on with a run that stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot apply --site dc1 --digest 7f3a-91c2
  planebot apply --site dc1 --digest 7f3a-91c2 --done teardown
  planebot apply --site dc1 --digest 7f3a-91c2 --done jumphost --evidence 'br2=192.0.2.1'
  planebot apply --site dc1 --digest 7f3a-91c2 --abort

The plan is made again first; another digest is refused and shown. At a gate the runbook is
printed and the command ends: do the work, then the same command with `--done`.

Exit codes: 0 applied, 3 refused, 4 stopped or waiting, 1 an error.")]
pub(super) struct Apply {
    /// The digest of the plan, as `planebot plan` prints it
    #[arg(long, value_name = "DIGEST")]
    digest: plan::Digest,
    /// A gate whose work is done: looked at before the run goes on
    #[arg(long, value_name = "GATE", value_parser = gate)]
    done: Option<GateName>,
    /// What is seen, where planebot cannot look itself
    #[arg(long, requires = "done", value_name = "WORDS")]
    evidence: Option<String>,
    /// Ends the run of that digest at this step; what was done stays done
    #[arg(long, conflicts_with = "done")]
    abort: bool,
    /// Where the journal is kept; else the configuration's store, or a file beside the declaration
    #[arg(
        long,
        env = "PLANEBOT_STORE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    store: Option<String>,
    /// The folder of the runbooks; else the site's
    #[arg(long, env = "PLANEBOT_RUNBOOKS", value_name = "DIR")]
    runbooks: Option<PathBuf>,
}

fn gate(word: &str) -> Result<GateName, String> {
    let names: Vec<&str> = GateName::ALL.iter().map(|gate| gate.word()).collect();
    GateName::read(word).ok_or_else(|| format!("the gates are {}", names.join(", ")))
}

impl Apply {
    pub(super) async fn run(self, place: &Where, console: &mut Console<'_>) -> anyhow::Result<u8> {
        let clock = clock::machine();
        let desk = place.desk(console, &clock)?;
        let folder = place.declaration(&desk.site)?;
        let asked = self.store.as_deref().map(StoreAddress::parse).transpose()?;
        // A configuration that cannot be read is an error: two journals would allow two runs.
        let configured = if place.has_config() {
            Some(place.load(console)?.store)
        } else {
            None
        };
        let store = match (asked, configured) {
            // The password that is configured goes nowhere else.
            (Some(asked), Some(configured)) if asked == configured.place => configured.address()?,
            (Some(asked), _) => asked,
            (None, Some(configured)) => configured.address()?,
            (None, None) => {
                let store = store_beside(&folder);
                remark_line(&format!("the journal of this run is {store}"));
                StoreAddress::parse(&store)?
            }
        };
        let journal = Journal::open_at(&store).await?;
        let runbooks = self
            .runbooks
            .unwrap_or_else(|| PathBuf::from(&desk.site.runbooks));
        let mut terminal = Terminal {
            desk,
            folder,
            runbooks,
            format: Format::default().into(),
            clock: &clock,
            tell: &mut |line| remark_line(&line),
        };
        let asked = ApplyRequest {
            digest: self.digest.to_string(),
            done: self.done.map(|gate| (gate, self.evidence)),
            abort: self.abort,
        };
        terminal.apply(&journal, asked, console.out).await
    }
}
