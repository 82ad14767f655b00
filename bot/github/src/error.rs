//! The errors of requests to GitHub, by what the caller does next.

use topology::observed::Timestamp;

/// Why a request failed. GitHub's messages are cut short and never hold a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitHubError {
    /// It does not exist, or GitHub does not show it to us (404, 410, 451): do without it.
    #[error("{what}: GitHub answered {status}: it does not exist, or this app may not see it")]
    Gone {
        /// What the request was for.
        what: String,
        /// The HTTP status.
        status: u16,
    },
    /// Not permitted (401, 403): a person must change the app's permissions.
    #[error("{what}: GitHub answered {status}: {why}")]
    Denied {
        /// What the request was for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// GitHub's message.
        why: String,
    },
    /// A rate limit (403, 429): nothing happened; send it again after that time.
    #[error("{what}: GitHub's rate limit is reached")]
    Limited {
        /// What the request was for.
        what: String,
        /// When to send it again.
        retry_at: Timestamp,
    },
    /// It may or may not have happened (no answer, 5xx, an answer that cannot be read): look before it is sent again.
    #[error("{what}: {why}")]
    Unknown {
        /// What the request was for.
        what: String,
        /// What came instead of an answer.
        why: String,
    },
    /// GitHub refuses it (400, 409, 422, …): sending it again gives the same answer.
    #[error("{what}: GitHub refused ({status}): {why}")]
    Refused {
        /// What the request was for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// GitHub's message.
        why: String,
    },
}

impl GitHubError {
    /// [`Self::Gone`] becomes `None`.
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
