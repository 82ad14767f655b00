//! Lanes: which deliveries have to be processed in order. Pure.
//!
//! Order matters within one pull request (a merge after its last push, an order after the merge), and among the changes of
//! one branch (merges are handled in the order in which they were made). It must not know how deliveries are processed.

use github::webhook::event::{EventDetails, PullNumber, RepositoryEvent};
use journal::Lanes;

/// The lane of a pull request. It uses the repository's id, because names can be reused.
pub(crate) fn lane_of_pull(repository: u64, number: PullNumber) -> String {
    format!("{repository}#{number}")
}

/// The lanes of a delivery, within which it must not overtake another.
pub(crate) fn lanes_of(event: &RepositoryEvent) -> Lanes {
    let repository = event.repository.repository_id;
    let pull_lane = |number| Some(lane_of_pull(repository, number));
    let branch = |name: &str| Some(format!("{repository}@{name}"));
    match &event.details {
        EventDetails::PullOpened(pull)
        | EventDetails::PullSynchronized(pull)
        | EventDetails::PullReopened(pull)
        | EventDetails::PullRetargeted(pull) => Lanes {
            pull: pull_lane(pull.number),
            branch: None,
        },
        EventDetails::PullClosed(pull) => Lanes {
            pull: pull_lane(pull.number),
            branch: pull.merged.as_ref().and_then(|_| branch(&pull.base)),
        },
        EventDetails::Commented(comment)
        | EventDetails::CommentEdited(comment)
        | EventDetails::CommentDeleted(comment) => Lanes {
            pull: pull_lane(comment.number),
            branch: None,
        },
        EventDetails::Pushed(push) => Lanes {
            pull: None,
            branch: push.reference.strip_prefix("refs/heads/").and_then(branch),
        },
        // The pull requests at that commit are looked up when it is processed, so its order does not matter.
        EventDetails::CheckRerequested { .. } => Lanes::default(),
    }
}
