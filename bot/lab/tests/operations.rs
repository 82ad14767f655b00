//! What an operator does with machines over the API, and what other clients than planebot's need.

mod support;

use lab::maas::{LabMaas, LoadError};
use serde_json::{Value, json};
use support::{Asked, VERSIONS};

/// Two machines on a network with DHCP; `worker` is Ready, `busy` is Deployed.
fn cloud() -> Value {
    let machine = |name: &str, status: &str, mac: &str| {
        json!({
            "hostname": name, "status": status, "bmc": {"type": "ipmi", "address": null},
            "interfaces": [
                {"name": "eno1", "mac": format!("{mac}:01"), "links": [{"mode": "AUTO", "subnet": "192.0.2.0/24"}]},
                {"name": "eno2", "mac": format!("{mac}:02"), "fabric": "plant", "links": [{"mode": "LINK_UP"}]},
            ],
        })
    };
    json!({
        "users": [{"name": "bob", "admin": false}],
        "fabrics": [{"name": "plant", "vlans": [
            {"vid": 0, "subnets": [{"cidr": "192.0.2.0/24", "gateway": "192.0.2.1"}]},
            {"vid": 30, "subnets": [{"cidr": "198.51.100.0/24"}]},
        ]}],
        "controllers": [{"hostname": "tower", "interfaces": [{"name": "eno1"}]}],
        "machines": [
            machine("worker", "Ready", "52:54:00:10:00"),
            machine("busy", "Deployed", "52:54:00:20:00"),
        ],
    })
}

fn asked(version: &str) -> Asked {
    Asked::of(&cloud(), version)
}

#[test]
fn without_running_racks_power_is_503_and_images_are_missing() {
    for version in VERSIONS {
        let mut asked = asked(version);
        let worker = asked.machine("worker");
        let (status, text) = asked.post(&format!("{worker}?op=commission"), "");
        assert!(
            status == 400 && text.to_string().contains("is unavailable"),
            "{text}"
        );
        let (status, text) = asked.post(&format!("{worker}?op=deploy"), "");
        assert_eq!(status, 400, "{text}");
        let busy = asked.machine("busy");
        assert_eq!(asked.post(&format!("{busy}?op=release"), "").0, 503);
        assert_eq!(asked.status_of("busy"), "Deployed");
    }
}

#[test]
fn a_refused_deploy_leaves_the_machine_allocated_before_3_6() {
    for (version, status) in [("3.5.12", "Allocated"), ("3.7.3", "Ready")] {
        let mut asked = asked(version);
        let worker = asked.machine("worker");
        asked.post(&format!("{worker}?op=deploy"), "");
        assert_eq!(asked.status_of("worker"), status, "{version}");
    }
}

#[test]
fn a_machine_goes_from_ready_to_deployed_to_new_and_back_to_ready() {
    for version in VERSIONS {
        let mut asked = asked(version);
        let worker = asked.machine("worker");
        assert_eq!(asked.post("boot-resources/?op=import", "").0, 200);
        assert_eq!(asked.post("machines/?op=allocate", "name=worker").0, 200);
        assert_eq!(asked.links("worker", "eno1")[0]["ip_address"], Value::Null);
        let (status, shown) = asked.post(&format!("{worker}?op=deploy"), "distro_series=jammy");
        assert_eq!((status, &shown["status_name"]), (200, &json!("Deploying")));
        assert_eq!(asked.links("worker", "eno1")[0]["ip_address"], "192.0.2.2");
        asked.now += 2;
        assert_eq!(asked.status_of("worker"), "Deployed");
        assert_eq!(asked.post(&format!("{worker}?op=lock"), "").0, 200);
        assert_eq!(asked.post(&format!("{worker}?op=release"), "").0, 403);
        assert_eq!(asked.post(&format!("{worker}?op=unlock"), "").0, 200);
        assert_eq!(asked.post(&format!("{worker}?op=release"), "").0, 200);
        assert_eq!(asked.status_of("worker"), "Releasing");
        asked.now += 2;
        // It was never commissioned.
        assert_eq!(asked.status_of("worker"), "New");
        assert_eq!(asked.links("worker", "eno1")[0]["ip_address"], Value::Null);
        assert_eq!(asked.post(&format!("{worker}?op=commission"), "").0, 200);
        assert_eq!(asked.post(&format!("{worker}?op=abort"), "").0, 200);
        assert_eq!(asked.status_of("worker"), "New");
        asked.post(&format!("{worker}?op=commission"), "");
        asked.now += 2;
        assert_eq!(asked.status_of("worker"), "Ready");
        assert_eq!(asked.links("worker", "eno1")[0]["mode"], "auto");
        assert_eq!(asked.links("worker", "eno2")[0]["mode"], "link_up");
        let (_, images) = asked.get("boot-resources/");
        assert!(images.as_array().is_some_and(|list| !list.is_empty()));
    }
}

#[test]
fn only_the_owner_marks_a_machine_broken_and_only_an_administrator_marks_it_fixed() {
    let mut asked = asked("3.7.3");
    let worker = asked.machine("worker");
    assert_eq!(asked.post(&format!("{worker}?op=mark_broken"), "").0, 403);
    asked.user = "bob";
    assert_eq!(asked.post("machines/?op=allocate", "").0, 200);
    asked.user = "admin";
    assert_eq!(asked.post(&format!("{worker}?op=mark_broken"), "").0, 403);
    asked.user = "bob";
    assert_eq!(
        asked
            .post(&format!("{worker}?op=mark_broken"), "comment=fan")
            .0,
        200
    );
    assert_eq!(asked.status_of("worker"), "Broken");
    assert_eq!(asked.post(&format!("{worker}?op=mark_fixed"), "").0, 403);
    asked.user = "admin";
    assert_eq!(asked.post(&format!("{worker}?op=mark_fixed"), "").0, 200);
    assert_eq!(asked.status_of("worker"), "Ready");
    assert_eq!(asked.post(&format!("{worker}?op=mark_fixed"), "").0, 409);
}

#[test]
fn lists_are_filtered_and_unknown_filters_are_refused() {
    let mut asked = asked("3.5.12");
    let mut hosts = |query: &str| {
        let (status, list) = asked.get(&format!("machines/?{query}"));
        let names = list.as_array().into_iter().flatten();
        let names = names.map(|node| node["hostname"].as_str().unwrap_or_default().to_owned());
        (status, names.collect::<Vec<_>>().join(" "))
    };
    for (query, found) in [
        ("", "worker busy"),
        ("status=ready", "worker"),
        ("status=ready&status=deployed", "worker busy"),
        ("not_status=ready", "busy"),
        ("hostname=busy&hostname=nobody", "busy"),
        ("mac_address=52:54:00:20:00:02", "busy"),
        ("subnets=192.0.2.0/24", "worker busy"),
        ("not_subnets=192.0.2.0/24", ""),
        ("vlans=vid:30", ""),
        ("owner=admin", "busy"),
        ("pool=default&zone=default&domain=maas", "worker busy"),
    ] {
        assert_eq!(hosts(query), (200, found.to_owned()), "{query}");
    }
    for query in [
        "status=odd",
        "zone=odd",
        "tags=odd",
        "limit=1",
        "owner=odd",
        "subnets=odd",
    ] {
        assert_eq!(hosts(query).0, 400, "{query}");
    }
}

#[test]
fn interfaces_of_a_layout_may_come_in_any_order() {
    let host = |interfaces: Value| {
        json!({
            "fabrics": [{"name": "plant", "vlans": [{"vid": 0}, {"vid": 30, "subnets": [{"cidr": "192.0.2.0/24"}]}]}],
            "machines": [{"hostname": "worker", "interfaces": interfaces}],
        })
    };
    let eno = |number: u32| json!({"name": format!("eno{number}"), "fabric": "plant", "vlan": 0});
    let bond = json!({"name": "bond0", "type": "bond", "parents": ["eno2", "eno1"], "bond_mode": "802.3ad"});
    let tagged = json!({
        "name": "bond0.30", "type": "vlan", "parents": ["bond0"], "vlan": 30,
        "links": [{"mode": "STATIC", "subnet": "192.0.2.0/24", "ip": "192.0.2.9"}],
    });
    for interfaces in [
        json!([tagged, bond, eno(1), eno(2)]),
        json!([eno(1), eno(2), bond, tagged]),
        json!([bond, tagged, eno(2), eno(1)]),
    ] {
        let mut asked = Asked::of(&host(interfaces.clone()), "3.7.3");
        let worker = asked.machine("worker");
        let (_, shown) = asked.get(&worker);
        let rows = shown["interface_set"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let row = |name: &str| rows.iter().find(|row| row["name"] == name).cloned();
        let bond = row("bond0").expect("the bond is there");
        assert_eq!(
            bond["parents"].as_array().map(Vec::len),
            Some(2),
            "{interfaces}"
        );
        assert_eq!(bond["params"]["bond_mode"], "802.3ad");
        let tagged = row("bond0.30").expect("the VLAN interface is there");
        assert_eq!(tagged["vlan"]["vid"], 30);
        assert_eq!(tagged["links"][0]["ip_address"], "192.0.2.9");
        // The first port that the layout names gives the MAC.
        assert_eq!(
            bond["mac_address"],
            row("eno2").expect("it is there")["mac_address"]
        );
    }
    let refused = |interfaces: Value| -> LoadError {
        let loaded = LabMaas::load(&host(interfaces).to_string(), Some("3.7.3"));
        loaded.expect_err("it cannot be loaded")
    };
    let absent = refused(json!([eno(1), bond]));
    assert_eq!(absent.place, "machines[0].interfaces[1].parents");
    let circle = json!([
        {"name": "br0", "type": "bridge", "parents": ["br1"]},
        {"name": "br1", "type": "bridge", "parents": ["br0"]},
    ]);
    assert_eq!(refused(circle).place, "machines[0].interfaces[0].parents");
    let twice = refused(json!([eno(1), eno(1)]));
    assert_eq!(twice.place, "machines[0].interfaces[1].name");
}

#[test]
fn the_description_names_paths_and_operations_that_exist() {
    for version in VERSIONS {
        let mut asked = asked(version);
        asked.user = "nobody";
        let (status, described) = asked.get("describe/");
        assert_eq!(status, 200);
        asked.user = "admin";
        let resources = described["resources"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert!(resources.len() > 45, "{}", resources.len());
        let mut reads = 0;
        for resource in resources {
            let handler = &resource["auth"];
            let path = handler["path"].as_str().unwrap_or_default();
            let uri = handler["uri"].as_str().unwrap_or_default();
            assert_eq!(uri, format!("http://lab.test{path}"));
            let path = path.strip_prefix("/MAAS/api/2.0/").unwrap_or_default();
            for action in handler["actions"].as_array().into_iter().flatten() {
                let plain = action["op"].is_null() && action["method"] == "GET";
                if plain && handler["params"] == json!([]) {
                    reads += 1;
                    assert_eq!(asked.get(path).0, 200, "{path}");
                }
            }
        }
        assert!(reads > 20, "{reads}");
        // Reserved IPs came with 3.6.
        let text = described.to_string();
        assert_eq!(text.contains("reservedips"), version == "3.7.3");
    }
}

#[test]
fn a_body_in_base64_parts_is_read_as_the_maas_client_writes_it() {
    let mut asked = asked("3.7.3");
    let body = "--=b==\r\nContent-Type: text/plain; charset=\"utf-8\"\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nc3BhcmU=\r\n\r\n--=b==--";
    let kind = "multipart/form-data; boundary=\"=b==\"";
    let (status, shown) = asked.send("POST", "fabrics/", body, kind);
    assert_eq!((status, &shown["name"]), (200, &json!("spare")), "{shown}");
}

#[test]
fn a_bridge_of_an_allocated_machine_takes_its_ports_links_until_the_release() {
    let mut asked = asked("3.7.3");
    let worker = asked.machine("worker");
    asked.post(&format!("{worker}?op=release"), "");
    asked.post("machines/?op=allocate", "name=worker");
    let port = asked.interface("worker", "eno1");
    let made = asked.post(
        &format!("{}?op=create_bridge", asked.interfaces("worker")),
        &format!("name=br0&parent={port}"),
    );
    assert_eq!(made.0, 200, "{}", made.1);
    assert_eq!(asked.links("worker", "br0")[0]["mode"], "auto");
    assert_eq!(asked.links("worker", "eno1"), json!([]));
    assert_eq!(asked.post(&format!("{worker}?op=release"), "").0, 200);
    assert_eq!(asked.links("worker", "eno1")[0]["mode"], "auto");
    assert_eq!(asked.links("worker", "br0"), Value::Null);
}
