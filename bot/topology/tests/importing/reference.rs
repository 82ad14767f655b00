//! The repository's own `topology/`: the reference site, compared with the recorded facts, and the schema.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use topology::plane::{Machine, Plane, PlaneSubnet, Topology};
use topology::schema;

use crate::{checked, layouts};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../topology"))
}

fn files() -> BTreeMap<String, String> {
    std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .map(|(name, path)| (name, std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The declared site without what people added for people.
fn declared() -> Topology {
    let checked = checked(&files());
    let rendered: Vec<String> = checked.findings.iter().map(ToString::to_string).collect();
    assert!(rendered.is_empty(), "{}", rendered.join("\n"));
    checked.topology.unwrap()
}

#[test]
fn the_published_schema_is_up_to_date() {
    let there = &files()["topology.schema.json"];
    assert!(
        *there == schema::text(),
        "regenerate it with `planebot schema > topology/topology.schema.json`"
    );
}

#[test]
fn the_reference_site_matches_the_facts() {
    let declared = declared();
    let layout = &layouts::all()["baldurkeep-d058-renumber.after.json"];
    let files = topology::write::files(&layouts::observed(layout), "reference");
    let facts = checked(&files).topology.unwrap();
    let planes = |of: &Topology| -> Vec<Plane> {
        of.planes
            .values()
            .cloned()
            .map(|plane| Plane {
                description: String::new(),
                ..plane
            })
            .collect()
    };
    assert_eq!(planes(&declared), planes(&facts));
    assert_eq!(
        (&declared.spaces, &declared.leave_alone),
        (&facts.spaces, &facts.leave_alone)
    );
    assert_eq!(declared.machines.len(), facts.machines.len());
    for (host, machine) in &declared.machines {
        same_machine(machine, &facts.machines[host]);
    }
}

fn same_machine(declared: &Machine, fact: &Machine) {
    let by_name = |machine: &Machine| {
        let each = machine
            .interfaces
            .iter()
            .map(|i| (i.name.clone(), (i.kind, i.parents.clone(), i.links.clone())));
        each.collect::<BTreeMap<_, _>>()
    };
    assert_eq!(by_name(declared), by_name(fact), "{}", declared.host);
}

#[test]
fn its_jumphost_and_services_match_the_facts() {
    let declared = declared();
    let layout = &layouts::all()["baldurkeep-d058-renumber.after.json"];
    let rows = |key: &str, fields: [&str; 3]| -> Vec<String> {
        let row = |value: &Value| {
            fields
                .map(|field| value[field].as_str().unwrap().to_owned())
                .join(" ")
        };
        let mut rows: Vec<String> = layout[key].as_array().unwrap().iter().map(row).collect();
        rows.sort();
        rows
    };
    let mut jumphost: Vec<String> = declared
        .jumphost
        .iter()
        .map(|at| format!("{} {} {}", at.interface, at.plane, at.address))
        .collect();
    jumphost.sort();
    assert_eq!(
        jumphost,
        rows("jumphost", ["interface", "plane", "address"])
    );
    let mut vips: Vec<String> = declared
        .vips
        .iter()
        .flat_map(|group| {
            group
                .legs
                .values()
                .map(|(plane, ip)| format!("{} {plane} {ip}", group.name))
        })
        .collect();
    vips.sort();
    assert_eq!(vips, rows("vips", ["name", "plane", "address"]));
}

/// One line of one file moves a plane, and everything that was said relative to it.
#[test]
fn a_plane_that_moves_keeps_its_offsets_and_references() {
    let mut files = files();
    let metal = files.get_mut("metal-admin.yaml").unwrap();
    *metal = metal.replace("10.12.12.0/22", "10.12.24.0/22");
    let moved = checked(&files).topology.unwrap();
    let subnet = |key: &str| -> PlaneSubnet { moved.planes[key].subnets[0].clone() };
    assert_eq!(
        subnet("metal-admin").gateway,
        Some(Some("10.12.24.1".parse().unwrap()))
    );
    assert_eq!(
        subnet("storage").dns,
        Some(vec!["10.12.24.1".parse().unwrap()])
    );
    let at = moved
        .jumphost
        .iter()
        .find(|at| at.plane == "metal-admin")
        .unwrap();
    assert_eq!(at.address.to_string(), "10.12.24.1");
    assert_eq!(moved.vips[0].legs["admin"].1.to_string(), "10.12.24.50");
}
