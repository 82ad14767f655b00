//! Requests for what hangs below a node: interfaces and links. Pure.

use topology::object::{Interface, InterfaceKind, Link, Mode, VlanAt};

use crate::look::Found;
use crate::transport::{MaasRequest, Method};
use crate::writer::form::{Made, NoRequest, ResolvedRefs, because};

pub(super) fn create_interface(interface: &Interface, ground: &ResolvedRefs) -> Made {
    let node = ground.node(&interface.host)?;
    let mut parents = Vec::new();
    for parent in &interface.parents {
        parents.push((parent, interface_row(node, parent)?.to_string()));
    }
    match (interface.kind, parents.as_slice()) {
        (InterfaceKind::Vlan, [(parent, row)]) => {
            let at = placed(interface)?;
            // MAAS names it; another name would be made under this one and not be found again.
            let name = format!("{parent}.{}", at.vid);
            if interface.name != name {
                return Err(because(format!(
                    "MAAS would call this interface `{name}`, not `{}`",
                    interface.name
                )));
            }
            Ok(below_node(Method::Post, node, "")
                .asking("op", "create_vlan")
                .with("parent", row)
                .with("vlan", ground.vlan(at)?))
        }
        (InterfaceKind::Bridge, [(_, row)]) => Ok(below_node(Method::Post, node, "")
            .asking("op", "create_bridge")
            .with("name", &interface.name)
            .with("parent", row)),
        (InterfaceKind::Bond, [_, ..]) => {
            let mut request = below_node(Method::Post, node, "")
                .asking("op", "create_bond")
                .with("name", &interface.name);
            for (_, row) in parents {
                request = request.with("parents", row);
            }
            Ok(request)
        }
        (InterfaceKind::Vlan | InterfaceKind::Bridge | InterfaceKind::Bond, _) => {
            Err(because(format!(
                "`{}:{}` needs one parent, or at least one for a bond",
                interface.host, interface.name
            )))
        }
        (InterfaceKind::Physical | InterfaceKind::Unknown, _) => Err(because(format!(
            "`{}:{}` is hardware, which is found and not made",
            interface.host, interface.name
        ))),
    }
}

pub(super) fn update_interface(
    row: u64,
    before: &Interface,
    after: &Interface,
    ground: &ResolvedRefs,
) -> Made {
    let node = ground.node(&before.host)?;
    let fixed = |it: &Interface| (it.host.clone(), it.kind, it.parents.clone());
    if fixed(before) != fixed(after) {
        return Err(because(
            "kind and parents of an interface cannot be changed; it is removed and made again"
                .to_owned(),
        ));
    }
    let mut request = below_node(Method::Put, node, &format!("{row}/"));
    if before.name != after.name {
        request = request.with("name", &after.name);
    }
    if before.vlan != after.vlan || request.form.is_empty() {
        let vlan = match &after.vlan {
            Some(at) => ground.vlan(at)?,
            None => String::new(),
        };
        request = request.with("vlan", vlan);
    }
    Ok(request)
}

pub(super) fn create_link(link: &Link, ground: &ResolvedRefs) -> Made {
    let node = ground.node(&link.host)?;
    let interface = interface_row(node, &link.interface)?;
    let (mode, address) = match link.mode {
        Mode::Auto => ("AUTO", None),
        Mode::Static(ip) => ("STATIC", Some(ip)),
        Mode::Dhcp => ("DHCP", None),
        Mode::LinkUp => ("LINK_UP", None),
    };
    let request = below_node(Method::Post, node, &format!("{interface}/"))
        .asking("op", "link_subnet")
        .with("mode", mode)
        .with("subnet", ground.subnet(link.subnet)?);
    Ok(match address {
        Some(ip) => request.with("ip_address", ip.to_string()),
        None => request,
    })
}

fn interface_row(node: &Found, name: &str) -> Result<u64, NoRequest> {
    let found = node.interfaces.iter().find(|row| row.name == name);
    let row = found.map(|row| row.id);
    row.ok_or_else(|| because(format!("the node has no interface `{name}`")))
}

fn placed(interface: &Interface) -> Result<&VlanAt, NoRequest> {
    interface.vlan.as_ref().ok_or_else(|| {
        because(format!(
            "`{}:{}` needs a VLAN",
            interface.host, interface.name
        ))
    })
}

pub(super) fn delete_interface(interface: &Interface, row: u64, ground: &ResolvedRefs) -> Made {
    let node = ground.node(&interface.host)?;
    Ok(below_node(Method::Delete, node, &format!("{row}/")))
}

pub(super) fn delete_link(link: &Link, row: u64, ground: &ResolvedRefs) -> Made {
    let node = ground.node(&link.host)?;
    let interface = interface_row(node, &link.interface)?;
    Ok(below_node(Method::Post, node, &format!("{interface}/"))
        .asking("op", "unlink_subnet")
        .with("id", row.to_string()))
}

/// A request for something below a node.
fn below_node(method: Method, node: &Found, tail: &str) -> MaasRequest {
    MaasRequest::new(
        method,
        format!("nodes/{}/interfaces/{tail}", node.system_id),
    )
}
