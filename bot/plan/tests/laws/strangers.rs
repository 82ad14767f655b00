//! What nobody declared stays as it is, on clouds in which most is undeclared.

use std::collections::BTreeMap;

use plan::audit::AuditStatus;
use plan::network::NetworkModel;
use plan::plan::Plan;
use test_support::pairs::Pair;
use test_support::pairs::rng::SeededRng;
use topology::Cidr;
use topology::object::{Key, Object, Vlan};
use topology::plane::Topology;

use crate::applying::{applied, planned};
use crate::hold;

/// The pair's declaration with about one plane in three.
fn partial(pair: &Pair, adopt: bool) -> Topology {
    let mut topology = pair.topology();
    let mut rng = SeededRng::of(pair.seed);
    let keys: Vec<String> = topology.planes.keys().cloned().collect();
    for key in keys {
        if !rng.chance(33) {
            topology.planes.remove(&key);
        }
    }
    for plane in topology.planes.values_mut() {
        plane.adopt = adopt;
    }
    topology
}

fn undeclared(plan: &Plan) -> impl Iterator<Item = Cidr> {
    plan.audit
        .iter()
        .filter(|line| line.standing == AuditStatus::Undeclared)
        .filter_map(|line| line.cidr)
}

/// A subnet with all that hangs on it, and what its VLAN gives it.
fn seen(network: &NetworkModel, cidr: Cidr) -> String {
    let on_it = |object: &&Object| match object {
        Object::Subnet(subnet) => subnet.cidr == cidr,
        Object::Range(range) => range.subnet == cidr,
        Object::ReservedIp(reserved) => reserved.subnet == cidr,
        Object::Snippet(snippet) => snippet.subnet == cidr,
        Object::Link(link) => link.subnet == cidr,
        Object::Space(_)
        | Object::Fabric(_)
        | Object::Vlan(_)
        | Object::Route(_)
        | Object::Interface(_) => false,
    };
    let vlan = network
        .subnet(&cidr)
        .and_then(|subnet| network.vlan(&subnet.vlan));
    let given = |vlan: &Vlan| (vlan.at.clone(), vlan.space.clone());
    let objects: Vec<&Object> = network.all().filter(on_it).collect();
    format!("{:?} {objects:?}", vlan.map(given))
}

pub(crate) fn changed(pair: &Pair, topology: &Topology) -> Option<String> {
    let observed = pair.observed();
    let plan = planned(&observed, topology).ok()?;
    let before = NetworkModel::of(&observed);
    let after = match applied(&observed, &plan) {
        Ok(after) => after,
        Err(why) => return Some(why),
    };
    undeclared(&plan)
        .filter(|cidr| !plan.adopted.contains(&Key::Subnet(*cidr)))
        .find(|cidr| seen(&before, *cidr) != seen(&after, *cidr))
        .map(|cidr| {
            format!(
                "{cidr}: {} became {}",
                seen(&before, cidr),
                seen(&after, cidr)
            )
        })
}

#[test]
fn what_nobody_declared_stays_as_it_is() {
    hold("what_nobody_declared_stays_as_it_is", |pair| {
        changed(pair, &partial(pair, false))
    });
}

#[test]
fn what_is_adopted_is_named_in_the_plan() {
    hold("what_is_adopted_is_named_in_the_plan", |pair| {
        changed(pair, &partial(pair, true))
    });
}

#[test]
fn only_those_who_adopt_are_let_through() {
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut plans = [0; 2];
    for seed in crate::seeds() {
        let pair = Pair::of(seed);
        for (at, adopt) in [false, true].into_iter().enumerate() {
            match planned(&pair.observed(), &partial(&pair, adopt)) {
                Ok(plan) => {
                    plans[at] += 1;
                    assert!(adopt || plan.adopted.is_empty(), "seed {seed}");
                    let told = plan
                        .warnings
                        .iter()
                        .filter(|warning| warning.contains("adopts what no plane declares"));
                    assert_eq!(told.count(), plan.adopted.len(), "seed {seed}");
                }
                Err(refused) => {
                    for refusal in &refused.refusals {
                        let code = refusal.code.word();
                        assert!(code != "unsound", "seed {seed}: {refusal}");
                        assert!(!(adopt && code == "stranger"), "seed {seed}: {refusal}");
                        *codes.entry(code).or_default() += 1;
                    }
                }
            }
        }
    }
    println!("{plans:?} plans, refusals: {codes:?}");
    if plans[0] + plans[1] > 100 {
        assert!(codes.get("stranger").is_some_and(|times| *times > 10));
        assert!(plans[1] > plans[0]);
    }
}
