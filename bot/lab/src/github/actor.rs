//! Who sends a request, and their permissions.

use super::answer::{ApiCall, refusal};
use super::git::GitSignature;
use super::store::{AccountKind, GitHubActor, LabGitHub, RepositoryPermission, StoredRepository};
use crate::wire::{LabRequest, LabResponse};

impl LabGitHub {
    /// The login of whoever may comment and react: any authenticated user who can read.
    pub(crate) fn commenter(&self, call: &ApiCall<'_>) -> Result<String, LabResponse> {
        match call.who {
            GitHubActor::Anonymous | GitHubActor::App => {
                Err(refusal(401, "Requires authentication"))
            }
            GitHubActor::User(_) | GitHubActor::Installation => Ok(self.login(&call.who)),
        }
    }

    /// A user as the author of a commit made now.
    pub(crate) fn signature(&self, login: &str) -> GitSignature {
        let id = self.accounts.get(login).map_or(0, |person| person.id);
        GitSignature {
            name: login.to_owned(),
            email: format!("{id}+{login}@users.noreply.github.com"),
            at: self.now,
        }
    }

    /// Who sends a request; an unknown token is 401.
    pub(crate) fn actor_of(&self, request: &LabRequest) -> Result<GitHubActor, LabResponse> {
        let Some(header) = request.header("authorization") else {
            return Ok(GitHubActor::Anonymous);
        };
        let token = header.split_once(' ').map_or("", |(_, token)| token.trim());
        let claim = token.starts_with("eyJ") && token.split('.').count() == 3;
        if claim {
            return Ok(GitHubActor::App);
        }
        self.tokens
            .get(token)
            .cloned()
            .ok_or_else(|| refusal(401, "Bad credentials"))
    }

    /// The login of an actor; empty if anonymous.
    pub(crate) fn login(&self, who: &GitHubActor) -> String {
        match who {
            GitHubActor::Anonymous => String::new(),
            GitHubActor::User(login) => login.clone(),
            GitHubActor::Installation | GitHubActor::App => self.app.login(),
        }
    }

    /// The permission of `who` in `repo`; `None` if they cannot see it.
    pub(crate) fn permission(
        &self,
        repo: &StoredRepository,
        who: &GitHubActor,
    ) -> Option<RepositoryPermission> {
        match who {
            GitHubActor::Installation if repo.parent.is_none() => Some(RepositoryPermission::Write),
            GitHubActor::Anonymous | GitHubActor::App | GitHubActor::Installation => {
                (!repo.private).then_some(RepositoryPermission::Read)
            }
            GitHubActor::User(login) => {
                let open = (!repo.private).then_some(RepositoryPermission::Read);
                self.granted(repo, login).max(open)
            }
        }
    }

    /// The permission that a user was granted directly, through a team, or as a member of the organization.
    pub(crate) fn granted(
        &self,
        repo: &StoredRepository,
        login: &str,
    ) -> Option<RepositoryPermission> {
        let organization = self.organizations.get(&repo.owner);
        let member = organization.and_then(|all| all.members.get(login));
        let owner = repo.owner == login || member == Some(&true);
        let teams = organization.into_iter().flat_map(|all| all.teams.values());
        let by_team = teams
            .filter(|team| team.members.get(login) == Some(&true))
            .filter_map(|team| repo.teams.get(&team.slug).copied());
        by_team
            .chain(repo.grants.get(login).copied())
            .chain(member.map(|_| RepositoryPermission::Read))
            .chain(owner.then_some(RepositoryPermission::Admin))
            .max()
    }

    /// The login of whoever may push, or the refusal.
    pub(crate) fn writer(&self, call: &ApiCall<'_>) -> Result<String, LabResponse> {
        let held = self.permission(self.repo(&call.repo), &call.who);
        match (&call.who, held) {
            (GitHubActor::Anonymous, _) => Err(refusal(401, "Requires authentication")),
            (_, held) if held >= Some(RepositoryPermission::Write) => Ok(self.login(&call.who)),
            _ => Err(refusal(403, "Must have push access to this repository.")),
        }
    }

    /// Authors may edit their own text; users with write access may edit any.
    pub(crate) fn may_edit(&self, call: &ApiCall<'_>, author: &str) -> Result<String, LabResponse> {
        if call.who != GitHubActor::Anonymous && self.login(&call.who) == author {
            return Ok(author.to_owned());
        }
        self.writer(call)
    }

    /// Creates a user, unless it exists, and returns the numeric id.
    pub fn add_user(&mut self, login: &str) -> u64 {
        self.tokens
            .insert(token_of(login), GitHubActor::User(login.to_owned()));
        self.add_account(login, AccountKind::User)
    }

    /// A user's personal access token.
    pub fn token(&self, login: &str) -> String {
        token_of(login)
    }
}

/// GitHub's own signature, which commits made on the website have.
pub(crate) fn web_flow(at: i64) -> GitSignature {
    GitSignature {
        name: "GitHub".to_owned(),
        email: "noreply@github.com".to_owned(),
        at,
    }
}

pub(crate) fn token_of(login: &str) -> String {
    format!("ghp_{login}")
}
