//! What is committed to the branch `planebot-history`.
//!
//! One commit for each run: the plan, who ordered it, each step with MAAS's response, and the network as it was observed
//! afterwards, so that `git log -p observed/<site>` shows what changed, when and why. It only names files and fills them
//! with given texts; it must not know GitHub, nor how the texts are made.

use std::collections::BTreeMap;

use chrono::DateTime;

use github::Content;
use github::webhook::event::{PullNumber, Sha};
use topology::observed::Timestamp;

use crate::command::ShortDigest;

/// The branch. It shares no commit with any other branch.
pub const BRANCH: &str = "planebot-history";

/// One run, as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunArchive {
    pub site: String,
    /// When the run began.
    pub began: Timestamp,
    /// The pull request; `None` for a run from a terminal.
    pub pull: Option<PullNumber>,
    pub digest: ShortDigest,
    /// Who ordered it, by login.
    pub by: String,
    pub merge: Option<Sha>,
    /// How it ended, in a few words: `applied`, `aborted after step 3 of 55`.
    pub outcome: String,
    /// The plan as JSON.
    pub plan_json: String,
    /// The plan as Markdown.
    pub plan_markdown: String,
    /// The order, the facts and MAAS's responses, as JSON.
    pub run_json: String,
    /// The network as it was observed at the end, in topology form: path within the site's folder, and text. `None` if it
    /// could not be observed: then the branch keeps the last observation.
    pub observed: Option<BTreeMap<String, String>>,
}

impl RunArchive {
    /// `history/prod/2026-11-23T140211Z-pr12-7f3a-91c2`.
    pub fn folder(&self) -> String {
        // Without colons, which some file systems do not allow.
        let time = DateTime::from_timestamp_millis(self.began.0).map_or_else(
            || self.began.0.to_string(),
            |time| time.format("%Y-%m-%dT%H%M%SZ").to_string(),
        );
        let from = match self.pull {
            Some(number) => format!("pr{number}"),
            None => "terminal".to_owned(),
        };
        format!("history/{}/{time}-{from}-{}", self.site, self.digest)
    }

    /// The files. The same run gives the same files, so committing it twice changes nothing.
    pub fn content(&self) -> Content {
        let folder = self.folder();
        let mut content = Content::default();
        for (name, text) in [
            ("plan.json", &self.plan_json),
            ("plan.md", &self.plan_markdown),
            ("run.json", &self.run_json),
        ] {
            content
                .files
                .insert(format!("{folder}/{name}"), text.clone());
        }
        if let Some(observed) = &self.observed {
            let folder = format!("observed/{}", self.site);
            for (path, text) in observed {
                content
                    .files
                    .insert(format!("{folder}/{path}"), text.clone());
            }
            content.whole.push(folder);
        }
        content
    }

    pub fn message(&self) -> String {
        let mut text = format!("{}: {} {}", self.site, self.digest, self.outcome);
        if let Some(number) = self.pull {
            text.push_str(&format!(" (#{number})"));
        }
        text.push_str(&format!("\n\nOrdered by {}", self.by));
        match &self.merge {
            Some(merge) => text.push_str(&format!(", merge commit {merge}.\n")),
            None => text.push_str(" at a terminal.\n"),
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> RunArchive {
        RunArchive {
            site: "prod".to_owned(),
            began: Timestamp(1_795_442_531_999),
            pull: Some(PullNumber(12)),
            digest: ShortDigest::parse("7f3a-91c2").unwrap(),
            by: "alice".to_owned(),
            merge: Some(Sha::parse(&"ab".repeat(20)).unwrap()),
            outcome: "applied".to_owned(),
            plan_json: "{}\n".to_owned(),
            plan_markdown: "# Plan\n".to_owned(),
            run_json: "[]\n".to_owned(),
            observed: Some(BTreeMap::from([(
                "oam.yaml".to_owned(),
                "cidr: 10.0.0.0/24\n".to_owned(),
            )])),
        }
    }

    #[test]
    fn a_run_becomes_files_and_a_message() {
        let content = record().content();
        let paths: Vec<&str> = content.files.keys().map(String::as_str).collect();
        insta::assert_snapshot!(paths.join("\n"), @"
        history/prod/2026-11-23T140211Z-pr12-7f3a-91c2/plan.json
        history/prod/2026-11-23T140211Z-pr12-7f3a-91c2/plan.md
        history/prod/2026-11-23T140211Z-pr12-7f3a-91c2/run.json
        observed/prod/oam.yaml
        ");
        assert_eq!(content.whole, ["observed/prod"]);
        insta::assert_snapshot!(record().message(), @"
        prod: 7f3a-91c2 applied (#12)

        Ordered by alice, merge commit abababababababababababababababababababab.
        ");
    }

    #[test]
    fn without_an_observation_the_last_one_is_kept() {
        let unobserved = RunArchive {
            observed: None,
            ..record()
        };
        let content = unobserved.content();
        assert!(content.whole.is_empty());
        assert_eq!(content.files.len(), 3);
    }

    #[test]
    fn a_run_from_a_terminal_is_marked_as_such() {
        let terminal = RunArchive {
            pull: None,
            merge: None,
            ..record()
        };
        insta::assert_snapshot!(format!("{}\n{}", terminal.folder(), terminal.message()), @"
        history/prod/2026-11-23T140211Z-terminal-7f3a-91c2
        prod: 7f3a-91c2 applied

        Ordered by alice at a terminal.
        ");
    }
}
