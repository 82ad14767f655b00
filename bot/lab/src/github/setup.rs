//! Sets up a GitHub: the app, users, organizations, teams, repositories. No request is checked here.

use std::collections::BTreeMap;

use super::actions::RepositoryActions;
use super::actor::token_of;
use super::git::Git;
use super::store::{
    AccountKind, LabGitHub, START_TIME, StoredApp, StoredOrganization, StoredRepository,
    StoredTeam, WebhookQueue,
};

impl LabGitHub {
    /// An empty GitHub with one app, which is installed on every repository except forks. `app` is its slug.
    pub fn new(app: &str) -> Self {
        let mut hub = Self {
            base: "http://127.0.0.1".to_owned(),
            now: START_TIME,
            ids: 1000,
            requests: 0,
            accounts: BTreeMap::new(),
            organizations: BTreeMap::new(),
            tokens: BTreeMap::new(),
            usage: BTreeMap::new(),
            repositories: BTreeMap::new(),
            renamed: BTreeMap::new(),
            app: StoredApp::new(app),
            outbox: WebhookQueue::default(),
        };
        hub.register_app();
        hub
    }

    /// Deletes a user. Their texts remain.
    pub fn remove_user(&mut self, login: &str) {
        self.accounts.remove(login);
        self.tokens.remove(&token_of(login));
    }

    /// Creates an organization and its owners, who are administrators of every repository in it.
    pub fn create_organization(&mut self, login: &str, owners: &[&str]) {
        self.add_account(login, AccountKind::Organization);
        let organization = self.organizations.entry(login.to_owned()).or_default();
        organization
            .members
            .extend(owners.iter().map(|owner| ((*owner).to_owned(), true)));
        for owner in owners {
            self.add_user(owner);
        }
    }

    /// Adds a user to a team, and to its organization. Creates what does not exist.
    pub fn add_team_member(&mut self, organization: &str, slug: &str, login: &str) {
        self.add_user(login);
        let id = self.id();
        let fresh = StoredTeam {
            id,
            slug: slug.to_owned(),
            members: BTreeMap::new(),
        };
        let organization: &mut StoredOrganization = self
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

    /// Invites a user to a team; the membership stays pending.
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

    pub fn remove_team_member(&mut self, organization: &str, slug: &str, login: &str) {
        if let Some(team) = self
            .organizations
            .get_mut(organization)
            .and_then(|all| all.teams.get_mut(slug))
        {
            team.members.remove(login);
        }
    }

    /// Creates an empty repository, `owner/name`. An unknown owner becomes an organization.
    pub fn create_repository(&mut self, full_name: &str, private: bool) -> RepositoryActions<'_> {
        let (owner, name) = full_name.split_once('/').unwrap_or(("", full_name));
        if !self.accounts.contains_key(owner) {
            self.create_organization(owner, &[]);
        }
        let repo = self.new_repository(owner, name, private);
        self.renamed.remove(full_name);
        self.repositories.insert(full_name.to_owned(), repo);
        self.at(full_name)
    }

    fn new_repository(&mut self, owner: &str, name: &str, private: bool) -> StoredRepository {
        let (id, now) = (self.id(), self.now);
        StoredRepository {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            parent: None,
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
        }
    }

    /// Forks a repository for a user, who owns the fork, and returns its full name. The app is not installed on it.
    pub fn fork(&mut self, full_name: &str, login: &str) -> String {
        self.add_user(login);
        let (git, name, private) = {
            let repo = self.repo(full_name);
            (repo.git.clone(), repo.name.clone(), repo.private)
        };
        let mut fork = self.new_repository(login, &name, private);
        (fork.git, fork.parent) = (git, Some(full_name.to_owned()));
        let key = fork.full_name();
        self.repositories.insert(key.clone(), fork);
        key
    }

    /// Deletes a repository with everything in it. A new one of the same name gets another id.
    pub fn delete_repository(&mut self, full_name: &str) {
        self.repositories.remove(full_name);
    }

    /// Changes the name or the owner of a repository. The old name answers 301.
    pub fn rename_repository(&mut self, full_name: &str, fresh: &str) {
        let Some(mut repo) = self.repositories.remove(full_name) else {
            return;
        };
        if let Some((owner, name)) = fresh.split_once('/') {
            (repo.owner, repo.name) = (owner.to_owned(), name.to_owned());
            self.add_account(owner, AccountKind::Organization);
        }
        for fork in self.repositories.values_mut() {
            if fork.parent.as_deref() == Some(full_name) {
                fork.parent = Some(fresh.to_owned());
            }
        }
        self.renamed.insert(full_name.to_owned(), fresh.to_owned());
        self.repositories.insert(fresh.to_owned(), repo);
    }
}
