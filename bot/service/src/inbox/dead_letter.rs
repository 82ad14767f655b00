//! What is said when a delivery could not be acted on: nothing that a person asked for ends in silence.
//!
//! It must not know what stood in the way, nor try again.

use journal::{Reply, ReplyKind};

use crate::command;
use crate::reply;
use crate::worker::Office;
use github::webhook::event::{Occurrence, What};

impl Office {
    /// Owes a word to whoever waits for this: the person who commanded, or the pull request that was to be planned.
    pub(crate) async fn tell_parked(
        &self,
        occurrence: &Occurrence,
        delivery: &str,
        error: &anyhow::Error,
    ) -> anyhow::Result<()> {
        let number = match &occurrence.what {
            What::Commented(comment)
                if comment.on_pull && command::parse(&comment.body).is_some() =>
            {
                comment.number
            }
            What::PullOpened(pull)
            | What::PullSynchronized(pull)
            | What::PullReopened(pull)
            | What::PullRetargeted(pull)
            | What::PullClosed(pull) => pull.number,
            What::Commented(_)
            | What::CommentEdited(_)
            | What::CommentDeleted(_)
            | What::Pushed(_)
            | What::CheckRerequested { .. } => return Ok(()),
        };
        let Some(site) = self.config.sites_of(&occurrence.place.full_name).next() else {
            return Ok(());
        };
        let reply = Reply {
            key: format!("parked/{delivery}"),
            repository: site.repository.clone(),
            kind: ReplyKind::Comment,
            target: Some(i64::try_from(number.0)?),
            body: reply::given_up(&reply::because(error)),
        };
        Ok(self.journal.owe(&reply, (self.clock)()).await?)
    }
}
