//! The answer where a delivery could not be acted on: nothing that a person asked for ends in silence.
//!
//! It must not know why it failed, nor try again.

use github::webhook::event::{EventDetails, RepositoryEvent};

use super::Inbox;
use crate::command;
use crate::outbox::Conversation;
use crate::reply;
use crate::trace::TraceId;

impl Inbox {
    /// Answers whoever waits for this: the person who gave a command, or the pull request that was to be planned.
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
