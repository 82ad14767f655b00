//! Where the journal is kept: a file beside the configuration, or a PostgreSQL database with its password in a place of
//! its own.

use std::path::Path;

use journal::StoreAddress;
use secrecy::ExposeSecret as _;

use crate::config::file;
use github::credentials::{Secret, SecretError};

/// Where the journal is kept. No password shows, wherever it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// Where; a file's path is absolute after reading.
    pub place: StoreAddress,
    /// The database's password, when the address has none.
    pub password: Option<Secret>,
    /// How many days what is over is kept: webhooks that were acted on, words that were said, plans that were applied.
    pub keep_days: i64,
}

/// How long what is over is kept unless told otherwise.
const KEEP_DAYS: i64 = 30;

/// GitHub sends a webhook again for three days: what knows it again is kept longer. Ten years are for ever.
const KEEP_DAYS_LEAST: i64 = 4;
const KEEP_DAYS_MOST: i64 = 3_650;

impl StoreSettings {
    /// The address as it is opened, with its password.
    pub fn address(&self) -> Result<StoreAddress, SecretError> {
        let place = self.place.clone();
        Ok(match &self.password {
            Some(password) => place.with_password(password.read()?.expose_secret()),
            None => place,
        })
    }
}

/// Believes what the file says, or says why not.
pub(super) fn check(
    store: &file::StoreTable,
    password: Option<Secret>,
    folder: &Path,
) -> Result<StoreSettings, String> {
    let url = store.url.as_deref().unwrap_or("sqlite://planebot.db");
    let wrong = |why: journal::OpenError| format!("`store.url`: {why}");
    let mut place = StoreAddress::parse(url).map_err(wrong)?;
    if let Some(path) = place.file() {
        let path = folder.join(path);
        place = StoreAddress::parse(&format!("sqlite://{}", path.display())).map_err(wrong)?;
    }
    if password.is_some() && place.has_password() {
        return Err(
            "`store.url` and `store.password_file` both hold a password: keep one".to_owned(),
        );
    }
    if password.is_some() && !place.is_server() {
        return Err(
            "`store.password_file` is set, and `store.url` is a file, which asks for none"
                .to_owned(),
        );
    }
    let keep_days = store.keep_days.unwrap_or(KEEP_DAYS);
    if !(KEEP_DAYS_LEAST..=KEEP_DAYS_MOST).contains(&keep_days) {
        return Err(format!(
            "`store.keep_days` must be from {KEEP_DAYS_LEAST} to {KEEP_DAYS_MOST}: GitHub sends a webhook again for three days"
        ));
    }
    Ok(StoreSettings {
        place,
        password,
        keep_days,
    })
}
