//! `[store]`: the journal's SQLite file or PostgreSQL database, and its password.
//!
//! It must not know what the journal holds.

use std::path::Path;

use journal::StoreAddress;
use secrecy::ExposeSecret as _;

use crate::config::file;
use github::credentials::{Secret, SecretError};

/// Where the journal is. A password is never shown, wherever it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The address; a relative path in the file is relative to the file's folder.
    pub url: StoreAddress,
    /// The database's password, when the address has none.
    pub password: Option<Secret>,
    /// For how many days finished work is kept: processed webhooks, sent messages, applied plans.
    pub keep_days: i64,
}

/// How long finished work is kept by default.
const KEEP_DAYS: i64 = 30;

/// GitHub resends a webhook for up to three days; the row that recognises it must stay longer.
const KEEP_DAYS_MIN: i64 = 4;

/// Ten years: practically for ever.
const KEEP_DAYS_MAX: i64 = 3_650;

impl StoreSettings {
    /// The address with its password, as the journal opens it.
    pub fn address(&self) -> Result<StoreAddress, SecretError> {
        let url = self.url.clone();
        Ok(match &self.password {
            Some(password) => url.with_password(password.read()?.expose_secret()),
            None => url,
        })
    }
}

/// The settings, or what is wrong with them.
pub(super) fn check(
    store: &file::StoreTable,
    password: Option<Secret>,
    folder: &Path,
) -> Result<StoreSettings, String> {
    let text = store.url.as_deref().unwrap_or("sqlite://planebot.db");
    let invalid = |error: journal::OpenError| format!("`store.url`: {error}");
    let mut url = StoreAddress::parse(text).map_err(invalid)?;
    if let Some(path) = url.file() {
        let path = folder.join(path);
        url = StoreAddress::parse(&format!("sqlite://{}", path.display())).map_err(invalid)?;
    }
    if password.is_some() && url.has_password() {
        return Err(
            "`store.url` and `store.password_file` both hold a password: remove one".to_owned(),
        );
    }
    if password.is_some() && !url.is_server() {
        return Err(
            "`store.password_file` is set, but `store.url` is a file, which takes no password: remove it"
                .to_owned(),
        );
    }
    let keep_days = store.keep_days.unwrap_or(KEEP_DAYS);
    if !(KEEP_DAYS_MIN..=KEEP_DAYS_MAX).contains(&keep_days) {
        return Err(format!(
            "`store.keep_days` must be from {KEEP_DAYS_MIN} to {KEEP_DAYS_MAX}: GitHub resends a webhook for up to three days"
        ));
    }
    Ok(StoreSettings {
        url,
        password,
        keep_days,
    })
}
