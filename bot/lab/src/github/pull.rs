//! Pull requests: opening, following their branch, being mergeable or not, landing.

use serde_json::{Value, json};

use super::answer::{Answer, Call, fits, invalid, made, maybe, not_found, ok, text, unprocessable};
use super::git::Oid;
use super::issue::{BODY_MAX, Changes, Issue, TITLE_MAX, retell};
use super::landing::web_flow;
use super::merge::{How, Landing, land};
use super::repo::Repository;
use super::{GitHub, node, stamp};
use crate::wire::Response;

#[derive(Clone, Debug)]
pub(crate) struct Pull {
    /// The repository of the head, where it is another one.
    pub(crate) fork: Option<String>,
    /// Branch names.
    pub(crate) head: String,
    pub(crate) base: String,
    /// The head's tip; stays when the pull request closes.
    pub(crate) head_oid: Oid,
    /// The base's tip when the head last moved.
    pub(crate) base_oid: Oid,
    /// The commit that GitHub makes to try the merge; `None` where it conflicts.
    pub(crate) trial: Option<Oid>,
    pub(crate) merged: Option<Merged>,
}

impl Pull {
    /// Who owns the repository of the head.
    pub(crate) fn head_owner<'a>(&'a self, repo: &'a Repository) -> &'a str {
        let fork = self.fork.as_deref().and_then(|fork| fork.split_once('/'));
        fork.map_or(&repo.owner, |(owner, _)| owner)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Merged {
    pub(crate) by: String,
    pub(crate) at: i64,
    pub(crate) oid: Oid,
}

impl Repository {
    pub(crate) fn find_pull(&self, number: &str) -> Result<(&Issue, &Pull), Response> {
        let issue = self.find_issue(number)?;
        Ok((issue, issue.pull.as_ref().ok_or_else(not_found)?))
    }
}

impl GitHub {
    /// A pull request as lists show it.
    pub(crate) fn show_pull_simple(&self, repo: &Repository, issue: &Issue, pull: &Pull) -> Value {
        let (base, html) = (self.repo_url(repo), self.repo_html(repo));
        let (url, html) = (
            format!("{base}/pulls/{}", issue.number),
            format!("{html}/pull/{}", issue.number),
        );
        let comments = format!("{base}/issues/{}/comments", issue.number);
        let side = |owner: &str, branch: &str, oid: Oid| json!({"label": format!("{owner}:{branch}"), "ref": branch, "sha": oid.to_string(), "user": self.author(owner)});
        let mut head = side(pull.head_owner(repo), &pull.head, pull.head_oid);
        let of = pull
            .fork
            .as_ref()
            .map_or(Some(repo), |fork| self.repositories.get(fork));
        head["repo"] = of.map_or(Value::Null, |of| self.show_repo(of)); // null where the fork is gone
        let mut into = side(&repo.owner, &pull.base, pull.base_oid);
        into["repo"] = self.show_repo(repo);
        let landed = pull.merged.as_ref().map(|merged| merged.oid).or(pull.trial);
        let links = [
            ("self", url.clone()),
            ("html", html.clone()),
            ("issue", format!("{base}/issues/{}", issue.number)),
            ("comments", comments.clone()),
            ("review_comments", format!("{url}/comments")),
            (
                "review_comment",
                format!("{base}/pulls/comments{{/number}}"),
            ),
            ("commits", format!("{url}/commits")),
            ("statuses", format!("{base}/statuses/{}", pull.head_oid)),
        ];
        let links = links
            .into_iter()
            .map(|(name, href)| (name.to_owned(), json!({"href": href})))
            .collect();
        json!({
            "url": url, "id": issue.id, "node_id": node("PR", issue.id), "html_url": html,
            "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
            "issue_url": format!("{base}/issues/{}", issue.number), "commits_url": format!("{url}/commits"),
            "review_comments_url": format!("{url}/comments"), "review_comment_url": format!("{base}/pulls/comments{{/number}}"),
            "comments_url": comments, "statuses_url": format!("{base}/statuses/{}", pull.head_oid),
            "number": issue.number, "state": issue.word(), "locked": issue.locked, "title": issue.title,
            "user": self.author(&issue.author), "body": issue.body, "labels": self.labels_of(repo, issue), "milestone": null,
            "active_lock_reason": null, "created_at": stamp(issue.created), "updated_at": stamp(issue.updated),
            "closed_at": issue.closed.map(stamp), "merged_at": pull.merged.as_ref().map(|merged| stamp(merged.at)),
            "merge_commit_sha": landed.map(|oid| oid.to_string()), "assignee": null, "assignees": [],
            "requested_reviewers": [], "requested_teams": [], "draft": false,
            "head": head, "base": into,
            "_links": Value::Object(links),
            "author_association": self.association(repo, &issue.author), "auto_merge": null,
        })
    }

    /// A pull request with everything.
    pub(crate) fn show_pull(&self, repo: &Repository, issue: &Issue) -> Value {
        let Some(pull) = &issue.pull else {
            return Value::Null;
        };
        let mut shown = self.show_pull_simple(repo, issue, pull);
        let from = repo
            .git
            .merge_base(pull.base_oid, pull.head_oid)
            .unwrap_or(pull.base_oid);
        let files = super::commit::changed(&repo.git, Some(from), pull.head_oid);
        let comments = repo
            .comments
            .values()
            .filter(|comment| comment.issue == issue.number)
            .count();
        let mergeable = issue.is_open().then_some(pull.trial.is_some());
        let more = json!({
            "merged": pull.merged.is_some(), "mergeable": mergeable, "rebaseable": mergeable,
            "mergeable_state": match mergeable { Some(true) => "clean", Some(false) => "dirty", None => "unknown" },
            "merged_by": pull.merged.as_ref().map(|merged| self.user(&merged.by)), "comments": comments,
            "review_comments": 0, "maintainer_can_modify": false,
            "commits": repo.git.ahead(pull.base_oid, pull.head_oid).len(),
            "additions": files.iter().map(|file| file.additions).sum::<usize>(),
            "deletions": files.iter().map(|file| file.deletions).sum::<usize>(), "changed_files": files.len(),
        });
        if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
            shown.extend(more);
        }
        shown
    }

    /// `GET …/pulls/{pull_number}`
    pub(crate) fn get_pull(&self, call: &Call<'_>, number: &str) -> Answer {
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_pull(repo, repo.find_pull(number)?.0)))
    }

    /// `GET …/pulls`
    pub(crate) fn list_pulls(&self, call: &Call<'_>) -> Response {
        let repo = self.repo(&call.repo);
        let asked = |name| call.request.param(name);
        let state = asked("state").unwrap_or("open");
        let head =
            asked("head").map(|head| head.rsplit_once(':').map_or(head, |(_, branch)| branch));
        let mut all: Vec<(&Issue, &Pull)> = repo
            .issues
            .values()
            .filter_map(|issue| Some((issue, issue.pull.as_ref()?)))
            .filter(|(issue, _)| state == "all" || state == issue.word())
            .filter(|(_, pull)| asked("base").is_none_or(|base| base == pull.base))
            .filter(|(_, pull)| head.is_none_or(|head| head == pull.head))
            .collect();
        if matches!(asked("sort"), Some("updated")) {
            all.sort_by_key(|(issue, _)| (issue.updated, issue.number));
        }
        if asked("direction") != Some("asc") {
            all.reverse();
        }
        self.page(call, all, |(issue, pull)| {
            self.show_pull_simple(repo, issue, pull)
        })
        .answer()
    }

    /// `GET …/commits/{commit_sha}/pulls`
    pub(crate) fn pulls_of_commit(&self, call: &Call<'_>, name: &str) -> Answer {
        let repo = self.repo(&call.repo);
        let oid = repo.resolve(name).ok_or_else(not_found)?;
        let holds = |pull: &Pull| {
            let landed = pull.merged.as_ref().is_some_and(|merged| merged.oid == oid);
            landed || repo.git.ahead(pull.base_oid, pull.head_oid).contains(&oid)
        };
        let all = repo
            .issues
            .values()
            .filter_map(|issue| Some((issue, issue.pull.as_ref()?)));
        let all: Vec<_> = all.filter(|(_, pull)| holds(pull)).collect();
        Ok(self
            .page(call, all, |(issue, pull)| {
                self.show_pull_simple(repo, issue, pull)
            })
            .answer())
    }

    /// `GET …/pulls/{pull_number}/files`
    pub(crate) fn pull_files(&self, call: &Call<'_>, number: &str) -> Answer {
        let repo = self.repo(&call.repo);
        let (_, pull) = repo.find_pull(number)?;
        let from = repo
            .git
            .merge_base(pull.base_oid, pull.head_oid)
            .unwrap_or(pull.base_oid);
        let files = super::commit::changed(&repo.git, Some(from), pull.head_oid);
        Ok(self
            .page(call, files, |file| {
                self.show_changed(repo, pull.head_oid, &file)
            })
            .answer())
    }

    /// `GET …/pulls/{pull_number}/commits`
    pub(crate) fn pull_commits(&self, call: &Call<'_>, number: &str) -> Answer {
        let repo = self.repo(&call.repo);
        let (_, pull) = repo.find_pull(number)?;
        let all = repo.git.ahead(pull.base_oid, pull.head_oid);
        Ok(self
            .page(call, all, |oid| {
                self.show_commit(repo, oid).unwrap_or_default()
            })
            .answer())
    }

    /// `POST …/pulls`
    pub(crate) fn open(&mut self, call: &Call<'_>) -> Answer {
        let author = self.speaker(call)?;
        let body = call.json()?;
        let (title, head, base) = (
            text(&body, "PullRequest", "title")?,
            text(&body, "PullRequest", "head")?,
            text(&body, "PullRequest", "base")?,
        );
        let told = maybe(&body, "body");
        fits(title, "PullRequest", "title", TITLE_MAX)?;
        fits(
            told.as_deref().unwrap_or_default(),
            "PullRequest",
            "body",
            BODY_MAX,
        )?;
        let repo = self.repo(&call.repo);
        let (owner, head) = head.split_once(':').unwrap_or((&repo.owner, head));
        let fork = (owner != repo.owner).then(|| format!("{owner}/{}", repo.name));
        let from = fork
            .as_ref()
            .map_or(Some(repo), |fork| self.repositories.get(fork));
        let bad = |field: &str| invalid("PullRequest", field, "invalid", "");
        let head_oid = from
            .and_then(|from| from.git.branch(head))
            .ok_or_else(|| bad("head"))?;
        let base_oid = repo.git.branch(base).ok_or_else(|| bad("base"))?;
        let same = |pull: &Pull| pull.head == head && pull.base == base && pull.fork == fork;
        if repo
            .issues
            .values()
            .any(|issue| issue.is_open() && issue.pull.as_ref().is_some_and(same))
        {
            let told = format!("A pull request already exists for {owner}:{head}.");
            return Err(invalid("PullRequest", "head", "custom", &told));
        }
        if repo.git.ahead(base_oid, head_oid).is_empty() {
            let told = format!("No commits between {base} and {head}");
            return Err(invalid("PullRequest", "head", "custom", &told));
        }
        let pull = Pull {
            fork,
            head: head.to_owned(),
            base: base.to_owned(),
            head_oid,
            base_oid,
            trial: None,
            merged: None,
        };
        let number = self.add_issue(
            &call.repo,
            &author,
            [Some(title.to_owned()), told],
            Some(pull),
        );
        self.try_merge(&call.repo, number);
        self.tell_pull(&call.repo, number, &author, ("opened", json!({})));
        let repo = self.repo(&call.repo);
        Ok(made(&self.show_pull(repo, &repo.issues[&number])))
    }

    /// Makes the trial merge anew, as GitHub does when either side moved.
    pub(crate) fn try_merge(&mut self, key: &str, number: u64) {
        let now = self.now;
        let repo = self.repo_mut(key);
        let Some(pull) = repo
            .issues
            .get(&number)
            .and_then(|issue| issue.pull.clone())
        else {
            return;
        };
        let base = repo.git.branch(&pull.base).unwrap_or(pull.base_oid);
        let signature = web_flow(now);
        let landing = Landing {
            base,
            head: pull.head_oid,
            message: format!("Merge {} into {base}", pull.head_oid),
            author: signature.clone(),
            committer: signature,
        };
        let trial = land(&mut repo.git, How::Merge, landing).ok();
        if let Some(pull) = repo
            .issues
            .get_mut(&number)
            .and_then(|issue| issue.pull.as_mut())
        {
            pull.trial = trial;
        }
    }

    /// `PATCH …/pulls/{pull_number}`
    pub(crate) fn patch_pull(&mut self, call: &Call<'_>, number: &str) -> Answer {
        let (issue, _) = self.repo(&call.repo).find_pull(number)?;
        let number = issue.number;
        self.may_edit(call, &issue.author)?;
        let body = call.json()?;
        self.edit_pull(call, number, &body)?;
        let repo = self.repo(&call.repo);
        Ok(ok(&self.show_pull(repo, &repo.issues[&number])))
    }

    /// Title, body, base and state; each tells its webhook.
    pub(crate) fn edit_pull(
        &mut self,
        call: &Call<'_>,
        number: u64,
        body: &Value,
    ) -> Result<(), Response> {
        let (now, by) = (self.now, self.login(&call.who));
        let mut changes = retell(self.issue_mut(&call.repo, number), body)?;
        if let Some(base) = body["base"].as_str() {
            self.rebase_onto(&call.repo, number, base, &mut changes)?;
        }
        if !changes.is_empty() {
            self.issue_mut(&call.repo, number).updated = now;
            self.tell_pull(
                &call.repo,
                number,
                &by,
                ("edited", json!({"changes": changes})),
            );
        }
        let issue = self.issue_mut(&call.repo, number);
        match (body["state"].as_str(), issue.is_open()) {
            (Some("closed"), true) => {
                (issue.closed, issue.updated) = (Some(now), now);
                self.tell_pull(&call.repo, number, &by, ("closed", json!({})));
            }
            (Some("open"), false) if issue.is_merged() => {
                return Err(unprocessable(
                    "Validation Failed: a merged pull request cannot be reopened",
                ));
            }
            (Some("open"), false) => {
                (issue.closed, issue.updated) = (None, now);
                self.try_merge(&call.repo, number);
                self.tell_pull(&call.repo, number, &by, ("reopened", json!({})));
            }
            _ => {}
        }
        Ok(())
    }

    fn rebase_onto(
        &mut self,
        key: &str,
        number: u64,
        base: &str,
        changes: &mut Changes,
    ) -> Result<(), Response> {
        let repo = self.repo_mut(key);
        let tip = repo
            .git
            .branch(base)
            .ok_or_else(|| invalid("PullRequest", "base", "invalid", ""))?;
        let Some(pull) = repo
            .issues
            .get_mut(&number)
            .and_then(|issue| issue.pull.as_mut())
        else {
            return Ok(());
        };
        if pull.base != base {
            changes.insert(
                "base".to_owned(),
                json!({"ref": {"from": pull.base}, "sha": {"from": pull.base_oid.to_string()}}),
            );
            base.clone_into(&mut pull.base);
            pull.base_oid = tip;
            self.try_merge(key, number);
        }
        Ok(())
    }
}
