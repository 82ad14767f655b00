//! What is to be said of DHCP snippets: where one cannot be hung up again, and what a reader should know of the others.
//!
//! A snippet is a program for dhcpd that somebody wrote by hand. It is searched for addresses and never understood, edited or
//! shown. Must not know in which order snippets are taken off and hung up (see `drafting`).

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

/// Whether a plan must know the snippets: a network goes or moves, or a range that one may hang on goes.
pub(crate) fn matter(vacated: &BTreeSet<Cidr>, steps: &[Step]) -> bool {
    let removes_range = |step: &Step| {
        matches!(
            (&step.expects, &step.leaves),
            (Some(Object::Range(_)), None)
        )
    };
    !vacated.is_empty() || steps.iter().any(removes_range)
}

/// The subnet whose snippets MAAS may drop in silence with what this step removes.
pub(crate) fn drops(step: &Step, version: &MaasVersion) -> Option<Cidr> {
    match (&step.expects, &step.leaves) {
        (Some(Object::Subnet(subnet)), None) => Some(subnet.cidr),
        (Some(Object::Range(range)), None) if version.attaches_snippets_to_ranges() => {
            // No dhcpd is given what hangs on a reserved range.
            (range.kind == RangeKind::Dynamic).then_some(range.subnet)
        }
        _ => None,
    }
}

/// Snippets that would be lost: nobody asked for them, or they cannot be made again as they are.
pub(crate) fn lost(
    observed: &Observed,
    vacated: &BTreeSet<Cidr>,
    draft: &PlanBuilder<'_>,
) -> Vec<Refusal> {
    let Some(loose) = &observed.loose_snippets else {
        let why = "nobody asked MAAS for its DHCP snippets, and some may hang on what goes.";
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
            SnippetOn::Subnet { cidr, why } if dropped.contains(cidr) => {
                let refusal = Refusal::new(
                    RefusalCode::CannotLeave,
                    format!(
                        "the DHCP snippet {} of {cidr} goes with what this plan removes, and cannot be made again as it is: {why}.",
                        quoted(&snippet.name)
                    ),
                    "Put that right in MAAS, or remove the snippet there first and hang it up again afterwards.",
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

/// What a reader should know, one line each.
pub(crate) fn warnings(
    observed: &Observed,
    leaving: &BTreeSet<Cidr>,
    steps: &[Step],
) -> Vec<String> {
    let mut warnings = Vec::new();
    if observed.version.attaches_snippets_to_ranges() {
        warnings.extend(widened(observed, steps));
        warnings.extend(perhaps_gone(observed, steps));
    }
    warnings.extend(stale(observed, leaving));
    warnings
}

/// Snippets that are hung up again, and may have hung on less.
fn widened<'a>(observed: &'a Observed, steps: &'a [Step]) -> impl Iterator<Item = String> + 'a {
    steps
        .iter()
        .filter(|step| step.leaves.is_none())
        .filter_map(|step| step.expects.as_ref()?.as_snippet())
        .filter(|snippet| observed.ranges_of(snippet.subnet).next().is_some())
        .map(|snippet| {
            format!(
                "the DHCP snippet {} of {} is hung up again for the whole network: where it hung on one range of it, which MAAS tells nobody, hang it there by hand",
                quoted(&snippet.name),
                snippet.subnet
            )
        })
}

/// Snippets of networks that lose a reserved range only.
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
                    "the DHCP snippet {} of {} goes with the reserved range {} if it hangs on it, which MAAS tells nobody; no dhcpd is given it there",
                    quoted(&snippet.name),
                    snippet.subnet,
                    range.range
                )
            })
    })
}

/// Snippets, wherever they hang, whose text names an address that moves to another network or away.
fn stale(observed: &Observed, leaving: &BTreeSet<Cidr>) -> Vec<String> {
    let of_subnets = observed
        .snippets()
        .map(|snippet| (&snippet.name, snippet.subnet.to_string(), &snippet.value));
    let loose = observed.loose_snippets.iter().flatten().map(|snippet| {
        let place = match &snippet.on {
            SnippetOn::Everywhere => "every network".to_owned(),
            SnippetOn::Node(host) => quoted(host),
            SnippetOn::Subnet { cidr, .. } => cidr.to_string(),
        };
        (&snippet.name, place, &snippet.value)
    });
    of_subnets
        .chain(loose)
        .filter_map(|(name, place, value)| {
            let named: BTreeSet<IpAddr> = addresses_in(value)
                .filter(|ip| leaving.iter().any(|cidr| cidr.contains(*ip)))
                .collect();
            let first = named.first()?;
            let more = match named.len() {
                1 => String::new(),
                2 => " and one more address".to_owned(),
                count => format!(" and {} more addresses", count - 1),
            };
            Some(format!(
                "the DHCP snippet {} of {place} goes on naming {first}{more} of a network that moves: its text is a program, which nobody here edits",
                quoted(name)
            ))
        })
        .collect()
}

/// The addresses that a text names, wherever they stand in it.
fn addresses_in(text: &str) -> impl Iterator<Item = IpAddr> + '_ {
    let part = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
    let read = |word: &str| word.trim_matches('.').parse().ok();
    text.split(move |c| !part(c)).flat_map(move |word| {
        // An address and a port, or a name and an address, beside an IPv6 address.
        let whole: Option<IpAddr> = read(word);
        let parts = whole.is_none().then(|| word.split(':').filter_map(read));
        whole.into_iter().chain(parts.into_iter().flatten())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_wherever_they_stand() {
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
