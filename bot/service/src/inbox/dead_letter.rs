//! The comment about a dead letter, so that nobody waits for an answer that never comes.
//!
//! It must not know why the delivery failed, nor retry it.

use github::webhook::event::{EventDetails, RepositoryEvent};

use super::Inbox;
use crate::command;
use crate::outbox::Conversation;
use crate::reply;
use crate::trace::TraceId;

impl Inbox {
    /// Comments on the pull request whose command or plan the delivery was about.
    pub(super) async fn answer_dead_letter(
        &self,
        event: &RepositoryEvent,
        delivery: &str,
        error: &anyhow::Error,
    ) -> anyhow::Result<()> {
        let number = match &event.details {
            EventDetails::Commented(comment)
                if comment.on_pull && command::parse(&comment.body).is_some() =>
            {
                comment.number
            }
            EventDetails::PullOpened(pull)
            | EventDetails::PullSynchronized(pull)
            | EventDetails::PullReopened(pull)
            | EventDetails::PullRetargeted(pull)
            | EventDetails::PullClosed(pull) => pull.number,
            EventDetails::Commented(_)
            | EventDetails::CommentEdited(_)
            | EventDetails::CommentDeleted(_)
            | EventDetails::Pushed(_)
            | EventDetails::CheckRerequested { .. } => return Ok(()),
        };
        let sites = self.sites.of_repository(&event.repository.full_name);
        let Some(runtime) = sites.first() else {
            return Ok(());
        };
        let conversation = Conversation {
            repository: &runtime.site.repository,
            number: number.0,
        };
        let trace = super::trace_of(event).unwrap_or(TraceId::of_pull(number.0));
        let text = reply::given_up(&reply::because(error));
        let key = format!("parked/{delivery}");
        self.queue.comment(conversation, key, &trace, &text).await
    }
}
