//! Where the journal is kept: a file beside the configuration, or a PostgreSQL database with its password in a place of
//! its own.

use std::path::Path;

use journal::Address;
use secrecy::ExposeSecret as _;

use super::file;
use super::secret::{Secret, Withheld};

/// Where the journal is kept. No password shows, wherever it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Where; a file's path is absolute after reading.
    pub place: Address,
    /// The database's password, when the address has none.
    pub password: Option<Secret>,
}

impl Store {
    /// The address as it is opened, with its password.
    pub fn address(&self) -> Result<Address, Withheld> {
        let place = self.place.clone();
        Ok(match &self.password {
            Some(password) => place.with_password(password.read()?.expose_secret()),
            None => place,
        })
    }
}

/// Believes what the file says, or says why not.
pub(super) fn check(
    store: &file::Store,
    password: Option<Secret>,
    folder: &Path,
) -> Result<Store, String> {
    let url = store.url.as_deref().unwrap_or("sqlite://planebot.db");
    let wrong = |why: journal::OpenError| format!("`store.url`: {why}");
    let mut place = Address::parse(url).map_err(wrong)?;
    if let Some(path) = place.file() {
        let path = folder.join(path);
        place = Address::parse(&format!("sqlite://{}", path.display())).map_err(wrong)?;
    }
    if password.is_some() && place.has_password() {
        return Err(
            "`store.url` and `store.password_file` both hold a password: keep one".to_owned(),
        );
    }
    if password.is_some() && !place.is_a_server() {
        return Err(
            "`store.password_file` is set, and `store.url` is a file, which asks for none"
                .to_owned(),
        );
    }
    Ok(Store { place, password })
}
