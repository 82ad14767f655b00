//! A tale from a seed: a small cloud, a change, people who do what people do, and everything that may go wrong; then all
//! faults stop, the operator does what is asked, and what must hold is looked at.
//!
//! The same seed gives the same tale, byte for byte: nothing in it comes from the machine's clock, from chance or from
//! the order of threads. It plays the service's own office and door in a [`crate::harness`], and must not know how a
//! sentence is kept or said.

mod actors;
mod cloud;
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
use crate::harness::{Harness, Location, SimClock, declared};
use actors::{End, People};
use cloud::Cloud;
use driver::Driver;
use faults::FaultInjector;
use rng::SeededRng;
use transcript::Transcript;

pub use faults::FaultCounts;

/// A tale that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// What everyone said and did, with the faults between the lines, and what held.
    pub transcript: String,
    /// What did not hold, one line each.
    pub broken: Vec<String>,
    /// Operations, faults and webhooks.
    pub counts: FaultCounts,
}

/// Plays the tale of a seed to its end, on this thread alone.
pub fn play(seed: u64) -> anyhow::Result<Played> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting a runtime")?;
    runtime.block_on(Box::pin(played(seed)))
}

/// A tale under way.
struct FuzzRun {
    days: Driver,
    people: People,
    dice: SeededRng,
}

async fn played(seed: u64) -> anyhow::Result<Played> {
    let mut tale = FuzzRun::open(seed).await?;
    let script = tale.days.script.clone();
    let weather = Arc::clone(&tale.days.weather);
    let told = match Box::pin(tale.told()).await {
        Ok(end) => {
            script.tell("", &format!("the end: {}", words(&end)));
            invariants::broken(&tale.days, &tale.people, &end).await
        }
        Err(error) => Err(error),
    };
    let broken = told.unwrap_or_else(|error| vec![format!("it broke off: {error:#}")]);
    if broken.is_empty() {
        script.tell("", "every promise held");
    }
    for what in &broken {
        script.tell("BROKEN", what);
    }
    Ok(Played {
        transcript: script.text(),
        broken,
        counts: weather.counts(),
    })
}

fn words(end: &End) -> String {
    match end {
        End::Open => "open".to_owned(),
        End::Applied => "applied".to_owned(),
        End::NoPlan(why) => why.clone(),
        End::NothingMerged => "nothing was merged".to_owned(),
        End::Stuck(why) => format!("stuck: {why}"),
    }
}

impl FuzzRun {
    async fn open(seed: u64) -> anyhow::Result<Self> {
        let hand = SimClock::default();
        let script = Transcript::default();
        let mut dice = SeededRng::of(seed, 1);
        let cloud = Cloud::draw(&mut dice);
        script.tell("", &format!("seed {seed}: a MAAS {}", cloud.release));
        let rows = LabMaas::load(&cloud.layout(), Some(cloud.release))?;
        let mut files = declared(&rows, &hand).await?;
        let [_, (path, text), _] = RUNBOOKS;
        files.insert(path.to_owned(), text.to_owned());
        let weather = FaultInjector::draw(SeededRng::of(seed, 2), hand.clone(), script.clone());
        let weather = Arc::new(weather);
        let place = Location {
            rows,
            files,
            site: "",
            folder: PathBuf::new(),
        };
        let town = Harness::open(place, Arc::clone(&weather) as _, hand).await?;
        weather.over(Arc::clone(&town.maas.maas));
        let journal = Journal::open("sqlite::memory:").await?;
        Ok(Self {
            days: Driver::new(town, weather, script, journal, SeededRng::of(seed, 3)),
            people: People::new(SeededRng::of(seed, 4), cloud),
            dice,
        })
    }

    async fn told(&mut self) -> anyhow::Result<End> {
        // From before its first look nothing is anybody's order, so that look is calm.
        self.days.settle().await?;
        self.days.weather.turns(false);
        self.proposes().await?;
        for _ in 0..2 + self.dice.below(6) {
            Box::pin(self.scene()).await?;
        }
        // In bad weather too somebody merges and answers, so that runs meet it.
        let open = self
            .people
            .pulls
            .iter()
            .rposition(|pull| pull.merged.is_none() && !pull.closed);
        if let Some(at) = open {
            self.people.merge(&self.days, at)?;
            self.meanwhile().await?;
        }
        self.days.weather.blows_again();
        for _ in 0..3 + self.dice.below(7) {
            self.people.answer(&self.days)?;
            Box::pin(self.days.pass(60)).await?;
            self.people.listen(&self.days);
        }
        self.days.weather.turns(true);
        self.days
            .script
            .tell("", "from here on nothing goes wrong any more");
        loop {
            let settled = Box::pin(self.days.settle()).await?;
            self.people.listen(&self.days);
            if !settled {
                return Ok(End::Stuck("it never rests".to_owned()));
            }
            match self.people.answer(&self.days)? {
                End::Open => {}
                end @ (End::Applied | End::NoPlan(_) | End::NothingMerged | End::Stuck(_)) => {
                    return Ok(end);
                }
            }
        }
    }

    /// Some moments, in which planebot may speak.
    async fn meanwhile(&mut self) -> anyhow::Result<()> {
        let moments = [0, 1, 3, 10, 40, 90];
        let moments = self.dice.pick(&moments).unwrap_or_default();
        Box::pin(self.days.pass(moments)).await?;
        self.people.listen(&self.days);
        Ok(())
    }

    /// The files that declare a cloud.
    async fn declaring(&self, cloud: &Cloud) -> anyhow::Result<BTreeMap<String, String>> {
        let rows = LabMaas::load(&cloud.layout(), Some(cloud.release))?;
        declared(&rows, &self.days.town.hand).await
    }

    async fn proposes(&mut self) -> anyhow::Result<()> {
        let (next, what) = self.people.declared.changed(&mut self.dice);
        let files = self.declaring(&next).await?;
        self.people.propose(&self.days, next, files, &what)?;
        self.meanwhile().await
    }

    /// One thing that somebody does.
    async fn scene(&mut self) -> anyhow::Result<()> {
        let kind = self.dice.below(100);
        let open = self
            .people
            .pulls
            .iter()
            .position(|pull| pull.merged.is_none() && !pull.closed);
        let any = self.people.pulls.len() - 1;
        let newest = self.people.pulls[any].number;
        let days = &self.days;
        match (kind, open) {
            (0..10, Some(at)) => {
                let (next, what) = self.people.declared.changed(&mut self.dice);
                let files = self.declaring(&next).await?;
                self.people.push(&self.days, at, (next, files), &what)?;
            }
            (10..40, Some(at)) => {
                self.people.merge(days, at)?;
            }
            (0..10, None) | (97.., _) => return Box::pin(self.proposes()).await,
            (10..40, None) | (40..65, _) => {
                self.people.listen(days);
                if self.people.newest().is_some() {
                    self.people.answer(days)?;
                } else {
                    self.people.say(days, "bob", newest, "/apply")?;
                }
            }
            (65..85, _) => {
                let talk = [
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
                let (who, words) = self.dice.pick(&talk).unwrap_or(talk[0]);
                self.people.say(days, who, newest, words)?;
            }
            (85..89, _) => self.people.say(days, "bob", newest, "/abort")?,
            (89..93, _) => Box::pin(self.people.meddle(&self.days)).await?,
            (93..97, _) => self.days.restart(),
        }
        self.meanwhile().await
    }
}
