//! Endpoints of users, organizations, teams and collaborators.

use serde_json::{Value, json};

use super::answer::{ApiCall, GitHubAnswer, forbidden, node, not_found, ok, refusal, stamp};
use super::store::{
    GitHubActor, LabGitHub, RepositoryPermission, StoredOrganization, StoredRepository, StoredTeam,
};
use crate::wire::LabResponse;

impl LabGitHub {
    /// `GET /user`, which is 403 for an installation.
    pub(crate) fn get_self(&self, call: &ApiCall<'_>) -> GitHubAnswer {
        match &call.who {
            GitHubActor::User(login) => self.get_user(login),
            GitHubActor::Installation => Err(forbidden()),
            GitHubActor::Anonymous | GitHubActor::App => {
                Err(refusal(401, "Requires authentication"))
            }
        }
    }

    /// `GET /users/{username}`
    pub(crate) fn get_user(&self, login: &str) -> GitHubAnswer {
        let person = self.accounts.get(login).ok_or_else(not_found)?;
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
    pub(crate) fn collaborator(&self, call: &ApiCall<'_>, login: &str) -> GitHubAnswer {
        let repo = self.repo(&call.repo);
        if !self.accounts.contains_key(login) {
            return Err(refusal(404, &format!("{login} is not a user")));
        }
        let held = self.permission(repo, &GitHubActor::User(login.to_owned()));
        let (role, older) = held.map_or(("none", "none"), RepositoryPermission::words);
        let mut user = self.user(login);
        user["permissions"] = RepositoryPermission::shown(held);
        user["role_name"] = json!(role);
        Ok(ok(
            &json!({"permission": older, "role_name": role, "user": user}),
        ))
    }

    /// An organization, whose teams and members only the app and its members may see.
    fn visible_organization(
        &self,
        call: &ApiCall<'_>,
        name: &str,
    ) -> Result<&StoredOrganization, LabResponse> {
        let organization = self.organizations.get(name).ok_or_else(not_found)?;
        let allowed = match &call.who {
            GitHubActor::Installation => true,
            GitHubActor::User(login) => organization.members.contains_key(login),
            GitHubActor::Anonymous | GitHubActor::App => false,
        };
        if allowed {
            Ok(organization)
        } else {
            Err(not_found())
        }
    }

    fn team<'a>(
        &'a self,
        call: &ApiCall<'_>,
        name: &str,
        slug: &str,
    ) -> Result<&'a StoredTeam, LabResponse> {
        self.visible_organization(call, name)?
            .teams
            .get(slug)
            .ok_or_else(not_found)
    }

    /// `GET /orgs/{org}/teams/{team_slug}/memberships/{username}`
    pub(crate) fn team_membership(
        &self,
        call: &ApiCall<'_>,
        [name, slug, login]: [&str; 3],
    ) -> GitHubAnswer {
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
    pub(crate) fn team_members(&self, call: &ApiCall<'_>, name: &str, slug: &str) -> GitHubAnswer {
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
    pub(crate) fn org_membership(
        &self,
        call: &ApiCall<'_>,
        name: &str,
        login: &str,
    ) -> GitHubAnswer {
        let organization = self.visible_organization(call, name)?;
        let owner = organization.members.get(login).ok_or_else(not_found)?;
        let url = format!("{}/orgs/{name}", self.base);
        Ok(ok(&json!({
            "url": format!("{url}/memberships/{login}"), "state": "active", "role": if *owner { "admin" } else { "member" },
            "organization_url": url, "organization": self.organization(name), "user": self.user(login),
        })))
    }

    /// `GET /repos/{owner}/{repo}/teams`
    pub(crate) fn repo_teams(&self, call: &ApiCall<'_>) -> LabResponse {
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

    fn show_team(
        &self,
        repo: &StoredRepository,
        team: &StoredTeam,
        held: RepositoryPermission,
    ) -> Value {
        let url = format!(
            "{}/organizations/{}/team/{}",
            self.base, repo.owner, team.id
        );
        let id = self.accounts.get(&repo.owner).map_or(0, |person| person.id);
        json!({
            "id": team.id, "node_id": node("T", team.id), "name": team.slug, "slug": team.slug, "description": null,
            "privacy": "closed", "notification_setting": "notifications_enabled", "permission": held.words().0,
            "permissions": RepositoryPermission::shown(Some(held)), "url": url,
            "html_url": format!("{}/orgs/{}/teams/{}", self.base, repo.owner, team.slug),
            "members_url": format!("{url}/members{{/member}}"), "repositories_url": format!("{url}/repos"),
            "type": "organization", "organization_id": id, "parent": null,
        })
    }
}
