//! Deterministic simulation: one run per seed. A small cloud, a change, several people and injected faults; then the
//! faults stop, the operator completes every gate, and the invariants are checked.
//!
//! The same seed gives the same run, byte for byte: nothing depends on the machine's clock, on its randomness or on the
//! order of threads. It runs the service's own worker and webhook router in a [`crate::harness`], and must not know how
//! the service stores or posts a message.

mod actors;
mod cloud;
mod conversation;
mod driver;
mod faults;
mod invariants;
mod rng;
mod transcript;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;

use journal::Journal;
use lab::maas::LabMaas;

use crate::demo::site::RUNBOOKS;
use crate::harness::{Harness, HarnessSetup, SimClock, declaration_files};
use actors::Actors;
use cloud::Cloud;
use conversation::ConversationState;
use driver::Driver;
use faults::FaultInjector;
use rng::SeededRng;
use transcript::Transcript;

pub use faults::FaultCounts;

/// The result of a run.
#[derive(Clone, Debug)]
pub struct FuzzReport {
    /// What everyone wrote and did, with the faults between the lines, and the result.
    pub transcript: String,
    /// The invariants that did not hold, one line each.
    pub broken: Vec<String>,
    /// How many operations, faults and webhooks there were.
    pub counts: FaultCounts,
}

/// Runs the simulation of a seed to its end, on this thread alone.
pub fn run(seed: u64) -> anyhow::Result<FuzzReport> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting a runtime")?;
    runtime.block_on(Box::pin(report(seed)))
}

/// A run in progress.
struct FuzzRun {
    driver: Driver,
    actors: Actors,
    rng: SeededRng,
}

async fn report(seed: u64) -> anyhow::Result<FuzzReport> {
    let mut run = FuzzRun::open(seed).await?;
    let transcript = run.driver.transcript.clone();
    let faults = Arc::clone(&run.driver.faults);
    let checked = match Box::pin(run.run_to_end()).await {
        Ok(end) => {
            transcript.add("", &format!("the end: {}", description(&end)));
            invariants::broken(&run.driver, &run.actors, &end).await
        }
        Err(error) => Err(error),
    };
    let broken = checked.unwrap_or_else(|error| vec![format!("the run failed: {error:#}")]);
    if broken.is_empty() {
        transcript.add("", "every invariant held");
    }
    for what in &broken {
        transcript.add("BROKEN", what);
    }
    Ok(FuzzReport {
        transcript: transcript.text(),
        broken,
        counts: faults.counts(),
    })
}

fn description(end: &ConversationState) -> String {
    match end {
        ConversationState::Open => "open".to_owned(),
        ConversationState::Applied => "applied".to_owned(),
        ConversationState::NoPlan(why) => why.clone(),
        ConversationState::NothingMerged => "nothing was merged".to_owned(),
        ConversationState::Stuck(why) => format!("stuck: {why}"),
    }
}

impl FuzzRun {
    async fn open(seed: u64) -> anyhow::Result<Self> {
        let clock = SimClock::default();
        let transcript = Transcript::default();
        let mut rng = SeededRng::of(seed, 1);
        let cloud = Cloud::draw(&mut rng);
        transcript.add("", &format!("seed {seed}: MAAS {}", cloud.release));
        let rows = LabMaas::load(&cloud.layout(), Some(cloud.release))?;
        let mut files = declaration_files(&rows, &clock).await?;
        let [_, (path, text), _] = RUNBOOKS;
        files.insert(path.to_owned(), text.to_owned());
        let faults = FaultInjector::draw(SeededRng::of(seed, 2), clock.clone(), transcript.clone());
        let faults = Arc::new(faults);
        let setup = HarnessSetup {
            rows,
            files,
            site: "",
            folder: PathBuf::new(),
        };
        let harness = Harness::open(setup, Arc::clone(&faults) as _, clock).await?;
        faults.watch(Arc::clone(&harness.maas.maas));
        let journal = Journal::open("sqlite::memory:").await?;
        let driver_rng = SeededRng::of(seed, 3);
        Ok(Self {
            driver: Driver::new(harness, faults, transcript, journal, driver_rng),
            actors: Actors::new(SeededRng::of(seed, 4), cloud),
            rng,
        })
    }

    async fn run_to_end(&mut self) -> anyhow::Result<ConversationState> {
        // The service ignores commands from before its first poll of GitHub, so that poll happens without faults.
        self.driver.run_until_idle().await?;
        self.driver.faults.set_enabled(true);
        Box::pin(self.with_faults()).await?;
        self.driver.faults.set_enabled(false);
        self.driver.transcript.add("", "from here on no faults");
        loop {
            let is_idle = Box::pin(self.driver.run_until_idle()).await?;
            self.actors.read_comments(&self.driver);
            if !is_idle {
                return Ok(ConversationState::Stuck("it never becomes idle".to_owned()));
            }
            match self.actors.answer(&self.driver)? {
                ConversationState::Open => {}
                end @ (ConversationState::Applied
                | ConversationState::NoPlan(_)
                | ConversationState::NothingMerged
                | ConversationState::Stuck(_)) => return Ok(end),
            }
        }
    }

    async fn with_faults(&mut self) -> anyhow::Result<()> {
        self.propose().await?;
        for _ in 0..2 + self.rng.below(6) {
            Box::pin(self.random_action()).await?;
        }
        // Somebody merges and answers while faults are injected, so that runs are hit too.
        let open = self
            .actors
            .pulls
            .iter()
            .rposition(|pull| pull.merged.is_none() && !pull.closed);
        if let Some(index) = open {
            self.actors.merge(&self.driver, index)?;
            self.let_service_run().await?;
        }
        self.driver.faults.refill();
        for _ in 0..3 + self.rng.below(7) {
            self.actors.answer(&self.driver)?;
            Box::pin(self.driver.run_steps(60)).await?;
            self.actors.read_comments(&self.driver);
        }
        Ok(())
    }

    /// Some steps in which planebot may react, or none.
    async fn let_service_run(&mut self) -> anyhow::Result<()> {
        let counts = [0, 1, 3, 10, 40, 90];
        let count = self.rng.pick(&counts).unwrap_or_default();
        Box::pin(self.driver.run_steps(count)).await?;
        self.actors.read_comments(&self.driver);
        Ok(())
    }

    /// The files that declare a cloud.
    async fn files_of(&self, cloud: &Cloud) -> anyhow::Result<BTreeMap<String, String>> {
        let rows = LabMaas::load(&cloud.layout(), Some(cloud.release))?;
        declaration_files(&rows, &self.driver.harness.clock).await
    }

    async fn propose(&mut self) -> anyhow::Result<()> {
        let (next, what) = self.actors.declared.changed(&mut self.rng);
        let files = self.files_of(&next).await?;
        self.actors.propose(&self.driver, next, &files, &what)?;
        self.let_service_run().await
    }

    async fn random_action(&mut self) -> anyhow::Result<()> {
        let kind = self.rng.below(100);
        let open = self
            .actors
            .pulls
            .iter()
            .position(|pull| pull.merged.is_none() && !pull.closed);
        let last = self.actors.pulls.len() - 1;
        let newest = self.actors.pulls[last].number;
        let driver = &self.driver;
        match (kind, open) {
            (0..10, Some(index)) => {
                let (next, what) = self.actors.declared.changed(&mut self.rng);
                let files = self.files_of(&next).await?;
                self.actors
                    .push(&self.driver, index, (next, &files), &what)?;
            }
            (10..40, Some(index)) => {
                self.actors.merge(driver, index)?;
            }
            (0..10, None) | (97.., _) => return Box::pin(self.propose()).await,
            (10..40, None) | (40..65, _) => {
                self.actors.read_comments(driver);
                if self.actors.newest_merged().is_some() {
                    self.actors.answer(driver)?;
                } else {
                    self.actors.comment(driver, "bob", newest, "/apply")?;
                }
            }
            (65..85, _) => {
                let comments = [
                    ("mallory", "/apply"),
                    ("mallory", "/abort"),
                    ("alice", "/plan"),
                    ("alice", "/status"),
                    ("bob", "/help"),
                    ("bob", "/aply"),
                    ("bob", "/why 10.7.1.0/24"),
                    ("alice", "looks good to me"),
                    ("bob", "/done teardown"),
                    ("mallory", "/done jumphost"),
                ];
                let (author, text) = self.rng.pick(&comments).unwrap_or(comments[0]);
                self.actors.comment(driver, author, newest, text)?;
            }
            (85..89, _) => self.actors.comment(driver, "bob", newest, "/abort")?,
            (89..93, _) => Box::pin(self.actors.change_maas_manually(&self.driver)).await?,
            (93..97, _) => self.driver.restart(),
        }
        self.let_service_run().await
    }
}
