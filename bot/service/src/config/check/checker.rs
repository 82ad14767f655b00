//! What every table's check needs: the list of errors, the folder that paths are relative to, secrets and URLs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use github::credentials::Secret;
use secrecy::SecretString;

use crate::config::ConfigErrors;

/// Collects errors, so that one reading of a file shows all of them.
pub(super) struct Checker<'a> {
    folder: &'a Path,
    variables: &'a BTreeMap<String, String>,
    errors: Vec<String>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(folder: &'a Path, variables: &'a BTreeMap<String, String>) -> Self {
        Self {
            folder,
            variables,
            errors: Vec::new(),
        }
    }

    /// The folder of the file, which its paths are relative to.
    pub(super) fn folder(&self) -> &'a Path {
        self.folder
    }

    pub(super) fn error(&mut self, text: impl Into<String>) {
        self.errors.push(text.into());
    }

    pub(super) fn into_errors(self) -> ConfigErrors {
        ConfigErrors(self.errors)
    }

    pub(super) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.join(path)
    }

    /// A secret in a file or in a variable; both at once are refused, because one of them would be ignored.
    pub(super) fn secret(
        &mut self,
        key: &str,
        file: Option<&PathBuf>,
        variable: &str,
    ) -> Option<Secret> {
        match (file, self.variables.get(variable)) {
            (Some(_), Some(_)) => {
                self.error(format!("{key} and `{variable}` are both set: remove one"));
                None
            }
            (Some(path), None) => Some(Secret::File(self.path(path))),
            (None, Some(value)) => Some(Secret::Given(SecretString::from(value.as_str()))),
            (None, None) => None,
        }
    }

    /// `http(s)://host…` without user, password or fragment; the answer has no slash at the end.
    pub(super) fn url(&mut self, key: &str, text: &str) -> Option<String> {
        let parsed = reqwest::Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        if parsed.is_none() {
            // A URL may hold a password, so it is not shown.
            self.error(format!(
                "{key} must be a URL that starts with `http://` or `https://`, without a user, a password or a fragment"
            ));
        }
        parsed.map(|_| text.trim_end_matches('/').to_owned())
    }
}
