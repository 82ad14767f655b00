//! Who and what there is before a story begins: users, organizations, teams, repositories.

use std::collections::BTreeMap;

use super::GitHub;
use super::git::Git;
use super::people::{Kind, Organization, Team, Who};
use super::repo::Repository;
use super::story::At;

impl GitHub {
    /// A user of that login, who exists from now on. The numeric id.
    pub fn add_user(&mut self, login: &str) -> u64 {
        self.tokens
            .insert(token_of(login), Who::Person(login.to_owned()));
        self.join(login, Kind::User)
    }

    /// A user is gone; what they wrote stays, by nobody.
    pub fn remove_user(&mut self, login: &str) {
        self.people.remove(login);
        self.tokens.remove(&token_of(login));
    }

    /// The token of a user.
    pub fn token(&self, login: &str) -> String {
        token_of(login)
    }

    /// An organization; `owners` are users of it that may do everything.
    pub fn create_organization(&mut self, login: &str, owners: &[&str]) {
        self.join(login, Kind::Organization);
        let organization = self.organizations.entry(login.to_owned()).or_default();
        organization
            .members
            .extend(owners.iter().map(|owner| ((*owner).to_owned(), true)));
        for owner in owners {
            self.add_user(owner);
        }
    }

    /// Puts a user into a team, which comes into being; by that they are a member of the organization.
    pub fn add_team_member(&mut self, organization: &str, slug: &str, login: &str) {
        self.add_user(login);
        let id = self.id();
        let fresh = Team {
            id,
            slug: slug.to_owned(),
            members: BTreeMap::new(),
        };
        let organization: &mut Organization = self
            .organizations
            .entry(organization.to_owned())
            .or_default();
        organization
            .members
            .entry(login.to_owned())
            .or_insert(false);
        organization
            .teams
            .entry(slug.to_owned())
            .or_insert(fresh)
            .members
            .insert(login.to_owned(), true);
    }

    /// Asks a user into a team, without their answer: the membership is pending.
    pub fn invite(&mut self, organization: &str, slug: &str, login: &str) {
        self.add_team_member(organization, slug, login);
        if let Some(team) = self
            .organizations
            .get_mut(organization)
            .and_then(|all| all.teams.get_mut(slug))
        {
            team.members.insert(login.to_owned(), false);
        }
    }

    /// Takes a user out of a team.
    pub fn remove_team_member(&mut self, organization: &str, slug: &str, login: &str) {
        if let Some(team) = self
            .organizations
            .get_mut(organization)
            .and_then(|all| all.teams.get_mut(slug))
        {
            team.members.remove(login);
        }
    }

    /// An empty repository, `owner/name`. An owner that nobody knows becomes an organization.
    pub fn create_repository(&mut self, full_name: &str, private: bool) -> At<'_> {
        let (owner, name) = full_name.split_once('/').unwrap_or(("", full_name));
        if !self.people.contains_key(owner) {
            self.create_organization(owner, &[]);
        }
        let (id, now) = (self.id(), self.now);
        let repo = Repository {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            private,
            default_branch: "main".to_owned(),
            created: now,
            pushed: now,
            git: Git::default(),
            grants: BTreeMap::new(),
            teams: BTreeMap::new(),
            issues: BTreeMap::new(),
            comments: BTreeMap::new(),
            labels: BTreeMap::new(),
            runs: BTreeMap::new(),
            suites: BTreeMap::new(),
            statuses: vec![],
            deployments: BTreeMap::new(),
        };
        self.repositories.insert(full_name.to_owned(), repo);
        self.at(full_name)
    }
}

pub(crate) fn token_of(login: &str) -> String {
    format!("ghp_{login}")
}
