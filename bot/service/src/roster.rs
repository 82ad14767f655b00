//! Who may ask.
//!
//! The only place where an [`Order`] is made: whoever holds one need not ask again whether its giver was entitled.
//! Anybody may ask to plan and to look; what leads to writes needs an operator of the site, by login or as an active
//! member of a team. GitHub's `author_association` is never looked at: it is wrong both ways. What cannot be looked up
//! is a no, with the reason. It must not know how memberships are asked for.

use crate::command::Command;
use crate::config::{OperatorName, Operators, Site};
use github::webhook::event::{Account, CommentEvent, PullNumber, RepositoryEvent};
use github::{Membership, Memberships, Team};

/// The people of one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    operators: Operators,
    two_person: bool,
}

/// Who asks, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commenter {
    /// The comment.
    pub comment: u64,
    /// Where it is.
    pub pull: PullNumber,
    /// Whether that is a pull request.
    pub on_pull: bool,
    /// Who opened it.
    pub opener: Option<Account>,
    /// Who wrote the comment.
    pub author: Option<Account>,
    /// Whose action the delivery was.
    pub sender: Option<Account>,
    /// Whether the comment was changed after it was written.
    pub edited: bool,
    /// Whether an app wrote it in somebody's name.
    pub via_app: bool,
}

impl Commenter {
    /// As the delivery says.
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

/// By what somebody may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entitlement {
    /// Named on the roster.
    Named,
    /// An active member of this team.
    Member(Team),
    /// Anybody may ask that.
    Anybody,
    /// Sits at the terminal with the site's key.
    Terminal,
}

/// A command that its giver was entitled to give. It is consumed by what it entitles to, so that one order is followed once.
#[derive(Debug, PartialEq, Eq)]
pub struct Order {
    command: Command,
    by: String,
    standing: Entitlement,
    place: Option<(PullNumber, u64)>,
}

impl Order {
    /// What is ordered.
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// Who gave it, by login.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Uses the order up: what is left is who gave it, by login, for the record.
    #[must_use]
    pub fn into_giver(self) -> String {
        self.by
    }

    /// By what they may.
    pub fn standing(&self) -> &Entitlement {
        &self.standing
    }

    /// The pull request and the comment; `None` at a terminal.
    pub fn place(&self) -> Option<(PullNumber, u64)> {
        self.place
    }
}

/// Why somebody was turned away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// A comment on an issue.
    #[error("commands are given on pull requests, and this is an issue")]
    NotAPull,
    /// The comment was changed.
    #[error("the comment was edited; a command counts as it was first written, so comment anew")]
    Edited,
    /// The account is gone.
    #[error("the account that wrote the comment is gone")]
    Ghost,
    /// The delivery was somebody else's action.
    #[error("the comment is @{author}'s, but the action was @{sender}'s")]
    NotTheSender {
        /// Who wrote it.
        author: String,
        /// Whose action it was.
        sender: String,
    },
    /// An app wrote it in somebody's name.
    #[error("an app wrote the comment in @{author}'s name; commands are given by people")]
    ViaApp {
        /// In whose name.
        author: String,
    },
    /// A bot or an organisation.
    #[error("@{author} is not a person")]
    NotAPerson {
        /// Who.
        author: String,
    },
    /// The login is on the roster, with another account's number.
    #[error("@{author} has the login of an operator, but is another account")]
    AnotherAccount {
        /// Who.
        author: String,
    },
    /// The author of the change may not apply it here.
    #[error(
        "@{author} opened this pull request; here a change is applied by somebody other than its author"
    )]
    OwnChange {
        /// Who.
        author: String,
    },
    /// Neither named nor in a team.
    #[error("@{author} is not on the roster{}", not_seen(.unseen))]
    NotOnTheRoster {
        /// Who.
        author: String,
        /// Teams that could not be looked up, and why; what cannot be seen is a no.
        unseen: Vec<(Team, String)>,
    },
}

fn not_seen(teams: &[(Team, String)]) -> String {
    teams
        .iter()
        .map(|(team, why)| {
            // Somebody else's words, which are posted: in a code span that they cannot leave.
            let why = why.replace('`', "'");
            format!("; team `{team}` was not seen to have them: `{why}`")
        })
        .collect()
}

impl Roster {
    /// The people of a site.
    pub fn of(site: &Site) -> Self {
        Self {
            operators: site.operators.clone(),
            two_person: site.policy.two_person,
        }
    }

    /// The teams whose membership decides, so that only those are asked for.
    pub fn teams_to_ask(&self, command: &Command, asker: &Commenter) -> Vec<Team> {
        match person(asker) {
            Ok(author) if command.is_order() && !self.names(author) => self.operators.teams.clone(),
            Ok(_) | Err(_) => Vec::new(),
        }
    }

    /// Makes an order of a command, if its giver may.
    pub fn admit(
        &self,
        command: Command,
        asker: &Commenter,
        memberships: &Memberships,
    ) -> Result<Order, NotAdmitted> {
        let author = person(asker)?;
        let standing = if command.is_order() {
            let standing = self.standing(author, memberships)?;
            let own = asker.opener.as_ref().is_some_and(|it| it.id == author.id);
            if self.two_person && own && matches!(command, Command::Apply(_)) {
                return Err(NotAdmitted::OwnChange {
                    author: author.login.clone(),
                });
            }
            standing
        } else {
            Entitlement::Anybody
        };
        Ok(Order {
            command,
            by: author.login.clone(),
            standing,
            place: Some((asker.pull, asker.comment)),
        })
    }

    /// Whether an account is an operator now; asked afresh for each order.
    pub fn standing(
        &self,
        account: &Account,
        memberships: &Memberships,
    ) -> Result<Entitlement, NotAdmitted> {
        if self.names(account) {
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
        if self.named(account).next().is_some() {
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
                None => Some((team.clone(), "nobody looked".to_owned())),
            })
            .collect();
        Err(NotAdmitted::NotOnTheRoster { author, unseen })
    }

    /// An order given at a terminal: whoever holds the site's MAAS key could do as much without planebot.
    pub fn at_the_terminal(command: Command, login: &str) -> Order {
        Order {
            command,
            by: login.to_owned(),
            standing: Entitlement::Terminal,
            place: None,
        }
    }

    fn names(&self, account: &Account) -> bool {
        self.named(account)
            .any(|name| name.id.is_none_or(|id| id == account.id))
    }

    /// The roster's lines with the account's login, which GitHub compares without case.
    fn named<'a>(&'a self, account: &'a Account) -> impl Iterator<Item = &'a OperatorName> {
        self.operators
            .users
            .iter()
            .filter(|name| name.login.eq_ignore_ascii_case(&account.login))
    }
}

/// The person who wrote the comment, if it is one and nobody else had a hand in it.
fn person(asker: &Commenter) -> Result<&Account, NotAdmitted> {
    if !asker.on_pull {
        return Err(NotAdmitted::NotAPull);
    }
    let (Some(author), Some(sender)) = (&asker.author, &asker.sender) else {
        return Err(NotAdmitted::Ghost);
    };
    let login = author.login.clone();
    // GitHub puts this account in the place of deleted ones.
    if login.eq_ignore_ascii_case("ghost") {
        return Err(NotAdmitted::Ghost);
    }
    if author.kind != "User" || login.ends_with("[bot]") {
        return Err(NotAdmitted::NotAPerson { author: login });
    }
    if asker.via_app {
        return Err(NotAdmitted::ViaApp { author: login });
    }
    if author.id != sender.id || author.login != sender.login {
        return Err(NotAdmitted::NotTheSender {
            author: login,
            sender: sender.login.clone(),
        });
    }
    if asker.edited {
        return Err(NotAdmitted::Edited);
    }
    Ok(author)
}

#[cfg(test)]
mod tests;
