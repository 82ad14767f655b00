//! Pull requests: planned at their head, planned again at their merge, and recorded in the store.
//!
//! It must not know who may give which order, nor how a plan is applied.

mod beside;
pub(crate) mod declared;
pub(crate) mod merge;
mod merged;
mod plan;
pub(crate) mod pull;
pub mod record;
mod several;
mod unreadable;

use std::sync::Arc;

use journal::{Journal, PullRow};
use topology::port::Clock;

use crate::github_port::{GitHubPort, RepositoryPort};
use crate::outbox::OutboxQueue;
use crate::site::SiteRuntime;
use crate::sites::Sites;
use merge::Merge;
use record::{PullRecord, PullStatus};

pub(crate) use plan::record_unrequested_plan;
pub(crate) use several::names_of;

/// Plans pull requests and shows their plans.
pub struct Pulls {
    journal: Journal,
    github: GitHubPort,
    sites: Arc<Sites>,
    queue: OutboxQueue,
    clock: Clock,
}

impl Pulls {
    pub(crate) fn new(
        journal: Journal,
        github: GitHubPort,
        sites: Arc<Sites>,
        queue: OutboxQueue,
        clock: Clock,
    ) -> Self {
        Self {
            journal,
            github,
            sites,
            queue,
            clock,
        }
    }

    /// Plans a pull request that was opened, pushed to, reopened or retargeted, or whose plan comment may have been changed.
    pub(crate) async fn changed(
        &self,
        repository: &RepositoryPort,
        touched: &[&SiteRuntime],
        number: u64,
    ) -> anyhow::Result<()> {
        let [runtime] = touched else {
            return self.refuse_several(repository, touched, number).await;
        };
        self.no_longer_several(runtime, number).await?;
        // The delivery may be old, so the pull request is planned as it is now.
        let pull = repository.pull(number).await?;
        if pull.open {
            self.plan_head(repository, runtime, &pull).await?;
        }
        Ok(())
    }

    /// Handles a pull request that was merged or closed.
    pub(crate) async fn closed(
        &self,
        repository: &RepositoryPort,
        sites: &[&SiteRuntime],
        number: u64,
    ) -> anyhow::Result<()> {
        for runtime in sites {
            let site = &runtime.site;
            let Some(row) = self
                .journal
                .pull(&site.repository, i64::try_from(number)?)
                .await?
                .filter(|row| row.site == site.name)
            else {
                continue;
            };
            let mut record = PullRecord::of(&row)?;
            if record.stage != PullStatus::Planned {
                continue;
            }
            let pull = repository.pull(number).await?;
            // It was reopened before this was processed.
            if pull.open {
                continue;
            }
            if let Some(commit) = pull.merge_commit.clone().filter(|_| pull.merged) {
                let merge = Merge {
                    site,
                    number,
                    commit,
                    at: pull.merged_at,
                };
                self.merged(repository, &merge, record, &pull).await?;
            } else {
                tracing::info!(number, "the pull request was closed without a merge");
                record.stage = PullStatus::Closed;
                self.remember(&record.row(&site.repository, number, &site.name))
                    .await?;
            }
        }
        Ok(())
    }

    /// The open pull requests whose plan was made at this head commit, with their sites.
    pub(crate) async fn planned_at<'s>(
        &self,
        sites: &[&'s SiteRuntime],
        head: &str,
    ) -> anyhow::Result<Vec<(&'s SiteRuntime, u64)>> {
        let mut found = Vec::new();
        for runtime in sites {
            let site = &runtime.site;
            let planned = self
                .journal
                .pulls_at(&site.name, PullStatus::Planned.word());
            for row in planned.await? {
                if row.repository == site.repository && PullRecord::of(&row)?.commit == head {
                    found.push((*runtime, u64::try_from(row.number)?));
                }
            }
        }
        Ok(found)
    }

    /// The record of a pull request.
    pub(crate) async fn record(
        &self,
        repository: &str,
        number: u64,
    ) -> anyhow::Result<Option<PullRecord>> {
        let row = self
            .journal
            .pull(repository, i64::try_from(number)?)
            .await?;
        row.map(|row| PullRecord::of(&row)).transpose()
    }

    /// Stores the record of a pull request. For a merge this comes last: once the record is stored, every message about the merge
    /// is enqueued, so after a crash before that all of them are enqueued again, and after a later crash none is missing.
    pub(crate) async fn remember(&self, row: &PullRow) -> anyhow::Result<()> {
        Ok(self.journal.put_pull(row, (self.clock)()).await?)
    }

    /// Changes the status in the record of a pull request, if there is one.
    pub(crate) async fn set_status(
        &self,
        repository: &str,
        number: u64,
        status: PullStatus,
    ) -> anyhow::Result<()> {
        let row = self
            .journal
            .pull(repository, i64::try_from(number)?)
            .await?;
        if let Some(row) = row {
            let mut record = PullRecord::of(&row)?;
            if record.stage != status {
                record.stage = status;
                self.remember(&record.row(repository, number, &row.site))
                    .await?;
            }
        }
        Ok(())
    }
}
