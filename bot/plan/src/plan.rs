//! Steps and gates in order, with what they were based on.
//!
//! A plan is immutable and leaves no choice to whoever carries it out. [`Plan::between`] makes one or says why not;
//! [`Digest`] names it: equal digests mean the same steps from the same ground. Must not know how it is shown or run.

mod digest;
mod fabrics;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use topology::address::Cidr;
use topology::object::{Object, RangeKind, VlanAt};
use topology::observed::{NodeKind, Observed, Scope};
use topology::plane::{Strategy, Topology};
use topology::version::MaasVersion;

use crate::audit::{Line, audit};
use crate::critic;
use crate::drafting::{Drafting, vacated};
use crate::gate::{Gate, GateName, RunbookPin};
use crate::pairing::Pairing;
use crate::refusal::{Code, Refusal};
use crate::step::Step;
use crate::wanted::{Wanted, WantedSubnet};

use digest::digest;
pub use digest::{Digest, NotADigest};

/// The version of the planner's rules. A digest covers it: a planner that plans otherwise names its plans otherwise.
pub const RULES: u32 = 1;

/// The states in which MAAS itself is changing a machine (maas 3.5.9 src/maascommon/enums/node.py): nothing is planned under one.
const IN_TRANSITION: [&str; 12] = [
    "Commissioning",
    "Testing",
    "Deploying",
    "Releasing",
    "Disk erasing",
    "Entering rescue mode",
    "Rescue mode",
    "Exiting rescue mode",
    "Failed to enter rescue mode",
    "Failed to exit rescue mode",
    "Releasing failed",
    "Failed disk erasing",
];

/// What a site allows, and the runbooks it has. From the configuration and the default branch, never from a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many subnets one change may take away from their CIDR.
    pub vacated_max: usize,
    /// The runbooks, pinned, by gate.
    pub runbooks: Vec<(GateName, RunbookPin)>,
}

impl Default for Policy {
    /// Sixteen subnets: more than one change of a cloud's planes has needed, fewer than a slip takes.
    fn default() -> Self {
        Self {
            vacated_max: 16,
            runbooks: Vec::new(),
        }
    }
}

/// Steps and gates in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    pub digest: Digest,
    /// The declaration it was made for: SHA-256 over the files.
    pub tree: String,
    /// The MAAS it was made for.
    pub maas_version: MaasVersion,
    /// In order. Empty: no changes.
    pub steps: Vec<Step>,
    /// In the order of the run.
    pub gates: Vec<Gate>,
    /// One line per plane, as things stood.
    pub audit: Vec<Line>,
    /// What a reader should know before saying yes, one line each.
    pub warnings: Vec<String>,
    /// Why it may only be read, not applied, if so.
    pub read_only: Option<String>,
}

/// Why there is no plan, and how things stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Every reason.
    pub refusals: Vec<Refusal>,
    /// One line per plane.
    pub audit: Vec<Line>,
}

/// What must be observed, beyond the topology lists, before a plan between these can be made.
pub fn scope(topology: &Topology, observed: &Observed) -> Scope {
    let pairing = Pairing::of(topology, observed);
    let Ok(wanted) = Wanted::of(topology, observed, &pairing) else {
        return Scope::default();
    };
    let going = vacated(&wanted, observed, &pairing);
    let mut draft = Drafting::new(topology, observed, &pairing, &wanted);
    draft.walk();
    let spaces: BTreeSet<&str> = observed
        .vlans()
        .filter_map(|vlan| vlan.space.as_deref())
        .collect();
    Scope {
        all_nodes: !going.is_empty() || draft.steps.iter().any(touches_what_is_there),
        occupants: going
            .into_iter()
            .chain(
                draft
                    .steps
                    .iter()
                    .filter_map(|step| to_be_served(step, observed)),
            )
            .collect::<BTreeSet<Cidr>>()
            .into_iter()
            .collect(),
        machines: topology.machines.keys().cloned().collect(),
        snippets: draft.steps.iter().any(deletes_subnet),
        all_spaces: wanted
            .spaces
            .iter()
            .any(|space| !spaces.contains(space.as_str())),
    }
}

fn deletes_subnet(step: &Step) -> bool {
    matches!(
        (&step.expects, &step.leaves),
        (Some(Object::Subnet(_)), None)
    )
}

/// Whether hosts may notice: nothing is written under a machine that MAAS is changing, so all machines are read.
fn touches_what_is_there(step: &Step) -> bool {
    match step.expects.as_ref().or(step.leaves.as_ref()) {
        Some(Object::Vlan(_) | Object::Subnet(_)) => step.expects.is_some(),
        Some(Object::Range(_) | Object::Route(_) | Object::ReservedIp(_)) => true,
        Some(Object::Space(_) | Object::Fabric(_) | Object::Interface(_) | Object::Link(_))
        | None => false,
    }
}

/// A subnet that is there and gets a dynamic range, which may cover no address that somebody has.
fn to_be_served(step: &Step, observed: &Observed) -> Option<Cidr> {
    let range = step.leaves.as_ref()?.as_range()?;
    let new = range.kind == RangeKind::Dynamic && step.expects.as_ref() != step.leaves.as_ref();
    observed
        .subnet(&range.subnet)
        .filter(|_| new)
        .map(|subnet| subnet.cidr)
}

impl Plan {
    /// The plan from what was observed to what is declared, or every reason why there is none.
    ///
    /// Pure: the same arguments give the same plan, byte for byte. `observed` must cover [`scope`].
    pub fn between(
        observed: &Observed,
        topology: &Topology,
        policy: &Policy,
    ) -> Result<Self, Refused> {
        let pairing = Pairing::of(topology, observed);
        let refused = |refusals: Vec<Refusal>, steps: &[Step]| Refused {
            refusals,
            audit: audit(topology, observed, &pairing, steps),
        };
        let wanted =
            Wanted::of(topology, observed, &pairing).map_err(|refusals| refused(refusals, &[]))?;
        let mut draft = Drafting::new(topology, observed, &pairing, &wanted);
        draft.walk();
        let carved = draft.carve();
        let mut gates = draft.gates(&carved.machines);
        let mut refusals = std::mem::take(&mut draft.refusals);
        let vacated = draft.vacated();
        refusals.extend(unseen(observed, &vacated));
        refusals.extend(in_transition(observed, topology, &pairing, &draft.steps));
        refusals.extend(snippets_lost(observed, &draft.steps));
        refusals.extend(dangling(&wanted, observed, &draft.leaving()));
        refusals.extend(too_much(&vacated, policy));
        refusals.extend(fabrics::mixed(&draft.steps));
        for gate in &mut gates {
            gate.runbook = policy
                .runbooks
                .iter()
                .find(|(name, _)| *name == gate.name)
                .map(|(_, pin)| pin.clone());
        }
        let steps = std::mem::take(&mut draft.steps);
        if !refusals.is_empty() {
            refusals.sort();
            refusals.dedup();
            return Err(refused(refusals, &steps));
        }
        let mut warnings = warnings(&wanted, observed, &draft);
        warnings.extend(fabrics::warnings(&steps, observed));
        warnings.extend(carved.notes);
        let plan = Self {
            digest: digest(&steps, &gates, topology, observed),
            tree: topology.tree.clone(),
            maas_version: observed.version.clone(),
            audit: audit(topology, observed, &pairing, &steps),
            read_only: (!observed.version.is_known()).then(|| {
                format!("MAAS {} is not a release whose rules planebot knows, so this plan is for reading only", observed.version)
            }),
            steps,
            gates,
            warnings,
        };
        let complaints = critic::complaints(&plan, observed);
        if complaints.is_empty() {
            Ok(plan)
        } else {
            let refusals = complaints
                .into_iter()
                .map(|why| {
                    Refusal::new(
                        Code::Unsound,
                        why,
                        "Please report this with the output of `planebot plan --format json`.",
                    )
                })
                .collect();
            Err(refused(refusals, &plan.steps))
        }
    }

    /// The gate of that name.
    pub fn gate(&self, name: GateName) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.name == name)
    }

    /// The subnets that leave their CIDR or VLAN.
    pub fn vacated(&self) -> BTreeSet<Cidr> {
        self.steps
            .iter()
            .filter(|step| step.vacant)
            .filter_map(|step| step.expects.as_ref()?.as_subnet().map(|subnet| subnet.cidr))
            .collect()
    }
}

/// Promise 4 needs eyes: a network that goes must have been asked who lives there.
fn unseen(observed: &Observed, vacated: &BTreeSet<Cidr>) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = vacated
        .iter()
        .filter(|cidr| !observed.occupants.contains_key(cidr))
        .map(|cidr| {
            Refusal::new(
                Code::Unseen,
                format!("nobody asked MAAS who lives on {cidr}."),
                "Plan again.",
            )
        })
        .collect();
    if !vacated.is_empty() && !observed.all_nodes {
        refusals.push(Refusal::new(
            Code::Unseen,
            "the machines' links were not read.",
            "Plan again.",
        ));
    }
    refusals.extend(observed.blind.iter().map(|spot| {
        Refusal::new(
            Code::Unseen,
            format!("MAAS did not tell {}: {}.", spot.what, spot.why),
            "Put that right in MAAS, then plan again.",
        )
    }));
    refusals
}

fn in_transition(
    observed: &Observed,
    topology: &Topology,
    pairing: &Pairing,
    steps: &[Step],
) -> Vec<Refusal> {
    let touched: BTreeSet<&str> = steps
        .iter()
        .filter_map(|step| step.plane.as_deref())
        .collect();
    let planes: Vec<_> = touched
        .iter()
        .filter_map(|key| topology.planes.get(*key))
        .collect();
    let declared: BTreeSet<&VlanAt> = planes.iter().map(|plane| &plane.vlan).collect();
    // As MAAS names them now: a VLAN may be renamed by this plan, or its subnet may leave it.
    let left = planes
        .iter()
        .flat_map(|plane| &plane.subnets)
        .filter_map(|subnet| observed.subnet(&pairing.old_of(subnet.cidr)?))
        .map(|old| &old.vlan);
    let vlans: BTreeSet<&VlanAt> = observed
        .vlans()
        .map(|vlan| &vlan.at)
        .filter(|at| declared.contains(&pairing.place(at)))
        .chain(left)
        .collect();
    observed
        .nodes
        .values()
        .filter(|node| {
            node.kind == NodeKind::Machine && IN_TRANSITION.contains(&node.status.as_str())
        })
        .filter(|node| {
            observed
                .interfaces_of(&node.host)
                .any(|interface| interface.vlan.as_ref().is_some_and(|at| vlans.contains(at)))
        })
        .map(|node| {
            Refusal::new(
                Code::InTransition,
                format!(
                    "machine `{}` is {} on a VLAN that this plan touches.",
                    node.host, node.status
                ),
                "Wait until it has arrived, then plan again.",
            )
        })
        .collect()
}

/// Declared subnets that would go on naming an address on a network that moves away, as they did before.
fn dangling(wanted: &Wanted, observed: &Observed, leaving: &BTreeSet<Cidr>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for subnet in wanted.subnets.values() {
        let before = subnet.old.and_then(|old| observed.subnet(&old));
        let kept = subnet
            .row
            .dns
            .iter()
            .filter(|ip| before.is_some_and(|before| before.dns.contains(ip)));
        for ip in kept {
            let Some(gone) = leaving.iter().find(|gone| gone.contains(*ip)) else {
                continue;
            };
            if subnet.row.cidr.contains(*ip) {
                continue;
            }
            refusals.push(
                Refusal::new(
                    Code::Dangling,
                    format!("{} would still name the resolver {ip}, and {gone} moves away from there.", subnet.row.cidr),
                    "Declare its resolvers by reference, as `dns: [PLANE+1]`, so that they move along.",
                )
                .of(&subnet.plane),
            );
        }
    }
    refusals
}

/// DHCP snippets that MAAS would drop with a subnet. Planebot cannot put them back: their text is a program for dhcpd.
fn snippets_lost(observed: &Observed, steps: &[Step]) -> Vec<Refusal> {
    let going: BTreeSet<Cidr> = steps
        .iter()
        .filter(|step| deletes_subnet(step))
        .filter_map(|step| Some(step.expects.as_ref()?.as_subnet()?.cidr))
        .collect();
    let Some(snippets) = &observed.snippets else {
        return going
            .first()
            .map(|cidr| {
                Refusal::new(
                    Code::Unseen,
                    format!("nobody asked MAAS which DHCP snippets hang on {cidr}."),
                    "Plan again.",
                )
            })
            .into_iter()
            .collect();
    };
    snippets
        .iter()
        .filter(|snippet| going.contains(&snippet.subnet))
        .map(|snippet| {
            Refusal::new(
                Code::CannotLeave,
                format!(
                    "the DHCP snippet `{}` hangs on {}, and MAAS drops it with the subnet.",
                    snippet.name, snippet.subnet
                ),
                "Say `strategy: in-place` for this plane, or keep the snippet elsewhere and remove it in MAAS first.",
            )
        })
        .collect()
}

fn too_much(vacated: &BTreeSet<Cidr>, policy: &Policy) -> Option<Refusal> {
    (vacated.len() > policy.vacated_max).then(|| {
        Refusal::new(
            Code::TooMuch,
            format!(
                "{} subnets would move at once, and this site allows {}.",
                vacated.len(),
                policy.vacated_max
            ),
            "Split the change, or raise `vacated_max` in the site's policy.",
        )
    })
}

fn warnings(wanted: &Wanted, observed: &Observed, draft: &Drafting<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    for subnet in wanted.subnets.values() {
        let Some(old) = subnet.old.and_then(|old| observed.subnet(&old)) else {
            continue;
        };
        let pxe = subnet.moves() && observed.vlan(&old.vlan).is_some_and(|vlan| vlan.dhcp_on);
        if pxe {
            warnings.push(format!("PXE and DHCP on `{}` are down from the delete of its dynamic range until the new one stands", subnet.plane));
        }
        if subnet.moves() && subnet.strategy == Strategy::InPlace {
            warnings.push(format!("`{}` changes in place: deployed hosts and BMCs keep their old addresses until somebody changes them", subnet.plane));
        }
        if subnet.moves() && subnet.row.cidr.encloses(&old.cidr) {
            warnings.push(format!(
                "`{}` widens from {} to {}: whatever lives in between is taken in",
                subnet.plane, old.cidr, subnet.row.cidr
            ));
        }
    }
    warnings.extend(inverted(wanted, observed));
    warnings.extend(left_behind(wanted, observed, draft));
    let gone = draft.leaving();
    for subnet in observed
        .subnets()
        .filter(|subnet| draft.becomes(&subnet.cidr).is_none())
    {
        if let Some(ip) = subnet
            .dns
            .iter()
            .find(|ip| gone.iter().any(|gone| gone.contains(**ip)))
        {
            warnings.push(format!(
                "{}, which no plane declares, names the resolver {ip} on a network that moves",
                subnet.cidr
            ));
        }
    }
    warnings
}

/// In an unmanaged subnet MAAS hands out addresses from reserved ranges, and only from them.
fn inverted<'a>(wanted: &'a Wanted, observed: &'a Observed) -> impl Iterator<Item = String> + 'a {
    let is_off = |subnet: &&WantedSubnet| {
        let before = subnet.old.and_then(|old| observed.subnet(&old));
        !subnet.row.flags.managed && before.is_none_or(|before| before.flags.managed)
    };
    wanted.subnets.values().filter(is_off).map(|subnet| {
        format!("`{}` becomes unmanaged: MAAS serves no DHCP there, and hands out addresses from its reserved ranges only", subnet.plane)
    })
}

/// A subnet that bears a new plane's name elsewhere under another CIDR: perhaps the same one, but a name alone proves nothing.
fn left_behind<'a>(
    wanted: &'a Wanted,
    observed: &'a Observed,
    draft: &'a Drafting<'_>,
) -> impl Iterator<Item = String> + 'a {
    let new = wanted
        .subnets
        .values()
        .filter(|subnet| subnet.old.is_none());
    new.filter_map(|subnet| {
        let namesake = observed.subnets().find(|other| {
            other.name == subnet.row.name && draft.becomes(&other.cidr).is_none()
        })?;
        Some(format!(
            "{} on {} is called `{}` too and stays as it is: where a plane changes both its VLAN and its CIDR, do so in two changes",
            namesake.cidr, namesake.vlan, namesake.name
        ))
    })
}
