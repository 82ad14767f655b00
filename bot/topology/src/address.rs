//! Networks, ranges and addresses, and how they overlap.
//!
//! Handles addresses, prefixes and offsets of both families; must not know what they are used for. Parsing is strict: the
//! libraries' own parsers accept leading zeros and host bits, and MAAS would then store something other than what was
//! written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A network in canonical form: no host bits, no leading zeros, an explicit prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(IpNet);

/// Why a text is not a network that can be sent to MAAS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACidr {
    /// There is no `/`; planebot does not guess a prefix.
    #[error("`{0}` has no prefix; write for example `{0}/24`")]
    NoPrefix(String),
    /// The part before the `/` is not an address.
    #[error("`{0}` is not an address")]
    NoAddress(String),
    /// The part after the `/` is not a prefix length of that family.
    #[error("`/{0}` is not a prefix length")]
    BadPrefix(String),
    /// Host bits are set.
    #[error("`{given}` has host bits set; the network is `{network}`")]
    HostBits {
        /// As written.
        given: String,
        /// The network that contains it.
        network: Cidr,
    },
}

impl FromStr for Cidr {
    type Err = NotACidr;

    fn from_str(text: &str) -> Result<Self, NotACidr> {
        let (address, prefix) = text
            .split_once('/')
            .ok_or_else(|| NotACidr::NoPrefix(text.to_owned()))?;
        let ip: IpAddr = address
            .parse()
            .ok()
            .filter(|ip| !matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()))
            .ok_or_else(|| NotACidr::NoAddress(address.to_owned()))?;
        let plain = (1..=3).contains(&prefix.len())
            && prefix.bytes().all(|b| b.is_ascii_digit())
            && (prefix.len() == 1 || !prefix.starts_with('0'));
        let length = prefix.parse::<u8>().ok().filter(|_| plain);
        let net = length
            .and_then(|length| IpNet::new(ip, length).ok())
            .ok_or_else(|| NotACidr::BadPrefix(prefix.to_owned()))?;
        if net.trunc() == net {
            Ok(Self(net))
        } else {
            Err(NotACidr::HostBits {
                given: text.to_owned(),
                network: Self(net.trunc()),
            })
        }
    }
}

impl TryFrom<String> for Cidr {
    type Error = NotACidr;
    fn try_from(text: String) -> Result<Self, NotACidr> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Cidr {
    /// The network that sorts first.
    pub const LEAST: Self = Self(IpNet::V4(ipnet::Ipv4Net::new_assert(
        Ipv4Addr::UNSPECIFIED,
        0,
    )));

    /// The first address, all host bits clear.
    pub fn network(&self) -> IpAddr {
        self.0.network()
    }

    /// The last address, all host bits set; the broadcast address in IPv4.
    pub fn last(&self) -> IpAddr {
        self.0.broadcast()
    }

    /// The prefix length in bits.
    pub fn prefix(&self) -> u8 {
        self.0.prefix_len()
    }

    /// True for IPv6.
    pub fn is_v6(&self) -> bool {
        matches!(self.0, IpNet::V6(_))
    }

    /// Whether `ip` lies in this network.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.contains(&ip)
    }

    /// Whether the two networks share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }

    /// Whether `other` lies wholly inside this network, or is the same.
    pub fn encloses(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }

    /// The network address plus `offset`; `None` outside this network.
    pub fn at(&self, offset: u128) -> Option<IpAddr> {
        let number = to_number(self.network()).checked_add(offset)?;
        let ip = from_number(number, self.is_v6())?;
        self.contains(ip).then_some(ip)
    }

    /// The offset of `ip` from the network address; `None` outside this network.
    pub fn offset_of(&self, ip: IpAddr) -> Option<u128> {
        self.contains(ip)
            .then(|| to_number(ip) - to_number(self.network()))
    }

    /// The whole network as a range.
    pub fn span(&self) -> Range {
        Range {
            start: self.network(),
            end: self.last(),
        }
    }
}

/// Addresses from `start` to `end`, both included, of one family and in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Range {
    start: IpAddr,
    end: IpAddr,
}

impl Range {
    /// A range, or `None` when the families differ or the end comes before the start.
    pub fn new(start: IpAddr, end: IpAddr) -> Option<Self> {
        (start.is_ipv4() == end.is_ipv4() && start <= end).then_some(Self { start, end })
    }

    /// A range of one address.
    pub fn one(ip: IpAddr) -> Self {
        Self { start: ip, end: ip }
    }

    /// The range that sorts first.
    pub const LEAST: Self = Self {
        start: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        end: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };

    /// The range that sorts last.
    pub const GREATEST: Self = Self {
        start: IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)),
        end: IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)),
    };

    /// The first address.
    pub fn start(&self) -> IpAddr {
        self.start
    }

    /// The last address.
    pub fn end(&self) -> IpAddr {
        self.end
    }

    /// Whether `ip` lies in this range.
    pub fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.start.is_ipv4() && self.start <= ip && ip <= self.end
    }

    /// Whether the two ranges share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start.is_ipv4() == other.start.is_ipv4()
            && self.start <= other.end
            && other.start <= self.end
    }

    /// Whether the range lies wholly inside `cidr`.
    pub fn within(&self, cidr: &Cidr) -> bool {
        cidr.contains(self.start) && cidr.contains(self.end)
    }

    /// The number of addresses, saturating at `u128::MAX`.
    pub fn count(&self) -> u128 {
        (to_number(self.end) - to_number(self.start)).saturating_add(1)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.start == self.end {
            return self.start.fmt(f);
        }
        write!(f, "{}-{}", self.start, self.end)
    }
}

fn to_number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn from_number(number: u128, v6: bool) -> Option<IpAddr> {
    if v6 {
        return Some(IpAddr::V6(Ipv6Addr::from(number)));
    }
    u32::try_from(number)
        .ok()
        .map(|n| IpAddr::V4(Ipv4Addr::from(n)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_strictly() {
        for good in [
            "10.12.8.0/22",
            "0.0.0.0/0",
            "10.0.0.0/8",
            "2001:db8::/32",
            "10.1.1.1/32",
        ] {
            assert_eq!(good.parse::<Cidr>().unwrap().to_string(), good);
        }
        for bad in [
            "010.12.8.0/22",
            "10.12.9.5/22",
            "10.12.8.0",
            "10.12.8.0/+22",
            "10.12.8.0/022",
            "10.12.8.0/33",
            "/22",
            "x/1",
            "10.12.8.0/22 ",
            "::ffff:10.0.0.0/120",
        ] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
        assert_eq!(
            "10.12.9.5/22".parse::<Cidr>().unwrap_err().to_string(),
            "`10.12.9.5/22` has host bits set; the network is `10.12.8.0/22`"
        );
    }

    #[test]
    fn an_offset_counts_from_the_network_address_and_stays_inside() {
        let cidr: Cidr = "10.12.12.0/22".parse().unwrap();
        assert_eq!(cidr.at(256).unwrap().to_string(), "10.12.13.0");
        assert_eq!(cidr.offset_of("10.12.15.255".parse().unwrap()), Some(1023));
        assert_eq!(cidr.at(1024), None);
        let v6: Cidr = "2001:db8::/64".parse().unwrap();
        assert_eq!(v6.at(0x10).unwrap().to_string(), "2001:db8::10");
    }

    #[test]
    fn ranges_overlap_only_within_a_family() {
        let four = Range::new("10.0.0.1".parse().unwrap(), "10.0.0.9".parse().unwrap()).unwrap();
        let six = Range::new("::1".parse().unwrap(), "ffff::".parse().unwrap()).unwrap();
        assert!(!four.overlaps(&six) && !six.contains(four.start()));
        assert!(Range::new(four.end(), four.start()).is_none());
    }
}
