//! Variables override the file: `PLANEBOT_<TABLE>_<KEY>`, and `PLANEBOT_SITE_<NAME>_<KEY>` for a site.
//!
//! A secret has a second variable without `_FILE` that holds the secret itself; `check` reads those. A variable with the
//! prefix of a table that names no setting is refused, so that a misspelt one is noticed. It must not know which values
//! are valid.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::ConfigErrors;
use crate::config::file::{ConfigFile, DateOrText, GitHubTable, OneOrMany, SiteTable, UserEntry};

/// The variables that hold a secret itself.
pub(super) const SECRETS: [&str; 4] = [
    "PLANEBOT_GITHUB_PRIVATE_KEY",
    "PLANEBOT_GITHUB_TOKEN",
    "PLANEBOT_GITHUB_WEBHOOK_SECRET",
    "PLANEBOT_GITHUB_PREVIOUS_WEBHOOK_SECRET",
];

/// The variable that holds the database's password itself.
pub(super) const STORE_PASSWORD: &str = "PLANEBOT_STORE_PASSWORD";

/// `PLANEBOT_SITE_PROD_OAM_` for `prod-oam`.
pub(super) fn site_prefix(name: &str) -> String {
    format!(
        "PLANEBOT_SITE_{}_",
        name.to_ascii_uppercase().replace('-', "_")
    )
}

/// Overrides the file's values with the variables'.
pub(super) fn apply(
    file: &mut ConfigFile,
    variables: &BTreeMap<String, String>,
) -> Result<(), ConfigErrors> {
    let mut errors = Vec::new();
    for (name, value) in variables {
        let applied = if let Some(key) = name.strip_prefix("PLANEBOT_SERVER_") {
            server(file, key, value)
        } else if SECRETS.contains(&name.as_str()) {
            file.github.get_or_insert_default();
            Ok(true)
        } else if let Some(key) = name.strip_prefix("PLANEBOT_GITHUB_") {
            github(file.github.get_or_insert_default(), key, value)
        } else if let Some(key) = name.strip_prefix("PLANEBOT_STORE_") {
            store(file, key, value)
        } else if name.starts_with("PLANEBOT_SITE_") {
            site_variable(&mut file.site, name, value)
        } else {
            // The command line's own variables.
            Ok(true)
        };
        match applied {
            Ok(true) => {}
            Ok(false) => errors.push(format!(
                "`{name}` is not the variable of any setting: check its spelling"
            )),
            Err(wanted) => errors.push(format!("`{name}` must be {wanted}")),
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(ConfigErrors(errors))
    }
}

/// Whether there is such a setting; the error is what its value must be.
type Applied = Result<bool, &'static str>;

/// What `PLANEBOT_SERVER_LOG` must be.
const LOG_FILTER: &str = "a log filter: a level, or levels by crate, such as `info,github=debug`";

fn store(file: &mut ConfigFile, key: &str, value: &str) -> Applied {
    match key {
        "URL" => file.store.url = Some(value.to_owned()),
        "PASSWORD_FILE" => file.store.password_file = Some(PathBuf::from(value)),
        "KEEP_DAYS" => file.store.keep_days = Some(number(value)?),
        // Holds the secret itself; read in `check`.
        "PASSWORD" => {}
        _ => return Ok(false),
    }
    Ok(true)
}

fn server(file: &mut ConfigFile, key: &str, value: &str) -> Applied {
    match key {
        "LISTEN" => file.server.listen = Some(value.to_owned()),
        "BODY_LIMIT_BYTES" => file.server.body_limit_bytes = Some(number(value)?),
        "REPLICA" => file.server.replica = Some(value.to_owned()),
        "TAKEOVER_SECONDS" => file.server.takeover_seconds = Some(number(value)?),
        "PUBLIC_URL" => file.server.public_url = Some(value.to_owned()),
        "LOG" => {
            file.server.log = Some(value.parse().ok().ok_or(LOG_FILTER)?);
        }
        "LOG_FORMAT" => file.server.log_format = Some(value.parse()?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn github(github: &mut GitHubTable, key: &str, value: &str) -> Applied {
    match key {
        "API_URL" => github.api_url = Some(value.to_owned()),
        "APP_ID" => github.app_id = Some(number(value)?),
        "PRIVATE_KEY_FILE" => github.private_key_file = Some(PathBuf::from(value)),
        "TOKEN_FILE" => github.token_file = Some(PathBuf::from(value)),
        "WEBHOOK_SECRET_FILE" => github.webhook_secret_file = Some(PathBuf::from(value)),
        "PREVIOUS_WEBHOOK_SECRET_FILE" => {
            github.previous_webhook_secret_file = Some(PathBuf::from(value));
        }
        "PREVIOUS_WEBHOOK_SECRET_UNTIL" => {
            github.previous_webhook_secret_until = Some(DateOrText::Text(value.to_owned()));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn site_variable(sites: &mut [SiteTable], name: &str, value: &str) -> Applied {
    // `prod` and `prod-oam` may both be sites: the longest matching name is the one.
    let matching = sites
        .iter_mut()
        .filter_map(|site| {
            let prefix = site_prefix(&site.name);
            Some((prefix.len(), name.strip_prefix(&prefix)?, site))
        })
        .max_by_key(|(length, ..)| *length);
    match matching {
        Some((_, key, site)) => site_key(site, key, value),
        None => Ok(false),
    }
}

fn site_key(site: &mut SiteTable, key: &str, value: &str) -> Applied {
    match key {
        "REPOSITORY" => value.clone_into(&mut site.repository),
        "PATH" => site.path = Some(value.to_owned()),
        "RUNBOOKS" => site.runbooks = Some(value.to_owned()),
        "MAAS_URL" => site.maas_url = Some(OneOrMany::Many(list(value).collect())),
        // Holds the secret itself; read in `check`.
        "MAAS_API_KEY" => {}
        "MAAS_API_KEY_FILE" => site.maas_api_key_file = Some(PathBuf::from(value)),
        "MAAS_CA_FILE" => site.maas_ca_file = Some(PathBuf::from(value)),
        "MAAS_CERTIFICATE_PIN" => {
            site.maas_certificate_pin = Some(OneOrMany::Many(list(value).collect()));
        }
        "OPERATORS_USERS" => site.operators.users = list(value).map(UserEntry::Login).collect(),
        "OPERATORS_TEAMS" => site.operators.teams = list(value).collect(),
        "POLICY_SETTLE_SECONDS" => site.policy.settle_seconds = Some(number(value)?),
        "POLICY_UNKNOWN_PAUSE_SECONDS" => site.policy.unknown_pause_seconds = Some(number(value)?),
        "POLICY_LEASE_SECONDS" => site.policy.lease_seconds = Some(number(value)?),
        "POLICY_MAX_MOVED_SUBNETS" => {
            site.policy.max_moved_subnets = Some(value.parse().ok().ok_or("a number")?);
        }
        "POLICY_MAX_DELETIONS_SHARE" => {
            site.policy.max_deletions_share =
                Some(value.parse().ok().ok_or("a share from 0 to 1")?);
        }
        "POLICY_MAX_REMOVED" => {
            site.policy.max_removed = Some(value.parse().ok().ok_or("a number")?);
        }
        "POLICY_LIMITS_LABEL" => site.policy.limits_label = Some(value.to_owned()),
        "POLICY_TWO_PERSON" => {
            site.policy.two_person = Some(value.parse().ok().ok_or("`true` or `false`")?);
        }
        "POLICY_WINDOWS" => {
            site.policy.windows = value
                .split(';')
                .map(|part| part.trim().to_owned())
                .collect();
        }
        "EVIDENCE_JUJU_MODELS" => {
            site.evidence.juju_models = Some(OneOrMany::Many(list(value).collect()));
        }
        "EVIDENCE_JUMPHOST_ADDRESSES" => {
            site.evidence.jumphost_addresses = Some(OneOrMany::Many(list(value).collect()));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, &'static str> {
    value.parse().ok().ok_or("a whole number")
}

fn list(value: &str) -> impl Iterator<Item = String> {
    value
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
}
