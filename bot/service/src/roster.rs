//! Who may give which command.
//!
//! Only this module creates an [`Order`]: code that holds one need not check again whether its author was entitled.
//! Anybody may request a plan or a status; what leads to writes needs an operator of the site, by login or as an active
//! member of a team. GitHub's `author_association` is never read: it both includes people who must not apply and excludes
//! people who may. A membership that cannot be looked up does not count, and the refusal says why. This module must not
//! know how memberships are looked up.

use github::webhook::event::{Account, CommentEvent, PullNumber, RepositoryEvent};
use github::{Membership, Memberships, Team};

use crate::command::Command;
use crate::config::{OperatorName, Operators, Site};

/// The operators of one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    operators: Operators,
    two_person: bool,
}

/// Who wrote a comment, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commenter {
    /// GitHub's id of the comment.
    pub comment: u64,
    /// The pull request or issue that it is on.
    pub pull: PullNumber,
    /// Whether `pull` is a pull request and not an issue.
    pub on_pull: bool,
    /// Who opened the pull request.
    pub opener: Option<Account>,
    pub author: Option<Account>,
    /// Whose action caused the delivery.
    pub sender: Option<Account>,
    /// Whether the comment was edited.
    pub edited: bool,
    /// Whether an app wrote it on the author's behalf.
    pub via_app: bool,
}

impl Commenter {
    /// Reads it from a delivery.
    pub fn of(event: &RepositoryEvent, comment: &CommentEvent) -> Self {
        Self {
            comment: comment.id,
            pull: comment.number,
            on_pull: comment.on_pull,
            opener: comment.opener.clone(),
            author: comment.author.clone(),
            sender: event.sender.clone(),
            edited: comment.edited,
            via_app: comment.via_app,
        }
    }
}

/// Why somebody may give a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entitlement {
    /// The roster names them.
    Named,
    /// They are an active member of this team.
    Member(Team),
    /// Anybody may give this command.
    Anybody,
    /// They use the terminal and hold the site's MAAS key.
    Terminal,
}

/// A command whose author was entitled to give it. Following it consumes it, so that one order is followed once.
#[derive(Debug, PartialEq, Eq)]
pub struct Order {
    command: Command,
    by: String,
    entitlement: Entitlement,
    given_at: Option<(PullNumber, u64)>,
}

impl Order {
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// The author's login.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Consumes the order; returns the author's login for the record.
    #[must_use]
    pub fn into_author(self) -> String {
        self.by
    }

    /// Why its author may give it.
    pub fn entitlement(&self) -> &Entitlement {
        &self.entitlement
    }

    /// The pull request and the comment; `None` for an order from a terminal.
    pub fn given_at(&self) -> Option<(PullNumber, u64)> {
        self.given_at
    }
}

/// Why a command was not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The comment is on an issue.
    #[error("commands work on pull requests only; this is an issue")]
    NotAPull,
    /// The comment was edited.
    #[error("the comment was edited; only an unedited comment can be a command, so post a new one")]
    Edited,
    /// The account was deleted.
    #[error("the account that wrote the comment no longer exists")]
    Ghost,
    /// Somebody else's action caused the delivery.
    #[error("the comment is @{author}'s, but the action was @{sender}'s")]
    NotTheSender {
        /// The login of the comment's author.
        author: String,
        /// The login of who acted.
        sender: String,
    },
    /// An app wrote it on somebody's behalf.
    #[error("an app wrote the comment in @{author}'s name; only people can give commands")]
    ViaApp {
        /// On whose behalf, by login.
        author: String,
    },
    /// A bot or an organisation.
    #[error("@{author} is not a person")]
    NotAPerson {
        /// The login.
        author: String,
    },
    /// The login is on the roster with the id of another account: GitHub lets logins be reused.
    #[error("@{author} has the login of an operator, but is another account")]
    AnotherAccount {
        /// The login.
        author: String,
    },
    /// The author of the change may not apply it here.
    #[error("@{author} opened this pull request; this site requires somebody else to apply it")]
    OwnChange {
        /// The login.
        author: String,
    },
    /// Neither named nor in a team of operators.
    #[error("@{author} is not on the roster{}", unseen_teams(.unseen))]
    NotOnTheRoster {
        /// The login.
        author: String,
        /// Teams whose membership could not be confirmed, and why.
        unseen: Vec<(Team, String)>,
    },
}

fn unseen_teams(teams: &[(Team, String)]) -> String {
    teams
        .iter()
        .map(|(team, why)| {
            // Text from outside is posted in a code span, which it must not be able to end.
            let why = why.replace('`', "'");
            format!("; membership in team `{team}` is not confirmed: `{why}`")
        })
        .collect()
}

impl Roster {
    /// The roster of a site.
    pub fn of(site: &Site) -> Self {
        Self {
            operators: site.operators.clone(),
            two_person: site.policy.two_person,
        }
    }

    /// The teams whose membership decides, so that only those are looked up.
    pub fn teams_to_look_up(&self, command: &Command, commenter: &Commenter) -> Vec<Team> {
        match person(commenter) {
            Ok(author) if command.is_order() && !self.is_named(author) => {
                self.operators.teams.clone()
            }
            Ok(_) | Err(_) => Vec::new(),
        }
    }

    /// Turns a command into an order if its author is entitled to it.
    pub fn admit(
        &self,
        command: Command,
        commenter: &Commenter,
        memberships: &Memberships,
    ) -> Result<Order, NotAdmitted> {
        let author = person(commenter)?;
        let entitlement = if command.is_order() {
            let entitlement = self.entitlement(author, memberships)?;
            let own = commenter
                .opener
                .as_ref()
                .is_some_and(|it| it.id == author.id);
            if self.two_person && own && matches!(command, Command::Apply(_)) {
                return Err(NotAdmitted::OwnChange {
                    author: author.login.clone(),
                });
            }
            entitlement
        } else {
            Entitlement::Anybody
        };
        Ok(Order {
            command,
            by: author.login.clone(),
            entitlement,
            given_at: Some((commenter.pull, commenter.comment)),
        })
    }

    /// Whether an account is an operator now; checked again for each order.
    pub fn entitlement(
        &self,
        account: &Account,
        memberships: &Memberships,
    ) -> Result<Entitlement, NotAdmitted> {
        if self.is_named(account) {
            return Ok(Entitlement::Named);
        }
        let member = self
            .operators
            .teams
            .iter()
            .find(|team| memberships.get(team) == Some(&Membership::Active));
        if let Some(team) = member {
            return Ok(Entitlement::Member(team.clone()));
        }
        let author = account.login.clone();
        if self.entries_for(account).next().is_some() {
            return Err(NotAdmitted::AnotherAccount { author });
        }
        let unseen = self
            .operators
            .teams
            .iter()
            .filter_map(|team| match memberships.get(team) {
                Some(Membership::Unseen(why)) => Some((team.clone(), why.clone())),
                Some(Membership::Pending) => {
                    Some((team.clone(), "the invitation is pending".to_owned()))
                }
                Some(Membership::Active) => None,
                None => Some((team.clone(), "not looked up".to_owned())),
            })
            .collect();
        Err(NotAdmitted::NotOnTheRoster { author, unseen })
    }

    /// An order from a terminal: somebody who holds the site's MAAS key could do the same without planebot.
    pub fn at_the_terminal(command: Command, login: &str) -> Order {
        Order {
            command,
            by: login.to_owned(),
            entitlement: Entitlement::Terminal,
            given_at: None,
        }
    }

    fn is_named(&self, account: &Account) -> bool {
        self.entries_for(account)
            .any(|name| name.id.is_none_or(|id| id == account.id))
    }

    /// The roster's entries with the account's login, which GitHub compares without case.
    fn entries_for<'a>(&'a self, account: &'a Account) -> impl Iterator<Item = &'a OperatorName> {
        self.operators
            .users
            .iter()
            .filter(|name| name.login.eq_ignore_ascii_case(&account.login))
    }
}

/// The author of the comment, if it is a person and nobody else took part in it.
fn person(commenter: &Commenter) -> Result<&Account, NotAdmitted> {
    if !commenter.on_pull {
        return Err(NotAdmitted::NotAPull);
    }
    let (Some(author), Some(sender)) = (&commenter.author, &commenter.sender) else {
        return Err(NotAdmitted::Ghost);
    };
    let login = author.login.clone();
    // GitHub shows this account in place of deleted ones.
    if login.eq_ignore_ascii_case("ghost") {
        return Err(NotAdmitted::Ghost);
    }
    if author.kind != "User" || login.ends_with("[bot]") {
        return Err(NotAdmitted::NotAPerson { author: login });
    }
    if commenter.via_app {
        return Err(NotAdmitted::ViaApp { author: login });
    }
    if author.id != sender.id || author.login != sender.login {
        return Err(NotAdmitted::NotTheSender {
            author: login,
            sender: sender.login.clone(),
        });
    }
    if commenter.edited {
        return Err(NotAdmitted::Edited);
    }
    Ok(author)
}

#[cfg(test)]
mod tests;
