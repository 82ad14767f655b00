//! `planebot serve`: the service.

use service::clock;
use service::config::{Config, LogFormat};
use service::reply::because;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::logging::LogArgs;
use crate::cli::{Console, LocationArgs};
use crate::terminal::exit_code;

/// Run the service: receive webhooks, plan pull requests, carry out merged plans on an operator's order
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  planebot serve
  planebot --config /etc/planebot/planebot.toml serve
  planebot serve --log info,github=debug --log-format json

The service logs to standard error. SIGTERM or Ctrl-C stops it at the next step boundary; a
run that is under way resumes when the service starts again on the same store.")]
pub(super) struct ServeArgs {}

impl ServeArgs {
    pub(super) async fn run(
        self,
        location: &LocationArgs,
        log: &LogArgs,
        console: &mut Console<'_>,
    ) -> anyhow::Result<u8> {
        let config = location.load(console);
        let settings = config.as_ref().ok().map(|config| &config.server);
        let format = log.start_service(settings, console)?;
        let served = async { serve(config?).await }.await;
        match (served, format) {
            // Every line is JSON, also the last one: a collector could not read another.
            (Err(error), LogFormat::Json) => {
                tracing::error!("{}", because(&error));
                Ok(exit_code::ERROR)
            }
            (served, LogFormat::Text | LogFormat::Json) => served.map(|()| exit_code::OK),
        }
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    for site in &config.sites {
        if site.operators.users.is_empty() && site.operators.teams.is_empty() {
            tracing::warn!(site = %site.name, "`[site.operators]` is empty: nobody can apply a plan here");
        }
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("stopping at the next step boundary");
    };
    let ready = |address| tracing::info!("listening on {address}");
    Box::pin(service::service::run(config, clock::machine(), ready, stop)).await
}
