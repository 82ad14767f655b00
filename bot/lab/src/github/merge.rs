//! The merge endpoint of pull requests: who may merge, the commit, and the webhooks that follow.

use serde_json::{Value, json};

use super::actor::web_flow;
use super::answer::{ApiCall, GitHubAnswer, maybe, ok, refusal, unprocessable};
use super::branch::BranchUpdate;
use super::git::merge::{MergeInput, MergeMethod, write_merge};
use super::store::{LabGitHub, StoredIssue, StoredMerge, StoredPullRequest};

impl LabGitHub {
    /// `PUT …/pulls/{pull_number}/merge`
    pub(crate) fn merge(&mut self, call: &ApiCall<'_>, number: &str) -> GitHubAnswer {
        let by = self.writer(call)?;
        let body = call.json()?;
        let repo = self.repo(&call.repo);
        let (issue, pull) = repo.find_pull(number)?;
        let word = body["merge_method"].as_str().unwrap_or("merge");
        let how = MergeMethod::read(word).ok_or_else(|| unprocessable("Invalid merge_method"))?;
        if !issue.is_open() {
            return Err(refusal(405, "Pull Request is not mergeable"));
        }
        if body["sha"]
            .as_str()
            .is_some_and(|sha| sha != pull.head_oid.to_string())
        {
            return Err(refusal(
                409,
                "Head branch was modified. Review and try the merge again.",
            ));
        }
        let before = repo
            .git
            .branch(&pull.base)
            .ok_or_else(|| refusal(405, "Base branch does not exist"))?;
        let merge_input = self.merge_input(call, (issue, pull), how, &body);
        let (number, branch, now) = (issue.number, pull.base.clone(), self.now);
        let after = write_merge(
            &mut self.repo_mut(&call.repo).git,
            how,
            MergeInput {
                base: before,
                ..merge_input
            },
        )
        .map_err(|_conflicts| refusal(405, "Pull Request is not mergeable"))?;
        let issue = self.issue_mut(&call.repo, number);
        (issue.closed, issue.updated) = (Some(now), now);
        if let Some(pull) = &mut issue.pull {
            pull.merged = Some(StoredMerge {
                by: by.clone(),
                at: now,
                oid: after,
            });
        }
        let step = BranchUpdate {
            branch,
            before: Some(before),
            after: Some(after),
            by: by.clone(),
            forced: false,
        };
        self.set_branch(&call.repo, &step);
        self.send_pull_request_event(&call.repo, number, &by, ("closed", json!({})));
        self.after_branch_update(&call.repo, &step);
        Ok(ok(
            &json!({"sha": after.to_string(), "merged": true, "message": "Pull Request successfully merged"}),
        ))
    }

    fn merge_input(
        &self,
        call: &ApiCall<'_>,
        (issue, pull): (&StoredIssue, &StoredPullRequest),
        how: MergeMethod,
        body: &Value,
    ) -> MergeInput {
        let repo = self.repo(&call.repo);
        let number = issue.number;
        let (title, message) = match how {
            MergeMethod::Merge | MergeMethod::Rebase => (
                format!(
                    "Merge pull request #{number} from {}/{}",
                    pull.head_owner(repo),
                    pull.head
                ),
                issue.title.clone(),
            ),
            MergeMethod::Squash => {
                let ahead = repo.git.ahead(pull.base_oid, pull.head_oid);
                let messages = ahead.iter().filter_map(|oid| repo.git.commit(*oid));
                let messages: Vec<String> = messages
                    .map(|commit| format!("* {}", commit.message.trim_end()))
                    .collect();
                (
                    format!("{} (#{number})", issue.title),
                    messages.join("\n\n"),
                )
            }
        };
        let title = maybe(body, "commit_title").unwrap_or(title);
        let message = maybe(body, "commit_message").unwrap_or(message);
        let merger = self.signature(&self.login(&call.who));
        MergeInput {
            base: pull.base_oid,
            head: pull.head_oid,
            message: format!("{title}\n\n{message}").trim_end().to_owned(),
            author: if how == MergeMethod::Squash {
                self.signature(&issue.author)
            } else {
                merger.clone()
            },
            committer: if how == MergeMethod::Rebase {
                merger
            } else {
                web_flow(self.now)
            },
        }
    }
}
