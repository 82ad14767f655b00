//! IP ranges: which may be where (3.5.9 maasserver/models/iprange.py:156-277, forms/iprange.py).

use std::net::IpAddr;

use super::form::{Errors, Form, NO_CHOICE, REQUIRED, address};
use super::free::{self, Ask};
use super::store::{IpRange, Maas, RangeType};
use super::{Answer, Asker, bad_method, gone, missing, plain};
use crate::wire::Response;

const BAD_IP: &str = "Enter a valid IPv4 or IPv6 address.";
const BOTH: &str = "Start IP address and end IP address are both required.";

impl Maas {
    pub(crate) fn ranges_list(&mut self, method: &str, form: &Form, asker: &Asker) -> Answer {
        match method {
            "GET" => Ok(Response::json(
                200,
                &self
                    .ranges
                    .values()
                    .map(|range| self.show_range(range))
                    .collect(),
            )),
            "POST" => {
                if form.get("type") == Some("dynamic") && !asker.admin {
                    return Err(plain(
                        403,
                        "Unable to create dynamic IP range. You don't have sufficient privileges.",
                    ));
                }
                let mut range = self.read_range(form, None)?;
                range.id = self.next("iprange");
                range.user = Some(asker.name.clone());
                let shown = self.show_range(&range);
                self.ranges.insert(range.id, range);
                Ok(Response::json(200, &shown))
            }
            _ => Err(bad_method()),
        }
    }

    pub(crate) fn range(&mut self, method: &str, id: &str, form: &Form, asker: &Asker) -> Answer {
        let found = id
            .parse()
            .ok()
            .and_then(|id: u64| self.ranges.get(&id))
            .cloned();
        let now = found.ok_or_else(|| missing("IPRange"))?;
        let mine = asker.admin || now.user.as_ref() == Some(&asker.name);
        if method != "GET" && !mine {
            return Err(plain(
                403,
                "Unable to modify IP range. You don't own the IP range.",
            ));
        }
        match method {
            "GET" => Ok(Response::json(200, &self.show_range(&now))),
            "PUT" => {
                let range = self.read_range(form, Some(&now))?;
                let shown = self.show_range(&range);
                self.ranges.insert(range.id, range);
                Ok(Response::json(200, &shown))
            }
            "DELETE" => {
                self.ranges.remove(&now.id);
                self.snippets.retain(|_, row| row.range != Some(now.id));
                Ok(gone())
            }
            _ => Err(bad_method()),
        }
    }

    fn read_range(&self, form: &Form, now: Option<&IpRange>) -> Result<IpRange, Response> {
        let mut errors = Errors::default();
        let start = read_end("start_ip", form, now.map(|range| range.start), &mut errors);
        let end = read_end("end_ip", form, now.map(|range| range.end), &mut errors);
        let subnet = self.read_subnet(form, now, start, &mut errors);
        let kind = match (form.get("type"), now) {
            (Some("reserved"), _) => Some(RangeType::Reserved),
            (Some("dynamic"), _) => Some(RangeType::Dynamic),
            (None | Some(""), Some(now)) => Some(now.kind),
            (None | Some(""), None) => {
                errors.add("type", REQUIRED);
                None
            }
            (Some(other), _) => {
                errors.add(
                    "type",
                    format!("Select a valid choice. {other} is not one of the available choices."),
                );
                None
            }
        };
        let (Some(start), Some(end)) = (start, end) else {
            for field in ["start_ip", "end_ip"] {
                errors.add(field, BOTH);
            }
            errors.done()?;
            return Err(plain(400, ""));
        };
        errors.done()?;
        let (Some(subnet), Some(kind)) = (subnet, kind) else {
            return Err(plain(400, ""));
        };
        let comment = form
            .get("comment")
            .or(now.map(|range| range.comment.as_str()))
            .unwrap_or_default();
        let range = IpRange {
            id: now.map_or(0, |range| range.id),
            subnet,
            kind,
            start,
            end,
            comment: comment.to_owned(),
            user: now.and_then(|range| range.user.clone()),
        };
        self.check_range(&range)?;
        Ok(range)
    }

    fn read_subnet(
        &self,
        form: &Form,
        now: Option<&IpRange>,
        start: Option<IpAddr>,
        errors: &mut Errors,
    ) -> Option<u64> {
        match (form.get("subnet").filter(|text| !text.is_empty()), now) {
            (Some(text), _) => {
                let found = text
                    .parse::<u64>()
                    .ok()
                    .filter(|id| self.subnets.contains_key(id));
                if found.is_none() {
                    errors.add("subnet", NO_CHOICE);
                }
                found
            }
            (None, Some(now)) => Some(now.subnet),
            (None, None) => {
                let best = start.and_then(|ip| self.best_subnet(ip));
                if best.is_none() {
                    errors.add("subnet", REQUIRED);
                }
                best
            }
        }
    }

    /// The narrowest subnet that contains the address.
    pub(crate) fn best_subnet(&self, ip: IpAddr) -> Option<u64> {
        self.subnets
            .values()
            .filter(|subnet| subnet.cidr.contains(&ip))
            .max_by_key(|subnet| subnet.cidr.prefix_len())
            .map(|subnet| subnet.id)
    }

    pub(crate) fn check_range(&self, range: &IpRange) -> Result<(), Response> {
        let cidr = self.subnets[&range.subnet].cidr;
        let mut errors = Errors::default();
        let mut both = |message: String| {
            errors.add("start_ip", message.clone());
            errors.add("end_ip", message);
        };
        let inside = (cidr.contains(&range.start), cidr.contains(&range.end));
        if range.start.is_ipv4() != range.end.is_ipv4() {
            both(
                "Start IP address and end IP address must be in the same address family."
                    .to_owned(),
            );
        } else if range.end < range.start {
            errors.add(
                "end_ip",
                "End IP address must not be less than Start IP address.",
            );
        } else if inside == (false, false) {
            both(format!("IP addresses must be within subnet: {cidr}."));
        } else if !inside.0 {
            errors.add(
                "start_ip",
                format!("Start IP address must be within subnet: {cidr}."),
            );
        } else if !inside.1 {
            errors.add(
                "end_ip",
                format!("End IP address must be within subnet: {cidr}."),
            );
        } else if range.start == cidr.network() {
            errors.add(
                "start_ip",
                "Reserved network address cannot be included in IP range.",
            );
        } else if range.end == cidr.broadcast() && cidr.addr().is_ipv4() {
            errors.add(
                "end_ip",
                "Broadcast address cannot be included in IP range.",
            );
        } else if range.kind == RangeType::Dynamic && self.covers_reserved_ip(range) {
            errors.add(
                "__all__",
                "The dynamic IP range cannot include reserved IPs.",
            );
        } else if range.kind == RangeType::Dynamic
            && range.start.is_ipv6()
            && free::count(range.start, range.end) < 256
        {
            both("IPv6 dynamic range must be at least 256 addresses in size.".to_owned());
        } else if !self.fits_a_gap(range) {
            both(match range.kind {
                RangeType::Reserved => {
                    "Requested reserved range conflicts with an existing range.".to_owned()
                }
                RangeType::Dynamic => {
                    "Requested dynamic range conflicts with an existing IP address or range."
                        .to_owned()
                }
            });
        }
        errors.done()
    }

    fn covers_reserved_ip(&self, range: &IpRange) -> bool {
        self.version.has_reserved_ips()
            && self.reserved.values().any(|kept| {
                kept.subnet == range.subnet && range.start <= kept.ip && kept.ip <= range.end
            })
    }

    /// Both ends fall into the same gap: of ranges only for a reserved range, of anything for a dynamic one.
    fn fits_a_gap(&self, range: &IpRange) -> bool {
        let ask = Ask {
            ranges_only: range.kind == RangeType::Reserved,
            no_discovered: true,
            but: Some(range.id),
            ..Ask::default()
        };
        self.gaps(range.subnet, ask)
            .iter()
            .any(|(start, end)| *start <= range.start && range.end <= *end)
    }
}

fn read_end(field: &str, form: &Form, now: Option<IpAddr>, errors: &mut Errors) -> Option<IpAddr> {
    match (form.get(field), now) {
        (None | Some(""), Some(now)) => Some(now),
        (None | Some(""), None) => {
            errors.add(field, REQUIRED);
            None
        }
        (Some(text), _) => {
            let ip = address(text);
            if ip.is_none() {
                errors.add(field, BAD_IP);
            }
            ip
        }
    }
}
