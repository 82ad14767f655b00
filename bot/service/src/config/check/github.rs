//! `[github]`.

use chrono::{DateTime, NaiveDate};
use github::credentials::{GitHubSettings, Identity, Secret};
use topology::observed::Timestamp;

use crate::config::check::checker::Checker;
use crate::config::env;
use crate::config::file::{DateOrText, GitHubTable};

pub(super) fn check(checker: &mut Checker<'_>, table: &GitHubTable) -> Option<GitHubSettings> {
    let api_url = table.api_url.as_deref().unwrap_or("https://api.github.com");
    let api_url = checker.url("`github.api_url`", api_url);
    let [
        key_variable,
        token_variable,
        secret_variable,
        previous_variable,
    ] = env::SECRETS;
    let key = checker.secret(
        "`github.private_key_file`",
        table.private_key_file.as_ref(),
        key_variable,
    );
    let token = checker.secret(
        "`github.token_file`",
        table.token_file.as_ref(),
        token_variable,
    );
    let identity = identity(checker, table.app_id, key, token);
    let webhook_secret = checker.secret(
        "`github.webhook_secret_file`",
        table.webhook_secret_file.as_ref(),
        secret_variable,
    );
    let previous = checker.secret(
        "`github.previous_webhook_secret_file`",
        table.previous_webhook_secret_file.as_ref(),
        previous_variable,
    );
    let until = table.previous_webhook_secret_until.as_ref();
    let until = until.map(DateOrText::text);
    let previous_webhook_secret = previous_secret(checker, previous, until.as_deref());
    Some(GitHubSettings {
        api_url: api_url?,
        identity: identity?,
        webhook_secret,
        previous_webhook_secret,
    })
}

fn identity(
    checker: &mut Checker<'_>,
    app_id: Option<u64>,
    key: Option<Secret>,
    token: Option<Secret>,
) -> Option<Identity> {
    let error = match (app_id, key, token) {
        (Some(id), Some(private_key), None) => return Some(Identity::App { id, private_key }),
        (None, None, Some(token)) => return Some(Identity::Token(token)),
        (Some(_), None, None) => "`github.app_id` needs `github.private_key_file`",
        (None, Some(_), None) => "`github.private_key_file` needs `github.app_id`",
        (None, None, None) => {
            "`[github]` needs an app (`app_id` and `private_key_file`) or a token (`token_file`)"
        }
        (Some(_), _, Some(_)) | (None, Some(_), Some(_)) => {
            "`[github]` has both an app and a token: remove one"
        }
    };
    checker.error(error);
    None
}

fn previous_secret(
    checker: &mut Checker<'_>,
    secret: Option<Secret>,
    until: Option<&str>,
) -> Option<(Secret, Timestamp)> {
    match (secret, until) {
        (Some(secret), Some(text)) => {
            let until = timestamp(text);
            if until.is_none() {
                checker.error(format!(
                    "`github.previous_webhook_secret_until`: `{text}` is not a date, such as `2026-12-01` or `2026-12-01T12:00:00Z`"
                ));
            }
            until.map(|until| (secret, until))
        }
        (Some(_), None) => {
            checker.error("`github.previous_webhook_secret_file` needs `github.previous_webhook_secret_until`: an old secret is accepted only until a date");
            None
        }
        (None, Some(_)) => {
            checker.error("`github.previous_webhook_secret_until` needs `github.previous_webhook_secret_file`");
            None
        }
        (None, None) => None,
    }
}

/// Midnight UTC of a date, or a date and time with its offset.
fn timestamp(text: &str) -> Option<Timestamp> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        let midnight = date.and_hms_opt(0, 0, 0)?;
        return Some(Timestamp(midnight.and_utc().timestamp_millis()));
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(Timestamp(time.timestamp_millis()))
}
