//! Writing: one request per write, and what came of it.
//!
//! Row numbers come from a look directly before the request, which also proves that the object is still the one that
//! was meant; nothing is sent when it is not. Nothing is ever sent twice, and `force` never. Must not know why.

mod answer;
mod form;

use topology::object::{Key, Object};
use topology::observed::{NodeKind, Seen};
use topology::port::{Outcome, Write};

use crate::ask::ReadError;
use crate::look::Found;
use crate::read::Fabrics;
use crate::transport::{MaasRequest, Transport};
use crate::{MaasClient, MaasReader};
use std::sync::Arc;

/// The status of a refusal that is ours: nothing was sent. MAAS's API 2.0 never answers it.
pub const NOT_SENT: u16 = 412;

/// The right to write to one MAAS, which may be lost at any time.
pub trait WriteFence: Send + Sync {
    /// Whether the right is still held now.
    fn still_held(&self) -> bool;
}

/// The writing half. Got by showing the right to write, and no longer than it lives.
#[derive(Debug)]
pub struct MaasWriter<'a, W, L: ?Sized> {
    eyes: MaasReader<W>,
    lease: &'a L,
}

/// What the look directly before a write found.
pub(crate) struct ResolvedRefs {
    /// The object that is to be changed or removed.
    target: Option<Seen>,
    fabrics: Option<Fabrics>,
    subnets: Vec<Seen>,
    node: Option<Found>,
}

/// Why no request leaves.
pub(crate) enum NoRequest {
    /// It is so already.
    Already,
    /// It must not be sent.
    Because(String),
}

impl<'a, W: Transport, L: WriteFence + ?Sized> MaasWriter<'a, W, L> {
    /// MaasWriter on that MAAS, while `lease` is held.
    pub fn new(client: &Arc<MaasClient<W>>, lease: &'a L) -> Self {
        Self {
            eyes: client.eyes(),
            lease,
        }
    }

    /// Sends the one request that `write` says, or refuses with [`NOT_SENT`] when the world is not as it expects.
    pub async fn make(&self, write: &Write) -> Outcome {
        let request = match self.prepare(write).await {
            Ok(Ok(request)) => request,
            Ok(Err(NoRequest::Already)) => return Outcome::Done(None),
            Ok(Err(NoRequest::Because(why))) => return not_sent(&why),
            Err(blind) => {
                return Outcome::Unknown {
                    why: format!("not sent: the look before it failed: {blind}"),
                };
            }
        };
        // The look took time; a lease that was lost meanwhile is another worker's by now.
        if !self.lease.still_held() {
            return not_sent("the lease on this MAAS is no longer held");
        }
        let answer = self.eyes.client.send(request.clone()).await;
        let outcome = answer::outcome(&request, answer, write);
        self.remember(write, &outcome);
        outcome
    }

    async fn prepare(&self, write: &Write) -> Result<Result<MaasRequest, NoRequest>, ReadError> {
        if !self.lease.still_held() {
            return Ok(Err(NoRequest::Because(
                "the lease on this MAAS is not held".to_owned(),
            )));
        }
        let ground = Box::pin(self.ground(write)).await?;
        let found = ground.target.as_ref().map(|seen| &seen.object);
        let stop = match write {
            Write::Create(new) => found
                .map(|_there| NoRequest::Because(format!("MAAS has a `{}` already", new.key()))),
            Write::Update(before, _) => unlike(before, found),
            Write::Delete(_) if found.is_none() => Some(NoRequest::Already),
            Write::Delete(before) => unlike(before, found),
        };
        Ok(match stop {
            Some(stop) => Err(stop),
            None => form::request(write, &ground),
        })
    }

    /// Looks at the object and at everything that its request must name by row number.
    async fn ground(&self, write: &Write) -> Result<ResolvedRefs, ReadError> {
        let (target, named) = match write {
            Write::Create(new) => (new.key(), vec![new]),
            Write::Update(before, after) => (before.key(), vec![&**before, &**after]),
            Write::Delete(before) => (before.key(), vec![before]),
        };
        let mut ground = ResolvedRefs {
            target: None,
            fabrics: None,
            subnets: Vec::new(),
            node: None,
        };
        let mut places = false;
        for object in named {
            let wants = form::references(object);
            places |= wants.vlans;
            for cidr in wants.subnets {
                let known = ground
                    .subnets
                    .iter()
                    .any(|seen| seen.object.key() == Key::Subnet(cidr));
                if !known {
                    ground.subnets.extend(self.eyes.find_subnet(cidr).await?);
                }
            }
            if let (Some(host), None) = (wants.host, &ground.node) {
                ground.node = self.eyes.find_node(&host).await?;
            }
        }
        if places {
            ground.fabrics = Some(self.eyes.fabrics().await?);
        }
        ground.target = self.target(&target, &ground).await?;
        Ok(ground)
    }

    /// The object under `key`, from what was just read where it is in there.
    async fn target(&self, key: &Key, ground: &ResolvedRefs) -> Result<Option<Seen>, ReadError> {
        let is_it = |seen: &Seen| seen.object.key() == *key;
        match (key, &ground.fabrics, &ground.node) {
            (Key::Space(_), _, _) => {
                // Only `spaces/` tells a space's row number.
                return Ok(self.eyes.spaces(true).await?.into_iter().find(is_it));
            }
            (Key::Fabric(_) | Key::Vlan(_), Some(fabrics), _) => {
                return Ok(fabrics.seen().find(is_it));
            }
            (Key::Interface(host, _) | Key::Link(host, ..), _, Some(node)) => {
                let rows = node.interfaces.iter();
                return Ok(rows.flat_map(|row| row.seen(host)).find(is_it));
            }
            (Key::Interface(..) | Key::Link(..), _, None) => return Ok(None),
            (Key::Subnet(_), _, _) => {
                let seen = ground.subnets.iter().find(|seen| is_it(seen));
                return Ok(seen.cloned());
            }
            (
                Key::Fabric(_)
                | Key::Vlan(_)
                | Key::Range(..)
                | Key::Route(..)
                | Key::ReservedIp(_)
                | Key::Snippet(..),
                _,
                _,
            ) => {}
        }
        let mut found = self.eyes.look(std::slice::from_ref(key)).await?;
        Ok(found.remove(key).flatten())
    }

    fn remember(&self, write: &Write, outcome: &Outcome) {
        let client = &self.eyes.client;
        let Outcome::Done(id) = outcome else { return };
        let (old, new) = match write {
            Write::Create(new) => (None, Some(new)),
            Write::Update(before, after) => (Some(&**before), Some(&**after)),
            Write::Delete(before) => (Some(before), None),
        };
        if let Some(old) = old {
            client.forget(&old.key());
        }
        if let (Some(new), Some(id)) = (new, id) {
            client.remember(&Seen {
                id: *id,
                object: new.clone(),
            });
        }
    }
}

impl ResolvedRefs {
    /// The row number of the object that is to be changed.
    fn row(&self) -> Result<u64, NoRequest> {
        let seen = self.target.as_ref();
        seen.map(|seen| seen.id).ok_or(NoRequest::Already)
    }

    fn vlan(&self, at: &topology::object::VlanAt) -> Result<String, NoRequest> {
        let row = self.fabrics.as_ref().and_then(|it| it.vlan_row(at));
        named(row, &Key::Vlan(at.clone()))
    }

    fn fabric(&self, name: &str) -> Result<String, NoRequest> {
        let row = self.fabrics.as_ref().and_then(|it| it.fabric_row(name));
        named(row, &Key::Fabric(name.to_owned()))
    }

    fn subnet(&self, cidr: topology::Cidr) -> Result<String, NoRequest> {
        let key = Key::Subnet(cidr);
        let found = self.subnets.iter().find(|seen| seen.object.key() == key);
        named(found.map(|seen| seen.id), &key)
    }

    /// The node, unless it is a controller: a write to a controller's interface drags planes to other VLANs (seen on
    /// 3.5.12 and 3.7.3).
    fn node(&self, host: &str) -> Result<&Found, NoRequest> {
        match &self.node {
            None => Err(because(format!("MAAS has no machine or device `{host}`"))),
            Some(node) if node.kind == NodeKind::Controller => Err(because(format!(
                "`{host}` is a controller; its interfaces are its own to report"
            ))),
            Some(node) => Ok(node),
        }
    }
}

fn named(row: Option<u64>, key: &Key) -> Result<String, NoRequest> {
    match row {
        Some(row) => Ok(row.to_string()),
        None => Err(because(format!("MAAS has no `{key}`"))),
    }
}

pub(crate) fn because(why: String) -> NoRequest {
    NoRequest::Because(why)
}

fn unlike(expected: &Object, found: Option<&Object>) -> Option<NoRequest> {
    (found != Some(expected)).then(|| {
        let there = if found.is_some() {
            "differs from"
        } else {
            "is not there, but"
        };
        because(format!(
            "`{}` {there} what the write expects",
            expected.key()
        ))
    })
}

fn not_sent(why: &str) -> Outcome {
    Outcome::Refused {
        status: NOT_SENT,
        why: format!("not sent: {why}"),
    }
}

#[cfg(test)]
mod tests;
