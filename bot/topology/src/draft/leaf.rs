//! Scalars: offsets, addresses, ranges, names and choices, as written.
//!
//! Knows the syntax of each and the help text for a mistake; must not know which plane it is in.

use std::net::{IpAddr, Ipv6Addr};

use crate::address::{Cidr, NotACidr};
use crate::finding::{FindingCode, codes, shown};
use crate::object::InterfaceKind;
use crate::plane::{Purpose, Strategy};

/// A type that is written as one scalar.
pub(crate) trait Leaf: Sized {
    /// What is expected, for findings.
    const EXPECTED: &'static str;

    /// Parses the scalar; `plain` means without quotes.
    fn parse(text: &str, plain: bool) -> Result<Self, LeafError>;
}

/// Why a scalar could not be parsed.
pub(crate) struct LeafError {
    pub(crate) code: FindingCode,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// An offset from the network address: `+N`, or `+::N` in the hex groups of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offset(pub(crate) u128);

/// An address as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AddressRef {
    /// `+N`, in the current subnet.
    Offset(Offset),
    /// In full.
    Literal(IpAddr),
    /// `KEY+N`, in another plane.
    Plane(String, Offset),
}

/// Addresses from one to another, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RangeRef {
    pub(crate) start: AddressRef,
    pub(crate) end: AddressRef,
}

/// A gateway, none, or `leave`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GatewayDraft {
    Leave,
    Absent,
    At(AddressRef),
}

/// A space's name, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SpaceDraft {
    Unbound,
    Named(String),
}

/// A subnet's name, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SubnetNameDraft {
    Unnamed,
    Named(String),
}

/// How a link gets its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkAddress {
    Host,
    Auto,
    Dhcp,
    LinkUp,
    At(AddressRef),
}

/// A route's destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Plane(String),
    Network(Cidr),
}

/// A MAC address, lower case with colons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mac(pub(crate) String);

fn wrong<T>(
    code: FindingCode,
    text: &str,
    is_not: &str,
    help: impl Into<String>,
) -> Result<T, LeafError> {
    Err(LeafError {
        code,
        message: format!("`{}` is not {is_not}", shown(text)),
        help: help.into(),
    })
}

impl Leaf for String {
    const EXPECTED: &'static str = "text";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        Ok(text.to_owned())
    }
}

impl Leaf for u32 {
    const EXPECTED: &'static str = "a whole number";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let plain = digits && (text.len() == 1 || !text.starts_with('0'));
        match text.parse() {
            Ok(number) if plain => Ok(number),
            Ok(_) | Err(_) => wrong(
                codes::VALUE_TYPE,
                text,
                "a whole number",
                "write decimal digits only, such as `1500`",
            ),
        }
    }
}

impl Leaf for bool {
    const EXPECTED: &'static str = "`true` or `false`";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => wrong(
                codes::VALUE_TYPE,
                text,
                "`true` or `false`",
                "write `true` or `false`",
            ),
        }
    }
}

impl Leaf for Cidr {
    const EXPECTED: &'static str = "a network such as `192.0.2.0/24`";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        text.parse().map_err(|error: NotACidr| {
            let (code, help) = match &error {
                NotACidr::HostBits { network, .. } => {
                    (codes::CIDR_HOST_BITS, format!("write `{network}`"))
                }
                NotACidr::NoPrefix(_) | NotACidr::NoAddress(_) | NotACidr::BadPrefix(_) => (
                    codes::CIDR_SYNTAX,
                    "write a network in full, such as `192.0.2.0/24`".to_owned(),
                ),
            };
            LeafError {
                code,
                message: shown(&error.to_string()),
                help,
            }
        })
    }
}

impl Offset {
    fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        // The low bits of an IPv6 address: `+::1:0` is 65536. A dotted tail would look like an IPv4 address.
        if digits.contains(':') && !digits.contains('.') {
            let bits: Ipv6Addr = digits.parse().ok()?;
            return Some(Self(bits.to_bits()));
        }
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|_| plain).map(Self)
    }
}

impl Leaf for Offset {
    const EXPECTED: &'static str = "an offset such as `+40`";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        let help =
            "write a number, counted from the network address: `+40`, or `+::1:0` as in IPv6";
        Self::read(text).map_or_else(|| wrong(codes::ADDRESS_SYNTAX, text, "an offset", help), Ok)
    }
}

impl AddressRef {
    fn read(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse() {
            let mapped = matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
            return (!mapped).then_some(Self::Literal(ip));
        }
        let (key, _) = text.split_once('+')?;
        let offset = Offset::read(text.get(key.len()..)?)?;
        Some(if key.is_empty() {
            Self::Offset(offset)
        } else {
            Self::Plane(key.to_owned(), offset)
        })
    }
}

const ADDRESS_HELP: &str =
    "write `+1` (counted from the network address), an address in full, or `other-plane+1`";

impl Leaf for AddressRef {
    const EXPECTED: &'static str = "an address";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        Self::read(text).map_or_else(
            || wrong(codes::ADDRESS_SYNTAX, text, "an address", ADDRESS_HELP),
            Ok,
        )
    }
}

impl Leaf for RangeRef {
    const EXPECTED: &'static str = "a range such as `+10..+99`";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        // `..` always separates a range. `-` does only if the text is not a plane key, which may contain one.
        let parts = text
            .split_once("..")
            .or_else(|| text.split_once('-'))
            .unwrap_or((text, text));
        let read = |part: &str| {
            AddressRef::read(part.trim()).filter(|a| !matches!(a, AddressRef::Plane(..)))
        };
        if let (Some(start), Some(end)) = (read(parts.0), read(parts.1)) {
            return Ok(Self { start, end });
        }
        let help = "write `+10..+99`, or `192.0.2.10..192.0.2.99`";
        wrong(codes::RANGE_SYNTAX, text, "a range", help)
    }
}

impl Leaf for GatewayDraft {
    const EXPECTED: &'static str = "an address, or `leave`";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        match text {
            "leave" => Ok(Self::Leave),
            "none" => Ok(Self::Absent),
            _ => AddressRef::parse(text, true).map(Self::At),
        }
    }
}

impl Leaf for SpaceDraft {
    const EXPECTED: &'static str = "a space's name, or `none`";

    fn parse(text: &str, plain: bool) -> Result<Self, LeafError> {
        // A space may be called "none"; then it is quoted.
        Ok(if plain && text == "none" {
            Self::Unbound
        } else {
            Self::Named(text.to_owned())
        })
    }
}

impl Leaf for SubnetNameDraft {
    const EXPECTED: &'static str = "a subnet's name, or `none`";

    fn parse(text: &str, plain: bool) -> Result<Self, LeafError> {
        // A subnet may be called "none"; then it is quoted.
        Ok(if plain && text == "none" {
            Self::Unnamed
        } else {
            Self::Named(text.to_owned())
        })
    }
}

impl Leaf for LinkAddress {
    const EXPECTED: &'static str = "an address";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        Ok(match text {
            "host" => Self::Host,
            "auto" => Self::Auto,
            "dhcp" => Self::Dhcp,
            "link-up" => Self::LinkUp,
            _ => {
                let help = "write `host`, `+41`, an address in full, `auto`, `dhcp` or `link-up`";
                return AddressRef::read(text).map_or_else(
                    || wrong(codes::ADDRESS_SYNTAX, text, "an address", help),
                    |a| Ok(Self::At(a)),
                );
            }
        })
    }
}

impl Leaf for Destination {
    const EXPECTED: &'static str = "a plane's key, or a network";

    fn parse(text: &str, plain: bool) -> Result<Self, LeafError> {
        if text.contains('/') {
            return Cidr::parse(text, plain).map(Self::Network);
        }
        Ok(Self::Plane(text.to_owned()))
    }
}

impl Leaf for Mac {
    const EXPECTED: &'static str = "a MAC address";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        let lower = text.to_lowercase().replace('-', ":");
        let mut pairs = lower.split(':');
        let pair = |p: &str| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit());
        let whole = lower.split(':').count() == 6 && pairs.all(pair);
        let mixed = text.contains(':') && text.contains('-');
        if whole && !mixed {
            return Ok(Self(lower));
        }
        let help = "write six pairs of hex digits with colons, in quotes: `\"52:54:00:12:34:56\"`";
        wrong(codes::MAC_SYNTAX, text, "a MAC address", help)
    }
}

/// Each choice has one table of words, which is used both for parsing and for the schema.
pub(super) fn choose<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, LeafError> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let known: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
    wrong(
        codes::VALUE_RANGE,
        text,
        "one of the choices",
        format!("write one of {}", known.join(", ")),
    )
}

pub(super) const PURPOSES: &[(&str, Purpose)] = &[
    ("vip", Purpose::Vip),
    ("floating", Purpose::Floating),
    ("management", Purpose::Management),
    ("dynamic", Purpose::Dynamic),
    ("reserved", Purpose::Reserved),
];

impl Leaf for Purpose {
    const EXPECTED: &'static str = "a purpose";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        choose(text, PURPOSES)
    }
}

pub(super) const STRATEGIES: &[(&str, Strategy)] = &[
    ("recreate", Strategy::Recreate),
    ("in-place", Strategy::InPlace),
];

impl Leaf for Strategy {
    const EXPECTED: &'static str = "`recreate` or `in-place`";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        choose(text, STRATEGIES)
    }
}

pub(super) const INTERFACE_KINDS: &[(&str, InterfaceKind)] = &[
    ("physical", InterfaceKind::Physical),
    ("bond", InterfaceKind::Bond),
    ("bridge", InterfaceKind::Bridge),
    ("vlan", InterfaceKind::Vlan),
    ("unknown", InterfaceKind::Unknown),
];

impl Leaf for InterfaceKind {
    const EXPECTED: &'static str = "a type of interface";

    fn parse(text: &str, _: bool) -> Result<Self, LeafError> {
        // A type that a later MAAS introduces gets a warning from the check; it is not refused.
        Ok(choose(text, INTERFACE_KINDS).unwrap_or(Self::Unknown))
    }
}
