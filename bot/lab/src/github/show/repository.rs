//! A repository as the API shows it.

use serde_json::{Map, Value, json};

use crate::github::answer::{node, stamp};
use crate::github::store::{LabGitHub, StoredRepository};

/// URL fields of a repository and the path after its own URL.
pub(crate) const URLS: [(&str, &str); 38] = [
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

/// Fields that are always false.
pub(crate) const NO: [&str; 8] = [
    "is_template",
    "has_projects",
    "has_wiki",
    "has_pages",
    "has_downloads",
    "has_discussions",
    "archived",
    "disabled",
];

/// Fields that are always 0.
pub(crate) const NONE: [&str; 6] = [
    "forks_count",
    "forks",
    "stargazers_count",
    "watchers_count",
    "watchers",
    "size",
];

impl LabGitHub {
    /// A repository's API URL.
    pub(crate) fn repo_url(&self, repo: &StoredRepository) -> String {
        format!("{}/repos/{}", self.base, repo.full_name())
    }

    /// The URL of a repository's page.
    pub(crate) fn repo_html(&self, repo: &StoredRepository) -> String {
        format!("{}/{}", self.base, repo.full_name())
    }

    /// A repository as every payload shows it.
    pub(crate) fn show_repo(&self, repo: &StoredRepository) -> Value {
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
}
