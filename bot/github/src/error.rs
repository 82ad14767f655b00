//! What went wrong at GitHub, cut by what the caller does next.

use topology::observed::Timestamp;

/// Why there is no answer. Words of GitHub's are cut short and never hold a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitHubError {
    /// It is not there, or GitHub does not show it to us (404, 410, 451): do without.
    #[error("{what}: GitHub says {status}: it is not there, or not shown to this app")]
    Gone {
        /// What was being done.
        what: String,
        /// The HTTP status.
        status: u16,
    },
    /// We may not (401, 403): a person must change the app's rights.
    #[error("{what}: GitHub says {status}: {why}")]
    Denied {
        /// What was being done.
        what: String,
        /// The HTTP status.
        status: u16,
        /// GitHub's words.
        why: String,
    },
    /// Too much was asked (403, 429): ask again after that time. It did not happen.
    #[error("{what}: GitHub's limit is reached")]
    Limited {
        /// What was being done.
        what: String,
        /// When to ask again.
        retry_at: Timestamp,
    },
    /// Nobody knows whether it happened (no answer, 5xx, an answer that is not readable): look first.
    #[error("{what}: {why}")]
    Unknown {
        /// What was being done.
        what: String,
        /// What was seen instead of an answer.
        why: String,
    },
    /// GitHub does not do that (400, 409, 422, …): asking again gives the same.
    #[error("{what}: GitHub refused ({status}): {why}")]
    Refused {
        /// What was being done.
        what: String,
        /// The HTTP status.
        status: u16,
        /// GitHub's words.
        why: String,
    },
}

impl GitHubError {
    /// `None` where it is not there.
    pub fn absent<T>(result: Result<T, Self>) -> Result<Option<T>, Self> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Self::Gone { .. }) => Ok(None),
            Err(
                error @ (Self::Denied { .. }
                | Self::Limited { .. }
                | Self::Unknown { .. }
                | Self::Refused { .. }),
            ) => Err(error),
        }
    }
}
