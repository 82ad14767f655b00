//! The service: the webhook's door and the one loop behind it, until told to stop.
//!
//! Wires values together and decides nothing. It must not know what a delivery says.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use journal::{Journal, Lease};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use topology::observed::Timestamp;

use crate::config::Config;
use crate::github_port::GitHubPort;
use crate::inbox::redeliver::Redelivered;
use crate::replica;
use crate::replica::LeaseLost;
use crate::runs::publish::PublishedFacts;
use crate::server::accept::{Patience, serve};
use crate::server::routes::{BODY_SECONDS_MAX, WebhookCounts, WebhookState, router};
use crate::site::SiteRuntime;
use crate::worker::{Office, WorkerState};
use github::GitHub;
use topology::port::Clock;

/// How long the loop rests at most: a clock that was set back must not stop it.
const REST_MAX: Duration = Duration::from_secs(30);

/// How often the one that works looks for what other replicas kept.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often GitHub is asked for what no webhook told: with the rest, a command is heard within a minute.
const LOOK_EVERY_MS: i64 = 20_000;

/// How often what is over is taken out of the store.
const TIDY_EVERY_MS: i64 = 3_600_000;

/// How often GitHub is asked which webhooks it could not deliver, beside once at the start.
const FAILED_EVERY_MS: i64 = 300_000;

/// How soon again, where one look could not ask for all of them.
const FAILED_AGAIN_MS: i64 = 30_000;

/// A GitHub that does not answer must not keep a run from moving.
const LOOK_MAX: Duration = Duration::from_secs(10);

/// How long the loop rests after it failed: the store or the configuration is away, not a delivery.
const FAILED_REST: Duration = Duration::from_secs(2);

/// Opens everything, or says what is missing, before anything is served.
pub async fn open(config: Config, clock: Clock) -> anyhow::Result<Office> {
    let journal = Journal::open_at(&config.store.address()?).await?;
    open_with(config, journal, clock).await
}

/// The same with a journal that is open.
pub async fn open_with(config: Config, journal: Journal, clock: Clock) -> anyhow::Result<Office> {
    let mut office = furnished(config, journal, clock)?;
    office.owner = named(&office).await?;
    Ok(office)
}

/// An office that has no name yet, and so does nothing.
fn furnished(config: Config, journal: Journal, clock: Clock) -> anyhow::Result<Office> {
    let github = config
        .github
        .as_ref()
        .context("the configuration has no `[github]`, which the service needs")?;
    let github = GitHubPort(GitHub::connect(github, Arc::clone(&clock))?);
    let mut desks = BTreeMap::new();
    for site in &config.sites {
        let desk = SiteRuntime::open(site.clone(), &clock, |_| {})
            .with_context(|| format!("opening site `{}`", site.name))?;
        desks.insert(site.name.clone(), desk);
    }
    Ok(Office {
        config,
        journal,
        github,
        desks,
        clock,
        owner: String::new(),
        told: PublishedFacts::default(),
    })
}

/// The name of this process. One that starts again takes over from its dead self, where it can be known: by the name that
/// it was given, or on one machine by where it listens.
async fn named(office: &Office) -> anyhow::Result<String> {
    let server = &office.config.server;
    let Some(name) = &server.replica else {
        let door = format!("planebot at {}", server.listen);
        return Ok(office.journal.name(&door).await?);
    };
    let owner = format!("replica {name}");
    office.journal.outlive(&owner).await?;
    Ok(owner)
}

/// Serves until `stop`; then the move under way ends at its boundary. Nothing listens before everything that can be known
/// to be wrong is, and nobody else's leases are ended before this process has the door.
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
    let mut office = furnished(config, journal, Arc::clone(&clock))?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listening on {listen}"))?;
    office.owner = named(&office).await?;
    let kept = Arc::new(Notify::new());
    let door = WebhookState {
        journal: office.journal.clone(),
        secrets: Arc::new(secrets),
        now: clock,
        body_limit,
        body_patience: BODY_SECONDS_MAX,
        kept: Arc::clone(&kept),
        counts: Arc::new(WebhookCounts::default()),
    };
    ready(listener.local_addr()?);
    let over = Arc::new(Notify::new());
    let closing = Arc::clone(&over);
    // The door has a task of its own: a rehearsal takes seconds of thought, and GitHub waits ten for an answer.
    let mut door_task = JoinSet::new();
    door_task.spawn(async move {
        let closed = async move { closing.notified().await };
        serve(listener, router(door), Patience::default(), closed).await;
    });
    tokio::select! {
        () = work(office, &kept, stop) => {}
        ended = door_task.join_next() => bail!("the door ended by itself: {ended:?}"),
    }
    over.notify_one();
    drop(door_task.join_next().await);
    Ok(())
}

/// When GitHub was asked last, by what it was asked for.
#[derive(Default)]
struct Asked {
    untold: Option<Timestamp>,
    failed: Option<Timestamp>,
}

/// Whether it is time; a clock that was set back makes it time. Then it was asked now.
fn is_time(asked: &mut Option<Timestamp>, every_ms: i64, now: Timestamp) -> bool {
    let still = asked.is_some_and(|at| (0..every_ms).contains(&(now.0 - at.0)));
    if !still {
        *asked = Some(now);
    }
    !still
}

/// Asks GitHub for what no webhook told, and for the webhooks that failed, when it is time.
async fn look(office: &Office, asked: &mut Asked) {
    let now = (office.clock)();
    if is_time(&mut asked.untold, LOOK_EVERY_MS, now) {
        // Cut off, it is begun again: what it kept is kept, and known by its id.
        match tokio::time::timeout(LOOK_MAX, Box::pin(office.catch_up())).await {
            Ok(Ok(0)) => {}
            Ok(Ok(kept)) => tracing::warn!(kept, "GitHub told what no webhook did"),
            Ok(Err(error)) => tracing::warn!("looking for what no webhook told: {error:#}"),
            Err(_) => tracing::warn!("looking for what no webhook told: GitHub takes too long"),
        }
    }
    if is_time(&mut asked.failed, FAILED_EVERY_MS, now) {
        match tokio::time::timeout(LOOK_MAX, Box::pin(office.ask_for_failed())).await {
            Ok(Ok(Redelivered { asked: count, more })) => {
                if count > 0 {
                    tracing::warn!(count, "GitHub sends webhooks again that had failed");
                }
                if more {
                    asked.failed = Some(Timestamp(now.0 - FAILED_EVERY_MS + FAILED_AGAIN_MS));
                }
            }
            Ok(Err(error)) => tracing::warn!("asking for webhooks that failed: {error:#}"),
            Err(_) => tracing::warn!("asking for webhooks that failed: GitHub takes too long"),
        }
    }
}

/// Takes out what is over, when it is time or there is more of it. Nobody waits for it, so a failure is only told.
async fn tidy(office: &Office, tidied: &mut Option<Timestamp>) {
    let now = (office.clock)();
    if tidied.is_some_and(|at| (0..TIDY_EVERY_MS).contains(&(now.0 - at.0))) {
        return;
    }
    match office.tidy().await {
        Ok(true) => return,
        Ok(false) => {}
        Err(error) => tracing::warn!("taking out what is over: {error:#}"),
    }
    *tidied = Some(now);
}

/// Works whenever no other replica does, until `stop`; then what is held is free at once for the others.
async fn work(mut office: Office, kept: &Notify, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let journal = office.journal.clone();
    while let Some(lease) = replica::stand_by(&office, stop.as_mut()).await {
        office.journal = journal.clone().under(&lease);
        let (renewing, lost) = replica::renewing(&office, &journal, &lease);
        let lead = Lead {
            office: &office,
            journal: &journal,
            lease: &lease,
            lost: &lost,
        };
        let over = lead.turns(kept, stop.as_mut()).await;
        drop(renewing);
        office.journal = journal.clone();
        if over {
            break;
        }
    }
    if let Err(error) = journal.outlive(&office.owner).await {
        tracing::warn!("what this replica held runs out by itself: {error}");
    }
}

/// The replica that works.
struct Lead<'a> {
    office: &'a Office,
    journal: &'a Journal,
    lease: &'a Lease,
    lost: &'a LeaseLost,
}

impl Lead<'_> {
    /// Turns until `stop` (true), or until another replica works (false). A turn is never cut off: it ends at its own
    /// boundary.
    async fn turns(&self, kept: &Notify, mut stop: Pin<&mut impl Future<Output = ()>>) -> bool {
        let office = self.office;
        let rest_max = if self.journal.is_shared() {
            LOOK_AGAIN
        } else {
            REST_MAX
        };
        let (mut asked, mut tidied) = (Asked::default(), None);
        while !self.lost.is_so() {
            look(office, &mut asked).await;
            tidy(office, &mut tidied).await;
            let rest = match Box::pin(office.turn()).await {
                Ok(WorkerState::Moved) => Duration::ZERO,
                Ok(WorkerState::Rests(None)) => rest_max,
                Ok(WorkerState::Rests(Some(until))) => {
                    let left = until.0 - (office.clock)().0;
                    Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(rest_max)
                }
                Err(error) => {
                    let clock = &office.clock;
                    if replica::is_lost(self.journal, self.lease, clock, &error).await {
                        tracing::warn!("what this replica was about is another's now: {error:#}");
                        return false;
                    }
                    tracing::error!("a turn failed: {error:#}");
                    FAILED_REST
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => return true,
                () = kept.notified(), if !rest.is_zero() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
        false
    }
}
