//! GitHub: who we are there, what we may do, whether its clock is ours, and whether its webhooks arrive.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::doctor::{Chart, Finding, spoken};
use ::github::credentials::Identity;
use ::github::{GitHub, GitHubError, HookDelivery, Me};
use service::config::Config;
use topology::port::Clock;

/// What the app needs, by GitHub's words; the first three to be written to.
const RIGHTS: [(&str, &str); 4] = [
    ("checks", "write"),
    ("contents", "write"),
    ("pull_requests", "write"),
    ("metadata", "read"),
];

/// To see who is in a team.
const TEAMS: (&str, &str) = ("members", "read");

/// GitHub refuses an app's signature that is a minute from the future (docs, "Generating a JSON Web Token").
const AHEAD_MS_MAX: i64 = 30_000;

pub(super) async fn examine(config: &Config, clock: &Clock) -> Vec<Finding> {
    let mut chart = Chart::of("github");
    let Some(settings) = &config.github else {
        return chart.findings;
    };
    let github = match GitHub::connect(settings, Arc::clone(clock)) {
        Ok(github) => github,
        Err(error) => {
            let says = service::reply::because(&error.into());
            chart.wrong(says, "see `github.private_key_file` or `github.token_file`");
            return chart.findings;
        }
    };
    match github.me().await {
        Ok(me) => who(&mut chart, &me, config),
        Err(error) => {
            wrong(&mut chart, &error);
            // Everything else would say the same.
            if let GitHubError::Unknown { .. } = error {
                return chart.findings;
            }
        }
    }
    if let Some(ahead) = github.clock_offset() {
        if ahead.abs() > AHEAD_MS_MAX {
            let says = format!(
                "this machine's clock is {} off GitHub's",
                spoken(ahead.abs())
            );
            chart.wrong(says, "see that it runs `chronyd` or the like: GitHub refuses what is signed in another time");
        } else {
            chart.good("this machine's clock is GitHub's");
        }
    }
    let names: BTreeSet<&str> = config
        .sites
        .iter()
        .map(|site| site.repository.as_str())
        .collect();
    for name in names {
        repository(&mut chart, &github, name).await;
    }
    match settings.identity {
        Identity::App { .. } => webhooks(&mut chart, &github).await,
        Identity::Token(_) => chart.note(
            "with a token nobody sees whether webhooks arrive; planebot asks GitHub every 20 s for what they did not tell",
        ),
    }
    chart.findings
}

fn who(chart: &mut Chart, me: &Me, config: &Config) {
    let login = me
        .login
        .as_deref()
        .unwrap_or("a token that does not say whose it is");
    if me.app.is_none() {
        chart.good(format!("signed in as {login}"));
        return;
    }
    let teams = config
        .sites
        .iter()
        .any(|site| !site.operators.teams.is_empty());
    let wanted = RIGHTS.into_iter().chain(teams.then_some(TEAMS));
    let lacking: Vec<String> = wanted
        .filter(|(right, least)| {
            let has = me.permissions.get(*right).map(String::as_str);
            has != Some("write") && has != Some("admin") && has != Some(*least)
        })
        .map(|(right, least)| format!("`{right}: {least}`"))
        .collect();
    if lacking.is_empty() {
        chart.good(format!(
            "signed in as {login}, with the rights that it needs"
        ));
    } else {
        chart.wrong(
            format!("signed in as {login}, without {}", lacking.join(", ")),
            "give the app these rights in its settings, and accept them where it is installed",
        );
    }
}

async fn repository(chart: &mut Chart, github: &GitHub, name: &str) {
    match github.repository(name).await {
        Ok(found) if found.about.archived => {
            chart.wrong(
                format!("`{name}` is archived: nothing can be said there"),
                "unarchive it, or take its sites out of the configuration",
            );
        }
        Ok(found) => chart.good(format!(
            "`{name}` can be read; its default branch is `{}`",
            found.about.default_branch
        )),
        Err(GitHubError::Gone { .. }) => {
            chart.wrong(
                format!("`{name}` is not there, or not shown to us"),
                "see `repository` in the configuration, and where the app is installed",
            );
        }
        Err(error) => wrong(chart, &error),
    }
}

/// What GitHub says of the webhooks that it sent.
async fn webhooks(chart: &mut Chart, github: &GitHub) {
    let log = match github.hook_deliveries(None).await {
        // The newest page tells enough: whether webhooks arrive now.
        Ok((log, _older)) => log,
        Err(error) => return wrong(chart, &error),
    };
    let missed = HookDelivery::undelivered(&log);
    let Some(last) = log.first() else {
        chart.note("GitHub has sent no webhook in the last days");
        return;
    };
    if last.succeeded() {
        chart.good(format!(
            "the last webhook arrived, sent {}; of {} in the log {} never did",
            last.delivered_at,
            log.len(),
            missed.len()
        ));
    } else {
        chart.wrong(
            format!("the last webhook did not arrive, sent {}: {} ({})", last.delivered_at, last.status, last.status_code),
            "see that the app's webhook URL ends in `/webhook`, leads to `[server] listen` from the internet, and has the same secret; until then planebot asks GitHub every 20 s",
        );
    }
}

fn wrong(chart: &mut Chart, error: &GitHubError) {
    let todo = match error {
        GitHubError::Denied { .. } => {
            "see that the token or the app's key is right, and its rights"
        }
        GitHubError::Limited { .. } => "wait: GitHub has had enough for now",
        GitHubError::Unknown { .. } => {
            "see that this machine reaches `github.api_url`, and githubstatus.com"
        }
        GitHubError::Gone { .. } | GitHubError::Refused { .. } => {
            "see `[github]` in the configuration"
        }
    };
    chart.wrong(error.to_string(), todo);
}

#[cfg(test)]
mod tests;
