//! Who is who: team memberships and rights.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{GitHubError, Repository, path};

/// What somebody may do in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Nothing.
    None,
    /// Look.
    Read,
    /// Look and sort.
    Triage,
    /// Push.
    Write,
    /// Push and settings.
    Maintain,
    /// Everything.
    Admin,
}

impl Repository {
    /// Asks for a person's membership in teams. Whatever is not a clear yes is [`Membership::Unseen`] with the reason.
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
                "GitHub says {status}: not a member, or the team is not visible to this app"
            )),
            Err(
                GitHubError::Denied { status, why, .. } | GitHubError::Refused { status, why, .. },
            ) => Membership::Unseen(format!("GitHub says {status}: {why}")),
            Err(GitHubError::Limited { .. }) => {
                Membership::Unseen("GitHub's limit is reached".to_owned())
            }
            Err(GitHubError::Unknown { why, .. }) => Membership::Unseen(why),
        }
    }

    /// What somebody may do here. Of use for `/help`; orders go by the roster.
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
        // The role is exact where it is one of GitHub's own; the older word folds maintain and triage.
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

/// What GitHub says about a person and a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// `state: active`.
    Active,
    /// Invited, not yet a member.
    Pending,
    /// Nobody knows: not a member, or the team does not show itself, or GitHub does not answer. The words say which.
    Unseen(String),
}

/// What was looked up, for the teams of [`Roster::teams_to_ask`].
pub type Memberships = BTreeMap<Team, Membership>;
