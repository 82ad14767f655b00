//! What is said in the story: comments, reactions and checks, waited for and printed. It must not know why.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::Context as _;

use crate::demo::world::{REPOSITORY, World};

impl World {
    /// Waits for a comment of the bot's and prints what the bot said meanwhile.
    pub(in crate::demo) async fn bot_says(
        &mut self,
        out: &mut (dyn Write + Send),
        what: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        let fresh = |world: &Self| {
            world
                .bot_comments()
                .into_iter()
                .find(|(id, body)| world.told.get(id) != Some(body) && wanted(body))
        };
        let waited = self.until(what, |world| fresh(world).is_some()).await;
        let found = fresh(self);
        let wanted_id = found.as_ref().map(|(id, _)| *id);
        for (id, body) in self.bot_comments() {
            let heading = |body: &str| {
                body.lines()
                    .next()
                    .unwrap_or_default()
                    .trim_start_matches('#')
                    .trim()
                    .to_owned()
            };
            let before = self.told.get(&id).map(|body| heading(body));
            if before.as_ref() != Some(&heading(&body)) || Some(id) == wanted_id {
                let edited = if before.is_some() { " (edited)" } else { "" };
                tell(out, "planebot", &format!("{}{edited}", heading(&body)))?;
                for line in body
                    .lines()
                    .filter(|line| line.starts_with("- ✖") || line.contains("still has a link on"))
                    .take(3)
                {
                    tell(out, "", &format!("  {line}"))?;
                }
            }
            self.told.insert(id, body);
        }
        waited?;
        found
            .map(|(_, body)| body)
            .with_context(|| format!("no comment for {what}"))
    }

    fn bot_comments(&self) -> Vec<(u64, String)> {
        let mut hub = self.github.github();
        let comments = hub.at(REPOSITORY).comments(self.number);
        comments
            .into_iter()
            .filter(|comment| comment.author.ends_with("[bot]"))
            .map(|comment| (comment.id, comment.body))
            .collect()
    }

    pub(in crate::demo) fn last_bot_comment(&self, with: &str) -> Option<String> {
        self.bot_comments()
            .into_iter()
            .rev()
            .map(|(_, body)| body)
            .find(|body| body.contains(with))
    }

    /// No two comments of the bot's carry one key.
    pub(in crate::demo) fn comments_are_single(&self) -> bool {
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

    pub(in crate::demo) fn comment(
        &self,
        out: &mut (dyn Write + Send),
        who: &str,
        words: &str,
    ) -> anyhow::Result<u64> {
        tell(out, who, words)?;
        Ok(self
            .github
            .github()
            .at(REPOSITORY)
            .comment(who, self.number, words)?)
    }

    pub(in crate::demo) async fn reacted(&self, comment: u64, content: &str) -> bool {
        let so = |world: &Self| {
            world
                .github
                .github()
                .at(REPOSITORY)
                .reactions(comment)
                .iter()
                .any(|(by, kind)| by.ends_with("[bot]") && kind == content)
        };
        self.until("a reaction", so).await.is_ok()
    }

    pub(in crate::demo) async fn check_is(&self, commit: &str, name: &str, word: &str) -> bool {
        let Ok(oid) = commit.parse() else {
            return false;
        };
        let so = |world: &Self| {
            let runs = world.github.github().at(REPOSITORY).check_runs(oid);
            runs.iter().any(|run| {
                run.name == name && (run.conclusion.as_deref() == Some(word) || run.status == word)
            })
        };
        self.until("a check", so).await.is_ok()
    }
}

/// Prints one line of the conversation.
pub(in crate::demo) fn tell(
    out: &mut (dyn Write + Send),
    who: &str,
    what: &str,
) -> std::io::Result<()> {
    writeln!(out, "{who:<9}{what}")
}
