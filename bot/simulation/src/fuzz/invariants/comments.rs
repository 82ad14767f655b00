//! What must hold on GitHub: each comment, check and history commit is there once with the right text, and every command
//! is answered.

use std::collections::{BTreeMap, BTreeSet};

use journal::OutboxPayload;
use plan::run::{Fact, RecordedFact};
use service::command;
use service::reply::fitted;

use crate::fuzz::actors::PostedComment;
use crate::fuzz::conversation::{bot_comments, heading, key_of};
use crate::fuzz::invariants::Checker;
use crate::harness::REPOSITORY;

impl Checker<'_> {
    /// Each comment is there once, with the text that was enqueued last.
    pub(super) async fn comments(&mut self) -> anyhow::Result<()> {
        for number in self.actors.pulls.iter().map(|pull| pull.number) {
            let mut keys = BTreeSet::new();
            for comment in bot_comments(self.driver, number) {
                let title = heading(&comment.body);
                let Some(key) = key_of(&comment.body) else {
                    self.broken
                        .push(format!("#{number}: a comment has no key: {title}"));
                    continue;
                };
                if !keys.insert(key.to_owned()) {
                    self.broken
                        .push(format!("#{number}: posted twice: {title}"));
                }
                let message = self.driver.journal.message(key).await?;
                let contains = |text: &str| comment.body.contains(fitted(text).trim_end());
                let is_as_enqueued = message.is_some_and(|message| {
                    matches!(message.payload, Ok(OutboxPayload::Comment { text }) if contains(&text))
                });
                if !is_as_enqueued {
                    self.broken
                        .push(format!("#{number}: not the enqueued text: {title}"));
                }
            }
        }
        Ok(())
    }

    /// Every command has a reaction, and an answer or what it asked for. A delivery that was parked has a comment of its
    /// own, which counts as the answer of one command.
    pub(super) async fn answers(&mut self) -> anyhow::Result<()> {
        let mut parked: BTreeMap<u64, usize> = BTreeMap::new();
        for pull in &self.actors.pulls {
            let comments = bot_comments(self.driver, pull.number);
            let of_parked = comments.iter().filter(|comment| {
                key_of(&comment.body).is_some_and(|key| key.starts_with("parked/"))
            });
            parked.insert(pull.number, of_parked.count());
        }
        for comment in &self.actors.comments {
            let reactions = self.reactions(comment);
            let has = |content: &str| reactions.iter().any(|kind| kind == content);
            if has("rocket") && has("confused") {
                self.broken
                    .push(format!("`{}` was accepted and refused", comment.text));
            }
            if command::parse(&comment.text).is_none() || self.is_answered(comment).await? {
                continue;
            }
            let left = parked.entry(comment.pull).or_default();
            if *left > 0 {
                *left -= 1;
            } else {
                self.broken.push(format!(
                    "#{} {}: `{}` has no answer",
                    comment.pull, comment.author, comment.text
                ));
            }
        }
        Ok(())
    }

    /// planebot's reactions to a comment.
    fn reactions(&self, comment: &PostedComment) -> Vec<String> {
        let mut github = self.driver.harness.github.github();
        let all = github.at(REPOSITORY).reactions(comment.id);
        let own = all.into_iter().filter(|(by, _)| by.ends_with("[bot]"));
        own.map(|(_, kind)| kind).collect()
    }

    async fn is_answered(&self, comment: &PostedComment) -> anyhow::Result<bool> {
        let reactions = self.reactions(comment);
        let has = |content: &str| reactions.iter().any(|kind| kind == content);
        let key = format!("answer/{REPOSITORY}/{}", comment.id);
        let has_answer = self.driver.journal.message(&key).await?.is_some();
        let has_effect = if comment.text.starts_with("/plan") {
            self.has_comment(comment.pull, "plan/")
        } else if comment.text.starts_with("/done") {
            self.runs
                .iter()
                .any(|run| is_claim_checked(&run.facts, comment.at))
        } else {
            has("rocket")
        };
        Ok(has("eyes") && (has_answer || has_effect))
    }

    /// Whether planebot has a comment on a pull request whose key starts so.
    fn has_comment(&self, pull: u64, key_start: &str) -> bool {
        bot_comments(self.driver, pull)
            .iter()
            .any(|comment| key_of(&comment.body).is_some_and(|key| key.starts_with(key_start)))
    }

    /// The history has one commit for each run that ended.
    pub(super) fn history(&mut self) {
        let log = {
            let mut github = self.driver.harness.github.github();
            github.at(REPOSITORY).log("planebot-history")
        };
        let messages: Vec<&str> = log.iter().map(|commit| commit.message.as_str()).collect();
        let of_runs = messages.iter().filter(|message| is_of_a_run(message));
        let ended = self.runs.iter().filter(|run| run.run.ended.is_some());
        if ended.count() != of_runs.count() {
            self.broken.push(format!(
                "the history does not have one commit for each run that ended: {messages:?}"
            ));
        }
    }

    /// The comment of a run that ended says how.
    pub(super) fn apply_comments(&mut self) {
        for run in &self.runs {
            let wanted = match run.facts.last().map(|noted| &noted.fact) {
                Some(Fact::Finished) => "✅",
                Some(Fact::Aborted { .. }) => "⏹",
                Some(_) | None => continue,
            };
            let mark = format!("<!-- planebot:apply/{} -->", run.run.id.0);
            let comments = bot_comments(self.driver, run.pull().unwrap_or_default());
            let comment = comments.iter().find(|comment| comment.body.contains(&mark));
            let title = comment.map(|comment| heading(&comment.body));
            let title = title.unwrap_or_default();
            if !title.starts_with(wanted) {
                self.broken.push(format!(
                    "run {} ended, and its comment says `{title}`",
                    run.run.id.0
                ));
            }
        }
    }

    /// No commit has two checks of one name.
    pub(super) fn checks(&mut self) {
        let mut github = self.driver.harness.github.github();
        let repository = github.at(REPOSITORY);
        let log = repository.log("main").into_iter();
        let merges: Vec<_> = log.map(|commit| commit.oid).collect();
        let pulls = self.actors.pulls.iter();
        let heads = pulls.filter_map(|pull| repository.head(&pull.branch));
        for oid in merges.into_iter().chain(heads) {
            let mut names = BTreeSet::new();
            for check in repository.check_runs(oid) {
                if !names.insert(check.name.clone()) {
                    self.broken
                        .push(format!("the check {} is on {oid} twice", check.name));
                }
            }
        }
    }

    /// An older merged pull request that had a plan says that the newest one's run applied it.
    pub(super) fn superseded(&mut self) {
        let newest = self.actors.newest_merged().map(|pull| pull.number);
        let merged = self
            .actors
            .pulls
            .iter()
            .filter(|pull| pull.merged.is_some());
        for number in merged.map(|pull| pull.number) {
            let says_applied = bot_comments(self.driver, number)
                .iter()
                .any(|comment| heading(&comment.body).starts_with('✅'));
            if Some(number) != newest && self.has_comment(number, "plan/") && !says_applied {
                self.broken
                    .push(format!("#{number} is applied, and no comment says so"));
            }
        }
    }
}

/// Whether the claim that a `/done` at this time made was checked.
fn is_claim_checked(facts: &[RecordedFact], at: i64) -> bool {
    let claim = facts
        .iter()
        .position(|noted| noted.at.0 >= at && matches!(noted.fact, Fact::Claimed { .. }));
    claim.is_some_and(|index| {
        facts.iter().skip(index).any(|noted| {
            matches!(
                noted.fact,
                Fact::NotYet { .. } | Fact::Opened(_) | Fact::Aborted { .. }
            )
        })
    })
}

/// Whether a commit of the history records a run.
fn is_of_a_run(message: &str) -> bool {
    message.contains("applied") || message.contains("aborted")
}
