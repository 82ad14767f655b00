//! Webhooks of an app that GitHub could not deliver.
//!
//! GitHub does not send a webhook again by itself, but it keeps a log of them for three days and sends one again when it is
//! asked. The new attempt carries the old delivery's id, so one that was kept after all is known. It must not read what a
//! webhook says, nor act on it.

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use super::Inbox;
use github::{GitHubError, HookDelivery};

/// Where the look into the log stands.
const BOOKMARK: &str = "failed-webhooks";

/// How old a webhook may be: GitHub's log goes back three days, an Enterprise server's further, and nobody waits longer
/// for what they ordered.
const AGE_MS_MAX: i64 = 3 * 86_400_000;

/// An attempt may still be under way when the log is read, and clocks differ: the last minute is read again.
const OVERLAP_MS: i64 = 60_000;

/// Pages of a hundred, in one look.
const PAGES_MAX: usize = 10;

/// After so many that were asked for no further page is read: the service has other things to do.
const ASKS_ENOUGH: usize = 50;

/// Up to where the log was read.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Bookmark {
    /// What was sent before is dealt with; in milliseconds since 1970.
    until: i64,
    /// A look that has not come to its end.
    under_way: Option<UnderWay>,
}

/// A look that goes on at another page.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UnderWay {
    /// When the newest webhook was sent that it saw.
    newest: i64,
    /// GitHub's cursor of the page that comes next.
    page: String,
}

/// What came of a look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redelivered {
    /// How many webhooks GitHub was asked to send again.
    pub asked: usize,
    /// Whether there is more to look at than one look may.
    pub more: bool,
}

impl Inbox {
    /// Asks GitHub to send again what it could not deliver and we do not have. A token has no such log, and asks nothing.
    pub async fn redeliver_failed(&self) -> anyhow::Result<Redelivered> {
        if !self.github.client().is_app() {
            return Ok(Redelivered::default());
        }
        let found = self.journal.cursor(BOOKMARK).await?;
        // One that cannot be read is of another version: the log is read from its beginning.
        let mut bookmark: Bookmark = found
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let mut log = Vec::new();
        let mut asked = 0;
        for _ in 0..PAGES_MAX {
            let page = self.redeliver_page(&mut bookmark, &mut log).await;
            if page.is_err() {
                // GitHub may have forgotten the cursor: the next look begins anew.
                bookmark.under_way = None;
            }
            let text = serde_json::to_string(&bookmark)?;
            self.journal.set_cursor(BOOKMARK, &text).await?;
            asked += page?;
            if bookmark.under_way.is_none() {
                return Ok(Redelivered { asked, more: false });
            }
            if asked >= ASKS_ENOUGH {
                break;
            }
        }
        Ok(Redelivered { asked, more: true })
    }

    /// Reads one page and asks for what failed on it; how many that was. `log` is what this look has read before.
    async fn redeliver_page(
        &self,
        bookmark: &mut Bookmark,
        log: &mut Vec<HookDelivery>,
    ) -> anyhow::Result<usize> {
        let oldest = (bookmark.until - OVERLAP_MS).max((self.clock)().0 - AGE_MS_MAX);
        let under_way = bookmark.under_way.take();
        let page = under_way.as_ref().map(|under_way| under_way.page.as_str());
        let (found, next) = self.github.client().hook_deliveries(page).await?;
        let newest = under_way
            .map(|under_way| under_way.newest)
            .or_else(|| found.first().and_then(sent_at))
            .unwrap_or(bookmark.until);
        let is_young = |attempt: &HookDelivery| sent_at(attempt).is_none_or(|at| at >= oldest);
        let goes_on = found.iter().all(is_young);
        let before = log.len();
        log.extend(found.into_iter().filter(is_young));
        let asked = self.redeliver_from(log, before).await?;
        match next.filter(|_| goes_on) {
            Some(page) => bookmark.under_way = Some(UnderWay { newest, page }),
            None => bookmark.until = newest,
        }
        Ok(asked)
    }

    /// Asks for what failed from there on in the log, where no attempt of it got through.
    async fn redeliver_from(&self, log: &[HookDelivery], from: usize) -> anyhow::Result<usize> {
        let mut asked = 0;
        for attempt in HookDelivery::undelivered(log) {
            let is_there = log[from..].iter().any(|one| one.id == attempt.id);
            if is_there
                && !is_rejected(attempt)
                && !self.journal.has_delivery(&attempt.guid).await?
            {
                self.redeliver_one(attempt).await?;
                asked += 1;
            }
        }
        Ok(asked)
    }

    async fn redeliver_one(&self, attempt: &HookDelivery) -> anyhow::Result<()> {
        match self.github.client().redeliver(attempt.id).await {
            // It is too old by now, or gone from the log: asking again gives the same.
            Err(error @ (GitHubError::Gone { .. } | GitHubError::Refused { .. })) => {
                tracing::warn!(delivery = attempt.guid, "not sent again: {error}");
                Ok(())
            }
            Err(
                error @ (GitHubError::Denied { .. }
                | GitHubError::Limited { .. }
                | GitHubError::Unknown { .. }),
            ) => Err(error.into()),
            Ok(()) => Ok(()),
        }
    }
}

/// Whether it was sent again before, and turned away for what it is (a wrong signature, say): the next attempt would be
/// too.
fn is_rejected(attempt: &HookDelivery) -> bool {
    attempt.redelivery && (400..500).contains(&attempt.status_code)
}

/// When it was sent, in milliseconds since 1970.
fn sent_at(attempt: &HookDelivery) -> Option<i64> {
    let at = DateTime::parse_from_rfc3339(&attempt.delivered_at).ok()?;
    Some(at.timestamp_millis())
}

#[cfg(test)]
mod tests;
