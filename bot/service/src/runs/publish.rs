//! Publishes runs: every comment, check and commit about a run follows from the run's facts alone.
//!
//! New facts are published before the next move. If the process dies in between, nothing is lost: the next process publishes
//! the newest run of each site again, and enqueuing the same message twice has no effect, because every message has a key. It
//! must not make moves.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use tracing::Instrument as _;

use github::webhook::event::{PullNumber, Sha};
use journal::{CheckConclusion, CheckState, HistoryPayload, Run};
use plan::gate::GateName;
use plan::run::{Fact, Progress, RecordedFact, ending};
use topology::observed::{Observed, Scope};

use super::Runs;
use super::record::RunRecord;
use crate::command::ShortDigest;
use crate::history;
use crate::outbox::Conversation;
use crate::pulls::declared::declared_at;
use crate::pulls::merge::Merge;
use crate::pulls::record::{PullRecord, PullStatus};
use crate::reply;
use crate::site::SiteRuntime;
use crate::trace::TraceId;

/// How many facts of each run this process has published.
#[derive(Debug, Default)]
pub struct PublishedFacts(Mutex<BTreeMap<i64, usize>>);

impl Clone for PublishedFacts {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.counts().clone()))
    }
}

impl PublishedFacts {
    fn is_published(&self, run: &Run, facts: usize) -> bool {
        self.counts().get(&run.id.0) == Some(&facts)
    }

    fn record(&self, run: &Run, facts: usize) {
        self.counts().insert(run.id.0, facts);
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, BTreeMap<i64, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run as it is published.
struct PublishedRun<'a> {
    run: &'a Run,
    record: RunRecord,
    facts: Vec<RecordedFact>,
    runtime: &'a SiteRuntime,
}

impl Runs {
    /// Publishes the newest run of one site that has unpublished facts; false if there is none. A run that cannot be published
    /// does not block the others.
    pub(crate) async fn publish_one(&self) -> anyhow::Result<bool> {
        let mut failed = None;
        for runtime in self.sites.iter() {
            match self.publish_newest(runtime).await {
                Ok(false) => {}
                Ok(true) => return Ok(true),
                Err(error) => {
                    let site = &runtime.site.name;
                    failed.get_or_insert(error.context(format!("publishing the run of `{site}`")));
                }
            }
        }
        failed.map_or(Ok(false), Err)
    }

    /// Publishes the newest run of a site; false if all its facts are published.
    pub(super) async fn publish_newest(&self, runtime: &SiteRuntime) -> anyhow::Result<bool> {
        let newest = self.journal.runs(&runtime.site.name, 1).await?;
        let Some(run) = newest
            .into_iter()
            .next()
            .filter(|run| run.new.pull.is_some())
        else {
            return Ok(false);
        };
        let facts = self.journal.facts(run.id).await?;
        let count = facts.len();
        if self.published.is_published(&run, count) {
            return Ok(false);
        }
        // If retention has removed the record, there is nothing left to publish.
        if let Ok(record) = RunRecord::of(&run) {
            let published = PublishedRun {
                run: &run,
                record,
                facts,
                runtime,
            };
            let span =
                tracing::info_span!("run", id = %TraceId::of_run(run.id), site = run.new.site);
            self.publish(&published).instrument(span).await?;
        }
        self.published.record(&run, count);
        Ok(true)
    }

    async fn publish(&self, published: &PublishedRun<'_>) -> anyhow::Result<()> {
        self.enqueue_progress(published).await?;
        self.enqueue_status(published).await?;
        let progress = Progress::of(&published.facts);
        let waiting = reply::waiting_gate(&published.record.plan, &published.facts, &progress);
        if let Some(gate) = waiting.filter(|_| !progress.ended) {
            self.enqueue_gate(published, gate.name).await?;
            self.enqueue_not_yet(published, gate.name).await?;
        }
        if progress.ended {
            self.enqueue_history(published).await?;
        }
        Ok(())
    }

    /// Enqueues the apply comment. It is one comment that is edited, at most once in five seconds.
    async fn enqueue_progress(&self, published: &PublishedRun<'_>) -> anyhow::Result<()> {
        let run = published.run;
        let setting = published.record.setting(&run.new.site);
        let body = reply::progress(&published.record.plan, &published.facts, &setting);
        self.enqueue_comment(run, format!("apply/{}", run.id.0), body)
            .await
    }

    /// Enqueues the check on the merge commit and updates the status of the pull request.
    async fn enqueue_status(&self, published: &PublishedRun<'_>) -> anyhow::Result<()> {
        let progress = Progress::of(&published.facts);
        let finished = published
            .facts
            .iter()
            .any(|recorded| recorded.fact == Fact::Finished);
        let ended = CheckState::Completed;
        let (state, title, status) = if finished {
            (
                ended(conclusion_of(&progress)),
                ending(&published.facts),
                PullStatus::Applied,
            )
        } else if progress.ended {
            (
                ended(CheckConclusion::Cancelled),
                "aborted".to_owned(),
                PullStatus::Merged,
            )
        } else if progress.stopped.is_some() {
            (
                ended(CheckConclusion::ActionRequired),
                "stopped".to_owned(),
                PullStatus::Running,
            )
        } else {
            (
                CheckState::InProgress,
                "applying".to_owned(),
                PullStatus::Running,
            )
        };
        let new = &published.run.new;
        self.queue
            .apply_check(
                &new.repository,
                &published.record.merge_commit,
                state,
                &title,
            )
            .await?;
        let Some(number) = new.pull else {
            return Ok(());
        };
        self.pulls
            .set_status(&new.repository, u64::try_from(number)?, status)
            .await?;
        match self.journal.pull(&new.repository, number).await? {
            Some(row) if finished => {
                self.pulls
                    .supersede_earlier(&published.runtime.site, &row)
                    .await?;
                let merge = Merge {
                    site: &published.runtime.site,
                    number: u64::try_from(number)?,
                    commit: published.record.merge_commit.clone(),
                    at: row.merged,
                };
                self.pulls.show_merged(&merge, &PullRecord::of(&row)?).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Enqueues the gate's comment, with the runbook and this plan's values, once.
    async fn enqueue_gate(
        &self,
        published: &PublishedRun<'_>,
        name: GateName,
    ) -> anyhow::Result<()> {
        let (run, record) = (published.run, &published.record);
        let key = format!("gate/{}/{}", run.id.0, name.word());
        let Some(gate) = record.plan.gate(name) else {
            return Ok(());
        };
        if self.queue.has(&key).await? {
            return Ok(());
        }
        let merged = &record.merge_commit;
        let site = &published.runtime.site;
        let repository = self.github.read_last(&site.repository).await?;
        let commit = declared_at(&repository, site, merged, merged).await?;
        // A runbook that changed after the review does not belong to this plan.
        let runbook = commit
            .runbooks
            .iter()
            .find(|runbook| Some(&runbook.pin) == gate.runbook.as_ref());
        let link = runbook.map(|runbook| {
            let tree = self.github.tree_url(&run.new.repository, merged);
            format!("{tree}/{}", runbook.pin.path)
        });
        let body = reply::gate(gate, runbook, link.as_deref());
        self.enqueue_comment(run, key, body).await
    }

    /// Enqueues what the last examination found missing, once for each claim.
    async fn enqueue_not_yet(
        &self,
        published: &PublishedRun<'_>,
        name: GateName,
    ) -> anyhow::Result<()> {
        let last = published.facts.iter().rev().find_map(|recorded| {
            if let Fact::NotYet { gate, missing } = &recorded.fact {
                return (*gate == name).then_some(missing);
            }
            None
        });
        let Some(missing) = last else {
            return Ok(());
        };
        let claims = published
            .facts
            .iter()
            .filter(
                |recorded| matches!(&recorded.fact, Fact::Claimed { gate, .. } if *gate == name),
            )
            .count();
        let key = format!(
            "gate/{}/{}/not-yet/{claims}",
            published.run.id.0,
            name.word()
        );
        // A claim that was not examined yet has no answer.
        let examined = !matches!(
            published.facts.last().map(|recorded| &recorded.fact),
            Some(Fact::Claimed { .. })
        );
        if !examined {
            return Ok(());
        }
        let body = reply::not_yet(name.word(), missing);
        self.enqueue_comment(published.run, key, body).await
    }

    async fn enqueue_comment(&self, run: &Run, key: String, body: String) -> anyhow::Result<()> {
        let Some(number) = run.new.pull else {
            return Ok(());
        };
        let conversation = Conversation {
            repository: &run.new.repository,
            number: u64::try_from(number)?,
        };
        self.queue
            .comment(conversation, key, &TraceId::of_run(run.id), &body)
            .await
    }

    /// Enqueues the commit on the history branch, once, however the run ended.
    async fn enqueue_history(&self, published: &PublishedRun<'_>) -> anyhow::Result<()> {
        let run = published.run;
        let key = format!("history/{}", run.id.0);
        if self.queue.has(&key).await? {
            return Ok(());
        }
        let observation = published
            .runtime
            .client
            .reader()
            .observe(&Scope::default())
            .await;
        let finished = published
            .facts
            .iter()
            .any(|recorded| recorded.fact == Fact::Finished);
        // A run may have been aborted because MAAS does not respond.
        let observed = match observation {
            Ok(observed) => Some(observed),
            Err(error) if finished => return Err(error).context("observing MAAS for the history"),
            Err(_) => None,
        };
        let archive = published.archive(observed.as_ref())?;
        let content = archive.content();
        let commit = HistoryPayload {
            message: archive.message(),
            files: content.files,
            whole: content.whole,
        };
        self.queue.history(&run.new.repository, key, commit).await
    }
}

/// A run that leaves something declared undone is not a plain success.
fn conclusion_of(progress: &Progress) -> CheckConclusion {
    if progress.waits.is_empty() {
        CheckConclusion::Success
    } else {
        CheckConclusion::Neutral
    }
}

impl PublishedRun<'_> {
    fn outcome(&self) -> String {
        let progress = Progress::of(&self.facts);
        if self
            .facts
            .iter()
            .any(|recorded| recorded.fact == Fact::Finished)
        {
            return "applied".to_owned();
        }
        let steps = self.record.plan.steps.len();
        format!("aborted after step {} of {steps}", progress.done.len())
    }

    fn archive(&self, observed: Option<&Observed>) -> anyhow::Result<history::RunArchive> {
        let (run, record) = (self.run, &self.record);
        let setting = plan::render::PlanHeader {
            site: run.new.site.clone(),
            commit: Some(record.merge_commit.clone()),
            tree_url: None,
            read_at: observed.map_or(run.began, |observed| observed.at),
            dropped: Vec::new(),
            status: plan::render::ApplyStatus::Applied,
        };
        let number = run.new.pull.and_then(|number| u64::try_from(number).ok());
        Ok(history::RunArchive {
            site: run.new.site.clone(),
            began: run.began,
            pull: number.map(PullNumber),
            digest: ShortDigest::parse(&run.new.digest).context("the run has no valid digest")?,
            by: record.by.clone(),
            merge: Some(Sha::parse(&record.merge_commit)?),
            outcome: self.outcome(),
            plan_json: serde_json::to_string_pretty(&record.plan)?,
            plan_markdown: plan::render::markdown(
                &record.plan,
                &setting,
                &plan::render::Rehearsed::default(),
            ),
            run_json: serde_json::to_string_pretty(&self.facts)?,
            observed: observed.map(|observed| topology::write::files(observed, &run.new.site)),
        })
    }
}
