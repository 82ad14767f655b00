//! The service: the HTTP server, and the worker behind it, until told to stop.
//!
//! Wires values together and decides nothing. It must not know what a delivery says.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use github::GitHub;
use journal::Journal;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use topology::port::Clock;

use crate::config::Config;
use crate::github_port::GitHubPort;
use crate::leader::lead;
use crate::server::accept::{Patience, serve};
use crate::server::routes::{BODY_SECONDS_MAX, WebhookCounts, WebhookState, router};
use crate::sites::Sites;
use crate::worker::Wiring;

/// Opens everything, or says what is missing, before anything is served.
pub async fn open(config: &Config, journal: &Journal, clock: Clock) -> anyhow::Result<Wiring> {
    let mut wiring = wired(config, clock)?;
    wiring.owner = owner_of(config, journal).await?;
    Ok(wiring)
}

/// Wiring without an owner, which therefore does nothing.
fn wired(config: &Config, clock: Clock) -> anyhow::Result<Wiring> {
    let settings = config
        .github
        .as_ref()
        .context("the configuration has no `[github]`, which the service needs")?;
    let client = GitHub::connect(settings, Arc::clone(&clock))?;
    Ok(Wiring {
        github: GitHubPort::new(client, &settings.api_url),
        sites: Arc::new(Sites::open(config, &clock)?),
        clock,
        owner: String::new(),
        keep_days: config.store.keep_days,
    })
}

/// The name of this process. One that starts again takes over from its dead self, where that can be known: by the name that
/// it was given, or on one machine by where it listens.
async fn owner_of(config: &Config, journal: &Journal) -> anyhow::Result<String> {
    let server = &config.server;
    let Some(name) = &server.replica else {
        let address = format!("planebot at {}", server.listen);
        return Ok(journal.owner_name(&address).await?);
    };
    let owner = format!("replica {name}");
    journal.end_leases_of(&owner).await?;
    Ok(owner)
}

/// Serves until `stop`; then the move in progress ends at its boundary. Nothing listens before everything that can be
/// checked is, and nobody else's leases are ended before this process has its address.
pub async fn run(
    config: Config,
    clock: Clock,
    ready: impl FnOnce(std::net::SocketAddr),
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let secrets = config
        .github
        .as_ref()
        .context("the configuration has no `[github]`, which the service needs")?
        .secrets()?;
    let (listen, body_limit) = (config.server.listen, config.server.body_limit);
    let journal = Journal::open_at(&config.store.address()?).await?;
    let mut wiring = wired(&config, Arc::clone(&clock))?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listening on {listen}"))?;
    wiring.owner = owner_of(&config, &journal).await?;
    let arrived = Arc::new(Notify::new());
    let state = WebhookState {
        journal: journal.clone(),
        secrets: Arc::new(secrets),
        now: clock,
        body_limit,
        body_patience: BODY_SECONDS_MAX,
        kept: Arc::clone(&arrived),
        counts: Arc::new(WebhookCounts::default()),
    };
    let address = listener.local_addr()?;
    tracing::info!(%address, owner = wiring.owner, sites = config.sites.len(), "planebot {} serves", env!("CARGO_PKG_VERSION"));
    ready(address);
    let ended = Arc::new(Notify::new());
    let closing = Arc::clone(&ended);
    // The server has a task of its own: a rehearsal takes seconds of thought, and GitHub waits ten for an answer.
    let mut server = JoinSet::new();
    server.spawn(async move {
        let closed = async move { closing.notified().await };
        serve(listener, router(state), Patience::default(), closed).await;
    });
    let takeover = config.server.takeover_seconds;
    tokio::select! {
        () = lead(&wiring, &journal, takeover, &arrived, stop) => {}
        ended = server.join_next() => bail!("the HTTP server ended by itself: {ended:?}"),
    }
    ended.notify_one();
    drop(server.join_next().await);
    tracing::info!("planebot has stopped");
    Ok(())
}
