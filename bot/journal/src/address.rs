//! A store's address. A PostgreSQL address may hold a password, so only its host and database are ever shown.
//!
//! An address is parsed completely or refused: one that is parsed in part could show the part that is secret.

use std::fmt::Write as _;

use crate::error::OpenError;

/// A store's address.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreAddress(pub(crate) StoreKind);

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// SQLite in memory, while it is open.
    Memory,
    /// SQLite in a file, by its path.
    File(String),
    /// A database of a PostgreSQL server.
    Postgres(PostgresAddress),
}

/// A database of a PostgreSQL server. The parts are percent-encoded, as in the URL.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PostgresAddress {
    user: String,
    password: Option<String>,
    host: String,
    database: String,
    settings: Vec<(String, String)>,
}

/// The settings that may follow the `?`, by libpq's names
/// (<https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-PARAMKEYWORDS>).
const SETTINGS: [&str; 10] = [
    "application_name",
    "dbname",
    "host",
    "options",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

impl StoreAddress {
    /// Reads `sqlite://FILE`, `sqlite::memory:` or `postgres://USER@HOST/DATABASE`.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        if let Some(rest) = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
        {
            return PostgresAddress::parse(rest).map(|server| Self(StoreKind::Postgres(server)));
        }
        let path = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"))
            .filter(|path| !path.is_empty())
            .ok_or_else(|| OpenError::NotAStore(redacted(text)))?;
        Ok(Self(if path == ":memory:" {
            StoreKind::Memory
        } else {
            StoreKind::File(path.to_owned())
        }))
    }

    /// The file's path, if it is a file.
    pub fn file(&self) -> Option<&str> {
        match &self.0 {
            StoreKind::File(path) => Some(path),
            StoreKind::Memory | StoreKind::Postgres(_) => None,
        }
    }

    /// Whether the address holds a password.
    pub fn has_password(&self) -> bool {
        matches!(&self.0, StoreKind::Postgres(server) if server.password.is_some())
    }

    /// Whether it names a server, which asks for a user and perhaps a password.
    pub fn is_server(&self) -> bool {
        matches!(self.0, StoreKind::Postgres(_))
    }

    /// The same address with a password. A file has none and stays as it is.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        if let StoreKind::Postgres(server) = &mut self.0 {
            server.password = Some(encoded(password));
        }
        self
    }
}

impl std::fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            StoreKind::Memory => f.write_str(":memory:"),
            StoreKind::File(path) => f.write_str(path),
            StoreKind::Postgres(server) => {
                write!(f, "postgres://{}/{}", server.host, server.database)
            }
        }
    }
}

impl std::fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl PostgresAddress {
    fn parse(rest: &str) -> Result<Self, OpenError> {
        let (main, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = main.split_once('/').unwrap_or((main, ""));
        let (credentials, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(password.to_owned())),
            None => (credentials, None),
        };
        for part in [user, password.as_deref().unwrap_or_default(), database] {
            if !part.bytes().all(is_plain) {
                return Err(OpenError::NotAnAddress(
                    "in user, password and database, percent-encode every character except letters, digits, `-`, `.`, `_` and `~`: `@` is `%40`",
                ));
            }
        }
        let is_host_byte = |byte: u8| is_plain(byte) || matches!(byte, b':' | b'[' | b']');
        if !host.bytes().all(is_host_byte) {
            return Err(OpenError::NotAnAddress(
                "the host holds a character that no host name has",
            ));
        }
        let mut settings = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if key == "password" {
                return Err(OpenError::NotAnAddress(
                    "a password may not follow the `?`: put it into a file of its own (`store.password_file`)",
                ));
            }
            if !SETTINGS.contains(&key) || value.bytes().any(|byte| matches!(byte, b'#' | b'@')) {
                return Err(OpenError::NotAnAddress(
                    "only these settings may follow the `?`: application_name, dbname, host, options, port, sslcert, sslkey, sslmode, sslrootcert and user",
                ));
            }
            settings.push((key.to_owned(), value.to_owned()));
        }
        Ok(Self {
            user: user.to_owned(),
            password,
            host: host.to_owned(),
            database: database.to_owned(),
            settings,
        })
    }

    /// The complete URL, with the password. Only the driver may see it.
    pub(crate) fn to_url(&self) -> String {
        let mut url = format!("postgres://{}", self.user);
        if let Some(password) = &self.password {
            url.push(':');
            url.push_str(password);
        }
        if !self.user.is_empty() || self.password.is_some() {
            url.push('@');
        }
        url.push_str(&self.host);
        url.push('/');
        url.push_str(&self.database);
        for (at, (key, value)) in self.settings.iter().enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            url.push_str(key);
            url.push('=');
            url.push_str(value);
        }
        url
    }
}

/// Whether a URL may hold the byte unescaped, or it begins an escape.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%')
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
    encoded
}

/// An unknown address as it may be shown: that of another database may hold a password too.
fn redacted(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) if rest.contains(['@', '?']) => format!("{scheme}://…"),
        Some(_) | None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> PostgresAddress {
        match StoreAddress::parse(text).unwrap().0 {
            StoreKind::Postgres(server) => server,
            StoreKind::Memory | StoreKind::File(_) => panic!("{text} names no server"),
        }
    }

    #[test]
    fn the_driver_gets_the_address_as_written() {
        for text in [
            "postgres://db.example/planebot",
            "postgres://planebot@db.example:5433/planebot?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgres://planebot:a%40b%2Fc@[::1]:5433/planebot",
            "postgres://%2Frun%2Fpostgresql/planebot",
            "postgres:///planebot?host=/run/postgresql",
        ] {
            assert_eq!(server(text).to_url(), text);
        }
        let other = server("postgresql://planebot@db.example/planebot");
        assert_eq!(other.to_url(), "postgres://planebot@db.example/planebot");
    }

    #[test]
    fn a_password_of_any_characters_is_encoded_and_never_shown() {
        let bare = StoreAddress::parse("postgres://planebot@db.example/planebot").unwrap();
        assert!(!bare.has_password());
        let full = bare.with_password("hunter2 @/:?#%ü");
        assert!(full.has_password());
        let StoreKind::Postgres(server) = &full.0 else {
            panic!("it names a server");
        };
        assert_eq!(
            server.to_url(),
            "postgres://planebot:hunter2%20%40%2F%3A%3F%23%25%C3%BC@db.example/planebot"
        );
        assert_eq!(
            format!("{full} {full:?}"),
            "postgres://db.example/planebot postgres://db.example/planebot"
        );
    }

    #[test]
    fn an_address_that_parses_only_in_part_is_refused_and_not_shown() {
        for text in [
            "postgres://planebot:hunter2/x@db.example/planebot",
            "postgres://planebot:hunter2?x@db.example/planebot",
            "postgres://planebot:hunter2#x@db.example/planebot",
            "postgres://planebot:hunter2@x@db.example/planebot",
            "postgres://planebot: hunter2@db.example/planebot",
            "postgres://planebot@db.example/planebot@hunter2",
            "postgres://planebot@db.example/planebot?password=hunter2",
            "postgres://planebot@db.example/planebot?passwort=hunter2",
            "postgres://planebot@db.example/planebot?hunter2",
            "postgres://planebot@db.example/planebot?user=b@hunter2",
            "mysql://root:hunter2@db",
            "redis://db?password=hunter2",
        ] {
            let error = StoreAddress::parse(text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{text}: {shown}");
        }
    }
}
