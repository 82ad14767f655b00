//! Users, organizations and permissions as the API shows them.

use serde_json::{Value, json};

use crate::github::answer::node;
use crate::github::store::{AccountKind, GHOST, LabGitHub, RepositoryPermission, StoredRepository};

impl RepositoryPermission {
    pub(crate) fn shown(held: Option<Self>) -> Value {
        json!({
            "pull": held >= Some(Self::Read),
            "triage": held >= Some(Self::Triage),
            "push": held >= Some(Self::Write),
            "maintain": held >= Some(Self::Maintain),
            "admin": held >= Some(Self::Admin),
        })
    }
}

impl LabGitHub {
    /// The `author_association` of a user.
    pub(crate) fn association(&self, repo: &StoredRepository, login: &str) -> &'static str {
        let organization = self.organizations.get(&repo.owner);
        if repo.owner == login {
            "OWNER"
        } else if organization.is_some_and(|all| all.members.contains_key(login)) {
            "MEMBER"
        } else if repo.grants.contains_key(login) {
            "COLLABORATOR"
        } else if repo
            .issues
            .values()
            .any(|issue| issue.author == login && issue.is_merged())
        {
            "CONTRIBUTOR"
        } else {
            "NONE"
        }
    }

    /// A simple user; null if the user was deleted.
    pub(crate) fn user(&self, login: &str) -> Value {
        let Some(person) = self.accounts.get(login) else {
            return Value::Null;
        };
        let name = login.replace('[', "%5B").replace(']', "%5D");
        let (url, html) = (
            format!("{}/users/{name}", self.base),
            format!("{}/{name}", self.base),
        );
        let kind = match person.kind {
            AccountKind::User => "User",
            AccountKind::Bot => "Bot",
            AccountKind::Organization => "Organization",
        };
        json!({
            "login": person.login, "id": person.id, "node_id": node("U", person.id),
            "avatar_url": format!("{}/avatars/{}", self.base, person.id), "gravatar_id": "",
            "url": url, "html_url": html, "followers_url": format!("{url}/followers"),
            "following_url": format!("{url}/following{{/other_user}}"), "gists_url": format!("{url}/gists{{/gist_id}}"),
            "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"), "subscriptions_url": format!("{url}/subscriptions"),
            "organizations_url": format!("{url}/orgs"), "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events{{/privacy}}"), "received_events_url": format!("{url}/received_events"),
            "type": kind, "user_view_type": "public", "site_admin": false,
        })
    }

    /// The author of an issue; for a deleted user GitHub's `ghost`.
    pub(crate) fn author(&self, login: &str) -> Value {
        let known = if self.accounts.contains_key(login) {
            login
        } else {
            GHOST
        };
        self.user(known)
    }

    /// A simple organization.
    pub(crate) fn organization(&self, login: &str) -> Value {
        let id = self.accounts.get(login).map_or(0, |person| person.id);
        let url = format!("{}/orgs/{login}", self.base);
        json!({
            "login": login, "id": id, "node_id": node("O", id), "url": url, "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events"), "hooks_url": format!("{url}/hooks"), "issues_url": format!("{url}/issues"),
            "members_url": format!("{url}/members{{/member}}"), "public_members_url": format!("{url}/public_members{{/member}}"),
            "avatar_url": format!("{}/avatars/{id}", self.base), "description": null,
        })
    }
}
