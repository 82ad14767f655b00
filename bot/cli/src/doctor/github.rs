//! Checks GitHub: the identity and its permissions, the clock, the repositories, and whether webhooks arrive.

use std::collections::BTreeSet;
use std::sync::Arc;

use ::github::credentials::Identity;
use ::github::{GitHub, GitHubError, HookDelivery, Me};
use service::config::Config;
use topology::port::Clock;

use crate::doctor::{Diagnosis, DiagnosisList};
use crate::text::duration;

/// The permissions that the app needs, with GitHub's names.
const PERMISSIONS: [(&str, &str); 4] = [
    ("checks", "write"),
    ("contents", "write"),
    ("pull_requests", "write"),
    ("metadata", "read"),
];

/// The permission to read the members of a team.
const TEAM_PERMISSION: (&str, &str) = ("members", "read");

/// GitHub refuses a JSON Web Token that was issued a minute in the future (docs, "Generating a JSON Web Token").
const CLOCK_OFFSET_MS_MAX: i64 = 30_000;

pub(super) async fn examine(config: &Config, clock: &Clock) -> Vec<Diagnosis> {
    let mut list = DiagnosisList::new("github");
    let Some(settings) = &config.github else {
        return list.diagnoses;
    };
    let github = match GitHub::connect(settings, Arc::clone(clock)) {
        Ok(github) => github,
        Err(error) => {
            let message = service::reply::because(&error.into());
            list.problem(
                message,
                "check `github.private_key_file` or `github.token_file`",
            );
            return list.diagnoses;
        }
    };
    match github.me().await {
        Ok(me) => identity(&mut list, &me, config),
        Err(error) => {
            github_error(&mut list, &error);
            // GitHub cannot be reached: every other request would fail in the same way.
            if let GitHubError::Unknown { .. } = error {
                return list.diagnoses;
            }
        }
    }
    if let Some(offset) = github.clock_offset() {
        if offset.abs() > CLOCK_OFFSET_MS_MAX {
            let message = format!(
                "this machine's clock differs from GitHub's by {}",
                duration(offset.abs())
            );
            list.problem(message, "synchronise this machine's clock, with `chronyd` for example: GitHub refuses tokens issued in the future");
        } else {
            list.ok("this machine's clock agrees with GitHub's");
        }
    }
    let names: BTreeSet<&str> = config
        .sites
        .iter()
        .map(|site| site.repository.as_str())
        .collect();
    for name in names {
        repository(&mut list, &github, name).await;
    }
    match settings.identity {
        Identity::App { .. } => webhooks(&mut list, &github).await,
        Identity::Token(_) => list.info(
            "a token cannot read whether webhooks arrive; planebot polls GitHub every 20 s for what they missed",
        ),
    }
    list.diagnoses
}

fn identity(list: &mut DiagnosisList, me: &Me, config: &Config) {
    let login = me
        .login
        .as_deref()
        .unwrap_or("the owner of a token that GitHub does not name");
    if me.app.is_none() {
        list.ok(format!("signed in as {login}"));
        return;
    }
    let teams = config
        .sites
        .iter()
        .any(|site| !site.operators.teams.is_empty());
    let needed = PERMISSIONS.into_iter();
    let needed = needed.chain(teams.then_some(TEAM_PERMISSION));
    let missing: Vec<String> = needed
        .filter(|(name, least)| {
            let has = me.permissions.get(*name).map(String::as_str);
            has != Some("write") && has != Some("admin") && has != Some(*least)
        })
        .map(|(name, least)| format!("`{name}: {least}`"))
        .collect();
    if missing.is_empty() {
        list.ok(format!("signed in as {login}, with all permissions"));
    } else {
        list.problem(
            format!(
                "signed in as {login}, which lacks the permissions {}",
                missing.join(", ")
            ),
            "grant them in the app's settings, and accept the change where the app is installed",
        );
    }
}

async fn repository(list: &mut DiagnosisList, github: &GitHub, name: &str) {
    match github.repository(name).await {
        Ok(found) if found.about.archived => {
            list.problem(
                format!("`{name}` is archived: GitHub takes no comments there"),
                "unarchive it, or remove its sites from the configuration",
            );
        }
        Ok(found) => list.ok(format!(
            "`{name}` is readable; its default branch is `{}`",
            found.about.default_branch
        )),
        Err(GitHubError::Gone { .. }) => {
            list.problem(
                format!("`{name}` does not exist, or planebot may not see it"),
                "check `repository` in the configuration, and that the app is installed there",
            );
        }
        Err(error) => github_error(list, &error),
    }
}

/// GitHub's log of the webhooks that it sent.
async fn webhooks(list: &mut DiagnosisList, github: &GitHub) {
    let log = match github.hook_deliveries(None).await {
        // The newest page is enough to know whether webhooks arrive now.
        Ok((log, _older)) => log,
        Err(error) => return github_error(list, &error),
    };
    let missed = HookDelivery::undelivered(&log);
    let Some(last) = log.first() else {
        list.info("GitHub's log has no webhook: it sent none in the last days");
        return;
    };
    if last.succeeded() {
        list.ok(format!(
            "the last webhook arrived (sent {}); of {} in GitHub's log, {} never arrived",
            last.delivered_at,
            log.len(),
            missed.len()
        ));
    } else {
        list.problem(
            format!("the last webhook did not arrive (sent {}): {} ({})", last.delivered_at, last.status, last.status_code),
            "check that the app's webhook URL ends in `/webhook`, reaches `[server] listen` from the internet, and has the same secret; until then planebot polls GitHub every 20 s",
        );
    }
}

fn github_error(list: &mut DiagnosisList, error: &GitHubError) {
    let remedy = match error {
        GitHubError::Denied { .. } => "check the token or the app's key, and its permissions",
        GitHubError::Limited { .. } => "wait until GitHub's rate limit resets",
        GitHubError::Unknown { .. } => {
            "check that this machine can reach `github.api_url`, and look at githubstatus.com"
        }
        GitHubError::Gone { .. } | GitHubError::Refused { .. } => {
            "check `[github]` in the configuration"
        }
    };
    list.problem(error.to_string(), remedy);
}

#[cfg(test)]
mod tests;
