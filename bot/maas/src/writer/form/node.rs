//! Requests for the interfaces and links of a node. Pure.

use topology::object::{Interface, InterfaceKind, Link, Mode, VlanAt};

use crate::look::FoundNode;
use crate::transport::{MaasRequest, Method};
use crate::writer::form::settings::{only_tag, with_changes, with_new, with_tags};
use crate::writer::form::{NoRequest, RequestResult, ResolvedRefs, refusal};

pub(super) fn create_interface(interface: &Interface, refs: &ResolvedRefs) -> RequestResult {
    let node = refs.node(&interface.host)?;
    let mut parents = Vec::new();
    for parent in &interface.parents {
        parents.push((parent, interface_row(node, parent)?.to_string()));
    }
    match (interface.kind, parents.as_slice()) {
        (InterfaceKind::Vlan, [(parent, row)]) => {
            let at = vlan_of(interface)?;
            // MAAS chooses the name; an interface that is declared under another would be created and then not be found.
            let name = format!("{parent}.{}", at.vid);
            if interface.name != name {
                return Err(refusal(format!(
                    "MAAS would call this interface `{name}`, not `{}`",
                    interface.name
                )));
            }
            let request = below_node(Method::Post, node, "")
                .with_query("op", "create_vlan")
                .with_field("parent", row)
                .with_field("vlan", refs.vlan(at)?);
            with_new(request, interface)
        }
        (InterfaceKind::Bridge, [(_, row)]) => {
            let request = below_node(Method::Post, node, "")
                .with_query("op", "create_bridge")
                .with_field("name", &interface.name)
                .with_field("parent", row);
            with_new(request, interface)
        }
        (InterfaceKind::Bond, [_, ..]) => {
            let mut request = below_node(Method::Post, node, "")
                .with_query("op", "create_bond")
                .with_field("name", &interface.name);
            for (_, row) in parents {
                request = request.with_field("parents", row);
            }
            with_new(request, interface)
        }
        (InterfaceKind::Vlan | InterfaceKind::Bridge | InterfaceKind::Bond, _) => {
            Err(refusal(format!(
                "`{}:{}` needs exactly one parent (a bond at least one)",
                interface.host, interface.name
            )))
        }
        (InterfaceKind::Physical | InterfaceKind::Unknown, _) => Err(refusal(format!(
            "`{}:{}` is hardware, which MAAS discovers and nobody creates",
            interface.host, interface.name
        ))),
    }
}

pub(super) fn update_interface(
    row: u64,
    before: &Interface,
    after: &Interface,
    refs: &ResolvedRefs,
) -> RequestResult {
    let node = refs.node(&before.host)?;
    let ports = before.parents != after.parents;
    if before.host != after.host
        || before.kind != after.kind
        || (ports && before.kind != InterfaceKind::Bond)
    {
        return Err(refusal(
            "the kind of an interface and what is below it cannot be changed; it has to be deleted and recreated"
                .to_owned(),
        ));
    }
    if let Some((tag, added)) = only_tag(before, after) {
        let verb = if added { "add_tag" } else { "remove_tag" };
        return Ok(below_node(Method::Post, node, &format!("{row}/"))
            .with_query("op", verb)
            .with_field("tag", tag));
    }
    let mut request = below_node(Method::Put, node, &format!("{row}/"));
    for parent in after.parents.iter().filter(|_| ports) {
        request = request.with_field("parents", interface_row(node, parent)?.to_string());
    }
    if before.name != after.name {
        request = request.with_field("name", &after.name);
    }
    request = with_changes(request, before, after);
    if before.vlan != after.vlan || request.form.is_empty() {
        let vlan = match &after.vlan {
            Some(at) => refs.vlan(at)?,
            None => String::new(),
        };
        request = request.with_field("vlan", vlan);
    }
    with_tags(request, before, after)
}

pub(super) fn create_link(link: &Link, refs: &ResolvedRefs) -> RequestResult {
    let node = refs.node(&link.host)?;
    let interface = interface_row(node, &link.interface)?;
    let (mode, address) = match link.mode {
        Mode::Auto => ("AUTO", None),
        Mode::Static(ip) => ("STATIC", Some(ip)),
        Mode::Dhcp => ("DHCP", None),
        Mode::LinkUp => ("LINK_UP", None),
    };
    let request = below_node(Method::Post, node, &format!("{interface}/"))
        .with_query("op", "link_subnet")
        .with_field("mode", mode)
        .with_field("subnet", refs.subnet(link.subnet)?);
    let request = if link.default_gateway {
        request.with_field("default_gateway", "true")
    } else {
        request
    };
    Ok(match address {
        Some(ip) => request.with_field("ip_address", ip.to_string()),
        None => request,
    })
}

/// A link only ever becomes the default gateway; choosing another one takes it away.
pub(super) fn update_link(
    row: u64,
    before: &Link,
    after: &Link,
    refs: &ResolvedRefs,
) -> RequestResult {
    let chosen = Link {
        default_gateway: true,
        ..before.clone()
    };
    if *after != chosen {
        return Err(refusal(
            "a link cannot be changed; it has to be deleted and recreated".to_owned(),
        ));
    }
    let node = refs.node(&after.host)?;
    let interface = interface_row(node, &after.interface)?;
    Ok(below_node(Method::Post, node, &format!("{interface}/"))
        .with_query("op", "set_default_gateway")
        .with_field("link_id", row.to_string()))
}

fn interface_row(node: &FoundNode, name: &str) -> Result<u64, NoRequest> {
    let found = node.interfaces.iter().find(|row| row.name == name);
    let row = found.map(|row| row.id);
    row.ok_or_else(|| refusal(format!("the node has no interface `{name}`")))
}

fn vlan_of(interface: &Interface) -> Result<&VlanAt, NoRequest> {
    interface.vlan.as_ref().ok_or_else(|| {
        refusal(format!(
            "`{}:{}` needs a VLAN",
            interface.host, interface.name
        ))
    })
}

pub(super) fn delete_interface(
    interface: &Interface,
    row: u64,
    refs: &ResolvedRefs,
) -> RequestResult {
    let node = refs.node(&interface.host)?;
    Ok(below_node(Method::Delete, node, &format!("{row}/")))
}

pub(super) fn delete_link(link: &Link, row: u64, refs: &ResolvedRefs) -> RequestResult {
    let node = refs.node(&link.host)?;
    let interface = interface_row(node, &link.interface)?;
    Ok(below_node(Method::Post, node, &format!("{interface}/"))
        .with_query("op", "unlink_subnet")
        .with_field("id", row.to_string()))
}

/// A request below `nodes/{system_id}/interfaces/`.
fn below_node(method: Method, node: &FoundNode, tail: &str) -> MaasRequest {
    MaasRequest::new(
        method,
        format!("nodes/{}/interfaces/{tail}", node.system_id),
    )
}
