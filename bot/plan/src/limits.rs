//! Limits of a site: how much one change may move or take away. Must not know who may lift them.
//!
//! A change that takes away much more than people usually mean is more often a mistake than a plan: a file that was emptied,
//! a wrong folder. Counted is what is there before and has no successor afterwards.

use std::collections::{BTreeMap, BTreeSet};

use topology::address::Cidr;
use topology::object::Object;

use crate::builder::PlanBuilder;
use crate::plan::PlanPolicy;
use crate::refusal::{Refusal, RefusalCode};
use crate::step::Step;

/// How many objects of a kind a change takes away, of how many that the site declares.
struct Loss {
    kind: &'static str,
    lost: usize,
    known: usize,
}

/// What is over a limit: refusals, or warnings where the limits are lifted.
pub(crate) fn over(draft: &PlanBuilder<'_>, policy: &PlanPolicy) -> (Vec<Refusal>, Vec<String>) {
    let mut over = Vec::new();
    over.extend(moved(&draft.vacated(), policy));
    over.extend(deleted(draft, policy));
    for loss in losses(draft) {
        over.extend(removed(&loss, policy));
        if loss.kind != "subnets" {
            over.extend(share(&loss, policy));
        }
    }
    if !policy.lifted {
        let label = policy.label.as_ref();
        let refusals = over.into_iter().map(|(why, key)| {
            let lift = label.map_or_else(String::new, |label| {
                format!(", or put the label `{label}` on the pull request and plan again")
            });
            let help = format!("Split the change, raise `{key}` in the site's policy{lift}.");
            Refusal::new(RefusalCode::TooMuch, why, help)
        });
        return (refusals.collect(), Vec::new());
    }
    let warnings = over
        .into_iter()
        .map(|(why, key)| format!("the pull request's label lifts the limit `{key}`: {why}"));
    (Vec::new(), warnings.collect())
}

/// Why a change is over a limit, and the limit's key.
type OverLimit = (String, &'static str);

fn moved(vacated: &BTreeSet<Cidr>, policy: &PlanPolicy) -> Option<OverLimit> {
    (vacated.len() > policy.vacated_max).then(|| {
        let why = format!(
            "{} subnets would move at once, but this site allows {}.",
            vacated.len(),
            policy.vacated_max
        );
        (why, "max_moved_subnets")
    })
}

/// Subnets whose rows are deleted, also to make them again.
fn deleted(draft: &PlanBuilder<'_>, policy: &PlanPolicy) -> Option<OverLimit> {
    let deletes =
        |step: &&Step| step.leaves.is_none() && matches!(step.expects, Some(Object::Subnet(_)));
    let deleted = draft.steps.iter().filter(deletes).count();
    let known = draft.pairing.subnets.len() + draft.desired.removal.subnets.len();
    let most = policy.deletions_max_per_mille?;
    (deleted * 1000 > usize::from(most) * known).then(|| {
        let why = format!(
            "{deleted} of the site's {known} subnets would be deleted, but it allows a share of {}.",
            f64::from(most) / 1000.0
        );
        (why, "max_deletions_share")
    })
}

fn removed(loss: &Loss, policy: &PlanPolicy) -> Option<OverLimit> {
    (loss.lost > policy.removed_max).then(|| {
        let why = format!(
            "{} {} would be taken away at once, but this site allows {}.",
            loss.lost, loss.kind, policy.removed_max
        );
        (why, "max_removed")
    })
}

fn share(loss: &Loss, policy: &PlanPolicy) -> Option<OverLimit> {
    let most = policy.deletions_max_per_mille?;
    (loss.lost * 1000 > usize::from(most) * loss.known).then(|| {
        let why = format!(
            "{} of the site's {} {} would be taken away, but it allows a share of {}.",
            loss.lost,
            loss.known,
            loss.kind,
            f64::from(most) / 1000.0
        );
        (why, "max_deletions_share")
    })
}

fn losses(draft: &PlanBuilder<'_>) -> [Loss; 5] {
    let removal = &draft.desired.removal;
    let planes: BTreeSet<&String> = removal
        .subnets
        .values()
        .chain(removal.vlans.values())
        .collect();
    let declared: Vec<Cidr> = draft.pairing.subnets.values().copied().collect();
    let ours: Vec<Cidr> = declared
        .into_iter()
        .chain(removal.subnets.keys().copied())
        .collect();
    let (mut ranges, mut gateways) = ((0, 0), (0, 0));
    for cidr in &ours {
        let after = draft.becomes(cidr).map(|subnet| subnet.row.cidr);
        let before = draft.observed.ranges_of(*cidr).count();
        let left = after.map_or(0, |cidr| draft.network.ranges_of(cidr).count());
        ranges = (ranges.0 + before.saturating_sub(left), ranges.1 + before);
        let had = draft
            .observed
            .subnet(cidr)
            .is_some_and(|it| it.gateway.is_some());
        let has = after
            .and_then(|cidr| draft.network.subnet(&cidr))
            .is_some_and(|it| it.gateway.is_some());
        gateways = (
            gateways.0 + usize::from(had && !has),
            gateways.1 + usize::from(had),
        );
    }
    let loss = |kind, (lost, known): (usize, usize)| Loss { kind, lost, known };
    let topology = draft.topology;
    [
        loss(
            "planes",
            (planes.len(), topology.planes.len() + planes.len()),
        ),
        loss("subnets", (removal.subnets.len(), ours.len())),
        loss("ranges", ranges),
        loss("gateways", gateways),
        loss("links", links(draft)),
    ]
}

/// Links that steps delete and do not make again on the same machine, and how many the declared machines have.
fn links(draft: &PlanBuilder<'_>) -> (usize, usize) {
    let mut balance: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for step in &draft.steps {
        match (&step.expects, &step.leaves) {
            (Some(Object::Link(link)), None) => balance.entry(&link.host).or_default().0 += 1,
            (None, Some(Object::Link(link))) => balance.entry(&link.host).or_default().1 += 1,
            _ => {}
        }
    }
    let lost = balance
        .values()
        .map(|(gone, made)| gone.saturating_sub(*made));
    let known = draft.observed.links();
    let known = known.filter(|link| draft.topology.machines.contains_key(&link.host));
    (lost.sum(), known.count())
}
