//! Endpoints of IP ranges, and where ranges may be (3.5.9 maasserver/models/iprange.py:156-277, forms/iprange.py).

use std::net::IpAddr;

use ipnet::IpNet;

use super::answer::{ApiCaller, MaasAnswer, bad_method, missing, no_content, plain};
use super::form::{BAD_IP, Form, FormErrors, NO_CHOICE, REQUIRED, no_such_choice, refuse_long};
use super::free::{self, TakenFilter};
use super::lookup::row_number;
use super::parse::{self, address};
use super::store::{LabMaas, RangeType, StoredRange};
use crate::wire::LabResponse;

const BOTH: &str = "Start IP address and end IP address are both required.";

impl LabMaas {
    pub(crate) fn ranges_list(
        &mut self,
        method: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        match method {
            "GET" => Ok(LabResponse::json(
                200,
                &self
                    .ranges
                    .values()
                    .map(|range| self.show_range(range))
                    .collect(),
            )),
            "POST" => {
                if form.get("type") == Some("dynamic") && !caller.admin {
                    return Err(plain(
                        403,
                        "Unable to create dynamic IP range. You don't have sufficient privileges.",
                    ));
                }
                let mut range = self.read_range(form, None)?;
                range.id = self.next("iprange");
                range.user = Some(caller.name.clone());
                let shown = self.show_range(&range);
                self.ranges.insert(range.id, range);
                Ok(LabResponse::json(200, &shown))
            }
            _ => Err(bad_method()),
        }
    }

    pub(crate) fn range(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let found = self.ranges.get(&row_number("IPRange", id)?).cloned();
        let now = found.ok_or_else(|| missing("IPRange"))?;
        let mine = caller.admin || now.user.as_ref() == Some(&caller.name);
        if method != "GET" && !mine {
            return Err(plain(
                403,
                "Unable to modify IP range. You don't own the IP range.",
            ));
        }
        match method {
            "GET" => Ok(LabResponse::json(200, &self.show_range(&now))),
            "PUT" => {
                let range = self.read_range(form, Some(&now))?;
                let shown = self.show_range(&range);
                self.ranges.insert(range.id, range);
                Ok(LabResponse::json(200, &shown))
            }
            "DELETE" => {
                self.ranges.remove(&now.id);
                self.snippets.retain(|_, row| row.range != Some(now.id));
                Ok(no_content())
            }
            _ => Err(bad_method()),
        }
    }

    fn read_range(
        &self,
        form: &Form,
        now: Option<&StoredRange>,
    ) -> Result<StoredRange, LabResponse> {
        let guessed = now.is_none() && form.get("subnet").is_none();
        if let Some(text) = form.raw("start_ip").filter(|_| guessed)
            && address(text.trim()).is_none()
        {
            // MAAS looks for the best subnet before it checks the form.
            let message = format!("failed to detect a valid IP address from '{text}'");
            return Err(LabResponse::text(500, message));
        }
        let mut errors = FormErrors::default();
        let start = read_end("start_ip", form, now.map(|range| range.start), &mut errors);
        let end = read_end("end_ip", form, now.map(|range| range.end), &mut errors);
        let subnet = self.read_subnet(form, now, &mut errors);
        let kind = read_kind(form, now, &mut errors);
        if let Some(comment) = form.get("comment") {
            refuse_long("comment", comment, 255, &mut errors);
        }
        let user = match form.given("user").filter(|_| now.is_some()) {
            None => now.and_then(|range| range.user.clone()),
            Some(name) if self.users.iter().any(|user| user.name == name) => Some(name.to_owned()),
            Some(_) => {
                errors.add("user", NO_CHOICE);
                None
            }
        };
        if kind == Some(RangeType::Dynamic) && self.version.has_reserved_ips() {
            self.look_for_reserved_ips(subnet, start, end, &mut errors)?;
        }
        let start = start.or(now.map(|range| range.start));
        let end = end.or(now.map(|range| range.end));
        let (Some(start), Some(end)) = (start, end) else {
            for field in ["start_ip", "end_ip"] {
                errors.add(field, BOTH);
            }
            errors.done()?;
            return Err(plain(400, ""));
        };
        let comment = form.given("comment");
        let comment = comment.or(now.map(|range| range.comment.as_str()));
        let range = StoredRange {
            id: now.map_or(0, |range| range.id),
            subnet: subnet.or(now.map(|range| range.subnet)).unwrap_or_default(),
            kind: kind
                .or(now.map(|range| range.kind))
                .unwrap_or(RangeType::Reserved),
            start,
            end,
            comment: comment.unwrap_or_default().to_owned(),
            user,
        };
        let known = Known {
            subnet: now.is_some() || subnet.is_some(),
            kind: now.is_some() || kind.is_some(),
        };
        self.check_row(&range, known, &mut errors);
        errors.done()?;
        Ok(range)
    }

    fn read_subnet(
        &self,
        form: &Form,
        now: Option<&StoredRange>,
        errors: &mut FormErrors,
    ) -> Option<u64> {
        let found = match (form.get("subnet"), now) {
            (None, Some(now)) => Some(now.subnet),
            (None, None) => {
                let start = form.get("start_ip").and_then(address);
                start.and_then(|ip| self.best_subnet(ip))
            }
            (Some(""), _) => None,
            (Some(text), _) => {
                let found = parse::number(text).filter(|id| self.subnets.contains_key(id));
                if found.is_none() {
                    errors.add("subnet", NO_CHOICE);
                    return None;
                }
                found
            }
        };
        if found.is_none() {
            errors.add("subnet", REQUIRED);
        }
        found
    }

    /// For a dynamic range the form relies on fields that may be missing and on sorted ends; otherwise MAAS answers 500
    /// (3.7.3 `maasserver/forms/iprange.py`, `clean`).
    fn look_for_reserved_ips(
        &self,
        subnet: Option<u64>,
        start: Option<IpAddr>,
        end: Option<IpAddr>,
        errors: &mut FormErrors,
    ) -> Result<(), LabResponse> {
        let crash = |text: String| LabResponse::text(500, text);
        let subnet = subnet.ok_or_else(|| crash("'subnet'".to_owned()))?;
        let start = start.ok_or_else(|| crash("'start_ip'".to_owned()))?;
        let end = end.ok_or_else(|| crash("'end_ip'".to_owned()))?;
        if start.is_ipv4() != end.is_ipv4() {
            let family = if start.is_ipv4() { 4 } else { 6 };
            return Err(crash(format!("base address '{end}' is not IPv{family}")));
        }
        if end < start {
            let message = "lower bound IP greater than upper bound!";
            return Err(crash(message.to_owned()));
        }
        let mut kept = self.reserved.values().filter(|kept| kept.subnet == subnet);
        if kept.any(|kept| start <= kept.ip && kept.ip <= end) {
            let message = "The dynamic IP range cannot include reserved IPs.";
            errors.add("__all__", message);
        }
        Ok(())
    }

    /// The narrowest subnet that contains the address.
    pub(crate) fn best_subnet(&self, ip: IpAddr) -> Option<u64> {
        self.subnets
            .values()
            .filter(|subnet| subnet.cidr.contains(&ip))
            .max_by_key(|subnet| subnet.cidr.prefix_len())
            .map(|subnet| subnet.id)
    }

    /// The model's checks, for a range that is created without a form.
    pub(crate) fn check_range(&self, range: &StoredRange) -> Result<(), LabResponse> {
        let mut errors = FormErrors::default();
        let known = Known {
            subnet: true,
            kind: true,
        };
        self.check_row(range, known, &mut errors);
        errors.done()
    }

    /// The first failing check of the model (3.5.9 `maasserver/models/iprange.py:156-277`).
    fn check_row(&self, range: &StoredRange, known: Known, errors: &mut FormErrors) {
        let mut both = |message: String| {
            errors.add("start_ip", message.clone());
            errors.add("end_ip", message);
        };
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
        } else if known.subnet {
            self.check_place(range, known, errors);
        }
    }

    fn check_place(&self, range: &StoredRange, known: Known, errors: &mut FormErrors) {
        let cidr = self.subnets[&range.subnet].cidr;
        let mut both = |message: String| {
            errors.add("start_ip", message.clone());
            errors.add("end_ip", message);
        };
        let inside = (cidr.contains(&range.start), cidr.contains(&range.end));
        let dynamic = known.kind && range.kind == RangeType::Dynamic;
        if inside == (false, false) {
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
        } else if cidr.addr().is_ipv4() && Some(range.end) == broadcast(cidr) {
            errors.add(
                "end_ip",
                "Broadcast address cannot be included in IP range.",
            );
        } else if dynamic && range.start.is_ipv6() && free::count(range.start, range.end) < 256 {
            both("IPv6 dynamic range must be at least 256 addresses in size.".to_owned());
        } else if known.kind {
            self.check_gap(range, errors);
        }
    }

    /// Both ends must lie in the same gap: a gap between ranges for a reserved range, a gap between all addresses in use for a
    /// dynamic one.
    fn check_gap(&self, range: &StoredRange, errors: &mut FormErrors) {
        let (word, ranges_only, what) = match range.kind {
            RangeType::Reserved => ("reserved", true, "range"),
            RangeType::Dynamic => ("dynamic", false, "IP address or range"),
        };
        let ask = TakenFilter {
            ranges_only,
            no_discovered: true,
            but: Some(range.id),
            ..TakenFilter::default()
        };
        let gaps = self.gaps(range.subnet, ask);
        let message = if gaps.is_empty() {
            format!("There is no room for any {word} ranges on this subnet.")
        } else if gaps
            .iter()
            .any(|(start, end)| *start <= range.start && range.end <= *end)
        {
            return;
        } else {
            format!("Requested {word} range conflicts with an existing {what}.")
        };
        errors.add("start_ip", message.clone());
        errors.add("end_ip", message);
    }
}

/// Which fields of a range the form has read without an error.
#[derive(Clone, Copy)]
struct Known {
    subnet: bool,
    kind: bool,
}

/// In netaddr a /31 and a /32 have no broadcast address.
fn broadcast(cidr: IpNet) -> Option<IpAddr> {
    (cidr.prefix_len() < 31).then(|| cidr.broadcast())
}

fn read_kind(form: &Form, now: Option<&StoredRange>, errors: &mut FormErrors) -> Option<RangeType> {
    match (form.raw("type"), now) {
        (Some("reserved"), _) => Some(RangeType::Reserved),
        (Some("dynamic"), _) => Some(RangeType::Dynamic),
        (None, Some(now)) => Some(now.kind),
        (None | Some(""), _) => {
            errors.add("type", REQUIRED);
            None
        }
        (Some(other), _) => {
            errors.add("type", no_such_choice(other));
            None
        }
    }
}

fn read_end(
    field: &str,
    form: &Form,
    now: Option<IpAddr>,
    errors: &mut FormErrors,
) -> Option<IpAddr> {
    match (form.get(field), now) {
        (None, Some(now)) => Some(now),
        (None | Some(""), _) => {
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
