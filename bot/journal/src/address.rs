//! Where a store is. An address of PostgreSQL may hold a password: what is shown of one is its host and its database.
//!
//! It is understood whole or refused: an address that is only half understood could show the half that is secret.

use std::fmt::Write as _;

use crate::OpenError;

/// Where a store is.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(pub(crate) Kind);

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SQLite in memory, for as long as it is open.
    Memory,
    /// SQLite in a file.
    File(String),
    /// PostgreSQL.
    Server(Server),
}

/// A database of a PostgreSQL server. The parts are percent-encoded, as the address has them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Server {
    user: String,
    password: Option<String>,
    place: String,
    database: String,
    settings: Vec<(String, String)>,
}

/// What may stand behind the `?`; libpq's names
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

impl Address {
    /// Reads `sqlite://FILE`, `sqlite::memory:` or `postgres://USER@HOST/DATABASE`.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        if let Some(rest) = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
        {
            return Server::parse(rest).map(|server| Self(Kind::Server(server)));
        }
        let path = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"))
            .filter(|path| !path.is_empty())
            .ok_or_else(|| OpenError::NotAStore(nameless(text)))?;
        Ok(Self(if path == ":memory:" {
            Kind::Memory
        } else {
            Kind::File(path.to_owned())
        }))
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&str> {
        match &self.0 {
            Kind::File(path) => Some(path),
            Kind::Memory | Kind::Server(_) => None,
        }
    }

    /// Whether the address holds a password.
    pub fn has_password(&self) -> bool {
        matches!(&self.0, Kind::Server(server) if server.password.is_some())
    }

    /// Whether it is a server's, which asks who is there.
    pub fn is_a_server(&self) -> bool {
        matches!(self.0, Kind::Server(_))
    }

    /// The same with a password; a file has none and stays as it is.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        if let Kind::Server(server) = &mut self.0 {
            server.password = Some(encoded(password));
        }
        self
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::Memory => f.write_str(":memory:"),
            Kind::File(path) => f.write_str(path),
            Kind::Server(server) => {
                write!(f, "postgres://{}/{}", server.place, server.database)
            }
        }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Server {
    fn parse(rest: &str) -> Result<Self, OpenError> {
        let (main, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = main.split_once('/').unwrap_or((main, ""));
        let (person, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match person.split_once(':') {
            Some((user, password)) => (user, Some(password.to_owned())),
            None => (person, None),
        };
        for part in [user, password.as_deref().unwrap_or_default(), database] {
            if !part.bytes().all(is_plain) {
                return Err(OpenError::NotAnAddress(
                    "in user, password and database, write what is no letter, digit, `-`, `.`, `_` or `~` as `%` and two hex digits, as `%40` for `@`",
                ));
            }
        }
        let at = |byte: u8| is_plain(byte) || matches!(byte, b':' | b'[' | b']');
        if !place.bytes().all(at) {
            return Err(OpenError::NotAnAddress("the host is not one"));
        }
        let mut settings = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if key == "password" {
                return Err(OpenError::NotAnAddress(
                    "a password does not stand behind the `?`: keep it in a file of its own (`store.password_file`)",
                ));
            }
            if !SETTINGS.contains(&key) || value.bytes().any(|byte| matches!(byte, b'#' | b'@')) {
                return Err(OpenError::NotAnAddress(
                    "behind the `?` may stand application_name, dbname, host, options, port, sslcert, sslkey, sslmode, sslrootcert and user",
                ));
            }
            settings.push((key.to_owned(), value.to_owned()));
        }
        Ok(Self {
            user: user.to_owned(),
            password,
            place: place.to_owned(),
            database: database.to_owned(),
            settings,
        })
    }

    /// The whole address, password and all: for the driver alone.
    pub(crate) fn whole(&self) -> String {
        let mut whole = format!("postgres://{}", self.user);
        if let Some(password) = &self.password {
            whole.push(':');
            whole.push_str(password);
        }
        if !self.user.is_empty() || self.password.is_some() {
            whole.push('@');
        }
        whole.push_str(&self.place);
        whole.push('/');
        whole.push_str(&self.database);
        for (at, (key, value)) in self.settings.iter().enumerate() {
            whole.push(if at == 0 { '?' } else { '&' });
            whole.push_str(key);
            whole.push('=');
            whole.push_str(value);
        }
        whole
    }
}

/// What an address may hold as it is, an escape's sign among it.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%')
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes everything");
        }
    }
    encoded
}

/// An unknown address as it may be shown: another database's may hold a password too.
fn nameless(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) if rest.contains(['@', '?']) => format!("{scheme}://…"),
        Some(_) | None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Server {
        match Address::parse(text).unwrap().0 {
            Kind::Server(server) => server,
            Kind::Memory | Kind::File(_) => panic!("{text} is no server"),
        }
    }

    #[test]
    fn an_address_goes_to_the_driver_as_it_was_written() {
        for text in [
            "postgres://db.example/planebot",
            "postgres://planebot@db.example:5433/planebot?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgres://planebot:a%40b%2Fc@[::1]:5433/planebot",
            "postgres://%2Frun%2Fpostgresql/planebot",
            "postgres:///planebot?host=/run/postgresql",
        ] {
            assert_eq!(server(text).whole(), text);
        }
        let other = server("postgresql://planebot@db.example/planebot");
        assert_eq!(other.whole(), "postgres://planebot@db.example/planebot");
    }

    #[test]
    fn a_password_of_any_letters_is_put_in_and_none_is_shown() {
        let bare = Address::parse("postgres://planebot@db.example/planebot").unwrap();
        assert!(!bare.has_password());
        let full = bare.with_password("hunter2 @/:?#%ü");
        assert!(full.has_password());
        let Kind::Server(server) = &full.0 else {
            panic!("it is a server");
        };
        assert_eq!(
            server.whole(),
            "postgres://planebot:hunter2%20%40%2F%3A%3F%23%25%C3%BC@db.example/planebot"
        );
        assert_eq!(
            format!("{full} {full:?}"),
            "postgres://db.example/planebot postgres://db.example/planebot"
        );
    }

    #[test]
    fn what_is_half_understood_is_refused_and_nothing_of_it_shown() {
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
            let error = Address::parse(text).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(!said.contains("hunter2"), "{text}: {said}");
        }
    }
}
