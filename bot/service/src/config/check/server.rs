//! `[server]`.

use std::net::SocketAddr;

use crate::config::check::checker::Checker;
use crate::config::check::words::is_word;
use crate::config::file::ServerTable;
use crate::config::{BODY_BYTES_MAX, SECONDS_MAX, ServerSettings, TAKEOVER_SECONDS_MIN};

pub(super) fn check(checker: &mut Checker<'_>, table: &ServerTable) -> ServerSettings {
    let text = table.listen.as_deref().unwrap_or("127.0.0.1:8080");
    let listen = text.parse().unwrap_or_else(|_| {
        checker.error(format!(
            "`server.listen`: `{text}` is not an address with a port, such as `0.0.0.0:8080`"
        ));
        SocketAddr::from(([127, 0, 0, 1], 8080))
    });
    let body_limit = table.body_limit_bytes.unwrap_or(BODY_BYTES_MAX);
    if body_limit == 0 || body_limit > BODY_BYTES_MAX {
        checker.error(format!(
            "`server.body_limit_bytes` must be from 1 to {BODY_BYTES_MAX}: GitHub sends no larger webhook"
        ));
    }
    let public_url = table
        .public_url
        .as_deref()
        .and_then(|url| checker.url("`server.public_url`", url));
    let replica = table.replica.clone();
    if replica.as_deref().is_some_and(|name| !is_word(name)) {
        checker.error("`server.replica` must be 1 to 100 letters, digits, `-`, `_` and `.`");
    }
    let takeover_seconds = table.takeover_seconds.unwrap_or(30);
    if !(TAKEOVER_SECONDS_MIN..=SECONDS_MAX).contains(&takeover_seconds) {
        checker.error(format!(
            "`server.takeover_seconds` must be from {TAKEOVER_SECONDS_MIN} to {SECONDS_MAX}: the store alone may take 5 s to answer"
        ));
    }
    ServerSettings {
        listen,
        body_limit,
        public_url,
        replica,
        takeover_seconds,
        log: table.log.clone().unwrap_or_default(),
        log_format: table.log_format.unwrap_or_default(),
    }
}
