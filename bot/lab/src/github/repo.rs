//! A repository: what it holds, how it is shown, its branches.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::{Answer, Call, not_found, ok, refusal};
use super::check::{Run, Suite};
use super::comment::Comment;
use super::deployment::Deployment;
use super::git::{Git, Oid};
use super::issue::Issue;
use super::label::Label;
use super::people::Permission;
use super::status::Status;
use super::{GitHub, node, stamp};
use crate::wire::Response;

#[derive(Clone, Debug)]
pub(crate) struct Repository {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) name: String,
    /// What it is a fork of.
    pub(crate) parent: Option<String>,
    pub(crate) private: bool,
    pub(crate) default_branch: String,
    pub(crate) created: i64,
    pub(crate) pushed: i64,
    pub(crate) git: Git,
    pub(crate) grants: BTreeMap<String, Permission>,
    pub(crate) teams: BTreeMap<String, Permission>,
    /// Issues and pull requests share their numbers.
    pub(crate) issues: BTreeMap<u64, Issue>,
    pub(crate) comments: BTreeMap<u64, Comment>,
    pub(crate) labels: BTreeMap<String, Label>,
    pub(crate) runs: BTreeMap<u64, Run>,
    pub(crate) suites: BTreeMap<u64, Suite>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) deployments: BTreeMap<u64, Deployment>,
}

impl Repository {
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The commit that a path or body names.
    pub(crate) fn resolve(&self, name: &str) -> Option<Oid> {
        let name = if name == "HEAD" {
            &self.default_branch
        } else {
            name
        };
        self.git.resolve(name)
    }

    /// The branches in order, with their tips.
    pub(crate) fn branches(&self) -> Vec<(&str, Oid)> {
        let heads = self.git.refs.iter();
        heads
            .filter_map(|(name, oid)| Some((name.strip_prefix("refs/heads/")?, *oid)))
            .collect()
    }
}

/// The URLs of a repository that are its own with a tail: field, tail.
const URLS: [(&str, &str); 38] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
    ("svn_url", ""),
];

/// What no repository here has or is.
const NO: [&str; 8] = [
    "is_template",
    "has_projects",
    "has_wiki",
    "has_pages",
    "has_downloads",
    "has_discussions",
    "archived",
    "disabled",
];
/// What every repository here has none of.
const NONE: [&str; 6] = [
    "forks_count",
    "forks",
    "stargazers_count",
    "watchers_count",
    "watchers",
    "size",
];

impl GitHub {
    /// The start of a repository's API URLs.
    pub(crate) fn repo_url(&self, repo: &Repository) -> String {
        format!("{}/repos/{}", self.base, repo.full_name())
    }

    /// The start of its pages.
    pub(crate) fn repo_html(&self, repo: &Repository) -> String {
        format!("{}/{}", self.base, repo.full_name())
    }

    /// A repository as every payload shows it.
    pub(crate) fn show_repo(&self, repo: &Repository) -> Value {
        let (url, html) = (self.repo_url(repo), self.repo_html(repo));
        let open = repo.issues.values().filter(|issue| issue.is_open()).count();
        let mut shown: Map<String, Value> = URLS
            .iter()
            .map(|(field, tail)| ((*field).to_owned(), json!(format!("{url}{tail}"))))
            .collect();
        for field in NO {
            shown.insert(field.to_owned(), json!(false));
        }
        for field in NONE {
            shown.insert(field.to_owned(), json!(0));
        }
        for field in [
            "description",
            "mirror_url",
            "homepage",
            "language",
            "license",
        ] {
            shown.insert(field.to_owned(), Value::Null);
        }
        let rest = json!({
            "id": repo.id, "node_id": node("R", repo.id), "name": repo.name, "full_name": repo.full_name(),
            "private": repo.private, "fork": repo.parent.is_some(), "owner": self.user(&repo.owner), "html_url": html,
            "git_url": format!("git://lab/{}.git", repo.full_name()), "ssh_url": format!("git@lab:{}.git", repo.full_name()),
            "clone_url": format!("{html}.git"), "svn_url": html, "created_at": stamp(repo.created),
            "updated_at": stamp(repo.pushed), "pushed_at": stamp(repo.pushed), "open_issues_count": open, "open_issues": open,
            "default_branch": repo.default_branch, "topics": [], "has_issues": true, "allow_forking": true,
            "visibility": if repo.private { "private" } else { "public" },
        });
        if let Value::Object(rest) = rest {
            shown.extend(rest);
        }
        Value::Object(shown)
    }

    /// `GET /repos/{owner}/{repo}`
    pub(crate) fn get_repo(&self, call: &Call<'_>) -> Response {
        let repo = self.repo(&call.repo);
        let mut shown = self.show_repo(repo);
        shown["web_commit_signoff_required"] = json!(false);
        shown["permissions"] = Permission::shown(self.permission(repo, &call.who));
        for field in [
            "allow_merge_commit",
            "allow_squash_merge",
            "allow_rebase_merge",
        ] {
            shown[field] = json!(true);
        }
        for field in ["subscribers_count", "network_count"] {
            shown[field] = json!(0);
        }
        if self.organizations.contains_key(&repo.owner) {
            shown["organization"] = self.user(&repo.owner);
        }
        ok(&shown)
    }

    /// `GET /repos/{owner}/{repo}/branches`
    pub(crate) fn list_branches(&self, call: &Call<'_>) -> Response {
        let repo = self.repo(&call.repo);
        let url = self.repo_url(repo);
        let show = |(name, oid): (&str, Oid)| json!({"name": name, "commit": {"sha": oid.to_string(), "url": format!("{url}/commits/{oid}")}, "protected": false});
        self.page(call, repo.branches(), show).answer()
    }

    /// `GET /repos/{owner}/{repo}/branches/{branch}`, and what follows it.
    pub(crate) fn get_branch(&self, call: &Call<'_>, words: &[&str]) -> Answer {
        let repo = self.repo(&call.repo);
        if let [name @ .., "protection"] = words
            && repo.git.branch(&name.join("/")).is_some()
        {
            return Err(refusal(404, "Branch not protected"));
        }
        let name = words.join("/");
        let oid = repo
            .git
            .branch(&name)
            .ok_or_else(|| refusal(404, "Branch not found"))?;
        let url = format!("{}/branches/{name}", self.repo_url(repo));
        let commit = self.show_commit(repo, oid).ok_or_else(not_found)?;
        Ok(ok(&json!({
            "name": name, "commit": commit, "protected": false, "protection_url": format!("{url}/protection"),
            "_links": {"self": url, "html": format!("{}/tree/{name}", self.repo_html(repo))},
            "protection": {"enabled": false, "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []}},
        })))
    }

    /// `GET /repos/{owner}/{repo}/rules/branches/{branch}`: there are none.
    pub(crate) fn rules(&self, call: &Call<'_>) -> Response {
        self.page(call, Vec::<Value>::new(), |rule| rule).answer()
    }
}
