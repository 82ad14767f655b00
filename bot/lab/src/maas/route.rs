//! Static routes and reserved IPs (3.5.9 maasserver/models/staticroute.py:51-93; 3.6.5 forms/reservedip.py).

use super::form::{Errors, Form, NO_CHOICE, REQUIRED, address};
use super::store::{Maas, RangeType, ReservedIp, Route};
use super::{Answer, Asker, admin_to_change, admin_to_create, bad_method, gone, missing};
use crate::wire::Response;

impl Maas {
    pub(crate) fn routes_list(&mut self, method: &str, form: &Form, asker: &Asker) -> Answer {
        match method {
            "GET" => Ok(Response::json(
                200,
                &self.routes.keys().map(|id| self.show_route(*id)).collect(),
            )),
            "POST" => {
                admin_to_create(asker)?;
                let mut route = self.read_route(form, None)?;
                route.id = self.next("route");
                let id = route.id;
                self.routes.insert(id, route);
                Ok(Response::json(200, &self.show_route(id)))
            }
            _ => Err(bad_method()),
        }
    }

    pub(crate) fn static_route(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        asker: &Asker,
    ) -> Answer {
        let found = id
            .parse()
            .ok()
            .and_then(|id: u64| self.routes.get(&id))
            .cloned();
        let now = found.ok_or_else(|| missing("StaticRoute"))?;
        match method {
            "GET" => {}
            "PUT" => {
                admin_to_change(asker)?;
                let route = self.read_route(form, Some(&now))?;
                self.routes.insert(now.id, route);
            }
            "DELETE" => {
                admin_to_change(asker)?;
                self.routes.remove(&now.id);
                return Ok(gone());
            }
            _ => return Err(bad_method()),
        }
        Ok(Response::json(200, &self.show_route(now.id)))
    }

    fn read_route(&self, form: &Form, now: Option<&Route>) -> Result<Route, Response> {
        let mut errors = Errors::default();
        let mut end =
            |field: &str, now: Option<u64>| match form.get(field).filter(|text| !text.is_empty()) {
                None if now.is_some() => now,
                None => {
                    errors.add(field, REQUIRED);
                    None
                }
                Some(text) => {
                    let found = self.find_subnet(text).ok();
                    if found.is_none() {
                        errors.add(field, NO_CHOICE);
                    }
                    found
                }
            };
        let source = end("source", now.map(|route| route.source));
        let destination = end("destination", now.map(|route| route.destination));
        let gateway = form
            .get("gateway_ip")
            .and_then(address)
            .or(now.map(|route| route.gateway));
        if gateway.is_none() {
            errors.add("gateway_ip", REQUIRED);
        }
        let metric = form.get("metric").and_then(|text| text.parse().ok());
        let (Some(source), Some(destination), Some(gateway)) = (source, destination, gateway)
        else {
            errors.done()?;
            return Err(Response::text(400, ""));
        };
        let cidr = self.subnets[&source].cidr;
        if source == destination {
            errors.add(
                "__all__",
                "source and destination cannot be the same subnet.",
            );
        } else if !cidr.contains(&gateway) {
            errors.add("gateway_ip", format!("Enter an IP address in {cidr}."));
            errors.add("__all__", "gateway_ip must be with in the source subnet.");
        } else if self.routes.values().any(|other| {
            Some(other.id) != now.map(|route| route.id)
                && (other.source, other.destination, other.gateway)
                    == (source, destination, gateway)
        }) {
            errors.add(
                "__all__",
                "Static route with this Source, Destination and Gateway IP already exists.",
            );
        }
        errors.done()?;
        Ok(Route {
            id: now.map_or(0, |route| route.id),
            source,
            destination,
            gateway,
            metric: metric.or(now.map(|route| route.metric)).unwrap_or(0),
        })
    }

    pub(crate) fn reserved_list(&mut self, method: &str, form: &Form, asker: &Asker) -> Answer {
        match method {
            "GET" => Ok(Response::json(
                200,
                &self
                    .reserved
                    .keys()
                    .map(|id| self.show_reserved(*id))
                    .collect(),
            )),
            "POST" => {
                admin_to_create(asker)?;
                let mut kept = self.read_reserved(form)?;
                kept.id = self.next("reservedip");
                let id = kept.id;
                self.reserved.insert(id, kept);
                Ok(Response::json(200, &self.show_reserved(id)))
            }
            _ => Err(bad_method()),
        }
    }

    fn read_reserved(&self, form: &Form) -> Result<ReservedIp, Response> {
        let mut errors = Errors::default();
        let ip = form.get("ip").and_then(address);
        let mac = form
            .get("mac_address")
            .map(str::to_lowercase)
            .filter(|mac| !mac.is_empty());
        if ip.is_none() {
            errors.add("ip", REQUIRED);
        }
        if mac.is_none() {
            errors.add("mac_address", REQUIRED);
        }
        let (Some(ip), Some(mac)) = (ip, mac) else {
            errors.done()?;
            return Err(Response::text(400, ""));
        };
        let named = form.get("subnet").and_then(|text| text.parse::<u64>().ok());
        let Some(subnet) = named
            .filter(|id| self.subnets.contains_key(id))
            .or_else(|| self.best_subnet(ip))
        else {
            errors.add("subnet", REQUIRED);
            errors.done()?;
            return Err(Response::text(400, ""));
        };
        let dynamic = self.ranges.values().find(|range| {
            range.subnet == subnet
                && range.kind == RangeType::Dynamic
                && range.start <= ip
                && ip <= range.end
        });
        if self.reserved.values().any(|other| other.ip == ip) {
            errors.add("ip", "Reserved IP with this IP address already exists.");
        } else if let Some(range) = dynamic {
            errors.add(
                "ip",
                format!(
                    "The reserved IP {ip} must be outside the dynamic range {} - {}.",
                    range.start, range.end
                ),
            );
        } else if !self.subnets[&subnet].cidr.contains(&ip) {
            errors.add("ip", "The provided IP is not part of the subnet.");
        }
        errors.done()?;
        let comment = form.get("comment").unwrap_or_default().to_owned();
        Ok(ReservedIp {
            id: 0,
            subnet,
            ip,
            mac,
            comment,
        })
    }

    pub(crate) fn reserved(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        asker: &Asker,
    ) -> Answer {
        let found = id
            .parse()
            .ok()
            .and_then(|id: u64| self.reserved.get(&id))
            .cloned();
        let mut now = found.ok_or_else(|| missing("ReservedIP"))?;
        match method {
            "GET" => {}
            "PUT" => {
                admin_to_change(asker)?;
                let other =
                    |key: &str, value: String| form.get(key).is_some_and(|given| given != value);
                let frozen = other("ip", now.ip.to_string())
                    || other("mac_address", now.mac.clone())
                    || other("subnet", now.subnet.to_string());
                if frozen {
                    let message = "The ip, mac_address and the subnet of a reserved IP are immutable. Delete the entry and recreate it.";
                    return Err(super::form::field_error("__all__", message));
                }
                if let Some(comment) = form.get("comment") {
                    comment.clone_into(&mut now.comment);
                }
                self.reserved.insert(now.id, now.clone());
            }
            "DELETE" => {
                admin_to_change(asker)?;
                self.reserved.remove(&now.id);
                return Ok(gone());
            }
            _ => return Err(bad_method()),
        }
        Ok(Response::json(200, &self.show_reserved(now.id)))
    }
}
