//! Steps as single lines, and escaping of untrusted text.

use std::collections::BTreeSet;

use topology::object::{Object, RangeKind, Subnet, Vlan};
use topology::observed::Timestamp;

use super::interface::{interface_change, settings_words};
use crate::plan::Plan;
use crate::step::Step;

/// The numbers of steps that add, change and remove.
pub fn counts(steps: &[Step]) -> (usize, usize, usize) {
    let of = |sign: char| steps.iter().filter(|step| sign_of(step) == sign).count();
    (of('+'), of('!'), of('-'))
}

/// `+`, `!` or `-`, which GitHub colours in a diff.
pub(crate) fn sign_of(step: &Step) -> char {
    match (&step.expects, &step.leaves) {
        (None, _) => '+',
        (Some(_), Some(_)) => '!',
        (Some(_), None) => '-',
    }
}

/// A step on one line: sign, object, change, reason.
pub fn line(step: &Step) -> String {
    let what = match (&step.expects, &step.leaves) {
        (None, Some(after)) => object(after),
        (Some(before), None) => object(before),
        (Some(before), Some(after)) => change(before, after),
        (None, None) => String::new(),
    };
    let plane = step
        .plane
        .as_ref()
        .map(|plane| format!("  [{plane}]"))
        .unwrap_or_default();
    let why = if step.why.is_empty() {
        String::new()
    } else {
        format!("  # {}", step.why)
    };
    clean(&format!("{} {what}{plane}{why}", sign_of(step)))
}

/// A step on one line, without its plane and reason.
pub(crate) fn line_without_reason(step: &Step) -> String {
    line(&Step {
        plane: None,
        why: String::new(),
        ..step.clone()
    })
}

fn object(object: &Object) -> String {
    match object {
        Object::Space(space) => format!("space {}", space.name),
        Object::Fabric(fabric) => format!("fabric {}", fabric.name),
        Object::Vlan(vlan) => {
            let space = vlan
                .space
                .as_ref()
                .map(|space| format!(" in space {space}"))
                .unwrap_or_default();
            format!("vlan {} mtu {}{space}", vlan.at, vlan.mtu)
        }
        Object::Subnet(subnet) => {
            format!("subnet {} {} on {}", subnet.cidr, subnet.name, subnet.vlan)
        }
        Object::Range(range) => {
            let kind = match range.kind {
                RangeKind::Reserved => "reserved",
                RangeKind::Dynamic => "dynamic",
            };
            format!("range {} {kind} \"{}\"", range.range, range.comment)
        }
        Object::Route(route) => format!(
            "route {} -> {} via {} metric {}",
            route.source, route.destination, route.gateway, route.metric
        ),
        Object::ReservedIp(reserved) => format!("reserved ip {} for {}", reserved.ip, reserved.mac),
        Object::Interface(interface) => {
            let parents: Vec<&str> = interface.parents.iter().map(String::as_str).collect();
            format!(
                "interface {}:{} over {}{}",
                interface.host,
                interface.name,
                parents.join(", "),
                settings_words(interface)
            )
        }
        Object::Link(link) => {
            let gateway = if link.default_gateway {
                ", default gateway"
            } else {
                ""
            };
            format!(
                "link {}:{} on {} {}{gateway}",
                link.host, link.interface, link.subnet, link.mode
            )
        }
        Object::Snippet(snippet) => {
            let off = if snippet.enabled { "" } else { ", disabled" };
            format!(
                "dhcp snippet \"{}\" of {}, {} bytes{off}",
                shortened(&snippet.name),
                snippet.subnet,
                snippet.value.len()
            )
        }
    }
}

fn change(before: &Object, after: &Object) -> String {
    match (before, after) {
        (Object::Subnet(before), Object::Subnet(after)) => subnet_change(before, after),
        (Object::Vlan(before), Object::Vlan(after)) => vlan_change(before, after),
        (Object::Range(before), Object::Range(after)) if before == after => {
            format!("range {} rewritten unchanged", after.range)
        }
        (Object::Range(before), Object::Range(after)) => {
            format!(
                "range {} \"{}\" -> \"{}\"",
                after.range, before.comment, after.comment
            )
        }
        (Object::Space(before), Object::Space(after)) => {
            format!("space {} -> {}", before.name, after.name)
        }
        (Object::Fabric(before), Object::Fabric(after)) => {
            format!("fabric {} -> {}", before.name, after.name)
        }
        (Object::Route(before), Object::Route(after)) => {
            format!(
                "route {} -> {} metric {} -> {}",
                after.source, after.destination, before.metric, after.metric
            )
        }
        (Object::Interface(before), Object::Interface(after)) => interface_change(before, after),
        _ => object(after),
    }
}

fn subnet_change(before: &Subnet, after: &Subnet) -> String {
    let mut words = Vec::new();
    if before.cidr != after.cidr {
        words.push(format!("cidr {} -> {}", before.cidr, after.cidr));
    }
    if before.vlan != after.vlan {
        words.push(format!("vlan {} -> {}", before.vlan, after.vlan));
    }
    if before.name != after.name {
        words.push(format!("name {} -> {}", before.name, after.name));
    }
    let ip =
        |ip: Option<std::net::IpAddr>| ip.map_or_else(|| "none".to_owned(), |ip| ip.to_string());
    if before.gateway != after.gateway {
        words.push(format!(
            "gateway {} -> {}",
            ip(before.gateway),
            ip(after.gateway)
        ));
    }
    let list = |subnet: &Subnet| match subnet.dns.as_slice() {
        [] => "none".to_owned(),
        dns => dns
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "),
    };
    if before.dns != after.dns {
        words.push(format!("resolvers {} -> {}", list(before), list(after)));
    }
    if before.description != after.description {
        words.push("description".to_owned());
    }
    if before.flags != after.flags {
        words.push(flags_change(before, after));
    }
    if before.disabled_boot_architectures != after.disabled_boot_architectures {
        words.push("boot architectures".to_owned());
    }
    format!("subnet {} {}: {}", after.cidr, after.name, words.join(", "))
}

fn flags_change(before: &Subnet, after: &Subnet) -> String {
    let (old, new) = (before.flags, after.flags);
    let rows = [
        ("managed", old.managed, new.managed),
        ("allow_dns", old.allow_dns, new.allow_dns),
        ("allow_proxy", old.allow_proxy, new.allow_proxy),
        (
            "active_discovery",
            old.active_discovery,
            new.active_discovery,
        ),
    ];
    let mut words: Vec<String> = rows
        .iter()
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| format!("{name} {old} -> {new}"))
        .collect();
    if old.rdns_mode != new.rdns_mode {
        words.push(format!("rdns_mode {} -> {}", old.rdns_mode, new.rdns_mode));
    }
    words.join(", ")
}

fn vlan_change(before: &Vlan, after: &Vlan) -> String {
    let mut words = Vec::new();
    let none = || "none".to_owned();
    if before.at != after.at {
        words.push(format!("moves {} -> {}", before.at, after.at));
    }
    if before.name != after.name {
        words.push(format!(
            "name {} -> {}",
            before.name.clone().unwrap_or_else(none),
            after.name.clone().unwrap_or_else(none)
        ));
    }
    if before.mtu != after.mtu {
        words.push(format!("mtu {} -> {}", before.mtu, after.mtu));
    }
    if before.space != after.space {
        words.push(format!(
            "space {} -> {}",
            before.space.clone().unwrap_or_else(none),
            after.space.clone().unwrap_or_else(none)
        ));
    }
    let served = (before.dhcp_on, &before.primary_rack, &before.secondary_rack)
        != (after.dhcp_on, &after.primary_rack, &after.secondary_rack);
    if served {
        words.push(format!("dhcp {} -> {}", dhcp(before), dhcp(after)));
    }
    if before.relay != after.relay {
        let relay = |vlan: &Vlan| vlan.relay.as_ref().map_or_else(none, ToString::to_string);
        words.push(format!("relay {} -> {}", relay(before), relay(after)));
    }
    format!("vlan {}: {}", after.at, words.join(", "))
}

fn dhcp(vlan: &Vlan) -> String {
    let racks: Vec<&str> = [&vlan.primary_rack, &vlan.secondary_rack]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    match (vlan.dhcp_on, racks.is_empty()) {
        (false, _) => "off".to_owned(),
        (true, true) => "on".to_owned(),
        (true, false) => format!("on ({})", racks.join(", ")),
    }
}

/// Host names of the machines that a plan touches.
pub(crate) fn machines(plan: &Plan) -> BTreeSet<String> {
    let carved =
        plan.steps.iter().filter_map(
            |step| match step.leaves.as_ref().or(step.expects.as_ref()) {
                Some(Object::Link(link)) => Some(link.host.clone()),
                Some(Object::Interface(interface)) => Some(interface.host.clone()),
                _ => None,
            },
        );
    let named = plan
        .gates
        .iter()
        .filter_map(|gate| gate.values.get("machines"));
    carved
        .chain(named.flat_map(|list| list.lines().map(str::to_owned)))
        .collect()
}

/// Untrusted text on one line: control characters, and invisible ones that hide text, become `?`.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| {
            let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}' | '\u{fe00}'..='\u{fe0f}');
            if c.is_control() || hidden { '?' } else { c }
        })
        .collect()
}

/// Free text, shortened to 60 characters.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN - 1).chain(['…']).collect()
}

/// An untrusted name inside a sentence: on one line, shortened, in a code span that it cannot end.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", shortened(&clean(name).replace('`', "'")))
}

/// Escapes a sentence that quotes untrusted names. Each quoted part is in backticks already; the rest can neither mention
/// people nor link.
pub(crate) fn escaped(text: &str) -> String {
    clean(text)
        .replace('@', "@\u{2060}")
        .replace('<', "&lt;")
        .replace('[', "\\[")
        .replace('#', "\\#")
}

/// Text as a code span that it cannot end, also in a table.
pub fn span(text: &str) -> String {
    let text = clean(text).replace('|', "\u{2502}");
    let ticks = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.is_empty() {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// Text as a fenced code block that it cannot end.
pub fn fence(language: &str, text: &str) -> String {
    let ticks = "`".repeat(longest_run(text).max(2) + 1);
    format!(
        "{ticks}{language}\n{}\n{ticks}\n",
        text.trim_end_matches('\n')
    )
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// A count with its noun, in the plural unless it is 1.
pub(crate) fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}

/// A task's letter: (a), (b), …
pub fn letter(at: usize) -> String {
    let letter = u8::try_from(at)
        .ok()
        .and_then(|at| b'a'.checked_add(at))
        .filter(u8::is_ascii_lowercase);
    letter.map_or_else(
        || format!("({})", at + 1),
        |letter| format!("({})", char::from(letter)),
    )
}

/// `2026-11-23 14:02:11Z`.
pub fn utc(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(1000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Converts days to a date of the proleptic Gregorian calendar.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 {
        month_shifted + 3
    } else {
        month_shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_its_span_or_fence() {
        assert_eq!(span("a`b"), "``a`b``");
        assert_eq!(span("`"), "`` ` ``");
        assert_eq!(span("a|b\nc"), "`a\u{2502}b?c`");
        assert_eq!(fence("diff", "```\nx"), "````diff\n```\nx\n````\n");
        assert_eq!(clean("a\u{202e}b\u{e0041}\u{200b}"), "a?b??");
    }

    #[test]
    fn a_time_is_shown_in_utc() {
        assert_eq!(utc(Timestamp(0)), "1970-01-01 00:00:00Z");
        assert_eq!(utc(Timestamp(1_795_442_531_000)), "2026-11-23 14:02:11Z");
        assert_eq!(utc(Timestamp(951_782_400_000)), "2000-02-29 00:00:00Z");
    }
}
