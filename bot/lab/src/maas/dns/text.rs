//! TTLs, labels and whole names as MAAS reads them. It must not know rows.

use crate::maas::form::{Form, FormErrors, NO_NUMBER};
use crate::maas::parse;

/// A TTL: the present one if the field is absent, none if it is empty.
pub(super) fn read_ttl(
    field: &str,
    form: &Form,
    now: Option<i64>,
    (least, most): (i64, i64),
    errors: &mut FormErrors,
) -> Option<i64> {
    match form.get(field).map(|text| (text, parse::integer(text))) {
        None => now,
        Some(("", _)) => None,
        Some((_, None)) => {
            errors.add(field, NO_NUMBER);
            None
        }
        Some((_, Some(ttl))) if ttl < least => {
            let message = format!("Ensure this value is greater than or equal to {least}.");
            errors.add(field, message);
            None
        }
        Some((_, Some(ttl))) if ttl > most => {
            let message = format!("Ensure this value is less than or equal to {most}.");
            errors.add(field, message);
            None
        }
        Some((_, ttl)) => ttl,
    }
}

/// A label of letters, digits and inner dashes, or one of the special names.
pub(super) fn is_label(name: &str) -> bool {
    ["", "@", "*"].contains(&name) || is_plain_label(name)
}

fn is_plain_label(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric();
    let edges = [name.bytes().next(), name.bytes().last()];
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| plain(b) || b == b'-')
        && edges.into_iter().all(|b| b.is_some_and(plain))
}

pub(super) fn is_domain(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.split('.').all(is_plain_label)
}

/// A whole name as name and domain. MAAS's pattern takes the longest name, and any character between the two.
pub(super) fn separate<'a>(fqdn: &'a str, kind: &str) -> Option<(&'a str, &'a str)> {
    let fits = |name: &str| {
        if kind != "SRV" {
            return is_plain_label(name);
        }
        let service = |label: &str| label.strip_prefix('_').is_some_and(is_plain_label);
        let labels: Vec<&str> = name.splitn(3, '.').collect();
        match labels.as_slice() {
            [one, two] => service(one) && service(two),
            [one, two, host] => service(one) && service(two) && is_plain_label(host),
            _ => false,
        }
    };
    let cuts: Vec<usize> = fqdn.char_indices().map(|(at, _)| at).collect();
    cuts.into_iter().rev().find_map(|at| {
        let (name, rest) = fqdn.split_at(at);
        let between = rest.chars().next()?;
        let domain = &rest[between.len_utf8()..];
        (fits(name) && is_domain(domain)).then_some((name, domain))
    })
}
