//! The conversation on the pull request: comments, reactions and checks, waited for and printed. It must not know what they
//! mean.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::Context as _;

use crate::demo::environment::{DemoEnvironment, REPOSITORY};

impl DemoEnvironment {
    /// Waits for a new or edited comment of the bot that is `wanted`, prints what the bot wrote meanwhile, and returns it.
    pub(super) async fn wait_for_comment(
        &mut self,
        out: &mut (dyn Write + Send),
        what: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        let find = |environment: &Self| {
            environment
                .bot_comments()
                .into_iter()
                .find(|(id, body)| environment.printed.get(id) != Some(body) && wanted(body))
        };
        let waited = self
            .wait_for(what, |environment| find(environment).is_some())
            .await;
        let found = find(self);
        let wanted_id = found.as_ref().map(|(id, _)| *id);
        for (id, body) in self.bot_comments() {
            let before = self.printed.get(&id).map(|body| heading(body));
            if before.as_ref() != Some(&heading(&body)) || Some(id) == wanted_id {
                print_comment(out, &body, before.is_some())?;
            }
            self.printed.insert(id, body);
        }
        waited?;
        found
            .map(|(_, body)| body)
            .with_context(|| format!("no comment for {what}"))
    }

    /// The bot's comments by id, oldest first.
    fn bot_comments(&self) -> Vec<(u64, String)> {
        let mut github = self.github.github();
        let comments = github.at(REPOSITORY).comments(self.number);
        comments
            .into_iter()
            .filter(|comment| comment.author.ends_with("[bot]"))
            .map(|comment| (comment.id, comment.body))
            .collect()
    }

    pub(super) fn last_bot_comment(&self, containing: &str) -> Option<String> {
        self.bot_comments()
            .into_iter()
            .rev()
            .map(|(_, body)| body)
            .find(|body| body.contains(containing))
    }

    /// Whether no two comments of the bot carry the same key.
    pub(super) fn are_comment_keys_unique(&self) -> bool {
        let keys: Vec<String> = self
            .bot_comments()
            .iter()
            .filter_map(|(_, body)| {
                body.lines()
                    .find(|line| line.starts_with("<!-- planebot:"))
                    .map(str::to_owned)
            })
            .collect();
        let distinct: BTreeSet<&String> = keys.iter().collect();
        !keys.is_empty() && distinct.len() == keys.len()
    }

    /// Posts and prints a comment; its id.
    pub(super) fn comment(
        &self,
        out: &mut (dyn Write + Send),
        who: &str,
        text: &str,
    ) -> anyhow::Result<u64> {
        print_line(out, who, text)?;
        let mut github = self.github.github();
        Ok(github.at(REPOSITORY).comment(who, self.number, text)?)
    }

    /// Waits for a reaction of the bot; false after a timeout.
    pub(super) async fn has_reaction(&self, comment: u64, content: &str) -> bool {
        let condition = |environment: &Self| {
            let mut github = environment.github.github();
            let reactions = github.at(REPOSITORY).reactions(comment);
            reactions
                .iter()
                .any(|(by, kind)| by.ends_with("[bot]") && kind == content)
        };
        self.wait_for("a reaction", condition).await.is_ok()
    }

    /// Waits until a check has this status or conclusion; false after a timeout.
    pub(super) async fn has_check(&self, commit: &str, name: &str, state: &str) -> bool {
        let Ok(oid) = commit.parse() else {
            return false;
        };
        let condition = |environment: &Self| {
            let checks = environment.github.github().at(REPOSITORY).check_runs(oid);
            checks.iter().any(|check| {
                check.name == name
                    && (check.conclusion.as_deref() == Some(state) || check.status == state)
            })
        };
        self.wait_for("a check", condition).await.is_ok()
    }
}

fn heading(body: &str) -> String {
    body.lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches('#')
        .trim()
        .to_owned()
}

/// Prints the heading of the bot's comment and the reasons of a refusal, three at most.
fn print_comment(out: &mut (dyn Write + Send), body: &str, is_edited: bool) -> std::io::Result<()> {
    let edited = if is_edited { " (edited)" } else { "" };
    print_line(out, "planebot", &format!("{}{edited}", heading(body)))?;
    let is_reason = |line: &&str| line.starts_with("- ✖") || line.contains("still has a link on");
    for line in body.lines().filter(is_reason).take(3) {
        print_line(out, "", &format!("  {line}"))?;
    }
    Ok(())
}

/// Prints one line of the conversation.
pub(super) fn print_line(
    out: &mut (dyn Write + Send),
    who: &str,
    what: &str,
) -> std::io::Result<()> {
    writeln!(out, "{who:<9}{what}")
}
