//! Who is who: team memberships and rights.

use serde::Deserialize;

use super::{GitHubError, Repository, ask};
use crate::config::Team;
use crate::roster::{Membership, Memberships};

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
            ask::segment(&team.org),
            ask::segment(&team.slug),
            ask::segment(login)
        );
        let what = format!("asking whether @{login} is in `{team}`");
        match self.line.get::<Wire>(&what, &route).await {
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
            ask::segment(login)
        );
        let what = format!("asking what @{login} may do");
        let wire: Wire = self.line.get(&what, &route).await?;
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
