//! `planebot apply`: the same run as the service's, from a terminal, for when GitHub is down.

use std::path::PathBuf;

use journal::{Journal, StoreAddress};
use plan::gate::GateName;
use service::clock;

use crate::cli::output::print_progress;
use crate::cli::{Console, LocationArgs};
use crate::terminal::{ApplyRequest, OutputFormat, TerminalSession, default_store};

/// Carry out the plan of a digest without GitHub, with the same journal and gates; resume a run that stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot apply --site dc1 --digest 7f3a-91c2
  planebot apply --site dc1 --digest 7f3a-91c2 --done teardown
  planebot apply --site dc1 --digest 7f3a-91c2 --done jumphost --evidence 'br2=192.0.2.1'
  planebot apply --site dc1 --digest 7f3a-91c2 --abort

The plan is computed again first; if its digest differs, nothing is changed and the new plan is
printed. At a gate the runbook is printed and the command exits: do the work, then repeat the
command with `--done`.

Exit codes: 0 applied, 1 error, 3 refused, 4 stopped or waiting at a gate.")]
pub(super) struct ApplyArgs {
    /// The digest of the plan, as printed by `planebot plan`
    #[arg(long, value_name = "DIGEST")]
    digest: plan::Digest,
    /// A gate whose work is done; planebot checks it before the run continues
    #[arg(long, value_name = "GATE", value_parser = gate)]
    done: Option<GateName>,
    /// What you observed, where planebot cannot check it itself
    #[arg(long, requires = "done", value_name = "TEXT")]
    evidence: Option<String>,
    /// End the run of this digest at the current step; finished steps are not undone
    #[arg(long, conflicts_with = "done")]
    abort: bool,
    /// The journal; default: `[store]` of the configuration, or a file in the declaration's folder
    #[arg(
        long,
        env = "PLANEBOT_STORE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    store: Option<String>,
    /// The folder with the runbooks; default: the site's `runbooks`
    #[arg(long, env = "PLANEBOT_RUNBOOKS", value_name = "DIR")]
    runbooks: Option<PathBuf>,
}

fn gate(word: &str) -> Result<GateName, String> {
    let names: Vec<&str> = GateName::ALL.iter().map(|gate| gate.word()).collect();
    GateName::read(word).ok_or_else(|| format!("the gates are: {}", names.join(", ")))
}

impl ApplyArgs {
    pub(super) async fn run(
        self,
        location: &LocationArgs,
        console: &mut Console<'_>,
    ) -> anyhow::Result<u8> {
        let clock = clock::machine();
        let site = location.open(console, &clock)?;
        let folder = location.declaration(&site.site)?;
        let given = self.store.as_deref().map(StoreAddress::parse).transpose()?;
        // An unreadable configuration is an error: with two journals there could be two runs at once.
        let configured = if location.has_config() {
            Some(location.load(console)?.store)
        } else {
            None
        };
        let store = match (given, configured) {
            // The configured password is sent to no other store.
            (Some(given), Some(configured)) if given == configured.url => configured.address()?,
            (Some(given), _) => given,
            (None, Some(configured)) => configured.address()?,
            (None, None) => {
                let store = default_store(&folder);
                print_progress(&format!("journal of this run: {store}"));
                StoreAddress::parse(&store)?
            }
        };
        let journal = Journal::open_at(&store).await?;
        let runbooks = self
            .runbooks
            .unwrap_or_else(|| PathBuf::from(&site.site.runbooks));
        let mut session = TerminalSession {
            beside: location.beside(&site.site, &folder, console, &clock)?,
            site,
            folder,
            runbooks,
            format: OutputFormat::default(),
            clock: &clock,
            progress: &mut |line| print_progress(&line),
        };
        let request = ApplyRequest {
            digest: self.digest.to_string(),
            done: self.done.map(|gate| (gate, self.evidence)),
            abort: self.abort,
        };
        session.apply(&journal, request, console.out).await
    }
}
