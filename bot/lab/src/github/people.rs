//! Who there is, who asks, and who may: users, organizations, teams, tokens, permissions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{Answer, Call, forbidden, not_found, ok, refusal};
use super::repo::Repository;
use super::{GitHub, node, stamp};
use crate::wire::{Request, Response};

/// The user that stands for those who are gone.
pub(crate) const GHOST: &str = "ghost";

/// Whoever holds the token of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// No token.
    Nobody,
    /// A user, by login.
    Person(String),
    /// The app on its installation.
    Installation,
    /// The app itself, by a signed claim.
    App,
}

impl Who {
    /// A name to count requests by.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Nobody => String::new(),
            Self::Person(login) => login.clone(),
            Self::Installation => "installation".to_owned(),
            Self::App => "app".to_owned(),
        }
    }
}

/// What a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    User,
    Bot,
    Organization,
}

#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: u64,
    pub(crate) login: String,
    pub(crate) kind: Kind,
    pub(crate) joined: i64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Organization {
    /// Whether a member is an owner.
    pub(crate) members: BTreeMap<String, bool>,
    pub(crate) teams: BTreeMap<String, Team>,
}

#[derive(Clone, Debug)]
pub(crate) struct Team {
    pub(crate) id: u64,
    pub(crate) slug: String,
    /// Whether a member has accepted.
    pub(crate) members: BTreeMap<String, bool>,
}

/// What someone may do in a repository, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// See it.
    Read,
    /// Sort issues.
    Triage,
    /// Push.
    Write,
    /// Everything but what is dangerous.
    Maintain,
    /// Everything.
    Admin,
}

impl Permission {
    /// The exact role, and the older word for it.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Read => ("read", "read"),
            Self::Triage => ("triage", "read"),
            Self::Write => ("write", "write"),
            Self::Maintain => ("maintain", "write"),
            Self::Admin => ("admin", "admin"),
        }
    }

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

impl GitHub {
    /// Who asks; a token that nobody has is refused.
    pub(crate) fn asker(&self, request: &Request) -> Result<Who, Response> {
        let Some(header) = request.header("authorization") else {
            return Ok(Who::Nobody);
        };
        let token = header.split_once(' ').map_or("", |(_, token)| token.trim());
        let claim = token.starts_with("eyJ") && token.split('.').count() == 3;
        if claim {
            return Ok(Who::App);
        }
        self.tokens
            .get(token)
            .cloned()
            .ok_or_else(|| refusal(401, "Bad credentials"))
    }

    /// The login that acts.
    pub(crate) fn login(&self, who: &Who) -> String {
        match who {
            Who::Nobody => String::new(),
            Who::Person(login) => login.clone(),
            Who::Installation | Who::App => self.app.login(),
        }
    }

    pub(crate) fn join(&mut self, login: &str, kind: Kind) -> u64 {
        if let Some(known) = self.people.get(login) {
            return known.id;
        }
        let id = self.id();
        let person = Person {
            id,
            login: login.to_owned(),
            kind,
            joined: self.now,
        };
        self.people.insert(login.to_owned(), person);
        id
    }

    /// What `who` may do in `repo`; `None` where it does not exist for them.
    pub(crate) fn permission(&self, repo: &Repository, who: &Who) -> Option<Permission> {
        match who {
            Who::Installation if repo.parent.is_none() => Some(Permission::Write),
            Who::Nobody | Who::App | Who::Installation => {
                (!repo.private).then_some(Permission::Read)
            }
            Who::Person(login) => {
                let open = (!repo.private).then_some(Permission::Read);
                self.granted(repo, login).max(open)
            }
        }
    }

    /// What a person was given there, by name, by team, or as a member of the organization.
    pub(crate) fn granted(&self, repo: &Repository, login: &str) -> Option<Permission> {
        let organization = self.organizations.get(&repo.owner);
        let member = organization.and_then(|all| all.members.get(login));
        let owner = repo.owner == login || member == Some(&true);
        let teams = organization.into_iter().flat_map(|all| all.teams.values());
        let by_team = teams
            .filter(|team| team.members.get(login) == Some(&true))
            .filter_map(|team| repo.teams.get(&team.slug).copied());
        by_team
            .chain(repo.grants.get(login).copied())
            .chain(member.map(|_| Permission::Read))
            .chain(owner.then_some(Permission::Admin))
            .max()
    }

    /// Whoever may push; else the refusal.
    pub(crate) fn writer(&self, call: &Call<'_>) -> Result<String, Response> {
        let held = self.permission(self.repo(&call.repo), &call.who);
        match (&call.who, held) {
            (Who::Nobody, _) => Err(refusal(401, "Requires authentication")),
            (_, held) if held >= Some(Permission::Write) => Ok(self.login(&call.who)),
            _ => Err(refusal(403, "Must have push access to this repository.")),
        }
    }

    /// Authors may edit what is theirs; whoever may push may edit everything.
    pub(crate) fn may_edit(&self, call: &Call<'_>, author: &str) -> Result<String, Response> {
        if call.who != Who::Nobody && self.login(&call.who) == author {
            return Ok(author.to_owned());
        }
        self.writer(call)
    }

    /// What GitHub calls a person in relation to a repository.
    pub(crate) fn association(&self, repo: &Repository, login: &str) -> &'static str {
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

    /// A user in short; null for one that is gone.
    pub(crate) fn user(&self, login: &str) -> Value {
        let Some(person) = self.people.get(login) else {
            return Value::Null;
        };
        let name = login.replace('[', "%5B").replace(']', "%5D");
        let (url, html) = (
            format!("{}/users/{name}", self.base),
            format!("{}/{name}", self.base),
        );
        let kind = match person.kind {
            Kind::User => "User",
            Kind::Bot => "Bot",
            Kind::Organization => "Organization",
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

    /// Whoever wrote an issue: in the place of a user that is gone stands GitHub's `ghost`.
    pub(crate) fn author(&self, login: &str) -> Value {
        let known = if self.people.contains_key(login) {
            login
        } else {
            GHOST
        };
        self.user(known)
    }

    /// An organization in short.
    pub(crate) fn organization(&self, login: &str) -> Value {
        let id = self.people.get(login).map_or(0, |person| person.id);
        let url = format!("{}/orgs/{login}", self.base);
        json!({
            "login": login, "id": id, "node_id": node("O", id), "url": url, "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events"), "hooks_url": format!("{url}/hooks"), "issues_url": format!("{url}/issues"),
            "members_url": format!("{url}/members{{/member}}"), "public_members_url": format!("{url}/public_members{{/member}}"),
            "avatar_url": format!("{}/avatars/{id}", self.base), "description": null,
        })
    }

    /// `GET /user`: an installation is nobody.
    pub(crate) fn get_self(&self, call: &Call<'_>) -> Answer {
        match &call.who {
            Who::Person(login) => self.get_user(login),
            Who::Installation => Err(forbidden()),
            Who::Nobody | Who::App => Err(refusal(401, "Requires authentication")),
        }
    }

    /// `GET /users/{username}`
    pub(crate) fn get_user(&self, login: &str) -> Answer {
        let person = self.people.get(login).ok_or_else(not_found)?;
        let mut shown = self.user(login);
        for field in ["name", "company", "location", "email", "hireable", "bio"] {
            shown[field] = Value::Null;
        }
        for field in ["public_repos", "public_gists", "followers", "following"] {
            shown[field] = json!(0);
        }
        shown["blog"] = json!("");
        shown["created_at"] = json!(stamp(person.joined));
        shown["updated_at"] = json!(stamp(person.joined));
        Ok(ok(&shown))
    }

    /// `GET /repos/{owner}/{repo}/collaborators/{username}/permission`
    pub(crate) fn collaborator(&self, call: &Call<'_>, login: &str) -> Answer {
        let repo = self.repo(&call.repo);
        if !self.people.contains_key(login) {
            return Err(refusal(404, &format!("{login} is not a user")));
        }
        let held = self.permission(repo, &Who::Person(login.to_owned()));
        let (role, older) = held.map_or(("none", "none"), Permission::words);
        let mut user = self.user(login);
        user["permissions"] = Permission::shown(held);
        user["role_name"] = json!(role);
        Ok(ok(
            &json!({"permission": older, "role_name": role, "user": user}),
        ))
    }

    /// Organizations show their teams and members to the app and to members only.
    fn inside(&self, call: &Call<'_>, name: &str) -> Result<&Organization, Response> {
        let organization = self.organizations.get(name).ok_or_else(not_found)?;
        let allowed = match &call.who {
            Who::Installation => true,
            Who::Person(login) => organization.members.contains_key(login),
            Who::Nobody | Who::App => false,
        };
        if allowed {
            Ok(organization)
        } else {
            Err(not_found())
        }
    }

    fn team<'a>(&'a self, call: &Call<'_>, name: &str, slug: &str) -> Result<&'a Team, Response> {
        self.inside(call, name)?
            .teams
            .get(slug)
            .ok_or_else(not_found)
    }

    /// `GET /orgs/{org}/teams/{team_slug}/memberships/{username}`
    pub(crate) fn team_membership(
        &self,
        call: &Call<'_>,
        [name, slug, login]: [&str; 3],
    ) -> Answer {
        let team = self.team(call, name, slug)?;
        let active = team.members.get(login).ok_or_else(not_found)?;
        let url = format!(
            "{}/organizations/{name}/team/{}/memberships/{login}",
            self.base, team.id
        );
        Ok(ok(
            &json!({"url": url, "role": "member", "state": if *active { "active" } else { "pending" }}),
        ))
    }

    /// `GET /orgs/{org}/teams/{team_slug}/members`
    pub(crate) fn team_members(&self, call: &Call<'_>, name: &str, slug: &str) -> Answer {
        let team = self.team(call, name, slug)?;
        let active = team
            .members
            .iter()
            .filter(|(_, active)| **active)
            .map(|(login, _)| login.clone());
        Ok(self
            .page(call, active.collect(), |login| self.user(&login))
            .answer())
    }

    /// `GET /orgs/{org}/memberships/{username}`
    pub(crate) fn org_membership(&self, call: &Call<'_>, name: &str, login: &str) -> Answer {
        let organization = self.inside(call, name)?;
        let owner = organization.members.get(login).ok_or_else(not_found)?;
        let url = format!("{}/orgs/{name}", self.base);
        Ok(ok(&json!({
            "url": format!("{url}/memberships/{login}"), "state": "active", "role": if *owner { "admin" } else { "member" },
            "organization_url": url, "organization": self.organization(name), "user": self.user(login),
        })))
    }

    /// `GET /repos/{owner}/{repo}/teams`
    pub(crate) fn repo_teams(&self, call: &Call<'_>) -> Response {
        let repo = self.repo(&call.repo);
        let teams = self.organizations.get(&repo.owner).map(|all| &all.teams);
        let all = repo
            .teams
            .iter()
            .filter_map(|(slug, held)| Some((teams?.get(slug)?, *held)));
        self.page(call, all.collect(), |(team, held)| {
            self.show_team(repo, team, held)
        })
        .answer()
    }

    fn show_team(&self, repo: &Repository, team: &Team, held: Permission) -> Value {
        let url = format!(
            "{}/organizations/{}/team/{}",
            self.base, repo.owner, team.id
        );
        let id = self.people.get(&repo.owner).map_or(0, |person| person.id);
        json!({
            "id": team.id, "node_id": node("T", team.id), "name": team.slug, "slug": team.slug, "description": null,
            "privacy": "closed", "notification_setting": "notifications_enabled", "permission": held.words().0,
            "permissions": Permission::shown(Some(held)), "url": url,
            "html_url": format!("{}/orgs/{}/teams/{}", self.base, repo.owner, team.slug),
            "members_url": format!("{url}/members{{/member}}"), "repositories_url": format!("{url}/repos"),
            "type": "organization", "organization_id": id, "parent": null,
        })
    }
}
