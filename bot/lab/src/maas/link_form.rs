//! `link_subnet`, `unlink_subnet` and `set_default_gateway` as MAAS's forms read them, with errors in the same order
//! (3.5.9 `maasserver/forms/interface_link.py`).

use std::net::IpAddr;

use super::form::{Form, FormErrors, REQUIRED, field_error};
use super::parse::address;
use super::store::{AllocType, LabMaas, NodeType, RangeType, StoredAddress};
use crate::wire::LabResponse;

/// The requested link.
struct RequestedLink {
    /// In upper case; "" if missing or unknown.
    mode: String,
    subnet: Option<u64>,
    ip: Option<IpAddr>,
    force: bool,
    default_gateway: bool,
}

/// "'x' is not a valid WHAT.  It should be one of: 'a', 'b'."
pub(crate) fn no_such(what: &str, given: &str, known: &[String]) -> String {
    let list: Vec<String> = known.iter().map(|name| format!("'{name}'")).collect();
    format!(
        "'{given}' is not a valid {what}.  It should be one of: {}.",
        list.join(", ")
    )
}

impl LabMaas {
    pub(crate) fn unlink_subnet(&mut self, interface: u64, form: &Form) -> Result<(), LabResponse> {
        let text = form
            .get("id")
            .filter(|text| !text.is_empty())
            .ok_or_else(|| field_error("id", REQUIRED))?;
        let ids: Vec<String> = self
            .links_of(interface)
            .map(|link| link.id.to_string())
            .collect();
        let found = ids.iter().find(|id| *id == text);
        let Some(id) = found.and_then(|id| id.parse().ok()) else {
            return Err(field_error("id", no_such("id", text, &ids)));
        };
        self.remove_address(id);
        if self.interfaces[&interface].enabled {
            self.ensure_link_up(interface);
        }
        Ok(())
    }

    pub(crate) fn link_subnet(&mut self, interface: u64, form: &Form) -> Result<(), LabResponse> {
        let mut errors = FormErrors::default();
        let wanted = self.read_link(interface, form, &mut errors);
        self.check_link(interface, &wanted, &mut errors);
        errors.done()?;
        let ip = match (wanted.ip, wanted.subnet) {
            (Some(ip), _) if wanted.mode == "STATIC" => {
                self.may_link(interface, ip)?;
                Some(ip)
            }
            (None, Some(subnet)) if wanted.mode == "STATIC" => Some(self.pick_free(subnet)?),
            _ => None,
        };
        self.remove_replaced_links(interface, &wanted);
        let alloc = match wanted.mode.as_str() {
            "AUTO" => AllocType::Auto,
            "DHCP" => AllocType::Dhcp,
            _ => AllocType::Sticky,
        };
        let link = self.add_link(interface, alloc, wanted.subnet, ip);
        if wanted.default_gateway {
            self.choose_gateway(interface, link);
        }
        Ok(())
    }

    fn read_link(&self, interface: u64, form: &Form, errors: &mut FormErrors) -> RequestedLink {
        let force = form.switch("force").unwrap_or(false);
        let row = &self.interfaces[&interface];
        let in_bond = self
            .interfaces
            .values()
            .find(|child| child.kind == "bond" && child.parents.contains(&interface));
        let subnet = form.get("subnet").filter(|text| !text.is_empty());
        let subnet = subnet.and_then(|text| {
            let found = self
                .find_subnet(text)
                .ok()
                .filter(|id| force || row.vlan.is_none_or(|vlan| self.subnets[id].vlan == vlan));
            if found.is_none() {
                errors.add("subnet", format!("None found with id={text}."));
            }
            found
        });
        let ip = form.get("ip_address").filter(|text| !text.is_empty());
        let ip = ip.and_then(|text| {
            let read = address(text);
            if read.is_none() {
                errors.add("ip_address", "Enter a valid IPv4 or IPv6 address.");
            }
            read
        });
        let mode = self.read_mode(row.node.as_str(), form, errors);
        if let Some(bond) = in_bond {
            let (name, bond) = (&row.name, &bond.name);
            let message =
                format!("Cannot link interface({name}) when interface is in a bond({bond}).");
            errors.add("bond", message);
        }
        RequestedLink {
            mode,
            subnet,
            ip,
            force,
            default_gateway: form.tick("default_gateway"),
        }
    }

    /// A device accepts only static links.
    fn read_mode(&self, node: &str, form: &Form, errors: &mut FormErrors) -> String {
        let known: &[&str] = match self.nodes[node].kind {
            NodeType::Device => &["static"],
            NodeType::Machine | NodeType::Rack | NodeType::Region | NodeType::RegionRack => {
                &["auto", "dhcp", "static", "link_up"]
            }
        };
        let text = form.get("mode").unwrap_or_default();
        if text.is_empty() {
            errors.add("mode", REQUIRED);
        } else if !known.contains(&text.to_lowercase().as_str()) {
            let known: Vec<String> = known.iter().map(|&name| name.to_owned()).collect();
            errors.add("mode", no_such("mode", text, &known));
        } else {
            return text.to_uppercase();
        }
        String::new()
    }

    fn check_link(&self, interface: u64, wanted: &RequestedLink, errors: &mut FormErrors) {
        let needs_subnet = wanted.mode == "AUTO" || wanted.mode == "STATIC";
        if needs_subnet && wanted.subnet.is_none() {
            errors.add("subnet", REQUIRED);
        }
        match wanted.mode.as_str() {
            "DHCP" => self.check_dhcp(interface, errors),
            "STATIC" => self.check_static(wanted, errors),
            "LINK_UP" => self.check_link_up(interface, wanted, errors),
            _ => {}
        }
        if wanted.default_gateway && !wanted.mode.is_empty() {
            let refused = match wanted.subnet {
                _ if !needs_subnet => Some(format!(
                    "Cannot use in mode '{}'.",
                    wanted.mode.to_lowercase()
                )),
                None => Some("Subnet is required when default_gateway is True.".to_owned()),
                Some(subnet) if self.subnets[&subnet].gateway.is_none() => Some(format!(
                    "Cannot set as default gateway because subnet {} doesn't provide a gateway IP address.",
                    self.describe_subnet(subnet)
                )),
                Some(_) => None,
            };
            if let Some(message) = refused {
                errors.add("default_gateway", message);
            }
        }
    }

    fn check_dhcp(&self, interface: u64, errors: &mut FormErrors) {
        let mut links = self.links_of(interface);
        let Some(link) = links.find(|link| link.alloc == AllocType::Dhcp) else {
            return;
        };
        let from = link
            .subnet
            .map(|subnet| format!(" from '{}'", self.describe_subnet(subnet)));
        let from = from.unwrap_or_default();
        errors.add("mode", format!("Interface is already set to DHCP{from}."));
    }

    fn check_static(&self, wanted: &RequestedLink, errors: &mut FormErrors) {
        let (Some(subnet), Some(ip)) = (wanted.subnet, wanted.ip) else {
            return;
        };
        if !self.subnets[&subnet].cidr.contains(&ip) {
            let label = self.describe_subnet(subnet);
            errors.add(
                "ip_address",
                format!("IP address is not in the given subnet '{label}'."),
            );
        }
        let dynamic = self.ranges.values().find(|range| {
            let here = range.subnet == subnet && range.kind == RangeType::Dynamic;
            here && range.start <= ip && ip <= range.end
        });
        if let Some(range) = dynamic {
            let (start, end) = (range.start, range.end);
            errors.add(
                "ip_address",
                format!("IP address is inside a dynamic range {start} to {end}."),
            );
        }
    }

    fn check_link_up(&self, interface: u64, wanted: &RequestedLink, errors: &mut FormErrors) {
        let bare = |link: &StoredAddress| {
            link.ip.is_none() && matches!(link.alloc, AllocType::Sticky | AllocType::Discovered)
        };
        if !wanted.force && !self.links_of(interface).all(bare) {
            errors.add(
                "mode",
                "Cannot configure interface to link up (with no IP address) while other links are already configured. Specify force=True to override this behavior and delete all links.",
            );
        }
    }

    /// How MAAS writes a subnet in a message.
    pub(crate) fn describe_subnet(&self, subnet: u64) -> String {
        let row = &self.subnets[&subnet];
        let vid = self.vlans[&row.vlan].vid;
        format!("{}:{}(vid={vid})", row.name, row.cidr)
    }

    /// Removes the links that a new link replaces: all if forced or for `LINK_UP`, else those without an address. Then the
    /// interface gets the VLAN of the subnet.
    fn remove_replaced_links(&mut self, interface: u64, wanted: &RequestedLink) {
        let all = wanted.force || wanted.mode == "LINK_UP";
        let removed: Vec<u64> = self
            .links_of(interface)
            .filter(|link| {
                let bare = link.alloc == AllocType::Sticky && link.ip.is_none();
                all || bare || (wanted.mode != "DHCP" && self.is_dhcp_beside(link, wanted.subnet))
            })
            .map(|link| link.id)
            .collect();
        for link in removed {
            self.remove_address(link);
        }
        let vlan = wanted.subnet.map(|subnet| self.subnets[&subnet].vlan);
        if let Some(row) = self.interfaces.get_mut(&interface)
            && (wanted.force || row.vlan.is_none())
        {
            row.vlan = vlan.or(row.vlan);
        }
    }

    /// A DHCP link that another kind of link replaces: one without a subnet, or of the same family.
    fn is_dhcp_beside(&self, link: &StoredAddress, subnet: Option<u64>) -> bool {
        let family = |id: u64| self.subnets[&id].cidr.addr().is_ipv4();
        let same = match (link.subnet, subnet) {
            (Some(one), Some(other)) => family(one) == family(other),
            (None, _) | (_, None) => true,
        };
        link.alloc == AllocType::Dhcp && same
    }

    fn choose_gateway(&mut self, interface: u64, link: u64) {
        let subnet = self.addresses[&link].subnet;
        let v4 = subnet.is_some_and(|subnet| self.subnets[&subnet].cidr.addr().is_ipv4());
        let node = self.interfaces[&interface].node.clone();
        if let Some(node) = self.nodes.get_mut(&node) {
            if v4 {
                node.gateway_v4 = Some(link);
            } else {
                node.gateway_v6 = Some(link);
            }
        }
    }

    pub(crate) fn set_default_gateway(
        &mut self,
        interface: u64,
        form: &Form,
    ) -> Result<(), LabResponse> {
        let links: Vec<(u64, IpAddr)> = self
            .links_of(interface)
            .filter(|link| {
                matches!(
                    link.alloc,
                    AllocType::Auto | AllocType::Sticky | AllocType::Dhcp
                )
            })
            .filter_map(|link| Some((link.id, self.subnets[&link.subnet?].gateway?)))
            .collect();
        if links.is_empty() {
            return Err(field_error(
                "__all__",
                "This interface has no usable gateways.",
            ));
        }
        if let Some(text) = form.get("link_id").filter(|text| !text.is_empty()) {
            let ids: Vec<String> = links.iter().map(|(id, _)| id.to_string()).collect();
            let Some((id, _)) = links.iter().find(|(id, _)| id.to_string() == text) else {
                return Err(field_error("link_id", no_such("link_id", text, &ids)));
            };
            self.choose_gateway(interface, *id);
            return Ok(());
        }
        let mut too_many = Vec::new();
        for (v4, name) in [(true, "IPv4"), (false, "IPv6")] {
            let family: Vec<&(u64, IpAddr)> =
                links.iter().filter(|(_, ip)| ip.is_ipv4() == v4).collect();
            if family.iter().any(|(_, ip)| *ip != family[0].1) {
                too_many.push(name);
            }
        }
        if !too_many.is_empty() {
            let plural = if too_many.len() > 1 { "s" } else { "" };
            return Err(field_error(
                "link_id",
                format!(
                    "This field is required; Interface has more than one usable {} gateway{plural}.",
                    too_many.join(" and ")
                ),
            ));
        }
        for v4 in [true, false] {
            if let Some((id, _)) = links.iter().find(|(_, ip)| ip.is_ipv4() == v4) {
                self.choose_gateway(interface, *id);
            }
        }
        Ok(())
    }
}
