//! Refusals and warnings about DHCP snippets.
//!
//! A snippet is hand-written dhcpd configuration. It is searched for addresses but never interpreted, edited or shown. Must
//! not know in which order snippets are removed and restored (see `builder`).

use std::collections::BTreeSet;
use std::net::IpAddr;

use topology::address::Cidr;
use topology::object::{Object, RangeKind};
use topology::observed::{Observed, SnippetOn};
use topology::version::MaasVersion;

use crate::builder::PlanBuilder;
use crate::refusal::{Refusal, RefusalCode};
use crate::render::quoted;
use crate::step::Step;

/// Whether a plan needs the snippets: a subnet is deleted or moves, or a range that one may be attached to is deleted.
pub(crate) fn matter(vacated: &BTreeSet<Cidr>, steps: &[Step]) -> bool {
    let removes_range = |step: &Step| {
        matches!(
            (&step.expects, &step.leaves),
            (Some(Object::Range(_)), None)
        )
    };
    !vacated.is_empty() || steps.iter().any(removes_range)
}

/// The subnet whose snippets MAAS may silently delete with what this step removes.
pub(crate) fn drops(step: &Step, version: &MaasVersion) -> Option<Cidr> {
    match (&step.expects, &step.leaves) {
        (Some(Object::Subnet(subnet)), None) => Some(subnet.cidr),
        (Some(Object::Range(range)), None) if version.attaches_snippets_to_ranges() => {
            // dhcpd never gets snippets that are attached to a reserved range.
            (range.kind == RangeKind::Dynamic).then_some(range.subnet)
        }
        _ => None,
    }
}

/// Refuses to lose snippets: they were not read, or they cannot be recreated unchanged.
pub(crate) fn lost(
    observed: &Observed,
    vacated: &BTreeSet<Cidr>,
    draft: &PlanBuilder<'_>,
) -> Vec<Refusal> {
    let Some(loose) = &observed.loose_snippets else {
        let why = "the DHCP snippets were not read, and some may be attached to what is removed.";
        let unseen = Refusal::new(RefusalCode::Unseen, why, "Plan again.");
        return Vec::from_iter(matter(vacated, &draft.steps).then_some(unseen));
    };
    let dropped: BTreeSet<Cidr> = draft
        .steps
        .iter()
        .filter_map(|step| drops(step, &observed.version))
        .collect();
    loose
        .iter()
        .filter_map(|snippet| match &snippet.on {
            SnippetOn::Subnet { cidr, why }
                if dropped.contains(cidr)
                    && !draft.desired.removal.subnets.contains_key(cidr) =>
            {
                let refusal = Refusal::new(
                    RefusalCode::CannotLeave,
                    format!(
                        "the DHCP snippet {} of {cidr} would be deleted with what this plan removes, and cannot be recreated unchanged: {why}.",
                        quoted(&snippet.name)
                    ),
                    "Fix this in MAAS, or remove the snippet there first and restore it afterwards.",
                );
                Some(match draft.becomes(cidr) {
                    Some(subnet) => refusal.of(&subnet.plane),
                    None => refusal,
                })
            }
            SnippetOn::Subnet { .. } | SnippetOn::Everywhere | SnippetOn::Node(_) => None,
        })
        .collect()
}

/// Warnings, one line each. `loses`: whether an address was on a subnet that loses it.
pub(crate) fn warnings(
    observed: &Observed,
    loses: &dyn Fn(IpAddr) -> bool,
    steps: &[Step],
) -> Vec<String> {
    let mut warnings = Vec::new();
    if observed.version.attaches_snippets_to_ranges() {
        warnings.extend(widened(observed, steps));
        warnings.extend(perhaps_gone(observed, steps));
    }
    warnings.extend(stale(observed, loses));
    warnings
}

/// Snippets that are restored on the whole subnet, but may have been attached to one range.
fn widened<'a>(observed: &'a Observed, steps: &'a [Step]) -> impl Iterator<Item = String> + 'a {
    steps
        .iter()
        .filter(|step| step.leaves.is_none())
        .filter_map(|step| step.expects.as_ref()?.as_snippet())
        .filter(|snippet| observed.ranges_of(snippet.subnet).next().is_some())
        .map(|snippet| {
            format!(
                "the DHCP snippet {} of {} is restored for the whole subnet: if it was attached to one range, which MAAS does not show, attach it there by hand",
                quoted(&snippet.name),
                snippet.subnet
            )
        })
}

/// Snippets of subnets that lose only a reserved range.
fn perhaps_gone<'a>(
    observed: &'a Observed,
    steps: &'a [Step],
) -> impl Iterator<Item = String> + 'a {
    let taken_off = |snippet: &Object| {
        steps
            .iter()
            .any(|step| step.expects.as_ref() == Some(snippet))
    };
    let removed = steps
        .iter()
        .filter(|step| step.leaves.is_none())
        .filter_map(|step| step.expects.as_ref()?.as_range());
    removed.flat_map(move |range| {
        observed
            .snippets()
            .filter(move |snippet| snippet.subnet == range.subnet)
            .filter(move |snippet| !taken_off(&Object::Snippet((*snippet).clone())))
            .map(move |snippet| {
                format!(
                    "the DHCP snippet {} of {} is deleted with the reserved range {} if it is attached to it, which MAAS does not show; dhcpd does not use it there",
                    quoted(&snippet.name),
                    snippet.subnet,
                    range.range
                )
            })
    })
}

/// Snippets, whatever they are attached to, whose text mentions an address on a subnet that moves away.
fn stale(observed: &Observed, loses: &dyn Fn(IpAddr) -> bool) -> Vec<String> {
    let of_subnets = observed
        .snippets()
        .map(|snippet| (&snippet.name, snippet.subnet.to_string(), &snippet.value));
    let loose = observed.loose_snippets.iter().flatten().map(|snippet| {
        let place = match &snippet.on {
            SnippetOn::Everywhere => "all networks".to_owned(),
            SnippetOn::Node(host) => quoted(host),
            SnippetOn::Subnet { cidr, .. } => cidr.to_string(),
        };
        (&snippet.name, place, &snippet.value)
    });
    of_subnets
        .chain(loose)
        .filter_map(|(name, place, value)| {
            let named: BTreeSet<IpAddr> = addresses_in(value)
                .filter(|ip| loses(*ip))
                .collect();
            let first = named.first()?;
            let more = match named.len() {
                1 => String::new(),
                2 => " and one more address".to_owned(),
                count => format!(" and {} more addresses", count - 1),
            };
            Some(format!(
                "the DHCP snippet {} of {place} still mentions {first}{more} of a subnet that moves: planebot does not edit a snippet's text",
                quoted(name)
            ))
        })
        .collect()
}

/// The addresses in a text.
fn addresses_in(text: &str) -> impl Iterator<Item = IpAddr> + '_ {
    let part = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
    let read = |word: &str| word.trim_matches('.').parse().ok();
    text.split(move |c| !part(c)).flat_map(move |word| {
        // If the word is not an IPv6 address, it may be an address with a port or a name with an address.
        let whole: Option<IpAddr> = read(word);
        let parts = whole.is_none().then(|| word.split(':').filter_map(read));
        whole.into_iter().chain(parts.into_iter().flatten())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_anywhere_in_a_text() {
        let text = "pool { range 10.0.0.5 10.0.0.9; }\noption x \"tftp://10.0.0.7:69/a\"; # see 10.0.0.8.\n\
                    next-server=192.0.2.1,2001:db8::5; hardware ethernet 52:54:00:12:34:56; 10.0.0.0/24 1.2.3 :: dead";
        let found: Vec<String> = addresses_in(text).map(|ip| ip.to_string()).collect();
        let desired = [
            "10.0.0.5",
            "10.0.0.9",
            "10.0.0.7",
            "10.0.0.8",
            "192.0.2.1",
            "2001:db8::5",
            "10.0.0.0",
            "::",
        ];
        assert_eq!(found, desired);
    }
}
