//! `[site.policy]`.

use crate::config::check::checker::Checker;
use crate::config::file::PolicyTable;
use crate::config::{LEASE_MARGIN_SECONDS, SECONDS_MAX, SitePolicy, Window};

pub(super) fn check(checker: &mut Checker<'_>, site: &str, table: &PolicyTable) -> SitePolicy {
    let defaults = SitePolicy::default();
    let mut windows = Vec::new();
    for text in &table.windows {
        match Window::parse(text) {
            Ok(window) => windows.push(window),
            Err(error) => checker.error(format!("site `{site}`: {error}")),
        }
    }
    let unknown_pause_seconds = table
        .unknown_pause_seconds
        .unwrap_or(defaults.unknown_pause_seconds);
    let shortest = unknown_pause_seconds.saturating_add(LEASE_MARGIN_SECONDS);
    let lease_seconds = table
        .lease_seconds
        .unwrap_or(defaults.lease_seconds.max(shortest));
    if !(shortest..=SECONDS_MAX).contains(&lease_seconds) {
        checker.error(format!(
            "site `{site}`: `lease_seconds` must be from {shortest} to {SECONDS_MAX}: {LEASE_MARGIN_SECONDS} s more than `unknown_pause_seconds`, during which MAAS may still be working on a request"
        ));
    }
    SitePolicy {
        settle_seconds: table.settle_seconds.unwrap_or(defaults.settle_seconds),
        unknown_pause_seconds,
        lease_seconds,
        max_moved_subnets: table
            .max_moved_subnets
            .unwrap_or(defaults.max_moved_subnets),
        max_deletions_per_mille: table
            .max_deletions_share
            .and_then(|share| per_mille(checker, site, share)),
        max_removed: table.max_removed.unwrap_or(defaults.max_removed),
        limits_label: table.limits_label.clone(),
        two_person: table.two_person.unwrap_or(defaults.two_person),
        windows,
    }
}

fn per_mille(checker: &mut Checker<'_>, site: &str, share: f64) -> Option<u16> {
    if !(0.0..=1.0).contains(&share) {
        checker.error(format!(
            "site `{site}`: `max_deletions_share` must be from 0 to 1, not {share}"
        ));
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share from 0 to 1 is 0 to 1000 thousandths"
    )]
    let thousandths = (share * 1000.0).round() as u16;
    Some(thousandths)
}
