//! Requests an app's webhooks again that GitHub could not deliver.
//!
//! GitHub does not retry a webhook by itself, but it logs webhooks for three days and redelivers one on request. The new
//! attempt carries the old delivery's id, so a webhook that was stored after all is recognized. It must not read a webhook's
//! content, nor act on it.

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use github::{GitHubError, HookDelivery};

use super::Inbox;

/// The name of the cursor in the store.
const BOOKMARK: &str = "failed-webhooks";

/// How old a webhook may be. GitHub's log covers three days, an Enterprise server's more; after that nobody is waiting for the
/// result any longer.
const AGE_MS_MAX: i64 = 3 * 86_400_000;

/// An attempt may still be in progress when the log is read, and clocks differ, so the last minute is read again.
const OVERLAP_MS: i64 = 60_000;

/// How many pages, of 100 entries each, one pass reads at most.
const PAGES_MAX: usize = 10;

/// After this many requests a pass reads no further page, so that other work is not delayed.
const REQUESTS_ENOUGH: usize = 50;

/// How far the log was read.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Bookmark {
    /// Webhooks sent before this are done; in milliseconds since 1970.
    until: i64,
    /// A pass that has not reached the end.
    under_way: Option<UnderWay>,
}

/// A pass that continues at another page.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UnderWay {
    /// When the newest webhook that it read was sent; in milliseconds since 1970.
    newest: i64,
    /// GitHub's cursor of the next page.
    page: String,
}

/// The result of a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redelivered {
    /// How many webhooks GitHub was asked to redeliver.
    pub asked: usize,
    /// Whether there is more to read than one pass may.
    pub more: bool,
}

impl Inbox {
    /// Asks GitHub to redeliver webhooks that failed and are not stored. With a token it does nothing: only an app has such a
    /// log.
    pub async fn redeliver_failed(&self) -> anyhow::Result<Redelivered> {
        if !self.github.client().is_app() {
            return Ok(Redelivered::default());
        }
        let found = self.journal.cursor(BOOKMARK).await?;
        // A bookmark that cannot be parsed is from another version: the log is read from its beginning.
        let mut bookmark: Bookmark = found
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let mut log = Vec::new();
        let mut asked = 0;
        for _ in 0..PAGES_MAX {
            let page = self.redeliver_page(&mut bookmark, &mut log).await;
            if page.is_err() {
                // GitHub may have dropped the cursor, so the next pass starts over.
                bookmark.under_way = None;
            }
            let text = serde_json::to_string(&bookmark)?;
            self.journal.set_cursor(BOOKMARK, &text).await?;
            asked += page?;
            if bookmark.under_way.is_none() {
                return Ok(Redelivered { asked, more: false });
            }
            if asked >= REQUESTS_ENOUGH {
                break;
            }
        }
        Ok(Redelivered { asked, more: true })
    }

    /// Reads one page and requests the failed webhooks on it; returns how many. `log` is what this pass has read so far.
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
        let is_recent = |attempt: &HookDelivery| sent_at(attempt).is_none_or(|at| at >= oldest);
        let continues = found.iter().all(is_recent);
        let before = log.len();
        log.extend(found.into_iter().filter(is_recent));
        let asked = self.redeliver_from(log, before).await?;
        match next.filter(|_| continues) {
            Some(page) => bookmark.under_way = Some(UnderWay { newest, page }),
            None => bookmark.until = newest,
        }
        Ok(asked)
    }

    /// Requests the webhooks in the log from index `from` on for which no attempt succeeded.
    async fn redeliver_from(&self, log: &[HookDelivery], from: usize) -> anyhow::Result<usize> {
        let mut asked = 0;
        for attempt in HookDelivery::undelivered(log) {
            let is_on_page = log[from..].iter().any(|one| one.id == attempt.id);
            if is_on_page
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
            // It is too old by now, or no longer in the log: a retry would fail in the same way.
            Err(error @ (GitHubError::Gone { .. } | GitHubError::Refused { .. })) => {
                tracing::warn!(
                    delivery = attempt.guid,
                    "GitHub will not redeliver a webhook: {error}"
                );
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

/// Whether a redelivery was already refused because of its content, such as a wrong signature: the next would be refused
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
