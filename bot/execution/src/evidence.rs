//! The evidence that is checked before a gate opens.
//!
//! Work by people is verified by reading systems, never by a ticked box: MAAS for addresses, links and machines; the output
//! of `juju models` and of `ip -j addr` on the jumphost, from the sources that the site configures. It must not know who
//! claims that the work is done, or what follows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use maas::{MaasReader, ReadError, Transport};
use plan::gate::{Gate, GateEvidence};
use topology::Cidr;
use topology::object::{Link, Mode, Object, VlanAt};
use topology::observed::{Holder, Node, NodeKind, Observed, Occupant, Scope};

use crate::occupants::{blocks, describe};

/// Where evidence comes from that MAAS does not have.
pub trait EvidenceSource: Send + Sync {
    /// The output of `juju models --format json` of every controller on this MAAS, read now.
    fn juju_models(&self) -> EvidenceReading;
    /// The output of `ip -j addr` on the jumphost, read now.
    fn jumphost_addresses(&self) -> EvidenceReading;
}

/// What one source of evidence returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvidenceReading {
    /// The output, as text.
    Text(String),
    /// A source is configured and could not be read, for this reason. The gate stays closed.
    Unreadable(String),
    /// No source is configured: an operator has to state what they see, word for word.
    NotConfigured,
}

/// The machine states in which MAAS allows changes of interfaces.
const CHANGEABLE: [&str; 5] = ["New", "Ready", "Failed testing", "Allocated", "Broken"];

/// What is still missing before the gate may open, one line each.
pub(crate) async fn missing_evidence<W: Transport>(
    gate: &Gate,
    claim: Option<&str>,
    reader: &MaasReader<W>,
    source: &dyn EvidenceSource,
) -> Result<Vec<String>, ReadError> {
    let observed = observe_for(gate, reader).await?;
    let mut missing = Vec::new();
    for evidence in &gate.evidence {
        match (evidence, &observed) {
            (
                GateEvidence::Vacant {
                    subnets,
                    controllers,
                    keeping,
                },
                Some(observed),
            ) => missing.extend(holders(observed, (subnets, keeping), *controllers)),
            (GateEvidence::Changeable { machines }, Some(observed)) => {
                missing.extend(not_released(observed, machines));
            }
            (GateEvidence::Attended { subnets }, Some(observed)) => {
                missing.extend(without_rack(&observed.nodes, &observed.occupants, subnets));
            }
            (GateEvidence::Detached { interfaces, vlans }, Some(observed)) => {
                missing.extend(still_on(observed, interfaces, vlans));
            }
            (GateEvidence::NoJujuModel, _) => missing.extend(juju_models(source, claim)),
            (GateEvidence::Jumphost { has, lacks }, _) => {
                missing.extend(jumphost_addresses(source, claim, has, lacks));
            }
            (
                GateEvidence::Vacant { .. }
                | GateEvidence::Changeable { .. }
                | GateEvidence::Detached { .. }
                | GateEvidence::Attended { .. },
                None,
            ) => {
                missing.push("MAAS was not read".to_owned());
            }
        }
    }
    Ok(missing)
}

/// Reads from MAAS what the gate's evidence needs; none where it needs nothing of MAAS.
async fn observe_for<W: Transport>(
    gate: &Gate,
    reader: &MaasReader<W>,
) -> Result<Option<Observed>, ReadError> {
    let subnets: BTreeSet<Cidr> = gate
        .evidence
        .iter()
        .flat_map(|evidence| match evidence {
            GateEvidence::Vacant { subnets, .. } | GateEvidence::Attended { subnets } => {
                subnets.iter().copied().collect::<Vec<_>>()
            }
            GateEvidence::Changeable { .. }
            | GateEvidence::Detached { .. }
            | GateEvidence::NoJujuModel
            | GateEvidence::Jumphost { .. } => Vec::new(),
        })
        .collect();
    let needs_maas = gate.evidence.iter().any(|evidence| {
        matches!(
            evidence,
            GateEvidence::Vacant { .. }
                | GateEvidence::Changeable { .. }
                | GateEvidence::Detached { .. }
                | GateEvidence::Attended { .. }
        )
    });
    if !needs_maas {
        return Ok(None);
    }
    let first = reader.observe(&Scope::default()).await?;
    // A deleted subnet has no occupants.
    let existing = subnets
        .iter()
        .filter(|cidr| first.subnet(cidr).is_some())
        .copied()
        .collect();
    let scope = Scope {
        occupants: existing,
        all_nodes: true,
        ..Scope::default()
    };
    Ok(Some(reader.observe(&scope).await?))
}

/// Who is still on these subnets. Of those that shrink, `keeping` is what may stay.
fn holders(
    observed: &Observed,
    (subnets, keeping): (&BTreeSet<Cidr>, &BTreeMap<Cidr, Cidr>),
    controllers: bool,
) -> Vec<String> {
    let stays = |cidr: &Cidr, ip: Option<IpAddr>| {
        let kept = keeping.get(cidr);
        kept.is_some_and(|kept| ip.is_none_or(|ip| kept.contains(ip)))
    };
    let fixed = |link: &Link| match link.mode {
        Mode::Static(ip) => Some(ip),
        Mode::Auto | Mode::Dhcp | Mode::LinkUp => None,
    };
    let is_controller = |host: &str| {
        observed
            .nodes
            .get(host)
            .is_some_and(|node| node.kind == NodeKind::Controller)
    };
    let mut lines: BTreeSet<String> = BTreeSet::new();
    for link in observed
        .links()
        .filter(|link| subnets.contains(&link.subnet) && !stays(&link.subnet, fixed(link)))
    {
        if controllers || !is_controller(&link.host) {
            lines.insert(format!(
                "{}: {} still has a link on {} ({})",
                link.host, link.interface, link.subnet, link.mode
            ));
        }
    }
    for cidr in subnets {
        for occupant in observed.occupants.get(cidr).into_iter().flatten() {
            let node = if let Holder::Node { host, .. } = &occupant.holder {
                Some(host)
            } else {
                None
            };
            // Nodes are described by their links above, unless their links were not read.
            let described = node.is_some_and(|host| {
                let mut links = observed.links();
                links.any(|link| {
                    let listed = !keeping.contains_key(cidr) || fixed(link) == occupant.ip;
                    link.host == *host && link.subnet == *cidr && listed
                })
            });
            let exempt = node.is_some_and(|host| is_controller(host)) && !controllers;
            let leaves = blocks(occupant, true) && !stays(cidr, occupant.ip);
            if leaves && !described && !exempt {
                lines.insert(describe(occupant, cidr));
            }
        }
    }
    lines.into_iter().collect()
}

/// Subnets on which MAAS shows no rack's address. A region controller without a rack has no dhcpd to check snippets with.
fn without_rack(
    nodes: &BTreeMap<String, Node>,
    occupants: &BTreeMap<Cidr, Vec<Occupant>>,
    subnets: &BTreeSet<Cidr>,
) -> Vec<String> {
    let is_of_rack = |occupant: &Occupant| {
        let host = match &occupant.holder {
            Holder::Node { host, .. } => host,
            Holder::Bmc { .. }
            | Holder::Dns { .. }
            | Holder::User { .. }
            | Holder::Passing
            | Holder::Unknown(_) => return false,
        };
        nodes.get(host).is_some_and(|node| node.is_rack)
    };
    let has_rack = |cidr: &Cidr| {
        let occupants = occupants.get(cidr);
        occupants.is_some_and(|all| all.iter().any(is_of_rack))
    };
    subnets
        .iter()
        .filter(|cidr| !has_rack(cidr))
        .map(|cidr| format!("MAAS shows no rack controller's address on {cidr} yet"))
        .collect()
}

/// The interfaces that are still on a VLAN that is removed.
fn still_on(
    observed: &Observed,
    interfaces: &BTreeSet<(String, String)>,
    vlans: &BTreeSet<VlanAt>,
) -> Vec<String> {
    let all = observed.all().filter_map(Object::as_interface);
    all.filter(|it| interfaces.contains(&(it.host.clone(), it.name.clone())))
        .filter_map(|it| {
            let at = it.vlan.as_ref().filter(|at| vlans.contains(at))?;
            Some(format!("{}: {} is still on vlan {at}", it.host, it.name))
        })
        .collect()
}

fn not_released(observed: &Observed, machines: &BTreeSet<String>) -> Vec<String> {
    machines
        .iter()
        .filter_map(|host| match observed.nodes.get(host) {
            None => Some(format!("{host}: MAAS does not list it")),
            Some(node) if CHANGEABLE.contains(&node.status.as_str()) => None,
            Some(node) => Some(format!("{host} is {}", node.status)),
        })
        .collect()
}

/// Reads `juju models --format json`. A missing field keeps the gate closed: what cannot be read proves nothing.
fn juju_models(source: &dyn EvidenceSource, claim: Option<&str>) -> Vec<String> {
    const STATED: &str = "no-juju-model";
    let text = match source.juju_models() {
        EvidenceReading::Text(text) => text,
        EvidenceReading::Unreadable(why) => {
            return vec![format!("the Juju models could not be read: {why}")];
        }
        EvidenceReading::NotConfigured
            if claim.is_some_and(|claim| claim.split_whitespace().any(|word| word == STATED)) =>
        {
            return Vec::new();
        }
        EvidenceReading::NotConfigured => {
            return vec![format!(
                "no source of Juju models is configured: write `/done teardown {STATED}` once `juju models` lists none on this MAAS"
            )];
        }
    };
    let value: serde_json::Value = match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(error) => return vec![format!("the Juju models are not JSON: {error}")],
    };
    let Some(models) = value.get("models").and_then(|models| models.as_array()) else {
        return vec!["the Juju models lack the field `models`".to_owned()];
    };
    let mut lines = Vec::new();
    for model in models {
        let field = |name: &str| model.get(name).and_then(|value| value.as_str());
        let name = field("name").unwrap_or("?");
        match (
            field("type"),
            model
                .get("is-controller")
                .and_then(serde_json::Value::as_bool),
        ) {
            (Some("maas"), Some(false)) => lines.push(format!(
                "the Juju model {name} is still there ({})",
                field("life").unwrap_or("?")
            )),
            (Some(_), Some(_)) => {}
            (None, _) | (_, None) => lines.push(format!(
                "the Juju model {name} does not say its type, or whether it is a controller"
            )),
        }
    }
    lines
}

/// Reads `ip -j addr`.
fn jumphost_addresses(
    source: &dyn EvidenceSource,
    claim: Option<&str>,
    has: &BTreeSet<(String, IpAddr)>,
    lacks: &BTreeSet<(String, IpAddr)>,
) -> Vec<String> {
    let text = match source.jumphost_addresses() {
        EvidenceReading::Text(text) => text,
        EvidenceReading::Unreadable(why) => {
            return vec![format!("the jumphost's addresses could not be read: {why}")];
        }
        EvidenceReading::NotConfigured => return missing_statement(claim, has),
    };
    let addresses = match parse_addresses(&text) {
        Ok(addresses) => addresses,
        Err(why) => return vec![why],
    };
    let holds = |interface: &str, ip: &IpAddr| {
        addresses
            .get(interface)
            .is_some_and(|list| list.contains(ip))
    };
    let absent = has
        .iter()
        .filter(|(interface, ip)| !holds(interface, ip))
        .map(|(interface, ip)| format!("the jumphost's {interface} does not have {ip} yet"));
    let left = lacks
        .iter()
        .filter(|(interface, ip)| holds(interface, ip))
        .map(|(interface, ip)| format!("the jumphost's {interface} still has {ip}"));
    absent.chain(left).collect()
}

fn missing_statement(claim: Option<&str>, has: &BTreeSet<(String, IpAddr)>) -> Vec<String> {
    let stated: BTreeSet<&str> = claim.unwrap_or_default().split_whitespace().collect();
    let wanted: Vec<String> = has
        .iter()
        .map(|(interface, ip)| format!("{interface}={ip}"))
        .collect();
    if wanted.iter().all(|word| stated.contains(word.as_str())) {
        return Vec::new();
    }
    vec![format!(
        "no source of the jumphost's addresses is configured: write `/done jumphost {}` once `ip addr` shows it",
        wanted.join(" ")
    )]
}

fn parse_addresses(text: &str) -> Result<BTreeMap<String, BTreeSet<IpAddr>>, String> {
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| format!("the jumphost's addresses are not JSON: {error}"))?;
    let list = value
        .as_array()
        .ok_or("the jumphost's addresses are not a list")?;
    if list.is_empty() {
        // Every machine has at least its loopback, so `ip` never prints an empty list.
        return Err("the jumphost's addresses list no interface at all".to_owned());
    }
    let mut map: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for interface in list {
        // `ip` writes a VLAN interface as `br1.7`, with its parent in a field of its own.
        let name = interface
            .get("ifname")
            .and_then(|name| name.as_str())
            .ok_or("an interface of the jumphost has no name")?;
        let infos = interface
            .get("addr_info")
            .and_then(|infos| infos.as_array());
        for info in infos.into_iter().flatten() {
            let ip: Option<IpAddr> = info
                .get("local")
                .and_then(|ip| ip.as_str())
                .and_then(|ip| ip.parse().ok());
            map.entry(name.to_owned()).or_default().extend(ip);
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Readings(EvidenceReading, EvidenceReading);
    impl EvidenceSource for Readings {
        fn juju_models(&self) -> EvidenceReading {
            self.0.clone()
        }
        fn jumphost_addresses(&self) -> EvidenceReading {
            self.1.clone()
        }
    }

    fn juju(text: &str) -> Vec<String> {
        juju_models(
            &Readings(
                EvidenceReading::Text(text.to_owned()),
                EvidenceReading::NotConfigured,
            ),
            Some("no-juju-model"),
        )
    }

    #[test]
    fn a_juju_model_on_maas_keeps_the_gate_closed_whatever_is_claimed() {
        let dying = r#"{"models":[{"name":"admin/openstack","type":"maas","is-controller":false,"life":"dying"}]}"#;
        assert_eq!(
            juju(dying),
            ["the Juju model admin/openstack is still there (dying)"]
        );
        assert!(
            juju(r#"{"models":[{"name":"admin/controller","type":"maas","is-controller":true}]}"#)
                .is_empty()
        );
        assert_eq!(juju(r#"{"models":[{"name":"x"}]}"#).len(), 1);
        assert_eq!(juju("{}").len(), 1);
        assert_eq!(juju("<html>").len(), 1);
    }

    #[test]
    fn without_a_source_an_operator_must_state_what_they_see() {
        let unconfigured = Readings(
            EvidenceReading::NotConfigured,
            EvidenceReading::NotConfigured,
        );
        assert_eq!(juju_models(&unconfigured, None).len(), 1);
        assert!(juju_models(&unconfigured, Some("no-juju-model")).is_empty());
        let has = BTreeSet::from([("virbr2".to_owned(), "10.0.0.1".parse().unwrap())]);
        assert_eq!(
            jumphost_addresses(&unconfigured, Some("virbr2"), &has, &BTreeSet::new()).len(),
            1
        );
        assert!(
            jumphost_addresses(
                &unconfigured,
                Some("virbr2=10.0.0.1"),
                &has,
                &BTreeSet::new()
            )
            .is_empty()
        );
    }

    #[test]
    fn the_jumphost_must_have_the_new_addresses_and_lack_the_old() {
        let text =
            r#"[{"ifname":"virbr2","addr_info":[{"local":"10.0.0.1"},{"local":"10.0.8.1"}]}]"#;
        let source = Readings(
            EvidenceReading::NotConfigured,
            EvidenceReading::Text(text.to_owned()),
        );
        let at = |ip: &str| BTreeSet::from([("virbr2".to_owned(), ip.parse::<IpAddr>().unwrap())]);
        assert!(jumphost_addresses(&source, None, &at("10.0.0.1"), &BTreeSet::new()).is_empty());
        assert_eq!(
            jumphost_addresses(&source, None, &at("10.0.0.1"), &at("10.0.8.1")),
            ["the jumphost's virbr2 still has 10.0.8.1"]
        );
        assert_eq!(
            jumphost_addresses(&source, None, &at("10.0.4.1"), &BTreeSet::new()).len(),
            1
        );
        // An empty list does not prove that an address was removed.
        let empty = Readings(
            EvidenceReading::NotConfigured,
            EvidenceReading::Text("[]".to_owned()),
        );
        let (has, lacks) = (BTreeSet::new(), at("10.0.8.1"));
        assert_eq!(jumphost_addresses(&empty, None, &has, &lacks).len(), 1);
    }

    /// Before MAAS 3.6 a rack checks the snippets that are recreated; a region controller without a rack cannot.
    #[test]
    fn the_gate_for_racks_stays_closed_until_maas_shows_a_racks_address() {
        let cidr: Cidr = "10.0.0.0/24".parse().unwrap();
        let is_closed = |controllers: &[(&str, Option<bool>)]| {
            let (mut nodes, mut occupants) = (BTreeMap::new(), Vec::new());
            for (host, is_rack) in controllers {
                let kind = is_rack.map_or(NodeKind::Machine, |_| NodeKind::Controller);
                let node = Node {
                    locked: false,
                    system_id: (*host).to_owned(),
                    host: (*host).to_owned(),
                    kind,
                    is_rack: *is_rack == Some(true),
                    status: String::new(),
                    boot: None,
                };
                nodes.insert((*host).to_owned(), node);
                let holder = Holder::Node {
                    host: (*host).to_owned(),
                    kind,
                    interface: None,
                };
                let ip = cidr.at(9);
                occupants.push(Occupant { ip, holder });
            }
            let occupants = BTreeMap::from([(cidr, occupants)]);
            without_rack(&nodes, &occupants, &BTreeSet::from([cidr])).len() == 1
        };
        assert!(is_closed(&[]));
        assert!(is_closed(&[("machine", None), ("region", Some(false))]));
        assert!(!is_closed(&[("region", Some(false)), ("rack", Some(true))]));
    }
}
