//! What can be changed, object by object: each change is planned, carried out in the lab and found without drift, or
//! refused for a true reason, on every release.
//!
//! One small cloud, imported; one change of its files; a plan. The changes are rows of `objects/changes.txt`.

mod snippets;
mod tenants;

use execution::rehearse::in_memory::InMemoryMaas;
use maas::{MaasRequest, Method, Transport as _};
use plan::plan::{Plan, PlanPolicy, RefusedPlan};
use topology::Topology;
use topology::draft::SourceFile;

use crate::lab::{World, outside, world_of};
use crate::walk::{carried_out, lines};

pub(crate) const CLOUD: &str = include_str!("objects/cloud.json");
const CHANGES: &str = include_str!("objects/changes.txt");

/// Of each line one that is in the field.
const VERSIONS: [&str; 5] = ["2.9.2", "3.4.8", "3.5.12", "3.6.5", "3.7.3"];

/// One row: a change, and what must come of it.
#[derive(Default)]
pub(crate) struct Change {
    what: String,
    /// File, the text that is there, the text instead.
    edits: Vec<(String, String, String)>,
    /// The code of the refusal.
    refused: Option<String>,
    /// On older releases there is no such object.
    since: Option<String>,
    /// How many steps it takes, where that is the point.
    steps: Option<usize>,
    /// How much of it waits for somebody.
    waits: usize,
    /// The code with which taking it back is refused.
    no_way_back: Option<String>,
}

impl Change {
    /// One edit of one file.
    pub(crate) fn of(file: &str, from: &str, to: &str) -> Self {
        Self::of_all(&[(file, from, to)])
    }

    /// Edits of several files: file, the text that is there, the text instead.
    pub(crate) fn of_all(edits: &[(&str, &str, &str)]) -> Self {
        let owned = |(file, from, to): &(&str, &str, &str)| {
            ((*file).to_owned(), (*from).to_owned(), (*to).to_owned())
        };
        Self {
            edits: edits.iter().map(owned).collect(),
            ..Self::default()
        }
    }

    /// The same with more edits.
    pub(crate) fn and(mut self, edits: &[(&str, &str, &str)]) -> Self {
        self.edits.extend(Self::of_all(edits).edits);
        self
    }
}

/// The rows under `[section]`.
fn rows(section: &str) -> Vec<Change> {
    let mut rows: Vec<Change> = Vec::new();
    let inside = CHANGES
        .lines()
        .skip_while(|line| *line != format!("[{section}]"))
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    for line in inside.filter(|line| !line.is_empty()) {
        if let Some(title) = line.strip_prefix("* ") {
            rows.push(titled(title));
        } else {
            let parts: Vec<String> = line.split('|').map(unescaped).collect();
            let [file, from, to] = parts.as_slice() else {
                panic!("`{line}` is no edit");
            };
            let edit = (file.trim().to_owned(), from.clone(), to.clone());
            rows.last_mut().unwrap().edits.push(edit);
        }
    }
    assert!(!rows.is_empty(), "nothing under [{section}]");
    rows
}

fn titled(title: &str) -> Change {
    let mut row = Change::default();
    let mut words = Vec::new();
    for word in title.split(' ') {
        match word.split_at(1) {
            ("!", code) => row.refused = Some(code.to_owned()),
            ("@", version) => row.since = Some(version.to_owned()),
            ("~", code) => row.no_way_back = Some(code.to_owned()),
            ("%", waits) => row.waits = waits.parse().unwrap(),
            ("=", steps) => row.steps = Some(steps.parse().unwrap()),
            _ => words.push(word),
        }
    }
    row.what = words.join(" ");
    row
}

fn unescaped(part: &str) -> String {
    let part = part.strip_prefix(' ').unwrap_or(part);
    part.strip_suffix(' ').unwrap_or(part).replace("\\n", "\n")
}

/// What is there, declared.
pub(crate) async fn imported(world: &World) -> Vec<SourceFile> {
    let files = topology::write::files(&world.observe_all().await, "site");
    files
        .into_iter()
        // One network is a stranger's: nobody declares it.
        .filter(|(path, _)| path != "stranger.yaml")
        .map(|(path, text)| SourceFile {
            path,
            bytes: text.into_bytes(),
        })
        .collect()
}

pub(crate) fn edited(mut sources: Vec<SourceFile>, change: &Change) -> Topology {
    for (file, from, to) in &change.edits {
        let path = format!("{file}.yaml");
        let Some(source) = sources.iter_mut().find(|source| source.path == path) else {
            assert!(from.is_empty(), "no file `{path}`");
            let bytes = to.as_bytes().to_vec();
            sources.push(SourceFile { path, bytes });
            continue;
        };
        let text = String::from_utf8(std::mem::take(&mut source.bytes)).unwrap();
        assert!(text.contains(from), "`{from}` is not in {path}:\n{text}");
        source.bytes = if from.is_empty() {
            format!("{text}{to}").into_bytes()
        } else {
            text.replacen(from, to, 1).into_bytes()
        };
    }
    let checked = topology::check::check(&sources);
    let Some(topology) = checked.topology else {
        panic!("{}: {:#?}", change.what, checked.findings);
    };
    topology
}

/// The change is taken back as people do it, by declaring what was declared before.
async fn reverted(world: &World, before: &Topology, change: &Change) -> Result<(), String> {
    let observed = world.observe(before).await;
    let outcome = Plan::between(&observed, before, &PlanPolicy::default());
    if let Some(code) = &change.no_way_back {
        return refused_as(code, outcome);
    }
    let plan = outcome.map_err(|refused| format!("no way back: {:#?}", refused.refusals))?;
    carried_out(world, before, &plan)
        .await
        .map_err(|why| format!("on the way back: {why}\n{}", lines(&plan).join("\n")))
}

/// What is wrong with what came of `change`, if anything.
async fn judged(change: &Change, version: &str) -> Result<(), String> {
    let world = world_of(CLOUD, Some(version));
    let files = imported(&world).await;
    let before = edited(files.clone(), &Change::default());
    let topology = edited(files, change);
    let observed = world.observe(&topology).await;
    let outcome = Plan::between(&observed, &topology, &PlanPolicy::default());
    let too_old = change.since.as_deref().is_some_and(|since| {
        topology::version::MaasVersion::read(version) < topology::version::MaasVersion::read(since)
    });
    let code = change
        .refused
        .as_deref()
        .or(too_old.then_some("not-in-this-maas"));
    match (code, outcome) {
        (Some(code), outcome) => refused_as(code, outcome),
        (None, Err(refused)) => Err(format!("{:#?}", refused.refusals)),
        (None, Ok(plan)) => {
            let steps = plan.steps.len();
            let told = |why: String| format!("{why}\n{}", lines(&plan).join("\n"));
            if plan.waits.len() != change.waits {
                return Err(told(format!("waits: {:#?}", plan.waits)));
            }
            if change.steps.map_or(steps == 0, |wanted| wanted != steps) {
                return Err(told(format!("{steps} steps")));
            }
            carried_out(&world, &topology, &plan).await.map_err(told)?;
            reverted(&world, &before, change).await.map_err(told)
        }
    }
}

fn refused_as(code: &str, outcome: Result<Plan, RefusedPlan>) -> Result<(), String> {
    match outcome {
        Err(refused) if refused.refusals.iter().all(|why| why.code.word() == code) => Ok(()),
        Err(refused) => Err(format!("{:#?}", refused.refusals)),
        Ok(plan) => Err(format!("it is planned:\n{}", lines(&plan).join("\n"))),
    }
}

/// All rows of a section, on every release; all failures at once.
async fn hold(section: &str) {
    let mut failures = Vec::new();
    for change in rows(section) {
        for version in VERSIONS {
            if let Err(failure) = judged(&change, version).await {
                failures.push(format!("## {} on {version}: {failure}", change.what));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[tokio::test]
async fn spaces_and_fabrics_change() {
    hold("spaces and fabrics").await;
}

#[tokio::test]
async fn vlans_change() {
    hold("VLANs").await;
}

#[tokio::test]
async fn planes_move_between_vlans_and_fabrics() {
    hold("planes that move").await;
}

#[tokio::test]
async fn subnets_change_their_cidr() {
    hold("CIDRs").await;
}

#[tokio::test]
async fn subnets_change() {
    hold("subnets").await;
}

#[tokio::test]
async fn ranges_change() {
    hold("ranges").await;
}

#[tokio::test]
async fn routes_and_reserved_ips_change() {
    hold("routes and reserved IPs").await;
}

#[tokio::test]
async fn ipv6_changes_beside_ipv4() {
    hold("IPv6").await;
}

#[tokio::test]
async fn machines_interfaces_and_links_change() {
    hold("machines").await;
}

#[tokio::test]
async fn what_is_declared_absent_is_removed() {
    hold("removal").await;
}

#[tokio::test]
async fn what_maas_would_not_take_is_refused_before_it_is_asked() {
    hold("refused").await;
}

/// What comes of a plane's move from one fabric to another.
async fn moved_between_fabrics(
    world: &World,
    files: Vec<SourceFile>,
    [plane, from, to]: [&str; 3],
) -> Plan {
    let fabric = |name: &str| format!("fabric: {name}\n");
    let change = Change {
        edits: vec![(plane.to_owned(), fabric(from), fabric(to))],
        ..Change::default()
    };
    let topology = edited(files, &change);
    let observed = world.observe(&topology).await;
    Plan::between(&observed, &topology, &PlanPolicy::default()).unwrap()
}

#[tokio::test]
async fn a_vlan_that_leaves_the_fabric_of_a_parent_says_so() {
    for (plane, apart) in [("guests", vec!["`eth1.40` of `m1`"]), ("aaa", vec![])] {
        let world = world_of(CLOUD, Some("3.5.12"));
        let files = imported(&world).await;
        let plan = moved_between_fabrics(&world, files, [plane, "green", "blue"]).await;
        let (along, stays): (Vec<_>, Vec<_>) = plan
            .warnings
            .iter()
            .partition(|warning| warning.starts_with("vlan green/"));
        assert_eq!(along.len(), 1, "{:?}", plan.warnings);
        assert_eq!(stays.len(), apart.len(), "{:?}", plan.warnings);
        assert!(
            stays
                .iter()
                .zip(apart)
                .all(|(said, host)| said.contains(host)),
            "{:?}",
            plan.warnings
        );
    }
}

/// The lowest row number is a fabric's default VLAN: an older VLAN would become it.
#[tokio::test]
async fn a_vlan_older_than_a_fabrics_default_stays_and_its_network_goes() {
    let world = world_of(CLOUD, Some("3.5.12"));
    let files = imported(&world).await;
    let lab = InMemoryMaas::new(std::sync::Arc::clone(&world.maas), outside());
    let request = MaasRequest::new(Method::Post, "fabrics/").with_field("name", "young");
    assert_eq!(lab.send(request).await.unwrap().status, 200);
    let plan = moved_between_fabrics(&world, files, ["plain", "blue", "young"]).await;
    let told = lines(&plan).join("\n");
    assert!(told.contains("+ vlan young/60"), "{told}");
    assert!(told.contains("vlan blue/60 -> young/60"), "{told}");
}
