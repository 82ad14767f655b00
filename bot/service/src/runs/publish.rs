//! What is said of a run: it follows from the run's facts, and from nothing else.
//!
//! Facts that were added are told before the next move is made. A process that dies in between loses nothing: the next
//! one tells the newest run of each site again, and saying the same twice changes nothing, because every reply has a
//! key. It must not make moves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use journal::{Reply, ReplyKind, Run};
use plan::gate::GateName;
use plan::run::{Fact, Noted, Progress};
use topology::observed::{Observed, Scope};

use crate::command::ShortDigest;
use crate::history;
use crate::orders::order::RunRecord;
use crate::pulls::merge::Merge;
use crate::pulls::record::{PullRecord, PullStatus};
use crate::reply;
use crate::site::SiteRuntime;
use crate::worker::Office;
use github::webhook::event::{PullNumber, Sha};

/// After so many deliveries the runs get their turn, however many more wait.
const DELIVERIES_PER_MOVE: usize = 8;

/// How many facts of each run this process has told, and how many deliveries it has settled meanwhile.
#[derive(Debug, Default)]
pub struct PublishedFacts {
    counts: Mutex<BTreeMap<i64, usize>>,
    /// Deliveries since the runs had their turn.
    deliveries: AtomicUsize,
}

impl Clone for PublishedFacts {
    /// What another process would have told, had it lived until now.
    fn clone(&self) -> Self {
        Self {
            counts: Mutex::new(self.counts().clone()),
            deliveries: AtomicUsize::new(0),
        }
    }
}

impl PublishedFacts {
    fn is(&self, run: &Run, facts: usize) -> bool {
        self.counts().get(&run.id.0) == Some(&facts)
    }

    fn note(&self, run: &Run, facts: usize) {
        self.counts().insert(run.id.0, facts);
    }

    /// Whether the runs are looked at before the next delivery.
    pub(crate) fn is_runs_turn(&self) -> bool {
        self.deliveries.load(Ordering::Relaxed) >= DELIVERIES_PER_MOVE
    }

    pub(crate) fn settled(&self) {
        self.deliveries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn runs_had_their_turn(&self) {
        self.deliveries.store(0, Ordering::Relaxed);
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, BTreeMap<i64, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run, told.
struct Telling<'a> {
    run: &'a Run,
    record: RunRecord,
    facts: Vec<Noted>,
    desk: &'a SiteRuntime,
}

impl Office {
    /// Tells the newest run of one site whose facts were not told; false when all were. One that cannot be told keeps no
    /// other from it.
    pub(crate) async fn tell_a_run(&self) -> anyhow::Result<bool> {
        let mut failed = None;
        for (site, desk) in &self.desks {
            match self.tell_newest(site, desk).await {
                Ok(false) => {}
                Ok(true) => return Ok(true),
                Err(error) => {
                    failed.get_or_insert(error.context(format!("telling the run of `{site}`")));
                }
            }
        }
        failed.map_or(Ok(false), Err)
    }

    /// Tells the newest run of a site; false when all its facts were told. A run begins after the one before it was told:
    /// from then on nobody looks at that one again.
    pub(crate) async fn tell_newest(&self, site: &str, desk: &SiteRuntime) -> anyhow::Result<bool> {
        let newest = self.journal.runs(site, 1).await?.into_iter().next();
        let Some(run) = newest.filter(|run| run.new.pull.is_some()) else {
            return Ok(false);
        };
        let facts = self.journal.facts(run.id).await?;
        let count = facts.len();
        if self.told.is(&run, count) {
            return Ok(false);
        }
        // Of a run that was compacted nothing is left to tell.
        if let Ok(record) = RunRecord::of(&run) {
            let telling = Telling {
                run: &run,
                record,
                facts,
                desk,
            };
            self.tell(&telling).await?;
        }
        self.told.note(&run, count);
        Ok(true)
    }

    async fn tell(&self, telling: &Telling<'_>) -> anyhow::Result<()> {
        self.owe_progress(telling).await?;
        self.owe_standing(telling).await?;
        let progress = Progress::of(&telling.facts);
        let waiting = reply::waiting_gate(&telling.record.plan, &telling.facts, &progress);
        if let Some(gate) = waiting.filter(|_| !progress.over) {
            self.owe_gate(telling, gate.name).await?;
            self.owe_not_yet(telling, gate.name).await?;
        }
        if progress.over {
            self.owe_history(telling).await?;
        }
        Ok(())
    }

    /// The apply comment: the same comment, edited; at most once in five seconds.
    async fn owe_progress(&self, telling: &Telling<'_>) -> anyhow::Result<()> {
        let run = telling.run;
        let setting = telling.record.setting(&run.new.site);
        let body = reply::progress(&telling.record.plan, &telling.facts, &setting);
        self.owe_comment(run, format!("apply/{}", run.id.0), body)
            .await
    }

    /// The check on the merge commit, and where the pull request stands.
    async fn owe_standing(&self, telling: &Telling<'_>) -> anyhow::Result<()> {
        let progress = Progress::of(&telling.facts);
        let finished = telling
            .facts
            .iter()
            .any(|noted| noted.fact == Fact::Finished);
        let (conclusion, title, stage) = if finished {
            (
                Some("success"),
                "applied, proved twice",
                PullStatus::Applied,
            )
        } else if progress.over {
            (Some("cancelled"), "aborted", PullStatus::Merged)
        } else if progress.stopped.is_some() {
            (Some("action_required"), "stopped", PullStatus::Running)
        } else {
            (None, "applying", PullStatus::Running)
        };
        let new = &telling.run.new;
        self.owe_apply_check(
            &new.repository,
            &telling.record.merge_commit,
            conclusion,
            title,
        )
        .await?;
        let Some(number) = new.pull else {
            return Ok(());
        };
        self.set_stage(&new.repository, u64::try_from(number)?, stage)
            .await?;
        match self.journal.pull(&new.repository, number).await? {
            Some(row) if finished => {
                self.overtake(&telling.desk.site, &row).await?;
                let merge = Merge {
                    site: &telling.desk.site,
                    number: u64::try_from(number)?,
                    commit: telling.record.merge_commit.clone(),
                    at: row.merged,
                };
                self.show_merged(&merge, &PullRecord::of(&row)?).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The gate's runbook with this plan's values, once.
    async fn owe_gate(&self, telling: &Telling<'_>, name: GateName) -> anyhow::Result<()> {
        let (run, record) = (telling.run, &telling.record);
        let key = format!("gate/{}/{}", run.id.0, name.word());
        let Some(gate) = record.plan.gate(name) else {
            return Ok(());
        };
        if self.journal.reply(&key).await?.is_some() {
            return Ok(());
        }
        let merged = &record.merge_commit;
        let commit = self.commit(&telling.desk.site, merged, merged).await?;
        // A runbook that changed after the plan was approved is not this plan's.
        let runbook = commit
            .runbooks
            .iter()
            .find(|runbook| Some(&runbook.pin) == gate.runbook.as_ref());
        let link = runbook.map(|runbook| {
            let tree = self.tree_url(&run.new.repository, merged);
            format!("{tree}/{}", runbook.pin.path)
        });
        let body = reply::gate(gate, runbook, link.as_deref());
        self.owe_comment(run, key, body).await
    }

    /// What the last look found missing, once for each claim.
    async fn owe_not_yet(&self, telling: &Telling<'_>, name: GateName) -> anyhow::Result<()> {
        let last = telling.facts.iter().rev().find_map(|noted| {
            if let Fact::NotYet { gate, missing } = &noted.fact {
                return (*gate == name).then_some(missing);
            }
            None
        });
        let Some(missing) = last else {
            return Ok(());
        };
        let claims = telling
            .facts
            .iter()
            .filter(|noted| matches!(&noted.fact, Fact::Claimed { gate, .. } if *gate == name))
            .count();
        let key = format!("gate/{}/{}/not-yet/{claims}", telling.run.id.0, name.word());
        // A claim that was not looked into yet has no answer.
        let answered = !matches!(
            telling.facts.last().map(|noted| &noted.fact),
            Some(Fact::Claimed { .. })
        );
        if !answered {
            return Ok(());
        }
        let body = reply::not_yet(name.word(), missing);
        self.owe_comment(telling.run, key, body).await
    }

    async fn owe_comment(&self, run: &Run, key: String, body: String) -> anyhow::Result<()> {
        let reply = Reply {
            key,
            repository: run.new.repository.clone(),
            kind: ReplyKind::Comment,
            target: run.new.pull,
            body,
        };
        Ok(self.journal.owe(&reply, (self.clock)()).await?)
    }

    /// The commit on the history branch, once: a run that ended is told in git however it ended.
    async fn owe_history(&self, telling: &Telling<'_>) -> anyhow::Result<()> {
        let run = telling.run;
        let key = format!("history/{}", run.id.0);
        if self.journal.reply(&key).await?.is_some() {
            return Ok(());
        }
        let seen = telling.desk.client.eyes().observe(&Scope::default()).await;
        let finished = telling
            .facts
            .iter()
            .any(|noted| noted.fact == Fact::Finished);
        // What was aborted may have been aborted because MAAS does not answer.
        let observed = match seen {
            Ok(observed) => Some(observed),
            Err(blind) if finished => return Err(blind).context("observing MAAS for the history"),
            Err(_) => None,
        };
        let content = telling.history(observed.as_ref())?;
        let (content, message) = (content.content(), content.message());
        let body =
            serde_json::json!({"message": message, "files": content.files, "whole": content.whole});
        let reply = Reply {
            key,
            repository: run.new.repository.clone(),
            kind: ReplyKind::History,
            target: None,
            body: body.to_string(),
        };
        Ok(self.journal.owe(&reply, (self.clock)()).await?)
    }
}

impl Telling<'_> {
    fn outcome(&self) -> String {
        let progress = Progress::of(&self.facts);
        if self.facts.iter().any(|noted| noted.fact == Fact::Finished) {
            return "applied".to_owned();
        }
        let steps = self.record.plan.steps.len();
        format!("aborted after step {} of {steps}", progress.done.len())
    }

    fn history(&self, observed: Option<&Observed>) -> anyhow::Result<history::RunArchive> {
        let (run, record) = (self.run, &self.record);
        let setting = plan::telling::Setting {
            site: run.new.site.clone(),
            commit: Some(record.merge_commit.clone()),
            tree_url: None,
            read_at: observed.map_or(run.began, |observed| observed.at),
            stands: plan::telling::Stands::Applied,
        };
        let number = run.new.pull.and_then(|number| u64::try_from(number).ok());
        Ok(history::RunArchive {
            site: run.new.site.clone(),
            began: run.began,
            pull: number.map(PullNumber),
            digest: ShortDigest::parse(&run.new.digest).context("the run's digest is none")?,
            by: record.by.clone(),
            merge: Some(Sha::parse(&record.merge_commit)?),
            outcome: self.outcome(),
            plan_json: serde_json::to_string_pretty(&record.plan)?,
            plan_markdown: plan::telling::markdown(
                &record.plan,
                &setting,
                &plan::telling::Rehearsed::default(),
            ),
            run_json: serde_json::to_string_pretty(&self.facts)?,
            observed: observed.map(|observed| topology::write::files(observed, &run.new.site)),
        })
    }
}
