//! Outcomes of writes, and what keeps a write from being sent.

mod requests;

use std::sync::atomic::{AtomicBool, Ordering};

use topology::address::Range;
use topology::object::{
    Interface, InterfaceKind, InterfaceSettings, IpRange, Link, Mode, RangeKind, Subnet,
    SubnetFlags, Vlan, VlanAt,
};

use super::*;
use crate::scripted::{ScriptedTransport, fixed_environment, json, page, text};
use crate::transport::{LostAnswer, MaasResponse};

struct Held(AtomicBool);

impl WriteFence for Held {
    fn still_held(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

fn held() -> Held {
    Held(AtomicBool::new(true))
}

const FABRICS: &str = r#"[{"id": 3, "name": "blue", "class_type": null, "vlans": [
    {"id": 41, "vid": 0, "name": "untagged", "mtu": 1500, "space": "undefined", "dhcp_on": false,
     "primary_rack": null, "secondary_rack": null, "relay_vlan": null},
    {"id": 44, "vid": 7, "name": "seven", "mtu": 1500, "space": "office", "dhcp_on": false,
     "primary_rack": null, "secondary_rack": null, "relay_vlan": {"id": 41, "vid": 0}}]}]"#;

fn at(vid: u16) -> VlanAt {
    VlanAt {
        fabric: "blue".to_owned(),
        vid,
    }
}

fn seven() -> Vlan {
    Vlan {
        at: at(7),
        name: Some("seven".to_owned()),
        mtu: 1500,
        space: Some("office".to_owned()),
        dhcp_on: false,
        primary_rack: None,
        secondary_rack: None,
        relay: Some(at(0)),
    }
}

fn desks() -> Subnet {
    Subnet {
        cidr: "192.0.2.0/24".parse().unwrap(),
        name: "desks".to_owned(),
        vlan: at(7),
        gateway: Some("192.0.2.1".parse().unwrap()),
        dns: vec![
            "198.51.100.1".parse().unwrap(),
            "198.51.100.2".parse().unwrap(),
        ],
        flags: SubnetFlags::default(),
        description: String::new(),
        disabled_boot_architectures: Vec::new(),
    }
}

const DESKS: &str = r#"{"id": 9, "cidr": "192.0.2.0/24", "name": "desks", "vlan": {"fabric": "blue", "vid": 7},
    "gateway_ip": "192.0.2.1", "dns_servers": ["198.51.100.1", "198.51.100.2"], "managed": true, "allow_dns": true,
    "allow_proxy": true, "active_discovery": false, "rdns_mode": 2, "description": null,
    "disabled_boot_architectures": []}"#;

fn phones() -> IpRange {
    IpRange {
        subnet: desks().cidr,
        range: Range::new("192.0.2.10".parse().unwrap(), "192.0.2.19".parse().unwrap()).unwrap(),
        kind: RangeKind::Reserved,
        comment: "phones".to_owned(),
    }
}

const PHONES: &str = r#"{"id": 5, "type": "reserved", "start_ip": "192.0.2.10", "end_ip": "192.0.2.19",
    "comment": "phones", "subnet": {"id": 9, "cidr": "192.0.2.0/24"}}"#;

const BY_CIDR: &str = "GET subnets/cidr:192.0.2.0/24/";
const RESERVED: &str = "GET subnets/9/?op=reserved_ip_ranges";

/// A MAAS with the VLAN, and with the subnet and the range where they are given.
fn maas(subnet: bool, range: bool) -> ScriptedTransport {
    let phones = format!("[{PHONES}]");
    let maas = ScriptedTransport::default().to("GET fabrics/", Ok(json(200, FABRICS)));
    let maas = if subnet {
        maas.to(BY_CIDR, Ok(json(200, DESKS)))
    } else {
        maas.to(BY_CIDR, Ok(text(404, "No Subnet matches the given query.")))
    };
    let maas = maas.to("GET subnets/9/", Ok(json(200, DESKS)));
    if range {
        let taken = r#"[{"start": "192.0.2.1", "end": "192.0.2.19", "purpose": ["gateway-ip", "reserved"]}]"#;
        maas.to(RESERVED, Ok(json(200, taken)))
            .to("GET ipranges/", Ok(json(200, &phones)))
    } else {
        maas.to(RESERVED, Ok(json(200, "[]")))
    }
}

/// Sends `write` to `maas`: the outcome, and the writes that were sent.
async fn sent_by(maas: ScriptedTransport, write: &Write) -> (Outcome, Vec<String>) {
    let maas = Arc::new(maas);
    let client = MaasClient::new(Arc::clone(&maas), fixed_environment().0);
    let lease = held();
    let outcome = MaasWriter::new(&client, &lease).send(write).await;
    let sent = maas
        .requests()
        .into_iter()
        .filter(|line| !line.starts_with("GET"));
    (outcome, sent.collect())
}

fn change<T: Clone>(object: fn(T) -> Object, before: T, by: impl FnOnce(&mut T)) -> Write {
    let mut after = before.clone();
    by(&mut after);
    Write::Update(Box::new(object(before)), Box::new(object(after)))
}

const M1: &str = r#"[{"system_id": "m1m1m1", "hostname": "m1", "fqdn": "m1.test", "status_name": "Ready", "interface_set": [
    {"id": 60, "name": "eth0", "type": "physical", "parents": [], "vlan": {"fabric": "blue", "vid": 7}, "links": [
        {"id": 70, "mode": "auto", "subnet": {"cidr": "192.0.2.0/24"}}, {"id": 71, "mode": "link_up"}]},
    {"id": 61, "name": "eth1", "type": "physical", "parents": [], "vlan": null, "links": []}]}]"#;

/// A MAAS with the machine `m1`.
fn with_m1() -> ScriptedTransport {
    maas(true, false).to("GET machines/?hostname=m1", Ok(json(200, M1)))
}

fn interface(name: &str, kind: InterfaceKind, parents: &[&str], vlan: Option<u16>) -> Interface {
    Interface {
        settings: InterfaceSettings::default(),
        host: "m1".to_owned(),
        name: name.to_owned(),
        kind,
        parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
        vlan: vlan.map(at),
    }
}

fn link(name: &str, mode: Mode) -> Link {
    Link {
        default_gateway: false,
        host: "m1".to_owned(),
        interface: name.to_owned(),
        subnet: desks().cidr,
        mode,
    }
}

#[tokio::test]
async fn nothing_is_sent_when_maas_is_not_as_the_write_expects() {
    let other = Subnet {
        name: "chairs".to_owned(),
        ..desks()
    };
    let nowhere = Subnet {
        vlan: at(99),
        ..desks()
    };
    for (maas, write) in [
        (maas(true, false), Write::Create(Object::Subnet(desks()))),
        (
            maas(true, false),
            Write::Delete(Object::Subnet(other.clone())),
        ),
        (
            maas(true, false),
            change(Object::Subnet, other, |it| it.gateway = None),
        ),
        (maas(false, false), Write::Create(Object::Subnet(nowhere))),
        (maas(false, false), Write::Create(Object::Range(phones()))),
        (
            maas(true, false),
            change(Object::Range, phones(), |it| it.comment.clear()),
        ),
        (
            maas(true, false),
            Write::Create(Object::Vlan(Vlan {
                at: at(9),
                dhcp_on: true,
                ..seven()
            })),
        ),
        (
            with_m1(),
            Write::Create(Object::Interface(interface(
                "tag",
                InterfaceKind::Vlan,
                &["eth0"],
                Some(7),
            ))),
        ),
        (
            with_m1(),
            Write::Create(Object::Interface(interface(
                "eth9",
                InterfaceKind::Physical,
                &[],
                None,
            ))),
        ),
        (
            with_m1(),
            Write::Create(Object::Link(link("eth9", Mode::Auto))),
        ),
    ] {
        let (outcome, sent) = sent_by(maas, &write).await;
        assert!(sent.is_empty(), "{sent:?}");
        assert!(
            matches!(&outcome, Outcome::Refused { status: NOT_SENT, why } if why.starts_with("not sent")),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn what_does_not_exist_needs_no_delete() {
    let (outcome, sent) =
        sent_by(maas(false, false), &Write::Delete(Object::Subnet(desks()))).await;
    assert_eq!((outcome, sent), (Outcome::Done(None), Vec::new()));
}

#[tokio::test]
async fn threat_38_without_the_lease_nothing_is_sent() {
    let maas = Arc::new(maas(true, false));
    let client = MaasClient::new(Arc::clone(&maas), fixed_environment().0);
    let lease = Held(AtomicBool::new(false));
    let write = Write::Delete(Object::Subnet(desks()));
    let outcome = MaasWriter::new(&client, &lease).send(&write).await;
    assert!(matches!(
        outcome,
        Outcome::Refused {
            status: NOT_SENT,
            ..
        }
    ));
    assert!(maas.requests().is_empty());
}

#[tokio::test]
async fn an_answer_is_done_refused_or_unknown_and_a_write_is_never_repeated() {
    let secret =
        "Authorization Error: 'Invalid signature. Expected signature base string: &s3cret'";
    let conflict = MaasResponse {
        retry_after: Some(std::time::Duration::from_secs(5)),
        ..page(
            409,
            "<html><head><title>x</title></head><body><h2>Conflict error.</h2></body></html>",
        )
    };
    let late = LostAnswer::TimedOut(std::time::Duration::from_mins(2));
    let rows: Vec<(Result<MaasResponse, LostAnswer>, &str)> = vec![
        (Ok(text(204, "")), "Done(None)"),
        (
            Ok(text(404, "No Subnet matches the given query.")),
            "Done(None)",
        ),
        (
            Ok(text(400, "Cannot delete a subnet\nthat is in use.")),
            r#"Refused { status: 400, why: "Cannot delete a subnet that is in use." }"#,
        ),
        (
            Ok(json(
                400,
                r#"{"__all__": ["No."], "cidr": ["Taken.", "Bad."]}"#,
            )),
            r#"Refused { status: 400, why: "No. cidr: Taken. Bad." }"#,
        ),
        (
            Ok(text(403, "")),
            r#"Refused { status: 403, why: "the API key's user may not do this" }"#,
        ),
        (
            Ok(text(401, secret)),
            r#"Refused { status: 401, why: "MAAS does not accept the API key" }"#,
        ),
        (
            Ok(text(
                409,
                "because the machine is not New, Ready, Allocated, or Broken.",
            )),
            r#"Refused { status: 409, why: "because the machine is not New, Ready, Allocated, or Broken." }"#,
        ),
        (
            Ok(conflict),
            r#"Unknown { why: "DELETE subnets/9/ answered 409: Conflict error." }"#,
        ),
        (
            Ok(text(503, "busy")),
            r#"Unknown { why: "DELETE subnets/9/ answered 503: busy" }"#,
        ),
        (
            Err(late),
            r#"Unknown { why: "DELETE subnets/9/: no complete response within 120 s" }"#,
        ),
        (
            Ok(page(302, "")),
            r#"Refused { status: 302, why: "a redirect, which is not followed" }"#,
        ),
    ];
    for (answer, expected) in rows {
        let maas = maas(true, false).to("DELETE subnets/9/", answer);
        let (outcome, sent) = sent_by(maas, &Write::Delete(Object::Subnet(desks()))).await;
        assert_eq!(format!("{outcome:?}"), expected);
        assert_eq!(sent.len(), 1);
    }
    let cut = maas(false, false).to("POST subnets/", Ok(json(200, r#"{"id": 1"#)));
    let (outcome, _) = sent_by(cut, &Write::Create(Object::Subnet(desks()))).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
}

#[tokio::test]
async fn refusals_are_truncated() {
    let long = "x".repeat(5_000);
    let maas = maas(true, false).to("DELETE subnets/9/", Ok(text(400, &long)));
    let (outcome, _) = sent_by(maas, &Write::Delete(Object::Subnet(desks()))).await;
    assert!(
        matches!(&outcome, Outcome::Refused { why, .. } if why.chars().count() == 300),
        "{outcome:?}"
    );
}
