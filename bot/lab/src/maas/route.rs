//! Endpoints of static routes (3.5.9 `maasserver/models/staticroute.py:51-93`).

use super::answer::{
    ApiCaller, MaasAnswer, admin_to_change, admin_to_create, bad_method, missing, no_content,
};
use super::form::{Form, FormErrors, NO_NUMBER, REQUIRED};
use super::lookup::row_number;
use super::parse::{self, address};
use super::store::{LabMaas, StoredRoute};
use super::vlan::none_found;
use crate::wire::LabResponse;

impl LabMaas {
    pub(crate) fn routes_list(
        &mut self,
        method: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        match method {
            "GET" => Ok(LabResponse::json(
                200,
                &self.routes.keys().map(|id| self.show_route(*id)).collect(),
            )),
            "POST" => {
                admin_to_create(caller)?;
                let mut route = self.read_route(form, None)?;
                route.id = self.next("route");
                let id = route.id;
                self.routes.insert(id, route);
                Ok(LabResponse::json(200, &self.show_route(id)))
            }
            _ => Err(bad_method()),
        }
    }

    pub(crate) fn static_route(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let found = self.routes.get(&row_number("StaticRoute", id)?).cloned();
        let now = found.ok_or_else(|| missing("StaticRoute"))?;
        match method {
            "GET" => {}
            "PUT" => {
                admin_to_change(caller)?;
                let route = self.read_route(form, Some(&now))?;
                self.routes.insert(now.id, route);
            }
            "DELETE" => {
                admin_to_change(caller)?;
                self.routes.remove(&now.id);
                return Ok(no_content());
            }
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(200, &self.show_route(now.id)))
    }

    fn read_route(
        &self,
        form: &Form,
        now: Option<&StoredRoute>,
    ) -> Result<StoredRoute, LabResponse> {
        let mut errors = FormErrors::default();
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
                        errors.add(field, none_found("subnet-", text));
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
        match form.get("gateway_ip").filter(|text| !text.is_empty()) {
            Some(text) if address(text).is_none() => {
                errors.add("gateway_ip", "Enter a valid IPv4 or IPv6 address.");
            }
            None if gateway.is_none() => errors.add("gateway_ip", REQUIRED),
            Some(_) | None => {}
        }
        let metric = read_metric(form, &mut errors);
        if source.is_none() && gateway.is_some() {
            // The form dereferences the missing source (seen on 3.5.12 and 3.7.3).
            let message = "'NoneType' object has no attribute 'get_ipnetwork'";
            return Err(LabResponse::text(500, message));
        }
        let outside = source
            .zip(gateway)
            .filter(|(source, gateway)| !self.subnets[source].cidr.contains(gateway));
        if let Some((source, _)) = outside {
            let cidr = self.subnets[&source].cidr;
            errors.add("gateway_ip", format!("Enter an IP address in {cidr}."));
        }
        let (Some(source), Some(destination), Some(gateway)) = (source, destination, gateway)
        else {
            errors.done()?;
            return Err(LabResponse::text(400, ""));
        };
        let route = StoredRoute {
            id: now.map_or(0, |route| route.id),
            source,
            destination,
            gateway,
            metric: metric.or(now.map(|route| route.metric)).unwrap_or(0),
        };
        self.check_route(&route, &mut errors);
        errors.done()?;
        Ok(route)
    }

    /// The first failing check of the model (3.5.9 `maasserver/models/staticroute.py`).
    fn check_route(&self, route: &StoredRoute, errors: &mut FormErrors) {
        let (source, destination, gateway) = (route.source, route.destination, route.gateway);
        let cidr = self.subnets[&source].cidr;
        if source == destination {
            errors.add(
                "__all__",
                "source and destination cannot be the same subnet.",
            );
        } else if cidr.addr().is_ipv4() != self.subnets[&destination].cidr.addr().is_ipv4() {
            errors.add(
                "__all__",
                "source and destination must be the same IP version.",
            );
        } else if !cidr.contains(&gateway) {
            errors.add("__all__", "gateway_ip must be with in the source subnet.");
        } else if self.routes.values().any(|other| {
            other.id != route.id
                && (other.source, other.destination, other.gateway)
                    == (source, destination, gateway)
        }) {
            errors.add(
                "__all__",
                "Static route with this Source, Destination and Gateway IP already exists.",
            );
        }
    }
}

fn read_metric(form: &Form, errors: &mut FormErrors) -> Option<u32> {
    match form.given("metric").map(parse::integer) {
        None => None,
        Some(None) => {
            errors.add("metric", NO_NUMBER);
            None
        }
        Some(Some(metric)) => {
            let metric = u32::try_from(metric).ok();
            if metric.is_none() {
                errors.add("metric", "Ensure this value is greater than or equal to 0.");
            }
            metric
        }
    }
}
