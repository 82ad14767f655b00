//! Loads every layout of the repository into both releases of the lab's MAAS, and layouts that no real MAAS can store.

use std::path::{Path, PathBuf};

use lab::maas::{LabMaas, LoadError};
use serde_json::{Value, json};

const VERSIONS: [&str; 2] = ["3.5.12", "3.7.3"];

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}

fn layouts() -> Vec<PathBuf> {
    let topologies = tests().join("topologies");
    let mut found = vec![tests().join("recordings/scenario.json")];
    for folder in [topologies.join("changes"), topologies] {
        let entries = std::fs::read_dir(folder).expect("the layouts are there");
        found.extend(entries.filter_map(|entry| entry.ok().map(|entry| entry.path())));
    }
    found.retain(|path| path.extension().is_some_and(|end| end == "json"));
    found.retain(|path| !path.ends_with("layout.schema.json"));
    found.sort();
    found
}

fn refusal(layout: &Value, version: &str) -> LoadError {
    let loaded = LabMaas::load(&layout.to_string(), Some(version));
    loaded.expect_err("a real MAAS cannot hold it")
}

fn with_subnets(subnets: &Value) -> Value {
    json!({"fabrics": [{"name": "lab", "vlans": [{"vid": 0, "subnets": subnets}]}]})
}

#[test]
fn every_layout_loads_into_both_releases_of_maas() {
    let layouts = layouts();
    assert!(layouts.len() > 8, "{layouts:?}");
    for path in layouts {
        let text = std::fs::read_to_string(&path).expect("it can be read");
        for version in VERSIONS {
            let loaded = LabMaas::load(&text, Some(version));
            assert!(
                loaded.is_ok(),
                "{} on {version}: {:?}",
                path.display(),
                loaded.err()
            );
        }
    }
}

#[test]
fn a_duplicate_network_is_refused_with_its_path() {
    let layout = with_subnets(&json!([{"cidr": "192.0.2.0/25"}, {"cidr": "192.0.2.0/25"}]));
    for version in VERSIONS {
        assert_eq!(
            refusal(&layout, version).place,
            "fabrics[0].vlans[0].subnets[1].cidr"
        );
    }
}

#[test]
fn an_overlap_is_refused_where_maas_refuses_it() {
    let layout = with_subnets(&json!([{"cidr": "192.0.2.0/24"}, {"cidr": "192.0.2.0/25"}]));
    assert!(LabMaas::load(&layout.to_string(), Some("3.5.12")).is_ok());
    assert!(LabMaas::load(&layout.to_string(), Some("3.6.4")).is_ok());
    assert_eq!(
        refusal(&layout, "3.7.0").place,
        "fabrics[0].vlans[0].subnets[1].cidr"
    );
}

#[test]
fn what_no_maas_can_store_is_refused_with_its_path() {
    let subnet = |more: Value| {
        let mut subnet = json!({"cidr": "192.0.2.0/24"});
        for (key, value) in more.as_object().cloned().unwrap_or_default() {
            subnet[key] = value;
        }
        with_subnets(&json!([subnet]))
    };
    let range = |start: &str, end: &str| json!({"type": "reserved", "start": start, "end": end});
    let cases = [
        (subnet(json!({"gateway": "198.51.100.1"})), "gateway"),
        (subnet(json!({"cidr": "192.0.2.1/24"})), "cidr"),
        (
            subnet(json!({"ranges": [range("192.0.2.20", "192.0.2.10")]})),
            "ranges[0]",
        ),
        (
            subnet(json!({"ranges": [range("192.0.2.0", "192.0.2.10")]})),
            "ranges[0]",
        ),
        (
            subnet(json!({"ranges": [range("192.0.2.9", "192.0.3.10")]})),
            "ranges[0]",
        ),
        (
            subnet(
                json!({"ranges": [range("192.0.2.5", "192.0.2.9"), range("192.0.2.9", "192.0.2.12")]}),
            ),
            "ranges[1]",
        ),
    ];
    for (layout, place) in cases {
        for version in VERSIONS {
            let expected = format!("fabrics[0].vlans[0].subnets[0].{place}");
            assert_eq!(refusal(&layout, version).place, expected);
        }
    }
}

#[test]
fn a_gateway_may_lie_inside_an_existing_dynamic_range() {
    let layout = with_subnets(&json!([{
        "cidr": "192.0.2.0/24", "gateway": "192.0.2.15",
        "ranges": [{"type": "dynamic", "start": "192.0.2.10", "end": "192.0.2.20"}],
    }]));
    for version in VERSIONS {
        assert!(LabMaas::load(&layout.to_string(), Some(version)).is_ok());
    }
}
