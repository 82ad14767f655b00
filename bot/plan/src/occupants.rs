//! What else has to leave a subnet besides machines: DNS names, addresses reserved by users, devices.
//!
//! MAAS deletes such addresses with their subnet, and a DNS name with its last address (3.5.9
//! `maasserver/models/signals/staticipaddress.py:67-77`); with a change in place it leaves them without a subnet (seen on
//! 3.5.12 and 3.7.3). So people remove them at the gate, and the plan lists what they must recreate. Must not know how a
//! gate is shown.

use std::collections::BTreeSet;
use std::net::IpAddr;

use topology::address::Cidr;
use topology::observed::{Holder, NodeKind, Occupant};

use crate::builder::{PlanBuilder, is_recreated};
use crate::render::quoted;

impl PlanBuilder<'_> {
    /// What a person does with each of them, one line each; machines and controllers have their own lines.
    pub(crate) fn occupant_tasks(&self) -> Vec<String> {
        let departures = self.departures();
        let mut tasks: BTreeSet<String> = BTreeSet::new();
        for link in self.observed.links() {
            let kind = self.observed.nodes.get(&link.host).map(|node| node.kind);
            if departures.take_link(link) && kind == Some(NodeKind::Device) {
                tasks.insert(device_task(&link.host, link.subnet));
            }
        }
        for (cidr, occupant) in departures.occupants(self.observed) {
            tasks.extend(task(cidr, occupant));
        }
        tasks.into_iter().collect()
    }

    /// What must be recreated by hand afterwards, with the address at the same offset as a suggestion.
    pub(crate) fn lost_occupants(&self) -> Vec<String> {
        self.departures()
            .occupants(self.observed)
            .filter_map(|(old, occupant)| {
                let (ip, subnet) = (occupant.ip?, self.becomes(&old)?);
                let (who, again) = match &occupant.holder {
                    Holder::Dns { names } => (called(names), "set the name to its new address"),
                    Holder::User { user } => (reserved_by(user), "reserve another one"),
                    Holder::Node { .. }
                    | Holder::Bmc { .. }
                    | Holder::Passing
                    | Holder::Unknown(_) => return None,
                };
                let new = subnet.row.cidr;
                let proposal = match counterpart(ip, old, new) {
                    Some(ip) => format!("for example {ip}"),
                    None => format!("one of {new}"),
                };
                let effect = if is_recreated(subnet) {
                    "is deleted with its subnet"
                } else {
                    "would be left without a subnet"
                };
                Some(format!(
                    "{ip} of {who} {effect}: {again} afterwards, {proposal}"
                ))
            })
            .collect()
    }
}

fn task(cidr: Cidr, occupant: &Occupant) -> Option<String> {
    let ip = occupant.ip.map(|ip| ip.to_string());
    let ip = ip.as_deref().unwrap_or("its address");
    match &occupant.holder {
        Holder::Node {
            host,
            kind: NodeKind::Device,
            ..
        } => Some(device_task(host, cidr)),
        Holder::Dns { names } => Some(format!(
            "remove {ip} from {}; a name without another address is deleted with it",
            called(names)
        )),
        Holder::User { user } => Some(format!(
            "release {ip} of {}: `maas $PROFILE ipaddresses release ip={ip}`",
            reserved_by(user)
        )),
        Holder::Unknown(what) => Some(format!("find out what holds {ip} of {cidr}: {what}")),
        Holder::Node { .. } | Holder::Bmc { .. } | Holder::Passing => None,
    }
}

fn device_task(host: &str, cidr: Cidr) -> String {
    format!(
        "remove the device {} from {cidr}, and give it an address on another subnet",
        quoted(host)
    )
}

fn called(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    match names.as_slice() {
        [one] => format!("the DNS name {one}"),
        many => format!("the DNS names {}", many.join(", ")),
    }
}

fn reserved_by(user: &str) -> String {
    if user.is_empty() {
        "a reservation without an owner".to_owned()
    } else {
        format!("a reservation by {}", quoted(user))
    }
}

/// The address at the same offset in another network, if it exists.
fn counterpart(ip: IpAddr, old: Cidr, new: Cidr) -> Option<IpAddr> {
    let offset = old.offset_of(ip).filter(|_| old.is_v6() == new.is_v6())?;
    new.at(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_offset_if_the_new_network_has_it() {
        let of = |ip: &str, old: &str, new: &str| {
            let (old, new) = (old.parse().unwrap(), new.parse().unwrap());
            counterpart(ip.parse().unwrap(), old, new).map(|ip| ip.to_string())
        };
        let v4 = |new| of("10.0.0.70", "10.0.0.0/24", new);
        assert_eq!(v4("10.9.4.0/23").as_deref(), Some("10.9.4.70"));
        assert_eq!(v4("10.9.4.0/26"), None);
        assert_eq!(v4("2001:db8::/64"), None);
        let v6 = of("2001:db8::5", "2001:db8::/64", "2001:db8:1::/64");
        assert_eq!(v6.as_deref(), Some("2001:db8:1::5"));
    }
}
