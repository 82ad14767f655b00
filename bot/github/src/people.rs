//! Team memberships and permissions.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{GitHubError, Repository, path};

/// What an account may do in a repository; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// No access.
    None,
    /// Read it.
    Read,
    /// Manage issues and pull requests.
    Triage,
    /// Push.
    Write,
    /// Change most settings.
    Maintain,
    /// Full control.
    Admin,
}

impl Repository {
    /// Asks for an account's membership in teams. An answer that does not confirm it is [`Membership::Unseen`], with the
    /// reason.
    pub async fn memberships(&self, teams: &[Team], login: &str) -> Memberships {
        let mut memberships = Memberships::new();
        for team in teams {
            let found = self.membership(team, login).await;
            memberships.insert(team.clone(), found);
        }
        memberships
    }

    async fn membership(&self, team: &Team, login: &str) -> Membership {
        #[derive(Deserialize)]
        struct Wire {
            state: String,
        }
        let route = format!(
            "/orgs/{}/teams/{}/memberships/{}",
            path::segment(&team.org),
            path::segment(&team.slug),
            path::segment(login)
        );
        let what = format!("asking whether @{login} is in `{team}`");
        match self.client.get::<Wire>(&what, &route).await {
            Ok(wire) if wire.state == "active" => Membership::Active,
            Ok(_) => Membership::Pending,
            Err(GitHubError::Gone { status, .. }) => Membership::Unseen(format!(
                "GitHub answered {status}: not a member, or this app may not see the team"
            )),
            Err(
                GitHubError::Denied { status, why, .. } | GitHubError::Refused { status, why, .. },
            ) => Membership::Unseen(format!("GitHub answered {status}: {why}")),
            Err(GitHubError::Limited { .. }) => {
                Membership::Unseen("GitHub's rate limit is reached".to_owned())
            }
            Err(GitHubError::Unknown { why, .. }) => Membership::Unseen(why),
        }
    }

    /// What an account may do in the repository. For `/help` only: orders are decided by the roster.
    pub async fn permission(&self, login: &str) -> Result<Permission, GitHubError> {
        #[derive(Deserialize)]
        struct Wire {
            permission: String,
            role_name: Option<String>,
        }
        let route = format!(
            "{}/collaborators/{}/permission",
            self.root,
            path::segment(login)
        );
        let what = format!("asking what @{login} may do");
        let wire: Wire = self.client.get(&what, &route).await?;
        // `role_name` is exact if it is one of GitHub's own roles; the older `permission` shows maintain as write and
        // triage as read.
        let role = wire.role_name.as_deref().and_then(permission);
        Ok(role
            .or_else(|| permission(&wire.permission))
            .unwrap_or(Permission::None))
    }
}

fn permission(word: &str) -> Option<Permission> {
    match word {
        "none" => Some(Permission::None),
        "read" => Some(Permission::Read),
        "triage" => Some(Permission::Triage),
        "write" => Some(Permission::Write),
        "maintain" => Some(Permission::Maintain),
        "admin" => Some(Permission::Admin),
        _ => None,
    }
}

/// A team of an organisation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Team {
    /// The organisation's login.
    pub org: String,
    /// The team's slug.
    pub slug: String,
}

impl std::fmt::Display for Team {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.org, self.slug)
    }
}

/// An account's membership in a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// A member.
    Active,
    /// Invited, not yet a member.
    Pending,
    /// Not confirmed, with the reason: not a member, the team cannot be seen, or GitHub does not answer.
    Unseen(String),
}

/// An account's membership in each team that was asked for.
pub type Memberships = BTreeMap<Team, Membership>;
