//! Commands: who may give them, which gates an order has to pass, and what each command does.
//!
//! It must not know how a run moves or how a comment is sent to GitHub.

mod admission;

use std::sync::Arc;

use github::webhook::event::CommentEvent;
use journal::{Journal, ReactionContent};
use topology::port::Clock;

use crate::command::{Command, ShortDigest};
use crate::config::Site;
use crate::github_port::RepositoryPort;
use crate::inbox::lanes::lane_of_pull;
use crate::outbox::{OutboxQueue, answer_key, reaction_key};
use crate::pulls::Pulls;
use crate::reply;
use crate::roster::{Commenter, Order, Roster};
use crate::runs::{Followed, Runs, another_plan_refusal};
use crate::site::SiteRuntime;
use admission::{Admission, Closed, Halt};

/// Follows commands, or answers why not.
pub struct Orders {
    journal: Journal,
    pulls: Arc<Pulls>,
    runs: Arc<Runs>,
    queue: OutboxQueue,
    clock: Clock,
}

/// The comment that gives a command, its author and its site.
pub(crate) struct CommandContext<'a> {
    pub(crate) runtime: &'a SiteRuntime,
    /// The repository as it was read for this command.
    pub(crate) repository: &'a RepositoryPort,
    pub(crate) comment: &'a CommentEvent,
    pub(crate) commenter: Commenter,
    /// An earlier attempt at the delivery failed or was interrupted: part of the work may be done.
    pub(crate) repeated: bool,
}

impl CommandContext<'_> {
    pub(crate) fn site(&self) -> &Site {
        &self.runtime.site
    }

    pub(crate) fn repository_name(&self) -> &str {
        &self.runtime.site.repository
    }

    pub(crate) fn number(&self) -> u64 {
        self.comment.number.0
    }

    pub(crate) fn login(&self) -> &str {
        let author = self.commenter.author.as_ref();
        author.map_or("", |author| author.login.as_str())
    }
}

impl Orders {
    pub(crate) fn new(
        journal: Journal,
        (pulls, runs): (Arc<Pulls>, Arc<Runs>),
        queue: OutboxQueue,
        clock: Clock,
    ) -> Self {
        Self {
            journal,
            pulls,
            runs,
            queue,
            clock,
        }
    }

    /// Follows a command, or answers why not.
    pub(crate) async fn follow(
        &self,
        context: &CommandContext<'_>,
        command: Command,
    ) -> anyhow::Result<()> {
        tracing::info!(
            command = command.word(),
            by = context.login(),
            number = context.number(),
            site = context.site().name,
            "received a command"
        );
        match command {
            Command::Help => {
                let may = self.admit(context, &Command::Abort).await.is_ok();
                self.answer(context, &reply::help(may)).await
            }
            Command::Plan => self.plan(context).await,
            Command::Status => self.status(context).await,
            Command::Why(object) => {
                let record = self
                    .pulls
                    .record(context.repository_name(), context.number());
                let record = record.await?;
                let plan = record.as_ref().and_then(|record| record.plan.as_ref());
                self.answer(context, &reply::why(plan, &object)).await
            }
            command @ (Command::Apply(_) | Command::Done { .. } | Command::Abort) => {
                self.order(context, command).await
            }
        }
    }

    async fn plan(&self, context: &CommandContext<'_>) -> anyhow::Result<()> {
        let pull = context.repository.pull(context.number()).await?;
        if pull.open {
            return self
                .pulls
                .plan_head(context.repository, context.runtime, &pull)
                .await;
        }
        let planned = self
            .pulls
            .plan_merged(context.repository, context.site(), &pull);
        match planned.await? {
            Ok(()) => Ok(()),
            Err(reason) => self.refuse(context, &reason).await,
        }
    }

    async fn status(&self, context: &CommandContext<'_>) -> anyhow::Result<()> {
        let (site, number) = (context.site(), context.number());
        let record = self.pulls.record(&site.repository, number).await?;
        let facts = self.runs.newest_facts_of(site, number).await?;
        let status = record
            .as_ref()
            .map_or("not planned", |record| record.stage.word());
        let plan = record.as_ref().and_then(|record| record.plan.as_ref());
        let mut text = reply::status(status, plan, facts.as_deref());
        let lane = lane_of_pull(context.repository.id(), context.comment.number);
        let dead = self.journal.dead_letters_in(&lane).await?;
        if dead > 0 {
            text.push_str(&reply::dead_letters(dead));
        }
        self.answer(context, &text).await
    }

    /// Turns a command into an order if its author is entitled. Teams are looked up only if they decide, and a membership that
    /// cannot be looked up does not count.
    async fn admit(
        &self,
        context: &CommandContext<'_>,
        command: &Command,
    ) -> Result<Order, String> {
        let roster = Roster::of(context.site());
        let teams = roster.teams_to_look_up(command, &context.commenter);
        let memberships = context
            .repository
            .memberships(&teams, context.login())
            .await;
        roster
            .admit(command.clone(), &context.commenter, &memberships)
            .map_err(|refused| refused.to_string())
    }

    /// Handles `/apply`, `/done` and `/abort`.
    async fn order(&self, context: &CommandContext<'_>, command: Command) -> anyhow::Result<()> {
        let order = self.admit(context, &command).await;
        // An order that was decided before is not answered again from what the run has done since.
        if context.repeated && self.was_decided(context).await? {
            return Ok(());
        }
        let at = (context.site(), context.number());
        match (command, order) {
            (Command::Apply(digest), order) => self.apply(context, digest, order).await,
            (Command::Done { gate, evidence }, Ok(order)) => {
                let claim = (gate, evidence);
                let followed = self.runs.claim(order, at, claim, context.repeated).await?;
                // The answer to a claim follows when the gate is examined.
                match followed {
                    Followed::Done | Followed::Before => Ok(()),
                    Followed::Refused(reason) => self.refuse(context, &reason).await,
                }
            }
            (Command::Abort, Ok(order)) => {
                let followed = self.runs.abort(order, at, context.repeated).await?;
                self.conclude(context, followed).await
            }
            (Command::Done { .. } | Command::Abort, Err(why)) => {
                let reason = format!("Only an operator of this site may do that: {why}.");
                self.refuse(context, &reason).await
            }
            (Command::Plan | Command::Status | Command::Why(_) | Command::Help, _) => Ok(()),
        }
    }

    /// Whether this order was followed or refused before. For a refusal it completes the reaction, which follows the answer.
    async fn was_decided(&self, context: &CommandContext<'_>) -> anyhow::Result<bool> {
        let (repository, comment) = (&context.site().repository, context.comment.id);
        let followed = reaction_key(repository, comment, ReactionContent::Rocket);
        if self.queue.has(&followed).await? {
            return Ok(true);
        }
        if !self.queue.has(&answer_key(repository, comment)).await? {
            return Ok(false);
        }
        let confused = ReactionContent::Confused;
        self.queue.react(repository, comment, confused).await?;
        Ok(true)
    }

    async fn apply(
        &self,
        context: &CommandContext<'_>,
        digest: Option<ShortDigest>,
        order: Result<Order, String>,
    ) -> anyhow::Result<()> {
        let (site, number) = (context.site(), context.number());
        let mut admission = Admission::new(self, context);
        let order = match admission.check_operator(order) {
            Ok(order) => order,
            Err(closed) => return self.refuse_order(context, &closed).await,
        };
        if let Some(run) = self.runs.open_run_of(site, number).await? {
            if digest.is_some_and(|digest| digest.as_str() != run.new.digest) {
                return self.refuse(context, &another_plan_refusal(&run)).await;
            }
            let followed = self
                .runs
                .resume(order, site, &run, context.repeated)
                .await?;
            return self.conclude(context, followed).await;
        }
        match admission.check_all(digest).await {
            Ok(admitted) => {
                let followed = self.runs.begin(order, site, number, admitted).await?;
                self.conclude(context, followed).await
            }
            Err(Halt::Closed(closed)) => self.refuse_order(context, &closed).await,
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    async fn conclude(
        &self,
        context: &CommandContext<'_>,
        followed: Followed,
    ) -> anyhow::Result<()> {
        match followed {
            Followed::Done => {
                let repository = context.repository_name();
                let rocket = ReactionContent::Rocket;
                self.queue
                    .react(repository, context.comment.id, rocket)
                    .await
            }
            Followed::Before => Ok(()),
            Followed::Refused(reason) => self.refuse(context, &reason).await,
        }
    }

    async fn refuse_order(
        &self,
        context: &CommandContext<'_>,
        closed: &Closed,
    ) -> anyhow::Result<()> {
        log_refusal(context, &closed.reason);
        let text = reply::not_applied(&closed.reason, &closed.gates, closed.next);
        self.answer_confused(context, &text).await
    }

    async fn refuse(&self, context: &CommandContext<'_>, reason: &str) -> anyhow::Result<()> {
        log_refusal(context, reason);
        self.answer_confused(context, &reply::refused(reason)).await
    }

    async fn answer_confused(
        &self,
        context: &CommandContext<'_>,
        text: &str,
    ) -> anyhow::Result<()> {
        let confused = Some(ReactionContent::Confused);
        let repository = context.repository_name();
        self.queue
            .answer(repository, context.comment, text, confused)
            .await
    }

    async fn answer(&self, context: &CommandContext<'_>, text: &str) -> anyhow::Result<()> {
        let repository = context.repository_name();
        self.queue
            .answer(repository, context.comment, text, None)
            .await
    }
}

fn log_refusal(context: &CommandContext<'_>, reason: &str) {
    tracing::info!(
        by = context.login(),
        number = context.number(),
        reason,
        "refused the command"
    );
}
