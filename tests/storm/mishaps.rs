//! What happens to the replicas and to PostgreSQL while a run is under way, and how long nobody works.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plan::run::Fact;

use super::environment::{SITE, StormEnvironment};
use super::replicas::{FULL, NAMES};
use super::watch::Trap;

/// How often one is killed.
const KILL_EVERY: Duration = Duration::from_secs(1);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What was counted.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) kills: AtomicUsize,
    pub(super) takeovers: AtomicUsize,
    longest: Mutex<i64>,
    /// Since when nobody works, and the epoch that ended then.
    gap: Mutex<Option<(i64, i64)>>,
    /// Whether replicas are killed now.
    reaping: AtomicBool,
    /// Held while one is.
    at_work: tokio::sync::Mutex<()>,
}

impl Tally {
    pub(super) fn longest_takeover(&self) -> i64 {
        *self.longest.lock().unwrap()
    }

    /// From now on replicas are killed.
    pub(super) fn reap(&self) {
        self.reaping.store(true, Ordering::SeqCst);
    }

    /// From now on none is.
    pub(super) async fn rest(&self) {
        self.reaping.store(false, Ordering::SeqCst);
        drop(self.at_work.lock().await);
    }

    fn gap(&self) -> MutexGuard<'_, Option<(i64, i64)>> {
        self.gap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StormEnvironment {
    /// Kills one replica every second while a run is under way, whatever it is at, and starts it again.
    pub(super) async fn reap(&self, tally: &Tally) -> Infallible {
        let mut tick = tokio::time::interval(KILL_EVERY);
        let mut next = 0;
        loop {
            tick.tick().await;
            let _at_work = tally.at_work.lock().await;
            if !tally.reaping.load(Ordering::SeqCst) {
                continue;
            }
            for which in (next..).map(|which| which % NAMES.len()).take(NAMES.len()) {
                if self.replicas.is_ready(which).await {
                    self.silence(which, tally).await;
                    self.replicas.kill(which);
                    self.replicas.start(which);
                    tally.kills.fetch_add(1, Ordering::SeqCst);
                    next = which + 1;
                    break;
                }
            }
        }
    }

    /// Notes that this one is silent from now on, if it is the one that works.
    async fn silence(&self, which: usize, tally: &Tally) {
        if let Some((leader, epoch)) = self.leader().await
            && leader == which
        {
            tally.gap().get_or_insert(((self.clock)().0, epoch));
        }
    }

    /// Looks for as long as it is waited for who works, and how long nobody did.
    pub(super) async fn watch_takeovers(&self, tally: &Tally) -> Infallible {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            let gap = *tally.gap();
            let Some((since, ended)) = gap else {
                continue;
            };
            if self.leader().await.is_some_and(|(_, epoch)| epoch > ended) {
                *tally.gap() = None;
                tally.takeovers.fetch_add(1, Ordering::SeqCst);
                let length = (self.clock)().0 - since;
                let mut longest = tally.longest.lock().unwrap();
                *longest = length.max(*longest);
            }
        }
    }

    /// One is killed in the middle of a write that MAAS does all the same.
    pub(super) async fn kill_at_a_write(&self, number: usize) {
        self.watch.set(Trap::KillAtAWrite { number });
        self.until("a replica is killed at a write", async || {
            self.watch.caught().is_some()
        })
        .await;
        self.replicas.start(self.watch.caught().unwrap());
    }

    /// PostgreSQL is stopped hard and started again; nobody is ready meanwhile, and everybody is afterwards.
    pub(super) async fn restart_postgres(&self) {
        tokio::task::block_in_place(|| self.cluster.stop_immediately());
        self.all_are("not ready without its store", false).await;
        assert!(tokio::task::block_in_place(|| self.cluster.restart()));
        // One that was starting when the store went has ended with an error: an init system would start it again.
        for which in 0..NAMES.len() {
            if self.replicas.ended(which).is_some() {
                self.replicas.start(which);
            }
        }
        self.all_are("ready again", true).await;
    }

    /// One is paused directly before a write, for longer than its leases last; when it wakes, its write is refused.
    pub(super) async fn pause_and_wake(&self, after: usize, tally: &Tally) {
        // The one whose disk is full can tell nothing: it is away meanwhile.
        self.replicas.kill(FULL);
        self.watch.set(Trap::PauseAtALook { after });
        self.until("a replica pauses", async || self.watch.caught().is_some())
            .await;
        let paused = self.watch.caught().unwrap();
        self.silence(paused, tally).await;
        let (sent, logged) = (
            self.watch.writes_of(paused),
            self.replicas.logged(paused).len(),
        );
        let writes = self.watch.writes();
        let goes_on = async || self.watch.last() != Some(paused) && self.watch.writes() > writes;
        self.until("another replica goes on with the run", goes_on)
            .await;
        self.replicas.signal(paused, "CONT");
        let refused = async || {
            let log = self.replicas.logged(paused);
            log[logged..].contains("the lease was lost to another worker")
        };
        self.until("what the woken one writes is refused", refused)
            .await;
        assert_eq!(self.watch.writes_of(paused), sent, "it wrote to MAAS late");
        self.replicas.start(FULL);
        self.all_are("ready", true).await;
    }

    /// Each is told to stop, ends at a boundary with exit code 0 and is started again, the one that works first: as an
    /// upgrade does it.
    pub(super) async fn roll(&self) {
        // A fact that a living process added: what the last kill left open is closed.
        let before = self.facts().await.len();
        let goes_on = async || self.facts().await.len() > before;
        self.until("the run goes on", goes_on).await;
        let before = self.facts().await.len();
        let first = self.leader().await.map_or(0, |(leader, _)| leader);
        self.stop(first).await;
        let facts = self.facts().await;
        let is_closed = |pair: &[Fact]| !is_left_open(&pair[0], &pair[1]);
        assert!(facts[before - 1..].windows(2).all(is_closed), "{facts:?}");
        self.start(first).await;
        for which in (0..NAMES.len()).filter(|which| *which != first) {
            self.stop(which).await;
            self.start(which).await;
        }
    }

    /// One is told to stop, and ends with exit code 0.
    async fn stop(&self, which: usize) {
        self.replicas.signal(which, "TERM");
        let ended = Mutex::new(None);
        let is_over = async || {
            let mut ended = ended.lock().unwrap();
            *ended = ended.or(self.replicas.ended(which));
            ended.is_some()
        };
        self.until("it stops when it is told to", is_over).await;
        let code = ended.lock().unwrap().and_then(|status| status.code());
        assert_eq!(code, Some(0), "`{}`", NAMES[which]);
    }

    async fn start(&self, which: usize) {
        self.replicas.start(which);
        let ready = async || self.replicas.is_ready(which).await;
        self.until("it is ready again", ready).await;
    }

    /// The facts of the newest run, in order.
    pub(super) async fn facts(&self) -> Vec<Fact> {
        let runs = self.journal.runs(SITE, 1).await.unwrap();
        let facts = self.journal.facts(runs[0].id).await.unwrap();
        facts.into_iter().map(|noted| noted.fact).collect()
    }
}

/// Whether the process that intended a write did not write down what came of it.
fn is_left_open(fact: &Fact, next: &Fact) -> bool {
    let Fact::Intended(step) = fact else {
        return false;
    };
    !matches!(next, Fact::Done { step: done, already: false, .. } if done == step)
}
