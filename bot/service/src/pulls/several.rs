//! Refuses pull requests that touch several sites: one order would start several runs, and one of them could stop while the
//! others are half done. It must not know what a site declares.

use journal::{CheckConclusion, CheckPayload, CheckState};

use super::Pulls;
use crate::github_port::RepositoryPort;
use crate::outbox::{Conversation, queue::plan_key};
use crate::reply;
use crate::site::SiteRuntime;

/// Stands in a comment's key in place of a site's name; no site can have this name.
const SEVERAL: &str = "*";

impl Pulls {
    /// Asks for the pull request to be split if it touches several sites.
    pub(super) async fn refuse_several(
        &self,
        repository: &RepositoryPort,
        touched: &[&SiteRuntime],
        number: u64,
    ) -> anyhow::Result<()> {
        let Some(first) = touched.first() else {
            return Ok(());
        };
        let name = &first.site.repository;
        let pull = repository.pull(number).await?;
        if !pull.open {
            return Ok(());
        }
        tracing::info!(
            number,
            sites = touched.len(),
            "refused to plan: the pull request touches several sites"
        );
        let check = CheckPayload {
            name: "planebot/plan".to_owned(),
            head_sha: pull.head,
            state: CheckState::Completed(CheckConclusion::Failure),
            title: "touches several sites".to_owned(),
            summary: "See the pull request's conversation.".to_owned(),
            annotations: Vec::new(),
        };
        self.queue.plan_check(name, check).await?;
        let conversation = Conversation {
            repository: name,
            number,
        };
        let text = reply::several_sites(&names_of(touched), false);
        self.queue.plan_comment(conversation, SEVERAL, &text).await
    }

    /// Withdraws that request once the pull request touches one site only.
    pub(super) async fn no_longer_several(
        &self,
        runtime: &SiteRuntime,
        number: u64,
    ) -> anyhow::Result<()> {
        let conversation = Conversation {
            repository: &runtime.site.repository,
            number,
        };
        if !self.queue.has(&plan_key(conversation, SEVERAL)).await? {
            return Ok(());
        }
        let text = reply::one_site(&runtime.site.name);
        self.queue.plan_comment(conversation, SEVERAL, &text).await
    }
}

pub(crate) fn names_of(sites: &[&SiteRuntime]) -> Vec<String> {
    sites
        .iter()
        .map(|runtime| runtime.site.name.clone())
        .collect()
}
