//! What stays: nothing is deleted, and nobody is asked to leave, for an address that a subnet keeps.

use plan::gate::GateEvidence;
use plan::plan::Plan;
use topology::Cidr;
use topology::object::{Link, Mode, Object, VlanAt};
use topology::plane::Strategy;

use crate::applying::{applied, lines, planned};
use crate::hold;
use test_support::pairs::Pair;

/// The CIDR before and after of each subnet that keeps it, grows or shrinks, unless its plane says `strategy: recreate`.
fn resized(pair: &Pair) -> impl Iterator<Item = (Cidr, Cidr)> {
    let (before, after) = (&pair.before, &pair.after);
    (0..before.subnets.len()).filter_map(|at| {
        let (old, new) = (&before.subnets[at], &after.subnets[at]);
        let (cidr, kept) = (old.cidr, new.cidr);
        let around = cidr.encloses(&kept) || kept.encloses(&cidr);
        let recreated = cidr != kept && after.vlans[new.vlan].strategy == Some(Strategy::Recreate);
        let moved = before.at(old.vlan) != after.at(new.vlan);
        (around && !recreated && !moved).then_some((cidr, kept))
    })
}

/// Whether the plan asks for that link's address to go, or takes it away.
fn loses(plan: &Plan, link: &Link, ip: std::net::IpAddr) -> bool {
    let asked = plan
        .gates
        .iter()
        .flat_map(|gate| &gate.evidence)
        .any(|evidence| {
            matches!(evidence, GateEvidence::Vacant { subnets, keeping, .. }
            if subnets.contains(&link.subnet)
                && !keeping.get(&link.subnet).is_some_and(|kept| kept.contains(ip)))
        });
    let deleted = plan.steps.iter().filter(|step| step.leaves.is_none());
    let taken = deleted
        .filter_map(|step| step.expects.as_ref())
        .any(|object| match object {
            Object::Subnet(subnet) => subnet.cidr == link.subnet,
            Object::Link(gone) => gone == link,
            Object::Space(_)
            | Object::Fabric(_)
            | Object::Vlan(_)
            | Object::Range(_)
            | Object::Route(_)
            | Object::ReservedIp(_)
            | Object::Interface(_)
            | Object::Snippet(_) => false,
        });
    asked || taken
}

#[test]
fn an_address_that_its_subnet_keeps_is_left_alone() {
    hold("an_address_that_its_subnet_keeps", |pair| {
        let observed = pair.observed();
        let plan = planned(&observed, &pair.topology()).ok()?;
        if !pair.exact {
            return None;
        }
        let kept: Vec<(Cidr, Cidr)> = resized(pair).collect();
        observed.links().find_map(|link| {
            let Mode::Static(ip) = link.mode else {
                return None;
            };
            let stays = kept
                .iter()
                .any(|(old, new)| *old == link.subnet && new.contains(ip));
            (stays && loses(&plan, link, ip))
                .then(|| format!("{}\n{}", Object::Link(link.clone()).key(), lines(&plan)))
        })
    });
}

/// A subnet that shrinks names who lies outside, and keeps the rest.
#[test]
fn a_gate_names_only_subnets_that_lose_somebody() {
    hold("a_gate_names_only_subnets", |pair| {
        let observed = pair.observed();
        let plan = planned(&observed, &pair.topology()).ok()?;
        let waits = plan.gates.iter().flat_map(|gate| &gate.evidence);
        for evidence in waits {
            let GateEvidence::Vacant {
                subnets, keeping, ..
            } = evidence
            else {
                continue;
            };
            for cidr in subnets {
                let known = observed.occupants.get(cidr).into_iter().flatten();
                let mut leaving = known
                    .filter_map(|occupant| occupant.ip)
                    .filter(|ip| !keeping.get(cidr).is_some_and(|kept| kept.contains(*ip)));
                let mut linked = observed.links().filter(|link| link.subnet == *cidr);
                if leaving.next().is_none() && linked.next().is_none() {
                    return Some(format!("{cidr}\n{}", lines(&plan)));
                }
            }
        }
        None
    });
}

/// A VLAN whose VID changes, or is exchanged with another's, keeps what is on it: the row goes along, with its interfaces.
#[test]
fn a_vlan_with_another_vid_keeps_its_interfaces() {
    hold("a_vlan_with_another_vid_keeps_its_interfaces", |pair| {
        let observed = pair.observed();
        let plan = planned(&observed, &pair.topology()).ok()?;
        if !pair.exact {
            return None;
        }
        let network = applied(&observed, &plan).ok()?;
        retagged(pair).find_map(|(old, new)| {
            let lost = observed
                .all()
                .filter_map(Object::as_interface)
                .filter(|interface| interface.vlan.as_ref() == Some(&old))
                .find(|interface| {
                    let now = network.interface(&interface.host, &interface.name);
                    now.is_none_or(|now| now.vlan.as_ref() != Some(&new))
                })?;
            Some(format!(
                "{} of {} is not on {new}\n{}",
                lost.name,
                lost.host,
                lines(&plan)
            ))
        })
    });
}

/// Tagged VLANs of one plane each that get another VID, and of which nothing else changes by which they are known.
fn retagged(pair: &Pair) -> impl Iterator<Item = (VlanAt, VlanAt)> {
    let (before, after) = (&pair.before, &pair.after);
    (0..before.vlans.len()).filter_map(|at| {
        let (old, new) = (&before.vlans[at], &after.vlans[at]);
        let same = (old.fabric, &old.name, old.space) == (new.fabric, &new.name, new.space)
            && old.declared
            && new.declared
            && !old.default;
        let subnets: Vec<usize> = before.subnets_on(at).collect();
        let unchanged = after.subnets_on(at).eq(subnets.iter().copied())
            && !subnets.is_empty()
            && subnets.iter().all(|subnet| {
                let (old, new) = (&before.subnets[*subnet], &after.subnets[*subnet]);
                (old.cidr, &old.name) == (new.cidr, &new.name)
            });
        let fabrics = before.fabrics == after.fabrics[..before.fabrics.len()];
        let tagged = old.vid != 0 && new.vid != 0 && old.vid != new.vid;
        // A VLAN without a declared subnet is known by its VID alone: nothing tells that it changed it, too.
        let mut others = (0..before.vlans.len()).filter(|other| {
            let (was, is) = (&before.vlans[*other], &after.vlans[*other]);
            was.fabric == old.fabric && was.vid != is.vid
        });
        let known = others
            .all(|other| before.vlans[other].declared && before.subnets_on(other).next().is_some());
        (same && unchanged && fabrics && tagged && known).then(|| (before.at(at), after.at(at)))
    })
}
