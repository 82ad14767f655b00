//! Decides which work an event leads to. It must not do the work.

use sha2::{Digest as _, Sha256};

use github::webhook::event::{CommentEvent, EventDetails, RepositoryEvent};
use journal::{HandledComment, ReactionContent};

use super::{Inbox, Received};
use crate::command::{self, Command};
use crate::github_port::RepositoryPort;
use crate::pulls::names_of;
use crate::reply;
use crate::roster::Commenter;
use crate::site::SiteRuntime;
use crate::trace::TraceId;

/// The work that an event leads to, with the repository as it was read for it.
pub(crate) enum Work<'a> {
    /// Plan a pull request for the sites that it touches.
    PlanPull {
        repository: RepositoryPort,
        touched: Vec<&'a SiteRuntime>,
        number: u64,
    },
    /// Handle a pull request that was merged or closed.
    ClosePull {
        repository: RepositoryPort,
        sites: Vec<&'a SiteRuntime>,
        number: u64,
    },
    /// Plan the pull requests with this head commit again.
    PlanCommit {
        repository: RepositoryPort,
        sites: Vec<&'a SiteRuntime>,
        head: String,
    },
    /// Follow a command.
    Follow(CommandRequest<'a>),
}

/// A command about one site.
pub(crate) struct CommandRequest<'a> {
    pub(crate) repository: RepositoryPort,
    pub(crate) runtime: &'a SiteRuntime,
    pub(crate) comment: &'a CommentEvent,
    pub(crate) commenter: Commenter,
    pub(crate) command: Command,
}

/// Whether a person edited or deleted a program's comment. It may be our plan, so the plan is made and shown again.
fn is_tampering(event: &RepositoryEvent, comment: &CommentEvent) -> bool {
    let is = |account: Option<&github::webhook::event::Account>, kind: &str| {
        account.is_some_and(|account| account.kind == kind)
    };
    comment.on_pull && is(comment.author.as_ref(), "Bot") && is(event.sender.as_ref(), "User")
}

/// Whether work can follow from an event. Most deliveries are conversation and cost no request to GitHub.
fn may_need_work(event: &RepositoryEvent) -> bool {
    match &event.details {
        EventDetails::PullOpened(_)
        | EventDetails::PullSynchronized(_)
        | EventDetails::PullReopened(_)
        | EventDetails::PullRetargeted(_)
        | EventDetails::PullClosed(_)
        | EventDetails::CheckRerequested { .. } => true,
        EventDetails::Commented(comment) => is_a_persons_command(comment),
        EventDetails::CommentEdited(comment) | EventDetails::CommentDeleted(comment) => {
            is_tampering(event, comment)
        }
        EventDetails::Pushed(_) => false,
    }
}

/// Whether a person wrote a command. A comment by a program, including our own, or an edited comment is never one.
fn is_a_persons_command(comment: &CommentEvent) -> bool {
    let author = comment.author.as_ref();
    comment.on_pull
        && !comment.edited
        && !comment.via_app
        && author.is_some_and(|author| author.kind == "User")
        && command::parse(&comment.body).is_some()
}

impl Inbox {
    /// The work that a delivery leads to, if any.
    pub(crate) async fn route<'a>(
        &'a self,
        received: &'a Received,
    ) -> anyhow::Result<Option<Work<'a>>> {
        let event = &*received.event;
        let place = &event.repository;
        let sites = self.sites.of_repository(&place.full_name);
        let Some(first) = sites.first().filter(|_| may_need_work(event)) else {
            return Ok(None);
        };
        let repository = self.github.read(&first.site.repository).await?;
        // The name may belong to another repository now, or may have when this was sent.
        if repository.id() != place.repository_id {
            tracing::warn!(
                repository = place.full_name,
                delivered = place.repository_id,
                now = repository.id(),
                "ignored: the repository with this name now has a different id"
            );
            return Ok(None);
        }
        match &event.details {
            EventDetails::PullOpened(pull)
            | EventDetails::PullSynchronized(pull)
            | EventDetails::PullReopened(pull)
            | EventDetails::PullRetargeted(pull) => self
                .plan_pull(repository, &sites, pull.number.0)
                .await
                .map(Some),
            // Our plan comment may have been changed.
            EventDetails::CommentEdited(comment) | EventDetails::CommentDeleted(comment) => self
                .plan_pull(repository, &sites, comment.number.0)
                .await
                .map(Some),
            EventDetails::PullClosed(pull) => Ok(Some(Work::ClosePull {
                repository,
                sites,
                number: pull.number.0,
            })),
            EventDetails::Commented(comment) => {
                self.command(repository, &sites, received, comment).await
            }
            EventDetails::CheckRerequested { head, .. } => Ok(Some(Work::PlanCommit {
                repository,
                sites,
                head: head.as_str().to_owned(),
            })),
            EventDetails::Pushed(_) => Ok(None),
        }
    }

    async fn plan_pull<'a>(
        &'a self,
        repository: RepositoryPort,
        sites: &[&'a SiteRuntime],
        number: u64,
    ) -> anyhow::Result<Work<'a>> {
        let touched = touched(&repository, sites, number).await?;
        Ok(Work::PlanPull {
            repository,
            touched,
            number,
        })
    }

    /// Claims a command, so that it is followed once, and acknowledges it at once.
    async fn command<'a>(
        &'a self,
        repository: RepositoryPort,
        sites: &[&'a SiteRuntime],
        received: &'a Received,
        comment: &'a CommentEvent,
    ) -> anyhow::Result<Option<Work<'a>>> {
        let Some(parsed) = command::parse(&comment.body) else {
            return Ok(None);
        };
        // It may have been edited or deleted since the webhook was sent.
        if !repository.has_unedited(comment).await? {
            return Ok(None);
        }
        let name = &sites[0].site.repository;
        let claim = HandledComment {
            repository: name.clone(),
            comment: i64::try_from(comment.id)?,
            body_hash: hex::encode(Sha256::digest(comment.body.as_bytes())),
            delivery: received.delivery().to_owned(),
        };
        // Another delivery of the same comment was acted on.
        if !self.journal.claim_comment(&claim, (self.clock)()).await? {
            return Ok(None);
        }
        self.queue
            .react(name, comment.id, ReactionContent::Eyes)
            .await?;
        let command = match parsed {
            Ok(command) => command,
            Err(why) => return self.refuse(name, comment, &reply::misspelt(&why)).await,
        };
        let touched = touched(&repository, sites, comment.number.0).await?;
        let [runtime] = touched[..] else {
            let text = if touched.is_empty() {
                reply::refused("This pull request touches no site that planebot manages.")
            } else {
                let pull = repository.pull(comment.number.0).await?;
                reply::several_sites(&names_of(&touched), pull.merged)
            };
            return self.refuse(name, comment, &text).await;
        };
        Ok(Some(Work::Follow(CommandRequest {
            repository,
            runtime,
            comment,
            commenter: Commenter::of(&received.event, comment),
            command,
        })))
    }

    async fn refuse<'a>(
        &'a self,
        repository: &str,
        comment: &CommentEvent,
        text: &str,
    ) -> anyhow::Result<Option<Work<'a>>> {
        tracing::info!(
            number = comment.number.0,
            "the comment is not a command that can be followed"
        );
        let confused = Some(ReactionContent::Confused);
        self.queue
            .answer(repository, comment, text, confused)
            .await?;
        Ok(None)
    }
}

/// The sites that own at least one of a pull request's changed files.
async fn touched<'a>(
    repository: &RepositoryPort,
    sites: &[&'a SiteRuntime],
    number: u64,
) -> anyhow::Result<Vec<&'a SiteRuntime>> {
    // A change with more files than GitHub lists may touch every site.
    let Some(files) = repository.changed_files(number).await? else {
        return Ok(sites.to_vec());
    };
    let touches = |runtime: &&&SiteRuntime| files.iter().any(|file| runtime.site.owns(file));
    Ok(sites.iter().filter(touches).copied().collect())
}

/// The log id of the work that a delivery leads to.
pub(crate) fn trace_of(event: &RepositoryEvent) -> Option<TraceId> {
    match &event.details {
        EventDetails::PullOpened(pull)
        | EventDetails::PullSynchronized(pull)
        | EventDetails::PullReopened(pull)
        | EventDetails::PullRetargeted(pull)
        | EventDetails::PullClosed(pull) => Some(TraceId::of_pull(pull.number.0)),
        EventDetails::CommentEdited(comment) | EventDetails::CommentDeleted(comment) => {
            Some(TraceId::of_pull(comment.number.0))
        }
        EventDetails::Commented(comment) => Some(TraceId::of_comment(comment.id)),
        EventDetails::Pushed(_) | EventDetails::CheckRerequested { .. } => None,
    }
}
