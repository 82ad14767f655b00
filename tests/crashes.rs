//! The crash law over the whole service: a tale with the power cut after every operation that leaves the process,
//! MAAS's, GitHub's and the journal's alike.
//!
//! A tale is played calmly, a beat at a time (one move of a run, or one delivery, with what follows from it). Each beat
//! is then played again from the same moment, once for each of its operations, with the power cut there: the process is
//! gone, webhooks on their way are lost, another one wakes up on the same journal. It must come to what the calm beat
//! came to: the same network by the same writes, the same progress, and every comment, check, reaction and history
//! commit once. From there on both are the same, so the work grows with the tale and not with its square.

mod acts;
mod cut;
mod stage;

use std::path::PathBuf;

use service::runs::PublishedFacts;
use simulation::harness::ServiceInstance;
use test_support::counts::record;

use acts::Act;
use stage::Moment;

pub(crate) use acts::STORY;
pub(crate) use stage::Stage;

/// Beats that a cut life may need to come to where the calm one is: look, rest, look again, write, reply.
const CATCH_UP_MAX: usize = 16;

#[tokio::test]
async fn the_story_ends_the_same_wherever_the_power_is_cut() {
    let mut law = Law::open().await;
    law.holds(&STORY).await;
    let [maas, github, journal] = law.operations;
    // GitHub is asked less than once: what is immutable is read once, so there are fewer places to cut.
    assert!(maas > 400 && github > 150 && journal > 900, "{law:?}");
    assert!(law.last.contains("pull request 1: applied"), "{}", law.last);
    law.record("reference run");
}

#[tokio::test]
async fn an_aborted_run_and_a_merge_that_overtakes_another_end_the_same_wherever_the_power_is_cut()
{
    let mut law = Law::open().await;
    law.holds(&acts::OVERTAKING).await;
    for ended in [
        "pull request 1: superseded",
        "pull request 2: applied",
        "### ✅ Carried out with #2",
        "aborted after step 0 of 55 (#1)",
        "applied (#2)",
    ] {
        assert!(law.last.contains(ended), "{ended}: {}", law.last);
    }
    law.record("overtaken run");
}

/// The law, and how far it was held to.
struct Law {
    stage: Stage,
    store: PathBuf,
    beats: usize,
    /// MAAS, GitHub, journal.
    operations: [usize; 3],
    wrong: Vec<String>,
    last: String,
}

impl std::fmt::Debug for Law {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [maas, github, journal] = self.operations;
        let all = maas + github + journal;
        let beats = self.beats;
        write!(
            f,
            "{beats} beats; the power cut after each of {all} operations: {maas} requests to MAAS, {github} to GitHub, {journal} of the journal"
        )
    }
}

/// One beat, as it was played calmly.
struct Beat {
    before: Moment,
    /// What the process had told; none where it was not there yet: the beat is its waking up.
    told: Option<PublishedFacts>,
    after: Moment,
    portrait: String,
}

impl Law {
    fn record(&self, run: &str) {
        let [maas, github, journal] = self.operations;
        for (what, count) in [
            ("power cuts", maas + github + journal),
            ("requests to MAAS", maas),
            ("requests to GitHub", github),
            ("writes of the journal", journal),
        ] {
            record("tests/crashes.rs", &format!("{run}: {what}"), count);
        }
    }

    async fn open() -> Self {
        let stage = Stage::open().await;
        Self {
            store: stage.store(),
            stage,
            beats: 0,
            operations: [0; 3],
            wrong: Vec::new(),
            last: String::new(),
        }
    }

    /// Plays the acts, each after the service was started again; every cut must end as the calm beat did.
    async fn holds(&mut self, tale: &[Act]) {
        for (what, act) in tale {
            let mut life = Box::pin(self.beat(what, None)).await;
            act(&mut self.stage);
            while life.is_some() {
                life = Box::pin(self.beat(what, life)).await;
            }
        }
        assert!(
            self.wrong.is_empty(),
            "{} cuts went wrong:\n{}",
            self.wrong.len(),
            self.wrong.join("\n")
        );
    }

    /// Plays the next beat calmly, the waking up where there is no life yet, and then with every cut. `None` when
    /// nothing is left to do.
    async fn beat(&mut self, what: &str, life: Option<ServiceInstance>) -> Option<ServiceInstance> {
        let stage = &self.stage;
        let told = life.as_ref().map(|life| life.worker.published());
        let before = stage.save(&self.store, "before.db");
        stage.arm(None);
        let (life, over) = match life {
            None => (stage.wake(&self.store).await.unwrap(), false),
            Some(life) => {
                let over = stage.beat(&life).await.unwrap();
                (life, over)
            }
        };
        let counted = stage.cut.counted();
        let beat = Beat {
            before,
            told,
            after: stage.save(&self.store, "after.db"),
            portrait: stage.portrait(&life).await,
        };
        self.beats += 1;
        for (all, count) in self.operations.iter_mut().zip(counted) {
            *all += count;
        }
        for cut in 1..=counted.iter().sum() {
            if let Some(why) = Box::pin(cut_at(&self.stage, &beat, cut)).await {
                let place = format!(
                    "{what}, beat {}, operation {cut} of {counted:?}",
                    self.beats
                );
                self.wrong.push(format!("{place}: {why}"));
            }
        }
        self.stage.put_back(&beat.after);
        self.last = beat.portrait;
        (!over).then_some(life)
    }
}

/// Plays a beat again and cuts the power; what is not as it was after the calm beat, if anything.
async fn cut_at(stage: &Stage, beat: &Beat, cut: usize) -> Option<String> {
    let store = stage.restore(&beat.before, "cut.db");
    stage.arm(None);
    if let Some(told) = &beat.told {
        let life = stage.alive(&store, told.clone()).await;
        stage.arm(Some(cut));
        stage.beat(&life).await;
    } else {
        stage.arm(Some(cut));
        drop(stage.wake(&store).await);
    }
    if !stage.town.crash_switch.is_crashed() {
        return Some("the power did not go".to_owned());
    }
    stage.arm(None);
    let life = stage.wake(&store).await.unwrap();
    let mut portrait = stage.portrait(&life).await;
    for _ in 0..CATCH_UP_MAX {
        if portrait == beat.portrait && stage.same_network(&beat.after) {
            return None;
        }
        stage.beat(&life).await.unwrap();
        portrait = stage.portrait(&life).await;
    }
    let same_network = stage.same_network(&beat.after);
    Some(difference(&portrait, &beat.portrait, same_network))
}

fn difference(found: &str, wanted: &str, same_network: bool) -> String {
    let only = |these: &str, those: &str, mark: &str| -> Vec<String> {
        these
            .lines()
            .filter(|line| !those.lines().any(|other| other == *line))
            .map(|line| format!("  {mark} {line}"))
            .collect()
    };
    let mut told = only(wanted, found, "-");
    told.extend(only(found, wanted, "+"));
    if !same_network {
        told.push("  the network or the writes are not the same".to_owned());
    }
    if told.is_empty() {
        told.push(format!(
            "  another order or number:\n{found}\nfor\n{wanted}"
        ));
    }
    format!("\n{}", told.join("\n"))
}
