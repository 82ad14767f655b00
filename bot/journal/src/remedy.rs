//! What an operator can try, by the database's error code. It must not know what was asked of the database.

use sqlx::postgres::PgDatabaseError;

/// What to try.
pub(crate) fn remedy(error: &sqlx::Error) -> &'static str {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return "it does not answer, or is too busy: see that it runs and can be reached, and try again";
    }
    match error.as_database_error() {
        Some(cause) if cause.try_downcast_ref::<PgDatabaseError>().is_some() => {
            postgres(cause.code().as_deref())
        }
        Some(cause) => sqlite(cause.code().as_deref()),
        None => postgres(None),
    }
}

/// By SQLite's primary result code (<https://www.sqlite.org/rescode.html>).
fn sqlite(code: Option<&str>) -> &'static str {
    match sqlite_primary_code(code) {
        5 | 6 => "another program holds it: end that one, or try again",
        8 => "make the file and its folder writable for this user",
        10 => "see that the disk is sound and has room",
        11 => "it is damaged: restore a backup",
        13 => "make room on the disk",
        14 => "see that its folder exists and may be written to",
        26 => "it is no planebot store: name another file",
        _ => "see that its folder exists, is writable and has room",
    }
}

/// SQLite's primary result code; 0 where there is none.
pub(crate) fn sqlite_primary_code(code: Option<&str>) -> i64 {
    code.and_then(|code| code.parse::<i64>().ok())
        .map_or(0, |code| code & 0xff)
}

/// By SQLSTATE (<https://www.postgresql.org/docs/15/errcodes-appendix.html>).
fn postgres(code: Option<&str>) -> &'static str {
    match code {
        None | Some("57P01" | "57P02" | "57P03" | "57P05") => {
            "see that the database runs and can be reached, and try again"
        }
        Some("28P01" | "28000") => {
            "see that user and password are right (`store.url`, `store.password_file`)"
        }
        Some("3D000") => "create the database first, or name another",
        Some("42501") => {
            "give this user a database of its own (`CREATE DATABASE … OWNER …`), or the right to create tables, and make it the owner of the tables that are there"
        }
        Some("25006") => {
            "it may only be read: name the server that may be written to, and a user who may"
        }
        Some("53100") => "make room on the database's disk",
        Some("53200" | "53300" | "53400") => {
            "the server has reached a limit: end other programs' connections, or raise it"
        }
        Some("40001" | "40P01" | "55P03" | "57014" | "25P03") => {
            "another program holds it: end that one, or try again"
        }
        Some("XX001" | "XX002") => "it is damaged: restore a backup",
        Some(_) => "see the database's own log",
    }
}
