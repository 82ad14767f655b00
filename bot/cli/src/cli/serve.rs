//! `planebot serve`: the service.

use tracing_subscriber::EnvFilter;

use crate::cli::{Console, Where};
use crate::terminal::exit;
use service::clock;

/// Serves GitHub's webhooks, plans pull requests and carries out what operators order
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  planebot --config /etc/planebot/planebot.toml serve

It logs to standard error. SIGTERM and Ctrl-C end it at the next step boundary; what was under
way goes on when it is started again on the same store.")]
pub(super) struct Serve {
    /// What is logged, as `info` or `planebot=debug,info`
    #[arg(
        long,
        env = "PLANEBOT_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    log: String,
}

impl Serve {
    pub(super) async fn run(self, place: &Where, console: &mut Console<'_>) -> anyhow::Result<u8> {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::try_new(&self.log)?)
            .with_writer(std::io::stderr)
            .with_ansi(console.watched)
            // A log that cannot be written would be complained of where it cannot be written, which ends the process.
            .log_internal_errors(false)
            .init();
        let config = place.load(console)?;
        for site in &config.sites {
            if site.operators.users.is_empty() && site.operators.teams.is_empty() {
                tracing::warn!(site = %site.name, "`[site.operators]` is empty: nobody can apply anything here");
            }
        }
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let stop = async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            tracing::info!("stopping at the next boundary");
        };
        let ready = |address| tracing::info!("listening on {address}");
        Box::pin(service::service::run(config, clock::machine(), ready, stop)).await?;
        Ok(exit::OK)
    }
}
