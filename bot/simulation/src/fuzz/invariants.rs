//! What must hold when a tale is over and all faults have stopped. It must not know what went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use journal::{OutboxPayload, Run};
use lab::github::IssueCommentView;
use plan::plan::{Plan, PlanPolicy};
use plan::run::{Fact, RecordedFact};
use plan::step::StepId;
use topology::draft::SourceFile;

use crate::fuzz::actors::{End, People, PostedComment, heading};
use crate::fuzz::driver::Driver;
use crate::fuzz::faults::Written;
use crate::harness::{REPOSITORY, SITE};
use execution::executor::observe;
use execution::rehearse::in_memory::InMemoryMaas;
use maas::Environment;
use maas::{MaasClient, NOT_SENT};
use service::command;
use service::reply::fitted;

/// A run with all that was noted of it.
struct Told {
    run: Run,
    facts: Vec<RecordedFact>,
}

/// What of a run's record is looked at.
#[derive(serde::Deserialize)]
struct Recorded {
    plan: Plan,
}

/// Everything that can be looked at when a tale is over.
struct Looking<'a> {
    days: &'a Driver,
    people: &'a People,
    runs: Vec<Told>,
    broken: Vec<String>,
}

/// What does not hold, one line each.
pub(super) async fn broken(
    days: &Driver,
    people: &People,
    end: &End,
) -> anyhow::Result<Vec<String>> {
    let mut runs = Vec::new();
    for run in days.journal.runs(SITE, 1000).await? {
        let facts = days.journal.facts(run.id).await?;
        runs.push(Told { run, facts });
    }
    let mut looking = Looking {
        days,
        people,
        runs,
        broken: Vec::new(),
    };
    if let End::Stuck(why) = end {
        looking.says(why.clone());
    }
    looking.writes();
    looking.refusals();
    looking.orders();
    looking.settled().await?;
    for pull in people.pulls.iter().map(|pull| pull.number) {
        looking.comments(pull).await?;
    }
    looking.answered().await?;
    looking.ends();
    looking.overtaken(end);
    looking.network(end).await?;
    Ok(looking.broken)
}

impl Looking<'_> {
    fn says(&mut self, what: String) {
        self.broken.push(what);
    }

    /// Every write follows its own fact, is looked at before it is sent again, and takes effect once; whether one that
    /// changes nothing did cannot be looked at.
    fn writes(&mut self) {
        let (writes, looks) = self.days.weather.seen();
        let last = self.days.town.rows(|maas| maas.writes().len());
        let mut asked: BTreeMap<(i64, StepId), i64> = BTreeMap::new();
        let mut took: BTreeSet<(i64, StepId)> = BTreeSet::new();
        let mut wrong = Vec::new();
        for (at, write) in writes.iter().enumerate() {
            if write.what.is_empty() {
                continue;
            }
            let Some(step) = self.intended(write) else {
                wrong.push(format!(
                    "`{}` was sent to MAAS without a fact before it",
                    write.what
                ));
                continue;
            };
            if let Some(before) = asked.insert(step, write.at)
                && !looks.iter().any(|look| (before..write.at).contains(look))
            {
                wrong.push(format!("`{}` was sent twice without a look", write.what));
            }
            let after = writes.get(at + 1).map_or(last, |next| next.before);
            let again = after > write.before && !took.insert(step);
            if again && !self.changes_nothing(step) {
                wrong.push(format!("`{}` happened twice", write.what));
            }
        }
        self.broken.extend(wrong);
    }

    /// Whether a run's step writes what is there already, to make MAAS serve it.
    fn changes_nothing(&self, (run, step): (i64, StepId)) -> bool {
        let record = self.runs.iter().find(|told| told.run.id.0 == run);
        record
            .and_then(|told| serde_json::from_str::<Recorded>(&told.run.new.record).ok())
            .is_some_and(|record| record.plan.step(step).is_some_and(|step| step.nudge))
    }

    /// The step of the last fact before a write, where that fact intends it.
    fn intended(&self, write: &Written) -> Option<(i64, StepId)> {
        let before = self
            .runs
            .iter()
            .flat_map(|told| told.facts.iter().map(move |noted| (told.run.id.0, noted)))
            .filter(|(_, noted)| noted.at.0 < write.at)
            .max_by_key(|(run, noted)| (noted.at, *run))?;
        if let (
            run,
            RecordedFact {
                fact: Fact::Intended(step),
                ..
            },
        ) = before
        {
            return Some((run, *step));
        }
        None
    }

    /// What was lost is not taken for a refusal: MAAS said no to what is noted as refused.
    fn refusals(&mut self) {
        let (writes, _) = self.days.weather.seen();
        let mut wrong = Vec::new();
        for noted in self.runs.iter().flat_map(|told| &told.facts) {
            let Fact::Refused { why, .. } = &noted.fact else {
                continue;
            };
            let before = writes.iter().rfind(|write| write.at <= noted.at.0);
            let ours = why.starts_with(&NOT_SENT.to_string());
            if !ours && before.is_none_or(|write| write.unanswered) {
                wrong.push(format!("nobody refused, and it is noted: {why}"));
            }
        }
        self.broken.extend(wrong);
    }

    /// A run begins by an operator's order after the merge.
    fn orders(&mut self) {
        let mut wrong = Vec::new();
        for told in &self.runs {
            let number = told.run.new.pull.and_then(|pull| u64::try_from(pull).ok());
            let pull = self
                .people
                .pulls
                .iter()
                .find(|pull| Some(pull.number) == number);
            let merged = pull.and_then(|pull| pull.merged);
            let ordered = |said: &&PostedComment| {
                said.who == "bob"
                    && Some(said.pull) == number
                    && said.words.starts_with("/apply")
                    && Some(said.at) >= merged
                    && said.at <= told.run.began.0
            };
            if merged.is_none() || !self.people.said.iter().any(|said| ordered(&said)) {
                wrong.push(format!(
                    "run {} began without a merge and an order",
                    told.run.id.0
                ));
            }
        }
        self.broken.extend(wrong);
    }

    /// Nothing waits to be settled or said.
    async fn settled(&mut self) -> anyhow::Result<()> {
        let (waiting, _) = self.days.journal.queue_depth().await?;
        if waiting > 0 {
            self.says(format!("{waiting} deliveries are not settled"));
        }
        if self.days.journal.next_message_at().await?.is_some() {
            self.says("something that was owed is not said".to_owned());
        }
        Ok(())
    }

    fn own(&self, pull: u64) -> Vec<IssueCommentView> {
        let mut hub = self.days.town.github.github();
        let mut all = hub.at(REPOSITORY).comments(pull);
        all.retain(|comment| comment.author == "planebot[bot]");
        all
    }

    /// Each comment is there once, and says what was owed last.
    async fn comments(&mut self, pull: u64) -> anyhow::Result<()> {
        let mut keys = BTreeSet::new();
        for comment in self.own(pull) {
            let title = heading(&comment.body);
            let Some(key) = key_of(&comment.body) else {
                self.says(format!("#{pull}: a comment has no key: {title}"));
                continue;
            };
            if !keys.insert(key.to_owned()) {
                self.says(format!("#{pull}: said twice: {title}"));
            }
            let message = self.days.journal.message(key).await?;
            let says = |text: &str| comment.body.contains(fitted(text).trim_end());
            let is_as_enqueued = message.is_some_and(|message| {
                matches!(message.payload, Ok(OutboxPayload::Comment { text }) if says(&text))
            });
            if !is_as_enqueued {
                self.says(format!("#{pull}: not what was owed: {title}"));
            }
        }
        Ok(())
    }

    /// Nobody waits in silence: every command is marked, and answered or followed by what it asked.
    async fn answered(&mut self) -> anyhow::Result<()> {
        let mut given_up: BTreeMap<u64, usize> = BTreeMap::new();
        for pull in &self.people.pulls {
            let own = self.own(pull.number);
            let count = own.iter().filter(|comment| {
                key_of(&comment.body).is_some_and(|key| key.starts_with("parked/"))
            });
            given_up.insert(pull.number, count.count());
        }
        let said = self.people.said.clone();
        for said in &said {
            let marks = self.marks(said);
            if marks.contains(&"rocket".to_owned()) && marks.contains(&"confused".to_owned()) {
                self.says(format!("`{}` was taken up and turned away", said.words));
            }
        }
        for said in said
            .iter()
            .filter(|said| command::parse(&said.words).is_some())
        {
            if self.is_answered(said).await? {
                continue;
            }
            let left = given_up.entry(said.pull).or_default();
            if *left > 0 {
                *left -= 1;
            } else {
                self.says(format!(
                    "#{} {}: `{}` has no answer",
                    said.pull, said.who, said.words
                ));
            }
        }
        Ok(())
    }

    /// How planebot marked a comment.
    fn marks(&self, said: &PostedComment) -> Vec<String> {
        let mut hub = self.days.town.github.github();
        let all = hub.at(REPOSITORY).reactions(said.id);
        let own = all.into_iter().filter(|(by, _)| by.ends_with("[bot]"));
        own.map(|(_, kind)| kind).collect()
    }

    async fn is_answered(&self, said: &PostedComment) -> anyhow::Result<bool> {
        let marks = self.marks(said);
        let is = |mark: &str| marks.iter().any(|kind| kind == mark);
        let answer = format!("answer/{REPOSITORY}/{}", said.id);
        let answered = self.days.journal.message(&answer).await?.is_some();
        let own = self.own(said.pull);
        let keyed = |start: &str| {
            own.iter()
                .any(|comment| key_of(&comment.body).is_some_and(|key| key.starts_with(start)))
        };
        let followed = if said.words.starts_with("/plan") {
            keyed("plan/")
        } else if said.words.starts_with("/done") {
            self.runs
                .iter()
                .any(|told| looked_into(&told.facts, said.at))
        } else {
            is("rocket")
        };
        Ok(is("eyes") && (answered || followed))
    }

    /// A run that is over is told: the comment, the check, the history, each once.
    fn ends(&mut self) {
        let mut wrong = Vec::new();
        let mut hub = self.days.town.github.github();
        let at = hub.at(REPOSITORY);
        let history = at.log("planebot-history");
        let ended = self.runs.iter().filter(|told| told.run.ended.is_some());
        if ended.count()
            != history
                .iter()
                .filter(|commit| is_of_a_run(&commit.message))
                .count()
        {
            let told: Vec<&str> = history
                .iter()
                .map(|commit| commit.message.as_str())
                .collect();
            wrong.push(format!(
                "the history is not one commit for each run that is over: {told:?}"
            ));
        }
        for told in &self.runs {
            let pull = told
                .run
                .new
                .pull
                .and_then(|pull| u64::try_from(pull).ok())
                .unwrap_or_default();
            let own = at.comments(pull);
            let mark = format!("<!-- planebot:apply/{} -->", told.run.id.0);
            let comment = own.iter().find(|comment| comment.body.contains(&mark));
            let title = comment
                .map(|comment| heading(&comment.body))
                .unwrap_or_default();
            let wanted = match told.facts.last().map(|noted| &noted.fact) {
                Some(Fact::Finished) => "✅",
                Some(Fact::Aborted { .. }) => "⏹",
                Some(_) | None => continue,
            };
            if !title.starts_with(wanted) {
                wrong.push(format!(
                    "run {} is over, and `{title}` is said",
                    told.run.id.0
                ));
            }
        }
        let merges: Vec<_> = at
            .log("main")
            .into_iter()
            .map(|commit| commit.oid)
            .collect();
        let heads = self
            .people
            .pulls
            .iter()
            .filter_map(|pull| at.head(&pull.branch));
        for oid in merges.into_iter().chain(heads) {
            let mut names = BTreeSet::new();
            for run in at.check_runs(oid) {
                if !names.insert(run.name.clone()) {
                    wrong.push(format!("the check {} is on {oid} twice", run.name));
                }
            }
        }
        drop(hub);
        self.broken.extend(wrong);
    }

    /// What was merged before the newest and is carried out with it is told so, where it had a plan.
    fn overtaken(&mut self, end: &End) {
        let newest = self.people.newest().map(|pull| pull.number);
        if *end != End::Applied {
            return;
        }
        for pull in self
            .people
            .pulls
            .iter()
            .filter(|pull| pull.merged.is_some())
        {
            let own = self.own(pull.number);
            let has = |start: &str| {
                own.iter()
                    .any(|comment| key_of(&comment.body).is_some_and(|key| key.starts_with(start)))
            };
            let applied = own
                .iter()
                .any(|comment| heading(&comment.body).starts_with('✅'));
            if Some(pull.number) != newest && has("plan/") && !applied {
                self.says(format!(
                    "#{} is carried out, and nobody tells it",
                    pull.number
                ));
            }
        }
    }

    /// What is applied is what MAAS has.
    async fn network(&mut self, end: &End) -> anyhow::Result<()> {
        if *end != End::Applied {
            return Ok(());
        }
        if self.people.newest().is_none() {
            return Ok(());
        }
        // What somebody changes by hand after the last look is drift, for the next audit; the look is over when its fact is
        // noted, and began after the fact before it.
        let proved = self
            .runs
            .iter()
            .flat_map(|told| told.facts.windows(2))
            .filter(|two| matches!(&two[1].fact, Fact::Verified { .. }))
            .map(|two| two[0].at.0)
            .max();
        if self.people.by_hand.iter().any(|at| Some(*at) > proved) {
            return Ok(());
        }
        // What two merges leave together is neither's own.
        let files = {
            let mut hub = self.days.town.github.github();
            hub.at(REPOSITORY).files_at("main")
        };
        let sources = files.into_iter().filter_map(|(path, text)| {
            Some(SourceFile {
                path: path.strip_prefix("topology/")?.to_owned(),
                bytes: text.into_bytes(),
            })
        });
        let checked = topology::check::check(&sources.collect::<Vec<_>>());
        let Some(topology) = checked.topology else {
            self.says("what was applied does not check".to_owned());
            return Ok(());
        };
        let outside = Environment::of_this_process(&self.days.town.hand.clock());
        let wire = InMemoryMaas::new(Arc::clone(&self.days.town.maas.maas), outside.clone());
        let observed = observe(&MaasClient::new(wire, outside).reader(), &topology).await?;
        match Plan::between(&observed, &topology, &PlanPolicy::default()) {
            Ok(plan) if plan.steps.iter().all(|step| step.nudge) => {}
            Ok(plan) => {
                let lines: Vec<String> = plan.steps.iter().map(plan::render::line).collect();
                self.says(format!(
                    "it is applied, and MAAS is not as declared: {}",
                    lines.join("; ")
                ));
            }
            Err(refused) => {
                let words: Vec<String> = refused.refusals.iter().map(ToString::to_string).collect();
                self.says(format!(
                    "it is applied, and MAAS is not as declared: {}",
                    words.join("; ")
                ));
            }
        }
        Ok(())
    }
}

/// Whether a claim that was made then had its look.
fn looked_into(facts: &[RecordedFact], said: i64) -> bool {
    let claim = facts
        .iter()
        .position(|noted| noted.at.0 >= said && matches!(noted.fact, Fact::Claimed { .. }));
    claim.is_some_and(|at| {
        facts.iter().skip(at).any(|noted| {
            matches!(
                noted.fact,
                Fact::NotYet { .. } | Fact::Opened(_) | Fact::Aborted { .. }
            )
        })
    })
}

/// The key that a comment of planebot's carries.
fn key_of(body: &str) -> Option<&str> {
    body.lines()
        .find_map(|line| line.strip_prefix("<!-- planebot:")?.strip_suffix(" -->"))
}

/// Whether a commit of the history tells of a run.
fn is_of_a_run(message: &str) -> bool {
    message.contains("applied") || message.contains("aborted")
}
