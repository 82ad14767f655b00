//! From what happened on GitHub to the work that follows. It must not do the work.

use github::webhook::event::{CommentEvent, EventDetails, RepositoryEvent};
use journal::{HandledComment, ReactionContent};
use sha2::{Digest as _, Sha256};

use super::{Inbox, Received};
use crate::command::{self, Command};
use crate::github_port::RepositoryPort;
use crate::pulls::names_of;
use crate::reply;
use crate::roster::Commenter;
use crate::site::SiteRuntime;
use crate::trace::TraceId;

/// What is to be done, in a repository that was read for it.
pub(crate) enum Work<'a> {
    /// A pull request is to be planned for the sites that it touches.
    PlanPull {
        repository: RepositoryPort,
        touched: Vec<&'a SiteRuntime>,
        number: u64,
    },
    /// A pull request was merged or closed.
    ClosePull {
        repository: RepositoryPort,
        sites: Vec<&'a SiteRuntime>,
        number: u64,
    },
    /// What was planned at a commit is to be planned again.
    PlanCommit {
        repository: RepositoryPort,
        sites: Vec<&'a SiteRuntime>,
        head: String,
    },
    /// A command is to be followed.
    Follow(Asked<'a>),
}

/// A command about one site.
pub(crate) struct Asked<'a> {
    pub(crate) repository: RepositoryPort,
    pub(crate) runtime: &'a SiteRuntime,
    pub(crate) comment: &'a CommentEvent,
    pub(crate) commenter: Commenter,
    pub(crate) command: Command,
}

/// Whether a person changed or removed what a program wrote, perhaps our plan: then it is planned and shown again.
fn is_tampering(event: &RepositoryEvent, comment: &CommentEvent) -> bool {
    let is = |account: Option<&github::webhook::event::Account>, kind: &str| {
        account.is_some_and(|account| account.kind == kind)
    };
    comment.on_pull && is(comment.author.as_ref(), "Bot") && is(event.sender.as_ref(), "User")
}

/// Whether any work can follow from it. Most deliveries are conversation, and GitHub is not asked about them.
fn may_matter(event: &RepositoryEvent) -> bool {
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

/// Our own comments, and other programs', are never commands; nor is a comment that was edited.
fn is_a_persons_command(comment: &CommentEvent) -> bool {
    let author = comment.author.as_ref();
    comment.on_pull
        && !comment.edited
        && !comment.via_app
        && author.is_some_and(|author| author.kind == "User")
        && command::parse(&comment.body).is_some()
}

impl Inbox {
    /// What follows from a delivery; none where nothing does.
    pub(crate) async fn route<'a>(
        &'a self,
        received: &'a Received,
    ) -> anyhow::Result<Option<Work<'a>>> {
        let event = &*received.event;
        let place = &event.repository;
        let sites = self.sites.of_repository(&place.full_name);
        let Some(first) = sites.first().filter(|_| may_matter(event)) else {
            return Ok(None);
        };
        let repository = self.github.read(&first.site.repository).await?;
        // The name may be another repository's by now, or may have been when this was sent.
        if repository.id() != place.repository_id {
            tracing::warn!(
                repository = place.full_name,
                delivered = place.repository_id,
                now = repository.id(),
                "ignored: a repository of that name has another id now"
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
            // Somebody changed what we wrote.
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

    /// A comment that may be a command: claimed once, acknowledged at once.
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
        // It may have been edited or removed since the webhook was sent.
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
        // The same comment was acted on under another delivery.
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
                reply::refused("This pull request touches no site that planebot looks after.")
            } else {
                reply::several_sites(&names_of(&touched))
            };
            return self.refuse(name, comment, &text).await;
        };
        Ok(Some(Work::Follow(Asked {
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
            "the comment is no command that can be followed"
        );
        let confused = Some(ReactionContent::Confused);
        self.queue
            .answer(repository, comment, text, confused)
            .await?;
        Ok(None)
    }
}

/// The sites that a pull request touches, by its changed files.
async fn touched<'a>(
    repository: &RepositoryPort,
    sites: &[&'a SiteRuntime],
    number: u64,
) -> anyhow::Result<Vec<&'a SiteRuntime>> {
    // More files than GitHub lists may touch every site.
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
