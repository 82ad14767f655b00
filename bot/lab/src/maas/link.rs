//! Rows of links: adding, removing, and conflicts (3.5.9 `maasserver/models/interface.py`).

use std::net::IpAddr;

use super::answer::plain;
use super::store::{AllocType, LabMaas, StoredAddress};
use crate::wire::LabResponse;

impl LabMaas {
    pub(crate) fn ensure_link_up(&mut self, interface: u64) {
        let own = self.interfaces.get(&interface);
        if own.is_some_and(|row| row.vlan.is_some())
            && self
                .links_of(interface)
                .all(|link| link.alloc == AllocType::Discovered)
        {
            self.add_link(interface, AllocType::Sticky, None, None);
        }
    }

    /// A link without an address stays only while there is no other.
    pub(crate) fn drop_spare_link_ups(&mut self, interface: u64) {
        let bare = |link: &StoredAddress| link.alloc == AllocType::Sticky && link.ip.is_none();
        let others = |link: &StoredAddress| !bare(link) && link.alloc != AllocType::Discovered;
        if !self.links_of(interface).any(others) {
            return;
        }
        let spare = self.links_of(interface).filter(|link| bare(link));
        let spare: Vec<u64> = spare.map(|link| link.id).collect();
        for link in spare {
            self.remove_address(link);
        }
    }

    /// A node that chose the gateway of this link has no choice any more.
    pub(crate) fn forget_gateway(&mut self, link: u64) {
        for node in self.nodes.values_mut() {
            for slot in [&mut node.gateway_v4, &mut node.gateway_v6] {
                *slot = slot.filter(|chosen| *chosen != link);
            }
        }
    }

    pub(crate) fn add_link(
        &mut self,
        interface: u64,
        alloc: AllocType,
        subnet: Option<u64>,
        ip: Option<IpAddr>,
    ) -> u64 {
        self.add_address(StoredAddress {
            id: 0,
            ip,
            alloc,
            subnet,
            user: None,
            interface: Some(interface),
            unknown: None,
            bmc_of: None,
        })
    }

    pub(crate) fn remove_links(&mut self, interface: u64) {
        let links: Vec<u64> = self.links_of(interface).map(|link| link.id).collect();
        for link in links {
            self.remove_address(link);
        }
    }

    pub(crate) fn may_link(&self, interface: u64, ip: IpAddr) -> Result<(), LabResponse> {
        let mac = &self.interfaces[&interface].mac;
        if let Some(kept) = self
            .reserved
            .values()
            .find(|kept| kept.ip == ip && kept.mac != *mac)
        {
            return Err(plain(
                409,
                format!(
                    "The static IP {ip} is already reserved for the MAC address {}.",
                    kept.mac
                ),
            ));
        }
        if self.is_taken(ip) {
            return Err(plain(404, "IP address is already in use."));
        }
        Ok(())
    }
}
