//! Runs the HTTP server and the worker behind it until the process is asked to stop.
//!
//! It wires values together and decides nothing. It must not know what a delivery contains.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use github::GitHub;
use journal::Journal;
use topology::port::Clock;

use crate::config::Config;
use crate::github_port::GitHubPort;
use crate::leader::lead;
use crate::server::accept::{Timeouts, serve};
use crate::server::routes::{BODY_SECONDS_MAX, WebhookCounts, WebhookState, router};
use crate::sites::Sites;
use crate::worker::Wiring;

/// Opens everything that the service needs; the error names what is missing.
pub async fn open(config: &Config, journal: &Journal, clock: Clock) -> anyhow::Result<Wiring> {
    let mut wiring = wired(config, clock)?;
    wiring.owner = owner_of(config, journal).await?;
    Ok(wiring)
}

/// Wiring without an owner: it must not be used to work before it has one.
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

/// The name under which this process holds leases. A process that restarts takes over the leases of its predecessor if it
/// can be identified: by its configured replica name, or on one machine by its listen address.
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

/// Serves until `stop`; then the move in progress ends at its boundary. The process listens only after everything that can
/// be checked was checked, and ends its predecessor's leases only once it holds the listen address.
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
    tracing::info!(%address, owner = wiring.owner, sites = config.sites.len(), "planebot {} started", env!("CARGO_PKG_VERSION"));
    ready(address);
    let ended = Arc::new(Notify::new());
    let closing = Arc::clone(&ended);
    // The server has its own task: a rehearsal computes for seconds, and GitHub waits 10 s for a response.
    let mut server = JoinSet::new();
    server.spawn(async move {
        let closed = async move { closing.notified().await };
        serve(listener, router(state), Timeouts::default(), closed).await;
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
