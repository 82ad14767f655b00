//! A MAAS, with its own idea of the wire.
//!
//! Rows, rules and cascades as read in MAAS's source and seen on real servers; [`LabMaas::answer`] is the whole API. It is
//! held to recordings of real servers and never looks one up. It must not know what a plan is.

mod actions;
mod address;
mod answer;
mod auth;
mod containers;
mod exports;
mod form;
mod free;
mod interface;
mod iprange;
mod layout;
mod link;
mod link_form;
mod lookup;
mod node;
mod parse;
mod reads;
mod report;
mod reserved;
mod route;
mod serve;
mod show;
mod snippet;
mod statistics;
mod store;
mod subnet;
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
    /// Answers one request. A refused request leaves no trace but where a real MAAS leaves one.
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
        let asker = match self.authenticate(request) {
            Ok(asker) => asker,
            Err(_) if path == ["version"] => ApiCaller::anonymous(),
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
        match self.route(request, &path, &form, &asker) {
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

    /// A refusal. MAAS undoes a request that it answers 400, 409 with another try, or 500, its nonce too (seen on both).
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
        asker: &ApiCaller,
    ) -> MaasAnswer {
        let method = request.method.as_str();
        exports::allowed(request, form, path)?;
        if form.is_unread() && asker.admin && method == "POST" && request.param("op").is_none() {
            // A body of a kind that MAAS does not read makes no form at all, and a form that is not filled in has no errors.
            return Err(LabResponse::json(400, &json!({})));
        }
        form.refuse_nul()?;
        match path {
            ["version"] => Ok(LabResponse::json(200, &self.version_answer())),
            ["users"] if request.param("op") == Some("whoami") => {
                Ok(LabResponse::json(200, &self.show_user(&asker.name)))
            }
            ["users", ..] => self.users(method, &path[1..], asker),
            ["account"] if method == "GET" => Ok(self.tokens(asker)),
            ["maas"] => self.config(request, asker),
            ["events"] => Ok(LabResponse::json(200, &reads::events(request))),
            ["networks", ..] => self.networks(method, &path[1..], asker),
            ["discovery"] => Ok(LabResponse::json(200, &self.discoveries())),
            ["discovery", _] => Err(missing("Discovery")),
            ["dnsresourcerecords"] => Ok(LabResponse::json(200, &self.records())),
            ["fabrics"] => self.fabrics(method, form, asker),
            ["fabrics", id] => self.fabric(method, id, form, asker),
            ["fabrics", id, "vlans"] => self.fabric_vlans(method, id, form, asker),
            ["fabrics", id, "vlans", vid] => self.fabric_vlan(method, id, vid, form, asker),
            ["vlans", id] => self.vlan_by_id(method, id, form, asker),
            ["spaces"] => self.spaces_list(method, form, asker),
            ["spaces", id] => self.space(method, id, form, asker),
            ["subnets"] => self.subnets_list(method, form, asker),
            ["subnets", id] => self.subnet(request, id, form, asker),
            ["subnets", network, prefix] => {
                self.subnet(request, &format!("{network}/{prefix}"), form, asker)
            }
            ["ipranges"] => self.ranges_list(method, form, asker),
            ["ipranges", id] => self.range(method, id, form, asker),
            ["static-routes"] => self.routes_list(method, form, asker),
            ["static-routes", id] => self.static_route(method, id, form, asker),
            ["reservedips"] => self.reserved_list(method, form, asker),
            ["reservedips", id] => self.reserved(method, id, form, asker),
            ["ipaddresses"] => self.ip_addresses(request, form, asker),
            ["dnsresources"] => self.dns_list(method, form, asker),
            ["dnsresources", id] => self.dns_resource(method, id, asker),
            ["domains"] => Ok(LabResponse::json(200, &json!([self.show_domain()]))),
            ["dhcp-snippets"] => self.snippets_list(method, form, asker),
            ["dhcp-snippets", id] => self.snippet(method, id, form, asker),
            ["machines"] => self.machines_list(request, method, asker),
            ["machines", id] => self.machine(request, id, form, asker),
            ["devices"] => Ok(LabResponse::json(
                200,
                &self.show_nodes(store::NodeType::Device, asker),
            )),
            ["rackcontrollers"] => Ok(LabResponse::json(200, &self.show_controllers(true, asker))),
            ["regioncontrollers"] => {
                Ok(LabResponse::json(200, &self.show_controllers(false, asker)))
            }
            [
                kind @ ("devices" | "rackcontrollers" | "regioncontrollers" | "nodes"),
                id,
            ] => self.plain_node(method, kind, id, asker),
            ["nodes"] => Ok(LabResponse::json(200, &self.show_all_nodes(asker))),
            ["nodes", id, "interfaces"] => self.interfaces(request, id, form, asker),
            ["nodes", id, "interfaces", interface] => {
                self.interface(request, id, interface, form, asker)
            }
            ["zones" | "resourcepools" | "resourcepool", ..] => {
                self.zones_and_pools(method, path, asker)
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
