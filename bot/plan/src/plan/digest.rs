//! A plan's digest: equal digests mean the same steps from the same state. Must not know how a plan is made.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use topology::object::Key;
use topology::observed::Observed;
use topology::plane::Topology;
use topology::version::MaasVersion;

use crate::gate::{Gate, GateEvidence, GateName, RunbookPin};
use crate::step::{Step, StepId};

/// The version of the planner's rules. It is part of the digest, so a planner with other rules gives other digests.
pub const RULES: u32 = 1;

/// The first eight hex digits of the SHA-256 over the canonical plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

/// A text that is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is eight lower-case hex digits, such as `7f3a-91c2`")]
pub struct NotADigest;

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let hex = |part: &str| {
            part.len() == 4
                && part
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        match text.split_once('-') {
            Some((head, tail)) if hex(head) && hex(tail) => Ok(Self(text.to_owned())),
            Some(_) | None => Err(NotADigest),
        }
    }
}

/// Hashes the canonical text: steps, gates, the declaration, the row ids and the version of the rules.
pub(crate) fn digest(
    steps: &[Step],
    gates: &[Gate],
    topology: &Topology,
    observed: &Observed,
) -> Digest {
    #[derive(Serialize)]
    struct CanonGate<'a> {
        name: GateName,
        before: Option<StepId>,
        evidence: &'a [GateEvidence],
        runbook: Option<&'a RunbookPin>,
    }
    #[derive(Serialize)]
    struct Canon<'a> {
        rules: u32,
        tree: &'a str,
        version: &'a MaasVersion,
        steps: &'a [Step],
        gates: Vec<CanonGate<'a>>,
        ids: Vec<(Key, u64)>,
    }
    let ids: BTreeSet<(Key, u64)> = steps
        .iter()
        .filter_map(|step| step.expects.as_ref())
        .filter_map(|object| Some((object.key(), observed.id(&object.key())?)))
        .collect();
    let canon = Canon {
        rules: RULES,
        tree: &topology.tree,
        version: &observed.version,
        steps,
        gates: gates
            .iter()
            .map(|gate| CanonGate {
                name: gate.name,
                before: gate.before,
                evidence: &gate.evidence,
                runbook: gate.runbook.as_ref(),
            })
            .collect(),
        ids: ids.into_iter().collect(),
    };
    let text = serde_json::to_vec(&canon).expect("a plan is made of strings, numbers and lists");
    let hash = hex::encode(Sha256::digest(&text));
    Digest(format!("{}-{}", &hash[..4], &hash[4..8]))
}
