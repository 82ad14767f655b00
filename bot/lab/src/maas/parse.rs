//! Parses numbers, booleans, addresses and networks in all notations that MAAS accepts
//! (Django's form fields and netaddr 0.8; each rule seen on 3.5.12 and 3.7.3). It must not know rows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// A whole number as Django's `IntegerField` reads it: signs, leading zeros and a trailing `.0` are accepted.
pub(crate) fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let whole = match text.split_once('.') {
        Some((head, tail)) if tail.bytes().all(|b| b == b'0') => head,
        _ => text,
    };
    whole.parse().ok()
}

/// An id in a path or a choice: surrounding whitespace, a sign and leading zeros are accepted.
pub(crate) fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// A checkbox: only an empty value and `false`, in any case, are false. `0`, `no` and a space are true.
pub(crate) fn ticked(text: &str) -> bool {
    !text.is_empty() && !text.eq_ignore_ascii_case("false")
}

/// A subnet's `allow_dns` and `allow_proxy`: only these words are true
/// (3.7.3 `maasserver/forms/subnet.py`, `clean`).
pub(crate) fn allowed(text: &str) -> bool {
    ["true", "t", "1"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

/// A boolean of a query as `formencode.StringBool` reads it; `None` for other values, which MAAS refuses.
pub(crate) fn switch(text: &str) -> Option<bool> {
    const ON: [&str; 6] = ["true", "t", "yes", "y", "on", "1"];
    const OFF: [&str; 6] = ["false", "f", "no", "n", "off", "0"];
    let word = text.trim().to_lowercase();
    if ON.contains(&word.as_str()) {
        Some(true)
    } else if OFF.contains(&word.as_str()) {
        Some(false)
    } else {
        None
    }
}

/// An address of a form, or `None` where MAAS answers "Enter a valid IPv4 or IPv6 address."
/// The zone of a link-local address is accepted and dropped.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    let plain = match text.split_once('%') {
        Some((head, zone)) if head.contains(':') && !zone.is_empty() => head,
        _ => text,
    };
    plain.parse().ok()
}

/// A MAC as MAAS's forms of reservations and devices read it, as six pairs with colons: `aa:bb:…`, `aa-bb-…`, `aabb.ccdd.eeff`.
pub(crate) fn mac(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let parts: Vec<&str> = text.split([':', '-', '.']).collect();
    let hex = |part: &&str| part.bytes().all(|b| b.is_ascii_hexdigit());
    let within = |least: usize, most: usize| {
        let lengths = parts.iter().map(|part| part.len());
        lengths
            .into_iter()
            .all(|length| (least..=most).contains(&length))
    };
    let pairs: Vec<String> = match parts.len() {
        6 if within(1, 2) => parts.iter().map(|part| format!("{part:0>2}")).collect(),
        3 if within(3, 4) => parts
            .iter()
            .map(|part| format!("{part:0>4}"))
            .flat_map(|part| [part[..2].to_owned(), part[2..].to_owned()])
            .collect(),
        _ => return None,
    };
    parts.iter().all(hex).then(|| pairs.join(":"))
}

/// Why a network cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidNetwork {
    /// The text is not a network.
    Format,
    /// netaddr raises an exception that MAAS does not catch: 500.
    Crash,
}

/// A CIDR as netaddr reads it, without host bits: a missing prefix is a host, a netmask or a host mask is accepted, and
/// `10.50.2/24` means `10.50.2.0/24`.
pub(crate) fn network(text: &str) -> Result<IpNet, InvalidNetwork> {
    let (head, tail) = match text.split_once('/') {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    };
    if tail.is_some_and(|tail| tail.contains('/')) {
        return Err(InvalidNetwork::Crash);
    }
    let ip = match head.trim().parse() {
        Ok(ip) => ip,
        Err(_) => IpAddr::V4(short(head).ok_or(InvalidNetwork::Format)?),
    };
    let prefix = match (tail, ip) {
        (None, IpAddr::V4(_)) => 32,
        (None, IpAddr::V6(_)) => 128,
        (Some(tail), _) => match tail.trim().parse::<u8>() {
            Ok(prefix) => prefix,
            Err(_) => mask(tail.trim(), ip).ok_or(InvalidNetwork::Format)?,
        },
    };
    IpNet::new(ip, prefix)
        .map(|net| net.trunc())
        .map_err(|_too_long| InvalidNetwork::Format)
}

/// `10` and `10.50`, filled up with zeros.
fn short(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let parts: Vec<&str> = text.trim().split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    for (slot, part) in octets.iter_mut().zip(parts) {
        *slot = part.parse().ok()?;
    }
    Some(octets.into())
}

fn mask(text: &str, ip: IpAddr) -> Option<u8> {
    let mask: IpAddr = text.parse().ok()?;
    if mask.is_ipv4() != ip.is_ipv4() {
        return None;
    }
    let host = match mask {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(!u32::from(v4))),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(!u128::from(v6))),
    };
    ipnet::ip_mask_to_prefix(mask)
        .or_else(|_| ipnet::ip_mask_to_prefix(host))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_in_every_notation_that_netaddr_accepts() {
        for (text, net) in [
            ("192.0.2.5/24", "192.0.2.0/24"),
            ("192.0.2.5", "192.0.2.5/32"),
            ("192.0.2/24", "192.0.2.0/24"),
            ("11", "11.0.0.0/32"),
            ("192.0.2.0/255.255.255.0", "192.0.2.0/24"),
            ("192.0.2.0/0.0.0.255", "192.0.2.0/24"),
            ("192.0.2.0/ 24", "192.0.2.0/24"),
            ("192.00.2.0/24", "192.0.2.0/24"),
            ("2001:DB8::1/64", "2001:db8::/64"),
        ] {
            let read = network(text).map(|net| net.to_string());
            assert_eq!(read.as_deref(), Ok(net), "{text}");
        }
        for (text, why) in [
            ("x", InvalidNetwork::Format),
            ("", InvalidNetwork::Format),
            ("192.0.2.0/33", InvalidNetwork::Format),
            ("192.0.2.256/24", InvalidNetwork::Format),
            ("192.0.2.0/24/24", InvalidNetwork::Crash),
        ] {
            assert_eq!(network(text), Err(why), "{text}");
        }
    }

    #[test]
    fn each_kind_of_boolean_has_its_own_true_values() {
        for (text, box_on, allow, query) in [
            ("true", true, true, Some(true)),
            ("TRUE", true, true, Some(true)),
            ("FALSE", false, false, Some(false)),
            ("0", true, false, Some(false)),
            ("1", true, true, Some(true)),
            ("no", true, false, Some(false)),
            ("on", true, false, Some(true)),
            (" false ", true, false, Some(false)),
            ("", false, false, None),
            (" ", true, false, None),
            ("banana", true, false, None),
        ] {
            assert_eq!(ticked(text), box_on, "{text:?}");
            assert_eq!(allowed(text), allow, "{text:?}");
            assert_eq!(switch(text), query, "{text:?}");
        }
    }

    #[test]
    fn a_whole_number_may_have_a_sign_leading_zeros_and_a_trailing_point_zero() {
        for (text, read) in [
            ("1500.0", Some(1500)),
            ("+1501", Some(1501)),
            ("0302", Some(302)),
            ("1.5", None),
            ("1e3", None),
            ("", None),
        ] {
            assert_eq!(integer(text), read, "{text}");
        }
    }
}
