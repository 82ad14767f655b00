//! The queue of messages to GitHub.
//!
//! A message is stored under a key before it is sent. A key stands for one comment, check, reaction or commit, so enqueuing
//! the same message again has no effect. It must not know when or how messages are sent.

use github::webhook::event::CommentEvent;
use journal::{
    CheckPayload, CheckState, HistoryPayload, Journal, OutboxMessage, OutboxPayload, PullRow,
    ReactionContent,
};
use topology::port::Clock;

use crate::trace::TraceId;

/// Stores messages for the outbox to send.
#[derive(Clone)]
pub(crate) struct OutboxQueue {
    journal: Journal,
    clock: Clock,
}

/// A pull request's conversation.
#[derive(Clone, Copy)]
pub(crate) struct Conversation<'a> {
    /// `owner/name`.
    pub(crate) repository: &'a str,
    pub(crate) number: u64,
}

impl OutboxQueue {
    pub(crate) fn new(journal: Journal, clock: Clock) -> Self {
        Self { journal, clock }
    }

    /// Whether there is a message with this key, sent or not.
    pub(crate) async fn has(&self, key: &str) -> anyhow::Result<bool> {
        Ok(self.journal.message(key).await?.is_some())
    }

    /// Enqueues a comment; if one was sent under this key, that one is edited.
    pub(crate) async fn comment(
        &self,
        conversation: Conversation<'_>,
        key: String,
        trace: &TraceId,
        text: &str,
    ) -> anyhow::Result<()> {
        let message = comment_message(conversation, key, trace, text)?;
        Ok(self.journal.enqueue(&message, (self.clock)()).await?)
    }

    /// Enqueues the comment with a pull request's plan for one site.
    pub(crate) async fn plan_comment(
        &self,
        conversation: Conversation<'_>,
        site: &str,
        text: &str,
    ) -> anyhow::Result<()> {
        let message = plan_message(conversation, site, text)?;
        Ok(self.journal.enqueue(&message, (self.clock)()).await?)
    }

    /// Stores a pull request's record together with the comment that shows its plan. If one were stored without the other,
    /// an order could never name the digest that people read.
    pub(crate) async fn shown_plan(&self, row: &PullRow, text: &str) -> anyhow::Result<()> {
        let conversation = Conversation {
            repository: &row.repository,
            number: u64::try_from(row.number)?,
        };
        let message = plan_message(conversation, &row.site, text)?;
        let now = (self.clock)();
        Ok(self.journal.put_shown_pull(row, &message, now).await?)
    }

    /// Enqueues the answer to a comment, and a reaction to it.
    pub(crate) async fn answer(
        &self,
        repository: &str,
        comment: &CommentEvent,
        text: &str,
        reaction: Option<ReactionContent>,
    ) -> anyhow::Result<()> {
        let conversation = Conversation {
            repository,
            number: comment.number.0,
        };
        // The answer comes first: its key marks the command as decided.
        let key = answer_key(repository, comment.id);
        self.comment(conversation, key, &TraceId::of_comment(comment.id), text)
            .await?;
        if let Some(reaction) = reaction {
            self.react(repository, comment.id, reaction).await?;
        }
        Ok(())
    }

    /// Enqueues a reaction to a comment.
    pub(crate) async fn react(
        &self,
        repository: &str,
        comment: u64,
        reaction: ReactionContent,
    ) -> anyhow::Result<()> {
        let key = reaction_key(repository, comment, reaction);
        let payload = OutboxPayload::Reaction(reaction);
        self.enqueue(key, repository, Some(comment), payload).await
    }

    /// Enqueues the check `planebot/plan` on a head commit.
    pub(crate) async fn plan_check(
        &self,
        repository: &str,
        check: CheckPayload,
    ) -> anyhow::Result<()> {
        let key = format!("check/{repository}/{}/plan", check.head_sha);
        self.enqueue(key, repository, None, OutboxPayload::Check(check))
            .await
    }

    /// Enqueues the check `planebot/apply` on a merge commit.
    pub(crate) async fn apply_check(
        &self,
        repository: &str,
        commit: &str,
        state: CheckState,
        title: &str,
    ) -> anyhow::Result<()> {
        let check = CheckPayload {
            name: "planebot/apply".to_owned(),
            head_sha: commit.to_owned(),
            state,
            title: title.to_owned(),
            summary: "See the pull request's conversation.".to_owned(),
            annotations: Vec::new(),
        };
        let key = format!("check/{repository}/{commit}/apply");
        self.enqueue(key, repository, None, OutboxPayload::Check(check))
            .await
    }

    /// Enqueues a commit on the history branch.
    pub(crate) async fn history(
        &self,
        repository: &str,
        key: String,
        commit: HistoryPayload,
    ) -> anyhow::Result<()> {
        self.enqueue(key, repository, None, OutboxPayload::History(commit))
            .await
    }

    async fn enqueue(
        &self,
        key: String,
        repository: &str,
        target: Option<u64>,
        payload: OutboxPayload,
    ) -> anyhow::Result<()> {
        let message = OutboxMessage {
            key,
            repository: repository.to_owned(),
            target: target.map(i64::try_from).transpose()?,
            payload,
        };
        Ok(self.journal.enqueue(&message, (self.clock)()).await?)
    }
}

fn comment_message(
    conversation: Conversation<'_>,
    key: String,
    trace: &TraceId,
    text: &str,
) -> anyhow::Result<OutboxMessage> {
    Ok(OutboxMessage {
        key,
        repository: conversation.repository.to_owned(),
        target: Some(i64::try_from(conversation.number)?),
        payload: OutboxPayload::Comment {
            text: trace.sign(text),
        },
    })
}

fn plan_message(
    conversation: Conversation<'_>,
    site: &str,
    text: &str,
) -> anyhow::Result<OutboxMessage> {
    let key = plan_key(conversation, site);
    let trace = TraceId::of_pull(conversation.number);
    comment_message(conversation, key, &trace, text)
}

pub(crate) fn plan_key(conversation: Conversation<'_>, site: &str) -> String {
    let Conversation { repository, number } = conversation;
    format!("plan/{repository}/{number}/{site}")
}

pub(crate) fn reaction_key(repository: &str, comment: u64, reaction: ReactionContent) -> String {
    format!("react/{repository}/{comment}/{}", reaction.word())
}

pub(crate) fn answer_key(repository: &str, comment: u64) -> String {
    format!("answer/{repository}/{comment}")
}
