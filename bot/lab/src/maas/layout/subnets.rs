//! Loads subnets with their ranges, reserved IPs and routes, under the rules of MAAS for creating each.

use std::net::IpAddr;

use ipnet::IpNet;

use super::format::{LayoutFile, LayoutRange, LayoutSnippet, LayoutSubnet};
use super::{LoadError, load_error};
use crate::maas::store::{
    LabMaas, RangeType, StoredRange, StoredReservedIp, StoredRoute, StoredSnippet, StoredSubnet,
};

impl LabMaas {
    pub(super) fn load_subnet(
        &mut self,
        vlan: u64,
        subnet: &LayoutSubnet,
        place: &str,
    ) -> Result<(), LoadError> {
        let cidr = self.read_free_cidr(&subnet.cidr, &format!("{place}.cidr"))?;
        let gateway = read_gateway(subnet, cidr, &format!("{place}.gateway"))?;
        let id = self.next("subnet");
        self.subnets.insert(
            id,
            StoredSubnet {
                id,
                name: subnet.name.clone().unwrap_or_else(|| subnet.cidr.clone()),
                cidr,
                vlan,
                gateway: None,
                dns: Vec::new(),
                allow_dns: subnet.allow_dns.unwrap_or(true),
                allow_proxy: subnet.allow_proxy.unwrap_or(true),
                active_discovery: subnet.active_discovery.unwrap_or(false),
                managed: true,
                rdns_mode: subnet.rdns_mode.unwrap_or(2),
                description: subnet.description.clone(),
                disabled_boot_architectures: if self.version.has_boot_architectures() {
                    subnet.disabled_boot_architectures.clone()
                } else {
                    Vec::new()
                },
            },
        );
        for (number, range) in subnet.ranges.iter().enumerate() {
            self.load_range(id, range, &format!("{place}.ranges[{number}]"))?;
        }
        // After the ranges: MAAS accepts a gateway or DNS server inside a dynamic range only in this order.
        if let Some(row) = self.subnets.get_mut(&id) {
            row.gateway = gateway;
            row.dns.clone_from(&subnet.dns);
            row.managed = subnet.managed.unwrap_or(true);
        }
        self.load_reserved(id, subnet, place)?;
        for (number, snippet) in subnet.snippets.iter().enumerate() {
            self.load_snippet(Some(id), snippet, &format!("{place}.snippets[{number}]"))?;
        }
        Ok(())
    }

    pub(super) fn load_snippet(
        &mut self,
        subnet: Option<u64>,
        snippet: &LayoutSnippet,
        place: &str,
    ) -> Result<(), LoadError> {
        let node = match &snippet.node {
            Some(host) => match self.node_by_host(host) {
                Some(node) => Some(node.system_id.clone()),
                None => {
                    return Err(load_error(
                        format!("{place}.node"),
                        format!("no node `{host}`"),
                    ));
                }
            },
            None => None,
        };
        let range = match snippet.range {
            Some(start) => {
                let mut ranges = self.ranges.values();
                let found = ranges.find(|row| Some(row.subnet) == subnet && row.start == start);
                let found = found.filter(|_| self.version.has_range_snippets());
                let found = found.map(|row| row.id);
                Some(found.ok_or_else(|| {
                    load_error(
                        format!("{place}.range"),
                        format!("no range starts at {start}"),
                    )
                })?)
            }
            None => None,
        };
        let id = self.next("snippet");
        let value_number = self.next("snippet text");
        self.snippets.insert(
            id,
            StoredSnippet {
                id,
                name: snippet.name.clone(),
                value: snippet.value.clone(),
                description: snippet.description.clone(),
                enabled: snippet.enabled.unwrap_or(true),
                node,
                subnet,
                range,
                value_number,
                history: Vec::new(),
            },
        );
        Ok(())
    }

    fn read_free_cidr(&self, text: &str, place: &str) -> Result<IpNet, LoadError> {
        let refused = |error| load_error(place, format!("{text}: {error}"));
        let cidr: IpNet = text.parse().map_err(refused)?;
        if cidr.trunc() != cidr {
            return Err(load_error(place, "host bits are set"));
        }
        for other in self.subnets.values() {
            let overlap = other.cidr.contains(&cidr) || cidr.contains(&other.cidr);
            if other.cidr == cidr {
                return Err(load_error(place, format!("duplicate network {cidr}")));
            }
            if overlap && self.version.refuses_overlap() {
                return Err(load_error(place, format!("{cidr} overlaps {}", other.cidr)));
            }
        }
        Ok(cidr)
    }

    fn load_range(
        &mut self,
        subnet: u64,
        range: &LayoutRange,
        place: &str,
    ) -> Result<(), LoadError> {
        let kind = match range.r#type.as_str() {
            "dynamic" => RangeType::Dynamic,
            "reserved" => RangeType::Reserved,
            other => {
                return Err(load_error(
                    format!("{place}.type"),
                    format!("no type `{other}`"),
                ));
            }
        };
        let owner = range.owner.clone();
        let row = StoredRange {
            id: self.next("iprange"),
            subnet,
            kind,
            start: range.start,
            end: range.end,
            comment: range.comment.clone().unwrap_or_default(),
            user: Some(owner.unwrap_or_else(|| "admin".to_owned())),
        };
        self.check_range(&row).map_err(|refusal| {
            let why = String::from_utf8_lossy(&refusal.body).into_owned();
            load_error(place, format!("{}-{}: {why}", range.start, range.end))
        })?;
        self.ranges.insert(row.id, row);
        Ok(())
    }

    fn load_reserved(
        &mut self,
        subnet: u64,
        from: &LayoutSubnet,
        place: &str,
    ) -> Result<(), LoadError> {
        let cidr = self.subnets[&subnet].cidr;
        let kept = from.reserved_ips.iter().enumerate();
        for (number, kept) in kept.filter(|_| self.version.has_reserved_ips()) {
            let place = format!("{place}.reserved_ips[{number}].ip");
            if !cidr.contains(&kept.ip) {
                return Err(load_error(place, format!("{} is outside {cidr}", kept.ip)));
            }
            if self.reserved.values().any(|other| other.ip == kept.ip) {
                return Err(load_error(
                    place,
                    format!("duplicate reserved IP {}", kept.ip),
                ));
            }
            let id = self.sequences.entry("reservedip").or_insert(1);
            let row = StoredReservedIp {
                id: *id,
                subnet,
                ip: kept.ip,
                mac: kept.mac.to_lowercase(),
                comment: kept.comment.clone().unwrap_or_default(),
            };
            *id += 1;
            self.reserved.insert(row.id, row);
        }
        Ok(())
    }

    pub(super) fn load_routes(&mut self, layout: &LayoutFile) {
        let subnets = layout
            .fabrics
            .iter()
            .flat_map(|fabric| &fabric.vlans)
            .flat_map(|vlan| &vlan.subnets);
        for subnet in subnets {
            for route in &subnet.routes {
                // MAAS cannot store a route whose destination is not a subnet; such routes are skipped.
                let ends = (
                    self.find_subnet(&subnet.cidr).ok(),
                    self.find_subnet(&route.destination).ok(),
                );
                if let (Some(source), Some(destination)) = ends {
                    let id = self.next("route");
                    let metric = route.metric.unwrap_or(0);
                    self.routes.insert(
                        id,
                        StoredRoute {
                            id,
                            source,
                            destination,
                            gateway: route.gateway,
                            metric,
                        },
                    );
                }
            }
        }
    }
}

fn read_gateway(
    subnet: &LayoutSubnet,
    cidr: IpNet,
    place: &str,
) -> Result<Option<IpAddr>, LoadError> {
    let given = subnet.gateway.as_deref().filter(|text| !text.is_empty());
    let Some(text) = given else { return Ok(None) };
    let refused = |error| load_error(place, format!("{text}: {error}"));
    let ip: IpAddr = text.parse().map_err(refused)?;
    let local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    if cidr.contains(&ip) || (local && cidr.addr().is_ipv6()) {
        return Ok(Some(ip));
    }
    Err(load_error(place, format!("{ip} is outside {cidr}")))
}
