//! The exact request of each write.

use topology::object::{Fabric, InterfaceKind, ReservedIp, Space, StaticRoute};

use super::*;

/// Each write is sent as exactly that request.
async fn are_sent_as(rows: Vec<(ScriptedTransport, Write, &str)>) {
    for (maas, write, request) in rows {
        let line = request.split(": ").next().unwrap();
        let maas = maas.to(line, Ok(json(200, r#"{"id": 9}"#)));
        let (outcome, sent) = sent_by(maas, &write).await;
        assert_eq!(sent, [request], "{outcome:?}");
    }
}

#[tokio::test]
async fn a_subnet_is_written_with_row_numbers_and_only_what_differs() {
    are_sent_as(vec![
        (
            maas(false, false),
            Write::Create(Object::Subnet(desks())),
            "POST subnets/: cidr=192.0.2.0/24&name=desks&vlan=44&gateway_ip=192.0.2.1&dns_servers=198.51.100.1 198.51.100.2",
        ),
        (
            maas(true, false),
            change(Object::Subnet, desks(), |it| {
                it.gateway = None;
                it.flags.allow_proxy = false;
            }),
            "PUT subnets/9/: gateway_ip=&allow_proxy=false",
        ),
        (
            maas(true, false),
            change(Object::Subnet, desks(), |it| {
                it.cidr = "203.0.113.0/24".parse().unwrap();
                it.gateway = Some("203.0.113.1".parse().unwrap());
            }),
            "PUT subnets/9/: cidr=203.0.113.0/24&gateway_ip=203.0.113.1&name=desks",
        ),
        (
            maas(true, false),
            Write::Delete(Object::Subnet(desks())),
            "DELETE subnets/9/",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_range_is_written_with_its_subnet_and_a_nudge_sends_its_comment_again() {
    are_sent_as(vec![
        (
            maas(true, false),
            Write::Create(Object::Range(phones())),
            "POST ipranges/: subnet=9&type=reserved&start_ip=192.0.2.10&end_ip=192.0.2.19&comment=phones",
        ),
        (
            maas(true, true),
            change(Object::Range, phones(), |it| it.comment.clear()),
            "PUT ipranges/5/: comment=",
        ),
        (
            maas(true, true),
            change(Object::Range, phones(), |_same| {}),
            "PUT ipranges/5/: comment=phones",
        ),
        (
            maas(true, true),
            Write::Delete(Object::Range(phones())),
            "DELETE ipranges/5/",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_vlan_gets_both_racks_at_once() {
    let spaces = r#"[{"id": -1, "name": "undefined"}, {"id": 2, "name": "office"}]"#;
    are_sent_as(vec![
        (
            maas(true, false),
            Write::Create(Object::Vlan(Vlan {
                at: at(8),
                relay: None,
                ..seven()
            })),
            "POST fabrics/3/vlans/: vid=8&mtu=1500&name=seven&space=office",
        ),
        (
            maas(true, false),
            change(Object::Vlan, seven(), |it| {
                it.relay = None;
                it.dhcp_on = true;
                it.primary_rack = Some("rack1".to_owned());
                it.space = None;
            }),
            "PUT vlans/44/: space=&dhcp_on=true&primary_rack=rack1&secondary_rack=&relay_vlan=",
        ),
        (
            maas(true, false),
            Write::Delete(Object::Vlan(seven())),
            "DELETE vlans/44/",
        ),
        (
            maas(true, false).to("GET spaces/", Ok(json(200, spaces))),
            Write::Delete(Object::Space(Space {
                name: "office".to_owned(),
            })),
            "DELETE spaces/2/",
        ),
        (
            maas(true, false),
            change(
                Object::Fabric,
                Fabric {
                    name: "blue".to_owned(),
                },
                |it| {
                    it.name = "green".to_owned();
                },
            ),
            "PUT fabrics/3/: name=green",
        ),
    ])
    .await;
}

#[tokio::test]
async fn interfaces_and_links_are_written_below_their_node() {
    let ip = "192.0.2.33".parse().unwrap();
    are_sent_as(vec![
        (
            with_m1(),
            Write::Create(Object::Interface(interface("eth0.7", InterfaceKind::Vlan, &["eth0"], Some(7)))),
            "POST nodes/m1m1m1/interfaces/?op=create_vlan: parent=60&vlan=44",
        ),
        (
            with_m1(),
            Write::Create(Object::Interface(interface("br0", InterfaceKind::Bridge, &["eth0"], Some(7)))),
            "POST nodes/m1m1m1/interfaces/?op=create_bridge: name=br0&parent=60",
        ),
        (
            with_m1(),
            Write::Create(Object::Interface(interface("bond0", InterfaceKind::Bond, &["eth0", "eth1"], Some(7)))),
            "POST nodes/m1m1m1/interfaces/?op=create_bond: name=bond0&parents=60&parents=61",
        ),
        (
            with_m1(),
            change(Object::Interface, interface("eth1", InterfaceKind::Physical, &[], None), |it| it.vlan = Some(at(0))),
            "PUT nodes/m1m1m1/interfaces/61/: vlan=41",
        ),
        (
            with_m1(),
            Write::Delete(Object::Interface(interface("eth1", InterfaceKind::Physical, &[], None))),
            "DELETE nodes/m1m1m1/interfaces/61/",
        ),
        (
            with_m1(),
            Write::Create(Object::Link(link("eth1", Mode::Static(ip)))),
            "POST nodes/m1m1m1/interfaces/61/?op=link_subnet: mode=STATIC&subnet=9&ip_address=192.0.2.33",
        ),
        (
            with_m1(),
            Write::Delete(Object::Link(link("eth0", Mode::Auto))),
            "POST nodes/m1m1m1/interfaces/60/?op=unlink_subnet: id=70",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_created_link_has_its_own_row_number() {
    let eth1 = r#"{"id": 61, "name": "eth1", "type": "physical", "parents": [], "vlan": {"fabric": "blue", "vid": 7},
        "links": [{"id": 80, "mode": "dhcp", "subnet": {"cidr": "192.0.2.0/24"}}]}"#;
    let maas = with_m1().to(
        "POST nodes/m1m1m1/interfaces/61/?op=link_subnet",
        Ok(json(200, eth1)),
    );
    let (outcome, _) = sent_by(maas, &Write::Create(Object::Link(link("eth1", Mode::Dhcp)))).await;
    assert_eq!(outcome, Outcome::Done(Some(80)));
}

#[tokio::test]
async fn routes_and_reserved_ips_name_their_subnets_by_row() {
    let there = r#"{"id": 10, "cidr": "198.51.100.0/24", "name": "x", "vlan": {"fabric": "blue", "vid": 0},
        "gateway_ip": null, "dns_servers": [], "managed": true, "allow_dns": true, "allow_proxy": true,
        "active_discovery": false, "rdns_mode": 2, "description": ""}"#;
    let maas = || {
        maas(true, false)
            .to("GET subnets/cidr:198.51.100.0/24/", Ok(json(200, there)))
            .to("GET static-routes/", Ok(json(200, "[]")))
            .to("GET reservedips/", Ok(json(200, "[]")))
            .to("GET version/", Ok(json(200, r#"{"version": "3.6.1"}"#)))
    };
    let route = StaticRoute {
        source: desks().cidr,
        destination: "198.51.100.0/24".parse().unwrap(),
        gateway: "192.0.2.1".parse().unwrap(),
        metric: 3,
    };
    let reserved = ReservedIp {
        ip: "192.0.2.90".parse().unwrap(),
        mac: "52:54:00:00:00:01".to_owned(),
        subnet: desks().cidr,
        comment: "door".to_owned(),
    };
    are_sent_as(vec![
        (
            maas(),
            Write::Create(Object::Route(route)),
            "POST static-routes/: source=9&destination=10&gateway_ip=192.0.2.1&metric=3",
        ),
        (
            maas(),
            Write::Create(Object::ReservedIp(reserved)),
            "POST reservedips/: subnet=9&ip=192.0.2.90&mac_address=52:54:00:00:00:01&comment=door",
        ),
    ])
    .await;
}
