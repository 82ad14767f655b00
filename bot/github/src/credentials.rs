//! Who we are on GitHub: where the secrets are, read when asked for, never shown.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use topology::observed::Timestamp;

/// One GitHub and who we are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitHubSettings {
    /// `https://api.github.com`, `https://ghes.example/api/v3`, or a stand-in; without a slash at the end.
    pub api_url: String,
    /// Who we are.
    pub identity: Identity,
    /// The webhook's secret.
    pub webhook_secret: Option<Secret>,
    /// The secret before it, and until when it is still believed.
    pub previous_webhook_secret: Option<(Secret, Timestamp)>,
}

/// Who we are on GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// An app with its private key (PEM).
    App {
        /// The app's number.
        id: u64,
        /// The private key, as GitHub gives it.
        private_key: Secret,
    },
    /// A token of a person or a machine account.
    Token(Secret),
}

impl GitHubSettings {
    /// The secrets that a webhook may be signed with. An empty one is refused: anybody can sign with it.
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
    /// In a file; blanks and line ends at its end do not belong to it.
    File(PathBuf),
    /// In a variable, already read.
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
                    place: "a variable".to_owned(),
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

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Nothing says where it is.
    #[error("no {name} is set")]
    Unset {
        /// Which.
        name: &'static str,
    },
    /// The file could not be read.
    #[error("cannot read the secret in `{}`", path.display())]
    Unread {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// It is empty, so anybody could know it.
    #[error("the secret in {place} is empty")]
    Empty {
        /// Where.
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

    /// Reads both.
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

    /// The same with an older secret that is believed until then.
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

    /// The secrets that count at that time: the previous one only inside its window.
    pub fn at(&self, now: Timestamp) -> impl Iterator<Item = &SecretString> {
        let previous = self
            .previous
            .as_ref()
            .filter(|(_, until)| now < *until)
            .map(|(secret, _)| secret);
        std::iter::once(&self.current).chain(previous)
    }
}
