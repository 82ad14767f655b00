//! Who we are on GitHub. Secrets are read when they are needed and never shown.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use topology::observed::Timestamp;

/// One GitHub and who we are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitHubSettings {
    /// `https://api.github.com`, `https://ghes.example/api/v3`, or a test server's; without a slash at the end.
    pub api_url: String,
    /// As whom requests are sent.
    pub identity: Identity,
    /// What webhooks are signed with.
    pub webhook_secret: Option<Secret>,
    /// The secret before it, and until when signatures made with it are still accepted.
    pub previous_webhook_secret: Option<(Secret, Timestamp)>,
}

/// Who we are on GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// An app with its private key (PEM).
    App {
        /// The app's number.
        id: u64,
        /// An RSA key in PEM, as GitHub gives it.
        private_key: Secret,
    },
    /// A token of a person or a machine account.
    Token(Secret),
}

impl GitHubSettings {
    /// The secrets that a webhook may be signed with. An empty one is refused: anybody could sign with it.
    pub fn secrets(&self) -> Result<Secrets, SecretError> {
        let current = self.webhook_secret.as_ref().ok_or(SecretError::Unset {
            name: "webhook secret (`github.webhook_secret_file`, or `PLANEBOT_GITHUB_WEBHOOK_SECRET`)",
        })?;
        Secrets::read(current, self.previous_webhook_secret.as_ref())
    }
}

/// Where a secret is. Its debug form and its equality never hold the secret itself.
#[derive(Clone, Debug)]
pub enum Secret {
    /// In a file; white space at its end is not part of the secret.
    File(PathBuf),
    /// The secret itself, from an environment variable.
    Given(SecretString),
}

impl PartialEq for Secret {
    /// Two given secrets are never equal: nothing in planebot compares secrets with `==`.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(left), Self::File(right)) => left == right,
            (Self::Given(_), Self::File(_) | Self::Given(_)) | (Self::File(_), Self::Given(_)) => {
                false
            }
        }
    }
}

impl Eq for Secret {}

impl Secret {
    /// The secret. An empty one is refused.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::Given(secret) if secret.expose_secret().trim_end().is_empty() => {
                Err(SecretError::Empty {
                    place: "an environment variable".to_owned(),
                })
            }
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|source| SecretError::Unread {
                    path: path.clone(),
                    source,
                })?;
                let text = text.trim_end();
                if text.is_empty() {
                    return Err(SecretError::Empty {
                        place: format!("`{}`", path.display()),
                    });
                }
                Ok(SecretString::from(text))
            }
        }
    }
}

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The configuration has none.
    #[error("no {name} is set")]
    Unset {
        /// Its purpose, and how to set it.
        name: &'static str,
    },
    /// The file could not be read.
    #[error("cannot read the secret in `{}`", path.display())]
    Unread {
        /// Its file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is empty, so anybody could guess it.
    #[error("the secret in {place} is empty")]
    Empty {
        /// The file or variable.
        place: String,
    },
}

/// What a webhook may be signed with.
#[derive(Clone, Debug)]
pub struct Secrets {
    current: SecretString,
    previous: Option<(SecretString, Timestamp)>,
}

impl Secrets {
    /// One secret; an empty one is refused.
    pub fn new(current: SecretString) -> Result<Self, SecretError> {
        Self::read(&Secret::Given(current), None)
    }

    pub(crate) fn read(
        current: &Secret,
        previous: Option<&(Secret, Timestamp)>,
    ) -> Result<Self, SecretError> {
        Ok(Self {
            current: current.read()?,
            previous: match previous {
                Some((secret, until)) => Some((secret.read()?, *until)),
                None => None,
            },
        })
    }

    /// The same with an older secret that is accepted until then.
    pub fn with_previous(
        self,
        previous: SecretString,
        until: Timestamp,
    ) -> Result<Self, SecretError> {
        let previous = Secret::Given(previous).read()?;
        Ok(Self {
            previous: Some((previous, until)),
            ..self
        })
    }

    /// The secrets that are accepted at that time.
    pub fn at(&self, now: Timestamp) -> impl Iterator<Item = &SecretString> {
        let previous = self
            .previous
            .as_ref()
            .filter(|(_, until)| now < *until)
            .map(|(secret, _)| secret);
        std::iter::once(&self.current).chain(previous)
    }
}
