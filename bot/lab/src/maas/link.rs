//! Rows of links: adding, removing, and conflicts (3.5.9 `maasserver/models/interface.py`).

use std::net::IpAddr;

use super::answer::plain;
use super::store::{AllocType, LabMaas, StoredAddress};
use crate::wire::LabResponse;

impl LabMaas {
    pub(crate) fn ensure_link_up(&mut self, interface: u64) {
        if self
            .links_of(interface)
            .all(|link| link.alloc == AllocType::Discovered)
        {
            self.add_link(interface, AllocType::Sticky, None, None);
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
