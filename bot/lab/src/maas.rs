//! A MAAS in memory.
//!
//! Rows, rules and cascades as in MAAS's source and on real servers; [`LabMaas::answer`] is the whole API. Tests replay
//! recordings of real servers against it; the code itself never reads a recording. It must not know what a plan is, and
//! must not share code with our client.

mod actions;
mod address;
mod answer;
mod auth;
mod containers;
mod describe;
mod dns;
mod exports;
mod form;
mod free;
mod images;
mod installation;
mod interface;
mod iprange;
mod layout;
mod link;
mod link_form;
mod lookup;
mod machine;
mod multipart;
mod names;
mod node;
mod parse;
mod reads;
mod report;
mod reserved;
mod route;
mod serve;
mod settings;
mod show;
mod snippet;
mod statistics;
mod store;
mod subnet;
mod users;
mod version;
mod vlan;

pub use layout::LoadError;
pub use report::{ReportRefused, ReportedInterface};
pub use serve::{MaasServer, serve, serve_until_signal, serve_with_clock};
pub use store::LabMaas;
pub use version::Version;

pub use crate::socket::{HttpFault, HttpFaultPolicy, LabClock};

use crate::wire::{LabRequest, LabResponse};
use answer::{ApiCaller, MaasAnswer, missing};
use form::Form;
use serde_json::json;

const BASE: &str = "/MAAS/api/2.0/";

impl LabMaas {
    /// Answers one request. A refused request changes nothing, except where a real MAAS changes something.
    pub fn answer(&mut self, request: &LabRequest) -> LabResponse {
        let Some(rest) = request.path.strip_prefix(BASE) else {
            if request.path.starts_with("/MAAS/api/1.0/") {
                return LabResponse::text(
                    410,
                    "The 1.0 API is no longer available. Please use API version 2.0.",
                );
            }
            return unknown(request);
        };
        let path: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
        let absent = path[0] == "reservedips" && !self.version.has_reserved_ips();
        if absent || !rest.ends_with('/') || !exports::is_place(&path) {
            return unknown(request);
        }
        if !["GET", "POST", "PUT", "DELETE"].contains(&request.method.as_str()) {
            return LabResponse::html(405, "");
        }
        let form = Form::read(request);
        self.advance(request.now);
        let caller = match self.authenticate(request) {
            Ok(caller) => caller,
            Err(_) if path == ["version"] || path == ["describe"] => ApiCaller::anonymous(),
            Err(refusal) => {
                let nameless = request.header("authorization").is_none();
                let form = form.unwrap_or_default();
                let answer = exports::anonymous_answer(request, &form, &path).filter(|_| nameless);
                return self.rolled_back(request, answer.unwrap_or(refusal));
            }
        };
        let form = match form {
            Ok(form) => form,
            Err(refusal) => return self.rolled_back(request, refusal),
        };
        match self.route(request, &path, &form, &caller) {
            Ok(answer) => {
                if request.method != "GET" {
                    self.writes
                        .push((request.method.clone(), request.path.clone()));
                }
                answer
            }
            Err(answer) => self.rolled_back(request, answer),
        }
    }

    /// Rolls back the nonce of a refused request. MAAS rolls back the transaction of a request that it answers with 400, 500,
    /// or 409 after its retries, including the nonce (seen on 3.5.12 and 3.7.3).
    fn rolled_back(&mut self, request: &LabRequest, answer: LabResponse) -> LabResponse {
        if matches!(answer.status, 400 | 500) || answer.body.starts_with(b"<") {
            self.release_nonce(request);
        }
        answer
    }

    fn route(
        &mut self,
        request: &LabRequest,
        path: &[&str],
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let method = request.method.as_str();
        exports::allowed(request, form, path)?;
        if form.is_unread() && caller.admin && method == "POST" && request.param("op").is_none() {
            // A body of a type that MAAS does not parse gives an unbound form, and an unbound form has no errors.
            return Err(LabResponse::json(400, &json!({})));
        }
        form.refuse_nul()?;
        let op = exports::operation(request, form);
        match path {
            ["version"] => Ok(LabResponse::json(200, &self.version_answer())),
            ["describe"] => Ok(describe::describe(request, self.version.has_reserved_ips())),
            ["users"] if op == Some("whoami") => {
                Ok(LabResponse::json(200, &self.show_user(&caller.name)))
            }
            ["users", ..] => self.users(method, &path[1..], form, caller),
            ["account"] if method == "GET" => Ok(self.tokens(caller)),
            ["maas"] => self.config(request, form, caller),
            ["events"] => reads::events(request),
            ["boot-resources"] => self.boot_resources(method, caller, op),
            ["package-repositories", ..] => self.package_repositories(method, &path[1..]),
            ["networks", ..] => self.networks(method, &path[1..], caller),
            ["discovery"] => Ok(LabResponse::json(200, &self.discoveries())),
            ["discovery", _] => Err(missing("Discovery")),
            ["fabrics"] => self.fabrics(method, form, caller),
            ["fabrics", id] => self.fabric(method, id, form, caller),
            ["fabrics", id, "vlans"] => self.fabric_vlans(method, id, form, caller),
            ["fabrics", id, "vlans", vid] => self.fabric_vlan(method, id, vid, form, caller),
            ["vlans", id] => self.vlan_by_id(method, id, form, caller),
            ["spaces"] => self.spaces_list(method, form, caller),
            ["spaces", id] => self.space(method, id, form, caller),
            ["subnets"] => self.subnets_list(method, form, caller),
            ["subnets", id] => self.subnet(request, id, form, caller),
            ["subnets", network, prefix] => {
                self.subnet(request, &format!("{network}/{prefix}"), form, caller)
            }
            ["ipranges"] => self.ranges_list(method, form, caller),
            ["ipranges", id] => self.range(method, id, form, caller),
            ["static-routes"] => self.routes_list(method, form, caller),
            ["static-routes", id] => self.static_route(method, id, form, caller),
            ["reservedips"] => self.reserved_list(method, form, caller),
            ["reservedips", id] => self.reserved(method, id, form, caller),
            ["ipaddresses"] => self.ip_addresses(request, form, caller),
            ["dnsresources"] => self.dns_list(request, form, caller),
            ["dnsresources", id] => self.dns_resource(method, id, form, caller),
            ["dnsresourcerecords"] => self.records_list(request, form, caller),
            ["dnsresourcerecords", id] => self.record(method, id, form, caller),
            ["domains"] => self.domains_list(method, form, caller, op),
            ["domains", id] => self.domain(method, id, form, caller),
            ["dhcp-snippets"] => self.snippets_list(method, form, caller),
            ["dhcp-snippets", id] => self.snippet(method, id, form, caller),
            ["machines"] => self.machines_list(request, form, caller, op),
            ["machines", id] => self.machine(request, id, form, caller, op),
            [kind @ ("devices" | "rackcontrollers" | "regioncontrollers" | "nodes")] => {
                self.node_list(request, kind, form, caller, op)
            }
            [
                kind @ ("devices" | "rackcontrollers" | "regioncontrollers" | "nodes"),
                id,
            ] => self.plain_node(method, kind, id, form, caller),
            ["nodes", id, "interfaces"] => self.interfaces(request, id, form, caller, op),
            ["nodes", id, "interfaces", interface] => {
                self.interface(request, (id, interface), form, caller, op)
            }
            ["zones" | "resourcepools" | "resourcepool", ..] => {
                self.zones_and_pools(method, path, caller)
            }
            _ => Err(unknown(request)),
        }
    }

    fn version_answer(&self) -> serde_json::Value {
        json!({
            "capabilities": [
                "networks-management", "static-ipaddresses", "ipv6-deployment-ubuntu", "devices-management",
                "storage-deployment-ubuntu", "network-deployment-ubuntu", "bridging-interface-ubuntu",
                "bridging-automatic-ubuntu", "authenticate-api",
            ],
            "version": self.version.text(),
            "subversion": "",
        })
    }
}

fn unknown(request: &LabRequest) -> LabResponse {
    LabResponse::text(404, format!("Unknown API endpoint: {}.", request.path))
}
