//! Endpoints of fabrics and spaces.

use serde_json::{Value, json};

use super::answer::{
    ApiCaller, MaasAnswer, admin_to_change, admin_to_create, bad_method, no_content, plain,
};
use super::form::{Form, FormErrors, is_name, refuse_long};
use super::store::{DEFAULT_FABRIC, LabMaas, StoredFabric, StoredSpace, StoredVlan};
use crate::wire::LabResponse;

impl LabMaas {
    pub(crate) fn fabrics(&mut self, method: &str, form: &Form, caller: &ApiCaller) -> MaasAnswer {
        match method {
            "GET" => Ok(LabResponse::json(
                200,
                &self
                    .fabrics
                    .keys()
                    .map(|id| self.show_fabric(*id))
                    .collect(),
            )),
            "POST" => {
                admin_to_create(caller)?;
                let (name, class_type) = self.read_fabric(form, None)?;
                let id = self.make_fabric(name, class_type);
                Ok(LabResponse::json(200, &self.show_fabric(id)))
            }
            _ => Err(bad_method()),
        }
    }

    /// Creates a fabric and its default VLAN (3.5.9 maasserver/models/fabric.py:192-211).
    pub(crate) fn make_fabric(&mut self, name: Option<String>, class_type: Option<String>) -> u64 {
        let id = self.next("fabric");
        self.make_fabric_as(id, name, class_type);
        id
    }

    pub(crate) fn make_fabric_as(
        &mut self,
        id: u64,
        name: Option<String>,
        class_type: Option<String>,
    ) {
        let name = name.unwrap_or_else(|| format!("fabric-{id}"));
        self.fabrics.insert(
            id,
            StoredFabric {
                id,
                name,
                class_type,
            },
        );
        let vlan = self.next("vlan");
        self.vlans.insert(
            vlan,
            StoredVlan {
                id: vlan,
                fabric: id,
                vid: 0,
                name: Some("Default VLAN".to_owned()),
                mtu: 1500,
                space: None,
                dhcp_on: false,
                primary: None,
                secondary: None,
                relay: None,
            },
        );
    }

    /// Name and class; an empty field is `None`.
    fn read_fabric(
        &self,
        form: &Form,
        own: Option<u64>,
    ) -> Result<(Option<String>, Option<String>), LabResponse> {
        let mut errors = FormErrors::default();
        let class = form.given("class_type");
        if let Some(class) = class {
            refuse_long("class_type", class, 256, &mut errors);
        }
        let name = form.given("name");
        if let Some(name) = name {
            self.check_fabric_name(name, own, &mut errors);
        }
        errors.done()?;
        Ok((name.map(str::to_owned), class.map(str::to_owned)))
    }

    fn check_fabric_name(&self, name: &str, own: Option<u64>, errors: &mut FormErrors) {
        let reserved = name.strip_prefix("fabric-").is_some_and(|tail| {
            tail.bytes().all(|b| b.is_ascii_digit()) && !tail.is_empty() && tail.parse().ok() != own
        });
        if refuse_long("name", name, 256, errors) {
        } else if !is_name(name) {
            errors.add("name", format!("Invalid fabric name: {name}."));
        } else if reserved {
            errors.add("name", "Reserved fabric name.");
        } else if self
            .fabrics
            .values()
            .any(|other| other.name == name && Some(other.id) != own)
        {
            errors.add("name", "Fabric with this Name already exists.");
        }
    }

    pub(crate) fn fabric(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        let id = self.find_fabric(id)?;
        match method {
            "GET" => {}
            "PUT" => {
                admin_to_change(caller)?;
                let (name, class) = self.read_fabric(form, Some(id))?;
                if let Some(fabric) = self.fabrics.get_mut(&id) {
                    fabric.name = name.unwrap_or_else(|| fabric.name.clone());
                    // An empty class keeps the present one: MAAS does not clear a nullable column this way.
                    fabric.class_type = class.or(fabric.class_type.take());
                }
            }
            "DELETE" => {
                admin_to_change(caller)?;
                self.delete_fabric(id)?;
                return Ok(no_content());
            }
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(200, &self.show_fabric(id)))
    }

    /// 3.5.9 maasserver/models/fabric.py:165-190.
    fn delete_fabric(&mut self, id: u64) -> Result<(), LabResponse> {
        if id == DEFAULT_FABRIC {
            return Err(plain(
                400,
                "This fabric is the default fabric, it cannot be deleted.",
            ));
        }
        let vlans: Vec<u64> = self
            .vlans
            .values()
            .filter(|vlan| vlan.fabric == id)
            .map(|vlan| vlan.id)
            .collect();
        let subnets: Vec<String> = self
            .subnets
            .values()
            .filter(|subnet| vlans.contains(&subnet.vlan))
            .map(|subnet| subnet.cidr.to_string())
            .collect();
        if !subnets.is_empty() {
            return Err(plain(
                400,
                format!(
                    "Can't delete fabric; the following subnets are still present: {}",
                    subnets.join(", ")
                ),
            ));
        }
        let interfaces: Vec<String> = self
            .interfaces
            .values()
            .filter(|interface| interface.vlan.is_some_and(|vlan| vlans.contains(&vlan)))
            .map(|interface| {
                format!(
                    "{} ({}) on {}",
                    interface.name, interface.kind, self.nodes[&interface.node].hostname
                )
            })
            .collect();
        if !interfaces.is_empty() {
            return Err(plain(
                400,
                format!(
                    "Can't delete fabric; the following interfaces are still connected: {}",
                    interfaces.join(", ")
                ),
            ));
        }
        self.vlans.retain(|_, vlan| vlan.fabric != id);
        self.fabrics.remove(&id);
        Ok(())
    }

    pub(crate) fn spaces_list(
        &mut self,
        method: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        match method {
            "GET" => {
                let mut list: Vec<Value> =
                    self.spaces.keys().map(|id| self.show_space(*id)).collect();
                if self.vlans.values().any(|vlan| vlan.space.is_none()) {
                    list.push(self.show_undefined_space());
                }
                Ok(LabResponse::json(200, &json!(list)))
            }
            "POST" => {
                admin_to_create(caller)?;
                let name = self.space_name(form, None)?;
                let id = self.make_space(name, form.get("description").unwrap_or_default());
                Ok(LabResponse::json(200, &self.show_space(id)))
            }
            _ => Err(bad_method()),
        }
    }

    pub(crate) fn make_space(&mut self, name: Option<String>, description: &str) -> u64 {
        let id = self.next("space");
        let name = name.unwrap_or_else(|| format!("space-{id}"));
        self.spaces.insert(
            id,
            StoredSpace {
                id,
                name,
                description: description.to_owned(),
            },
        );
        id
    }

    fn space_name(&self, form: &Form, own: Option<u64>) -> Result<Option<String>, LabResponse> {
        let Some(name) = form.get("name").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let mut errors = FormErrors::default();
        let numbered = name.strip_prefix("space-").is_some_and(|tail| {
            tail.bytes().all(|b| b.is_ascii_digit()) && !tail.is_empty() && tail.parse().ok() != own
        });
        if refuse_long("name", name, 256, &mut errors) {
        } else if !is_name(name) {
            errors.add("name", format!("Invalid space name: {name}."));
        } else if numbered || name == "undefined" {
            errors.add("name", "Reserved space name.");
        } else if self
            .spaces
            .values()
            .any(|other| other.name == name && Some(other.id) != own)
        {
            errors.add("name", "Space with this Name already exists.");
        }
        errors.done()?;
        Ok(Some(name.to_owned()))
    }

    pub(crate) fn space(
        &mut self,
        method: &str,
        id: &str,
        form: &Form,
        caller: &ApiCaller,
    ) -> MaasAnswer {
        match (method, id) {
            ("GET", "undefined") if self.vlans.values().all(|vlan| vlan.space.is_some()) => {}
            ("GET", "-1" | "undefined") => {
                return Ok(LabResponse::json(200, &self.show_undefined_space()));
            }
            ("PUT", "-1" | "undefined") => {
                return Err(plain(400, "Space cannot be modified: undefined"));
            }
            ("DELETE", "-1" | "undefined") => {
                return Err(plain(400, "Space cannot be deleted: undefined"));
            }
            _ => {}
        }
        let id = self.find_space(id)?;
        match method {
            "GET" => {}
            "PUT" => {
                admin_to_change(caller)?;
                let name = self.space_name(form, Some(id))?;
                if let Some(space) = self.spaces.get_mut(&id) {
                    if let Some(name) = name {
                        space.name = name;
                    }
                    if let Some(text) = form.get("description") {
                        text.clone_into(&mut space.description);
                    }
                }
            }
            "DELETE" => {
                admin_to_change(caller)?;
                for vlan in self
                    .vlans
                    .values_mut()
                    .filter(|vlan| vlan.space == Some(id))
                {
                    vlan.space = None;
                }
                self.spaces.remove(&id);
                return Ok(no_content());
            }
            _ => return Err(bad_method()),
        }
        Ok(LabResponse::json(200, &self.show_space(id)))
    }
}
