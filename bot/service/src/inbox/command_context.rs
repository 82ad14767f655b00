//! A command, where it was given, and the keys of what is answered to it.

use github::webhook::event::CommentEvent;

use crate::config::Site;

/// A command, where it was given, and who gave it.
pub(crate) struct CommandContext<'a> {
    pub(crate) site: &'a Site,
    pub(crate) number: u64,
    pub(crate) comment: &'a CommentEvent,
    pub(crate) login: String,
    /// GitHub's number of the repository.
    pub(crate) repository_id: u64,
    /// It was begun before, and the power went or something failed: part of it may be done.
    pub(crate) again: bool,
}

/// Under which key a mark on a comment is owed.
pub(crate) fn reaction_key(repository: &str, comment: u64, content: &str) -> String {
    format!("react/{repository}/{comment}/{content}")
}

/// Under which key the answer to a comment is owed.
pub(crate) fn answer_key(repository: &str, comment: u64) -> String {
    format!("answer/{repository}/{comment}")
}
