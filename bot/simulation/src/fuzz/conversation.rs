//! The conversation with planebot: reading its comments, and the operator's answer to the newest state. The operator knows
//! what the comments say and nothing else about planebot.

use lab::github::IssueCommentView;

use crate::fuzz::actors::{Actors, PostedComment};
use crate::fuzz::cloud::Cloud;
use crate::fuzz::driver::Driver;
use crate::harness::REPOSITORY;

/// After as many stops of a run, or refusals at a gate, the operator aborts.
const STOPS_MAX: usize = 4;

/// After as many answers the operator gives up.
const ANSWERS_MAX: usize = 40;

/// Where the conversation stands, as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConversationState {
    /// The operator wrote or did something; planebot has to react.
    Open,
    /// The newest merge is applied.
    Applied,
    /// There is no plan to apply, and planebot says why.
    NoPlan(String),
    /// No pull request could be merged.
    NothingMerged,
    /// It should have gone on and did not.
    Stuck(String),
}

impl Actors {
    /// Adds to the transcript what planebot wrote or edited since the last call.
    pub(super) fn read_comments(&mut self, driver: &Driver) {
        for pull in &self.pulls {
            for comment in bot_comments(driver, pull.number) {
                let now = heading(&comment.body);
                let before = self.headings.insert(comment.id, now.clone());
                if before.as_ref() != Some(&now) {
                    let edited = if before.is_some() { " (edited)" } else { "" };
                    driver
                        .transcript
                        .add("planebot", &format!("#{} {now}{edited}", pull.number));
                }
            }
        }
    }

    /// The operator answers the newest state of the conversation, once.
    pub(super) fn answer(&mut self, driver: &Driver) -> anyhow::Result<ConversationState> {
        self.answers += 1;
        let Some(number) = self.newest_merged().map(|pull| pull.number) else {
            return self.merge_any(driver);
        };
        if let Some((older, title)) = self.unfinished_older_run(driver, number) {
            return self.go_on(driver, older, &title);
        }
        if self.answers > ANSWERS_MAX {
            return Ok(ConversationState::Stuck(format!(
                "#{number}: not finished after {ANSWERS_MAX} answers"
            )));
        }
        let comments = bot_comments(driver, number);
        let title = heading(&newest_of(&comments, "apply").unwrap_or_default());
        if title.starts_with('✅') {
            return Ok(ConversationState::Applied);
        }
        if title.starts_with('🔵') {
            return Ok(ConversationState::Stuck(format!(
                "#{number}: idle in `{title}`"
            )));
        }
        if title.starts_with(['🛑', '⏸']) {
            return self.go_on(driver, number, &title);
        }
        self.order(driver, number, &comments)
    }

    /// An older pull request whose run stopped or waits at a gate, and the heading that says so. It blocks the newest, so
    /// the operator goes on with it or aborts it there.
    fn unfinished_older_run(&self, driver: &Driver, newest: u64) -> Option<(u64, String)> {
        let numbers = self.pulls.iter().map(|pull| pull.number);
        numbers
            .filter(|number| *number != newest)
            .find_map(|older| {
                let title = heading(&newest_of(&bot_comments(driver, older), "apply")?);
                title.starts_with(['🛑', '⏸']).then_some((older, title))
            })
    }

    /// Orders the newest plan, or asks for one.
    fn order(
        &mut self,
        driver: &Driver,
        number: u64,
        comments: &[IssueCommentView],
    ) -> anyhow::Result<ConversationState> {
        let is_calm = !driver.faults.is_enabled();
        let Some(plan) = newest_of(comments, "plan") else {
            // Two merges together may leave an invalid declaration. planebot says so where it was asked for a plan, and
            // posts no plan.
            if is_calm && std::mem::replace(&mut self.asked_for_plan, true) {
                return Ok(ConversationState::NoPlan(
                    "no plan of the merged declaration".to_owned(),
                ));
            }
            self.comment(driver, "bob", number, "/plan")?;
            return Ok(ConversationState::Open);
        };
        // The answer to a refused order says what to do instead.
        let answer = newest_of(comments, "answer").unwrap_or_default();
        let is_order = |comment: &PostedComment| comment.text.starts_with("/apply");
        if self.comments.last().is_some_and(is_order) && answer.contains("Not applied") {
            if answer.contains("does not check") && is_calm {
                return Ok(ConversationState::NoPlan(
                    "the merged declaration does not check".to_owned(),
                ));
            }
            if answer.contains("say `/plan`") {
                self.comment(driver, "bob", number, "/plan")?;
                return Ok(ConversationState::Open);
            }
        }
        let Some(digest) = digest(&plan) else {
            return Ok(ConversationState::NoPlan(heading(&plan)));
        };
        self.comment(driver, "bob", number, &format!("/apply {digest}"))?;
        Ok(ConversationState::Open)
    }

    fn merge_any(&mut self, driver: &Driver) -> anyhow::Result<ConversationState> {
        let Some(index) = self.pulls.iter().position(|pull| !pull.closed) else {
            return Ok(ConversationState::NothingMerged);
        };
        self.merge(driver, index)?;
        Ok(ConversationState::Open)
    }

    /// Resumes a run that stopped, or completes the gate it waits at; aborts after too many tries.
    fn go_on(
        &mut self,
        driver: &Driver,
        number: u64,
        title: &str,
    ) -> anyhow::Result<ConversationState> {
        self.stops += 1;
        if self.stops > STOPS_MAX {
            self.stops = 0;
            self.comment(driver, "bob", number, "/abort")?;
        } else if title.starts_with('🛑') {
            self.comment(driver, "bob", number, "/apply")?;
        } else {
            let gate = title.split('`').nth(1).unwrap_or_default();
            self.complete_gate(driver, number, gate);
            let done = format!("/done {gate} no-juju-model");
            self.comment(driver, "bob", number, &done)?;
        }
        Ok(ConversationState::Open)
    }

    /// Does what the gates ask for: releases the machines and removes every address from the networks that are removed or
    /// that the gate's comment names.
    fn complete_gate(&self, driver: &Driver, number: u64, gate: &str) {
        let Some(newest) = self.newest_merged() else {
            return;
        };
        driver
            .transcript
            .add("bob", &format!("does what gate `{gate}` asks"));
        let removed = |cloud: &Cloud| cloud.networks_missing_in(&newest.declares);
        let mut networks = removed(&self.declared);
        networks.extend(self.pulls.iter().flat_map(|pull| removed(&pull.declares)));
        networks.extend(removed(&self.initial));
        networks.extend(networks_named(driver, number, gate));
        driver.harness.rows(|maas| {
            for host in maas.machines() {
                maas.release(&host);
                for cidr in &networks {
                    maas.unlink_all(&host, cidr);
                }
            }
            if gate == "vacate" {
                for cidr in &networks {
                    maas.vacate(cidr, true);
                }
            }
        });
    }
}

/// planebot's comments on a pull request, oldest first.
pub(super) fn bot_comments(driver: &Driver, pull: u64) -> Vec<IssueCommentView> {
    let mut github = driver.harness.github.github();
    let mut all = github.at(REPOSITORY).comments(pull);
    all.retain(|comment| comment.author == "planebot[bot]");
    all
}

/// The text of the newest comment of a kind (`plan`, `apply`, `answer`).
fn newest_of(comments: &[IssueCommentView], kind: &str) -> Option<String> {
    let mark = format!("<!-- planebot:{kind}/");
    let newest = comments
        .iter()
        .rfind(|comment| comment.body.contains(&mark))?;
    Some(newest.body.clone())
}

/// The networks that the newest comment about a gate names.
fn networks_named(driver: &Driver, number: u64, gate: &str) -> Vec<String> {
    let mut github = driver.harness.github.github();
    let comments = github.at(REPOSITORY).comments(number);
    let about = format!("Gate `{gate}`");
    let newest = comments.iter().rev().find(|one| one.body.contains(&about));
    let words = newest.into_iter().flat_map(|one| {
        let text = one.body.as_str();
        text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '/'))
    });
    let is_network = |word: &&str| word.starts_with("10.7.") && word.ends_with(".0/24");
    words.filter(is_network).map(str::to_owned).collect()
}

/// The first line of a comment, without its Markdown marks.
pub(super) fn heading(body: &str) -> String {
    let first = body.lines().next().unwrap_or_default();
    first.trim_start_matches('#').trim().to_owned()
}

/// The key that a comment of planebot's carries in an HTML comment.
pub(super) fn key_of(body: &str) -> Option<&str> {
    body.lines()
        .find_map(|line| line.strip_prefix("<!-- planebot:")?.strip_suffix(" -->"))
}

/// The digest in the `/apply` line of a plan comment.
fn digest(plan: &str) -> Option<String> {
    let line = plan.lines().find_map(|line| line.strip_prefix("/apply "))?;
    Some(line.trim().to_owned())
}
