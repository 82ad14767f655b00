//! Deleting a subnet: what prevents it and what is deleted with it (3.5.9 `maasserver/models/subnet.py`; seen on 3.5.12 and
//! 3.7.3).

use crate::maas::answer::{flag, plain};
use crate::maas::store::{AllocType, LabMaas, RangeType};
use crate::wire::{LabRequest, LabResponse};

impl LabMaas {
    pub(super) fn delete_subnet(
        &mut self,
        id: u64,
        request: &LabRequest,
    ) -> Result<(), LabResponse> {
        let vlan = self.subnets[&id].vlan;
        let dynamic = self
            .ranges
            .values()
            .any(|range| range.subnet == id && range.kind == RangeType::Dynamic);
        let force = if self.version.checks_use_on_delete() {
            flag(request.param("force"), "force", false)?
        } else {
            true
        };
        if dynamic && self.vlans[&vlan].dhcp_on {
            return Err(plain(
                400,
                "Cannot delete a subnet that is actively servicing a dynamic IP range. (Delete the dynamic range or disable DHCP first.)",
            ));
        }
        let used = self.addresses.values().any(|row| {
            let counts = !matches!(row.alloc, AllocType::Discovered | AllocType::Dhcp);
            row.subnet == Some(id)
                && row.ip.is_some()
                && counts
                && (row.interface.is_some() || row.unknown.is_some())
        });
        if used && !force {
            return Err(plain(
                400,
                "Cannot delete a subnet that has IP addresses in use by nodes. (Use the 'force' parameter to override.)",
            ));
        }
        if self
            .addresses
            .values()
            .any(|row| row.subnet == Some(id) && row.bmc_of.is_some())
        {
            // MAAS moves the BMC to a new row in the same subnet on every attempt, so the delete fails (seen on 3.5.12 and 3.7.3).
            return Err(conflict());
        }
        self.remove_subnet(id);
        Ok(())
    }

    /// The cascade: ranges, addresses with their links and DNS names, routes from and to it, reserved IPs, snippets.
    fn remove_subnet(&mut self, id: u64) {
        let removed: Vec<u64> = self
            .addresses
            .values()
            .filter(|row| row.subnet == Some(id))
            .map(|row| row.id)
            .collect();
        for address in removed {
            self.remove_address(address);
        }
        self.ranges.retain(|_, range| range.subnet != id);
        self.routes
            .retain(|_, route| route.source != id && route.destination != id);
        self.reserved.retain(|_, kept| kept.subnet != id);
        self.snippets.retain(|_, row| {
            let range = row
                .range
                .is_none_or(|range| self.ranges.contains_key(&range));
            row.subnet != Some(id) && range
        });
        self.subnets.remove(&id);
    }

    pub(crate) fn remove_address(&mut self, id: u64) {
        self.addresses.remove(&id);
        for dns in self.dns.values_mut() {
            dns.addresses.retain(|address| *address != id);
        }
        self.dns
            .retain(|_, dns| !dns.addresses.is_empty() || !dns.records.is_empty());
        self.forget_gateway(id);
    }
}

/// The answer of MAAS after ten failed attempts.
pub(crate) fn conflict() -> LabResponse {
    LabResponse::html(
        409,
        "<!DOCTYPE html>\n<html><head><title>Conflict error</title></head><body>Conflict error. Try your request again, as it will most likely succeed.</body></html>",
    )
    .with("retry-after", "5")
}
