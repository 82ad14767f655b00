//! What a delivery must not overtake: pure, by what it tells.
//!
//! Order counts within one pull request (a merge after its last push, an order after the merge), and between the changes
//! of one branch (merges are carried out in the order in which they were made). It must not know what is done about them.

use journal::Lanes;

use github::webhook::event::{EventDetails, PullNumber, RepositoryEvent};

/// The lane of a pull request. Numbers, because names change hands.
pub(crate) fn pull_lane(repository: u64, number: PullNumber) -> String {
    format!("{repository}#{number}")
}

/// What a delivery must not overtake.
pub(crate) fn lanes_of(event: &RepositoryEvent) -> Lanes {
    let repository = event.repository.repository_id;
    let pull = |number| Some(pull_lane(repository, number));
    let branch = |name: &str| Some(format!("{repository}@{name}"));
    match &event.details {
        EventDetails::PullOpened(it)
        | EventDetails::PullSynchronized(it)
        | EventDetails::PullReopened(it)
        | EventDetails::PullRetargeted(it) => Lanes {
            pull: pull(it.number),
            branch: None,
        },
        EventDetails::PullClosed(it) => Lanes {
            pull: pull(it.number),
            branch: it.merged.as_ref().and_then(|_| branch(&it.base)),
        },
        EventDetails::Commented(it)
        | EventDetails::CommentEdited(it)
        | EventDetails::CommentDeleted(it) => Lanes {
            pull: pull(it.number),
            branch: None,
        },
        EventDetails::Pushed(it) => Lanes {
            pull: None,
            branch: it.reference.strip_prefix("refs/heads/").and_then(branch),
        },
        // Whatever was planned at that commit is planned again, as it is then.
        EventDetails::CheckRerequested { .. } => Lanes::default(),
    }
}
