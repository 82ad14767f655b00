//! What happened on GitHub, and what follows from it.

use journal::{Reply, ReplyKind};
use sha2::{Digest as _, Sha256};

use crate::command;
use crate::command::Command;
use crate::config::Site;
use crate::inbox::command_context::{CommandContext, answer_key, reaction_key};
use crate::inbox::lanes::pull_lane;
use crate::pulls::merge::Merge;
use crate::pulls::record::{PullRecord, PullStatus};
use crate::pulls::several;
use crate::reply;
use crate::roster::{Commenter, Order, Roster};
use crate::worker::Office;
use github::webhook::event::{CommentEvent, Occurrence, What};

/// The delivery that tells of something.
pub(crate) struct DeliveryAttempt<'a> {
    pub(crate) delivery: &'a str,
    /// Whether it was begun before.
    pub(crate) again: bool,
}

/// Whether a person changed or removed what a program wrote, perhaps our plan: then it is said again as it is.
fn is_tampering(occurrence: &Occurrence, comment: &CommentEvent) -> bool {
    let is = |account: Option<&github::webhook::event::Account>, kind: &str| {
        account.is_some_and(|account| account.kind == kind)
    };
    comment.on_pull && is(comment.author.as_ref(), "Bot") && is(occurrence.sender.as_ref(), "User")
}

/// Whether anything can follow from it. Most of what a repository tells is talk, and GitHub is not asked about it.
fn may_matter(occurrence: &Occurrence) -> bool {
    match &occurrence.what {
        What::PullOpened(_)
        | What::PullSynchronized(_)
        | What::PullReopened(_)
        | What::PullRetargeted(_)
        | What::PullClosed(_)
        | What::CheckRerequested { .. } => true,
        What::Commented(comment) => is_a_persons_command(comment),
        What::CommentEdited(comment) | What::CommentDeleted(comment) => {
            is_tampering(occurrence, comment)
        }
        What::Pushed(_) => false,
    }
}

/// Our own words, and other programs', are never commands; nor is what was changed after it was written.
fn is_a_persons_command(comment: &CommentEvent) -> bool {
    let author = comment.author.as_ref();
    comment.on_pull
        && !comment.edited
        && !comment.via_app
        && author.is_some_and(|author| author.kind == "User")
        && command::parse(&comment.body).is_some()
}

impl Office {
    /// Acts on one thing that happened.
    pub(crate) async fn hear(
        &self,
        occurrence: &Occurrence,
        telling: &DeliveryAttempt<'_>,
    ) -> anyhow::Result<()> {
        let sites: Vec<Site> = self
            .config
            .sites_of(&occurrence.place.full_name)
            .cloned()
            .collect();
        if sites.is_empty() || !may_matter(occurrence) {
            return Ok(());
        }
        // A repository of that name may be another one by now, or have been one when it was told.
        let place = &occurrence.place;
        if !self
            .github
            .is_repository(&sites[0].repository, place.repository_id)
            .await?
        {
            tracing::warn!(
                repository = place.full_name,
                "another repository of that name spoke"
            );
            return Ok(());
        }
        match &occurrence.what {
            What::PullOpened(pull)
            | What::PullSynchronized(pull)
            | What::PullReopened(pull)
            | What::PullRetargeted(pull) => self.pull_changed(&sites, pull.number.0).await,
            What::PullClosed(pull) => self.pull_closed(&sites, pull.number.0).await,
            What::Commented(comment) => self.commented(&sites, occurrence, comment, telling).await,
            // Somebody tampered with it.
            What::CommentEdited(comment) | What::CommentDeleted(comment) => {
                self.pull_changed(&sites, comment.number.0).await
            }
            What::CheckRerequested { head, .. } => self.check_again(&sites, head.as_str()).await,
            What::Pushed(_) => Ok(()),
        }
    }

    /// The sites of a repository that a pull request touches, by its changed files.
    async fn touched<'a>(&self, sites: &'a [Site], number: u64) -> anyhow::Result<Vec<&'a Site>> {
        let Some(first) = sites.first() else {
            return Ok(Vec::new());
        };
        // More files than GitHub lists may touch every site.
        let Some(files) = self.github.changed_files(&first.repository, number).await? else {
            return Ok(sites.iter().collect());
        };
        Ok(sites
            .iter()
            .filter(|site| files.iter().any(|file| site.owns(file)))
            .collect())
    }

    async fn pull_changed(&self, sites: &[Site], number: u64) -> anyhow::Result<()> {
        let touched = self.touched(sites, number).await?;
        let [site] = touched[..] else {
            return self.refuse_several(&touched, number).await;
        };
        self.no_longer_several(site, number).await?;
        // The delivery may be old: what GitHub says now is planned.
        let pull = self.github.pull(&site.repository, number).await?;
        match self.desks.get(&site.name) {
            Some(desk) if pull.open => self.plan_pull(site, desk, &pull).await,
            Some(_) | None => Ok(()),
        }
    }

    /// Somebody asks for a check again: what was planned at that commit is planned again.
    async fn check_again(&self, sites: &[Site], head: &str) -> anyhow::Result<()> {
        for site in sites {
            let planned = self
                .journal
                .pulls_at(&site.name, PullStatus::Planned.word());
            for row in planned.await? {
                if row.repository == site.repository && PullRecord::of(&row)?.commit == head {
                    self.pull_changed(sites, u64::try_from(row.number)?).await?;
                }
            }
        }
        Ok(())
    }

    async fn pull_closed(&self, sites: &[Site], number: u64) -> anyhow::Result<()> {
        for site in sites {
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
            let pull = self.github.pull(&site.repository, number).await?;
            // It was opened again before this was heard.
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
                self.merged(&merge, record, &pull).await?;
            } else {
                record.stage = PullStatus::Closed;
                self.remember(&record.row(&site.repository, number, &site.name))
                    .await?;
            }
        }
        Ok(())
    }

    async fn commented(
        &self,
        sites: &[Site],
        occurrence: &Occurrence,
        comment: &CommentEvent,
        telling: &DeliveryAttempt<'_>,
    ) -> anyhow::Result<()> {
        let Some(parsed) = command::parse(&comment.body) else {
            return Ok(());
        };
        let repository = sites[0].repository.clone();
        // It may have been changed or removed since it was told.
        if !self.github.still_says(&repository, comment).await? {
            return Ok(());
        }
        let heard = journal::Heard {
            repository: repository.clone(),
            comment: i64::try_from(comment.id)?,
            body_hash: hex::encode(Sha256::digest(comment.body.as_bytes())),
            delivery: telling.delivery.to_owned(),
        };
        // The same comment under another delivery was acted on before.
        if !self.journal.hear(&heard, (self.clock)()).await? {
            return Ok(());
        }
        self.react(&repository, comment.id, "eyes").await?;
        let command = match parsed {
            Ok(command) => command,
            Err(why) => {
                return self
                    .answer(
                        &repository,
                        comment,
                        reply::misspelt(&why),
                        Some("confused"),
                    )
                    .await;
            }
        };
        let touched = self.touched(sites, comment.number.0).await?;
        let [site] = touched[..] else {
            let body = if touched.is_empty() {
                reply::turned_away("This pull request touches no site that planebot looks after.")
            } else {
                reply::several_sites(&several::named(&touched))
            };
            return self
                .answer(&repository, comment, body, Some("confused"))
                .await;
        };
        let login = comment.author.as_ref().map(|author| author.login.clone());
        let heard = CommandContext {
            site,
            number: comment.number.0,
            comment,
            login: login.unwrap_or_default(),
            repository_id: occurrence.place.repository_id,
            again: telling.again,
        };
        let order = self
            .admit(site, &command, &Commenter::of(occurrence, comment))
            .await;
        self.obey(&heard, command, order).await
    }

    async fn obey(
        &self,
        heard: &CommandContext<'_>,
        command: Command,
        order: Result<Order, String>,
    ) -> anyhow::Result<()> {
        let (repository, comment) = (&heard.site.repository, heard.comment);
        match (command, order) {
            (Command::Help, order) => {
                self.answer(repository, comment, reply::help(order.is_ok()), None)
                    .await
            }
            (Command::Plan, _) => {
                let pull = self.github.pull(repository, heard.number).await?;
                match self.desks.get(&heard.site.name) {
                    Some(desk) if pull.open => self.plan_pull(heard.site, desk, &pull).await,
                    Some(_) | None => self.replan_merged(heard, &pull).await,
                }
            }
            (Command::Status, _) => self.tell_status(heard).await,
            (Command::Why(object), _) => {
                let record = self.record(heard).await?;
                let body = reply::why(
                    record.as_ref().and_then(|record| record.plan.as_ref()),
                    &object,
                );
                self.answer(repository, comment, body, None).await
            }
            (command @ (Command::Apply(_) | Command::Done { .. } | Command::Abort), order) => {
                self.order(heard, command, order).await
            }
        }
    }

    /// Asks the roster; teams are looked up only where they decide, and what cannot be looked up is a no.
    async fn admit(
        &self,
        site: &Site,
        command: &Command,
        asker: &Commenter,
    ) -> Result<Order, String> {
        let roster = Roster::of(site);
        let teams = roster.teams_to_ask(command, asker);
        let login = asker
            .author
            .as_ref()
            .map(|author| author.login.as_str())
            .unwrap_or_default();
        let memberships = self
            .github
            .memberships(&site.repository, &teams, login)
            .await
            .map_err(|error| error.to_string())?;
        roster
            .admit(command.clone(), asker, &memberships)
            .map_err(|away| away.to_string())
    }

    pub(crate) async fn record(
        &self,
        heard: &CommandContext<'_>,
    ) -> anyhow::Result<Option<PullRecord>> {
        let row = self
            .journal
            .pull(&heard.site.repository, i64::try_from(heard.number)?)
            .await?;
        row.map(|row| PullRecord::of(&row)).transpose()
    }

    async fn tell_status(&self, heard: &CommandContext<'_>) -> anyhow::Result<()> {
        let record = self.record(heard).await?;
        let run = self.run_of(heard.site, heard.number).await?;
        let facts = match &run {
            Some(run) => Some(self.journal.facts(run.id).await?),
            None => None,
        };
        let stage = record
            .as_ref()
            .map_or("not planned", |record| record.stage.word());
        let lane = pull_lane(heard.repository_id, heard.comment.number);
        let parked = self.journal.parked_in(&lane).await?;
        let mut body = reply::status(
            stage,
            record.as_ref().and_then(|record| record.plan.as_ref()),
            facts.as_deref(),
        );
        if parked > 0 {
            body.push_str(&reply::parked(parked));
        }
        self.answer(&heard.site.repository, heard.comment, body, None)
            .await
    }

    /// Answers a comment, once, and marks it.
    pub(crate) async fn answer(
        &self,
        repository: &str,
        comment: &CommentEvent,
        body: String,
        reaction: Option<&str>,
    ) -> anyhow::Result<()> {
        // The words first: what was decided is known by them.
        let reply = Reply {
            key: answer_key(repository, comment.id),
            repository: repository.to_owned(),
            kind: ReplyKind::Comment,
            target: Some(i64::try_from(comment.number.0)?),
            body,
        };
        self.journal.owe(&reply, (self.clock)()).await?;
        if let Some(reaction) = reaction {
            self.react(repository, comment.id, reaction).await?;
        }
        Ok(())
    }

    pub(crate) async fn react(
        &self,
        repository: &str,
        comment: u64,
        content: &str,
    ) -> anyhow::Result<()> {
        let reply = Reply {
            key: reaction_key(repository, comment, content),
            repository: repository.to_owned(),
            kind: ReplyKind::Reaction,
            target: Some(i64::try_from(comment)?),
            body: content.to_owned(),
        };
        Ok(self.journal.owe(&reply, (self.clock)()).await?)
    }
}
