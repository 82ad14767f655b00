//! Writing: one request per write, and its outcome.
//!
//! Row numbers come from a look directly before the request, which also proves that the object is still the intended one;
//! otherwise nothing is sent. No write is ever sent twice, and `force` is never sent. Must not know why a write is wanted.

mod answer;
mod form;

use std::sync::Arc;

use topology::Cidr;
use topology::object::{Key, Object, VlanAt};
use topology::observed::{NodeKind, Seen};
use topology::port::{Outcome, Write};

use crate::look::FoundNode;
use crate::read::Fabrics;
use crate::request::ReadError;
use crate::transport::{MaasRequest, Transport};
use crate::{MaasClient, MaasReader};

/// The status of a refusal by this client, when nothing was sent. MAAS's API 2.0 never returns it.
pub const NOT_SENT: u16 = 412;

/// The right to write to one MAAS, which may be lost at any time. A lease of the journal is one.
pub trait WriteFence: Send + Sync {
    /// Checked directly before each write is sent.
    fn still_held(&self) -> bool;
}

/// Writes to one MAAS. It needs the right to write, and cannot outlive it.
#[derive(Debug)]
pub struct MaasWriter<'a, W, L: ?Sized> {
    reader: MaasReader<W>,
    fence: &'a L,
}

/// What the look directly before a write found: the target, and everything that the request refers to by row number.
pub(crate) struct ResolvedRefs {
    /// The object to change or delete.
    target: Option<Seen>,
    fabrics: Option<Fabrics>,
    subnets: Vec<Seen>,
    node: Option<FoundNode>,
}

/// Why no request is sent.
pub(crate) enum NoRequest {
    /// MAAS is already as the write would leave it.
    AlreadyDone,
    /// The request would be wrong; the reason, for people.
    Refused(String),
}

impl<'a, W: Transport, L: WriteFence + ?Sized> MaasWriter<'a, W, L> {
    /// A writer to that MAAS, while `fence` holds.
    pub fn new(client: &Arc<MaasClient<W>>, fence: &'a L) -> Self {
        Self {
            reader: client.reader(),
            fence,
        }
    }

    /// Sends the one request of `write`, or refuses with [`NOT_SENT`] when MAAS is not as `write` expects.
    pub async fn send(&self, write: &Write) -> Outcome {
        let request = match self.prepare(write).await {
            Ok(Ok(request)) => request,
            Ok(Err(NoRequest::AlreadyDone)) => return Outcome::Done(None),
            Ok(Err(NoRequest::Refused(why))) => return not_sent(&why),
            Err(error) => {
                return Outcome::Unknown {
                    why: format!("not sent: the look before it failed: {error}"),
                };
            }
        };
        // The look took time, in which another worker may have taken the lease.
        if !self.fence.still_held() {
            return not_sent("the lease on this MAAS is no longer held");
        }
        let answer = self.reader.client.send(request.clone()).await;
        let outcome = answer::outcome(&request, answer, write);
        self.remember(write, &outcome);
        outcome
    }

    async fn prepare(&self, write: &Write) -> Result<Result<MaasRequest, NoRequest>, ReadError> {
        if !self.fence.still_held() {
            return Ok(Err(NoRequest::Refused(
                "the lease on this MAAS is not held".to_owned(),
            )));
        }
        let refs = Box::pin(self.resolve(write)).await?;
        let found = refs.target.as_ref().map(|seen| &seen.object);
        let stop = match write {
            Write::Create(new) => found
                .map(|_there| NoRequest::Refused(format!("MAAS has a `{}` already", new.key()))),
            Write::Update(before, _) => mismatch(before, found),
            Write::Delete(_) if found.is_none() => Some(NoRequest::AlreadyDone),
            Write::Delete(before) => mismatch(before, found),
        };
        Ok(match stop {
            Some(stop) => Err(stop),
            None => form::request(write, &refs),
        })
    }

    /// Looks at the object and at everything that its request refers to by row number.
    async fn resolve(&self, write: &Write) -> Result<ResolvedRefs, ReadError> {
        let (target, named) = match write {
            Write::Create(new) => (new.key(), vec![new]),
            Write::Update(before, after) => (before.key(), vec![&**before, &**after]),
            Write::Delete(before) => (before.key(), vec![before]),
        };
        let mut refs = ResolvedRefs {
            target: None,
            fabrics: None,
            subnets: Vec::new(),
            node: None,
        };
        let mut needs_fabrics = false;
        for object in named {
            let references = form::references(object);
            needs_fabrics |= references.vlans;
            for cidr in references.subnets {
                let known = refs
                    .subnets
                    .iter()
                    .any(|seen| seen.object.key() == Key::Subnet(cidr));
                if !known {
                    refs.subnets.extend(self.reader.find_subnet(cidr).await?);
                }
            }
            if let (Some(host), None) = (references.host, &refs.node) {
                refs.node = self.reader.find_node(&host).await?;
            }
        }
        if needs_fabrics {
            refs.fabrics = Some(self.reader.fabrics().await?);
        }
        refs.target = self.target(&target, &refs).await?;
        Ok(refs)
    }

    /// The object under `key`, from `refs` if they have it.
    async fn target(&self, key: &Key, refs: &ResolvedRefs) -> Result<Option<Seen>, ReadError> {
        let matches = |seen: &Seen| seen.object.key() == *key;
        match (key, &refs.fabrics, &refs.node) {
            (Key::Space(_), _, _) => {
                // Only `spaces/` has a space's row number.
                return Ok(self.reader.spaces(true).await?.into_iter().find(matches));
            }
            (Key::Fabric(_) | Key::Vlan(_), Some(fabrics), _) => {
                return Ok(fabrics.seen().find(matches));
            }
            (Key::Interface(host, _) | Key::Link(host, ..), _, Some(node)) => {
                let rows = node.interfaces.iter();
                return Ok(rows.flat_map(|row| row.seen(host)).find(matches));
            }
            (Key::Interface(..) | Key::Link(..), _, None) => return Ok(None),
            (Key::Subnet(_), _, _) => {
                let seen = refs.subnets.iter().find(|seen| matches(seen));
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
        let mut found = self.reader.look(std::slice::from_ref(key)).await?;
        Ok(found.remove(key).flatten())
    }

    fn remember(&self, write: &Write, outcome: &Outcome) {
        let client = &self.reader.client;
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
    /// The row number of the object to change.
    fn row(&self) -> Result<u64, NoRequest> {
        let seen = self.target.as_ref();
        seen.map(|seen| seen.id).ok_or(NoRequest::AlreadyDone)
    }

    fn vlan(&self, at: &VlanAt) -> Result<String, NoRequest> {
        let row = self.fabrics.as_ref().and_then(|it| it.vlan_row(at));
        named(row, &Key::Vlan(at.clone()))
    }

    fn fabric(&self, name: &str) -> Result<String, NoRequest> {
        let row = self.fabrics.as_ref().and_then(|it| it.fabric_row(name));
        named(row, &Key::Fabric(name.to_owned()))
    }

    fn subnet(&self, cidr: Cidr) -> Result<String, NoRequest> {
        let key = Key::Subnet(cidr);
        let found = self.subnets.iter().find(|seen| seen.object.key() == key);
        named(found.map(|seen| seen.id), &key)
    }

    /// The node, unless it is a controller: a write to a controller's interface moves subnets to other VLANs (seen on
    /// 3.5.12 and 3.7.3).
    fn node(&self, host: &str) -> Result<&FoundNode, NoRequest> {
        match &self.node {
            None => Err(refusal(format!("MAAS has no machine or device `{host}`"))),
            Some(node) if node.kind == NodeKind::Controller => Err(refusal(format!(
                "`{host}` is a controller, which reports its interfaces by itself"
            ))),
            Some(node) => Ok(node),
        }
    }
}

fn named(row: Option<u64>, key: &Key) -> Result<String, NoRequest> {
    match row {
        Some(row) => Ok(row.to_string()),
        None => Err(refusal(format!("MAAS has no `{key}`"))),
    }
}

pub(crate) fn refusal(why: String) -> NoRequest {
    NoRequest::Refused(why)
}

fn mismatch(expected: &Object, found: Option<&Object>) -> Option<NoRequest> {
    // Whether a link is the default gateway may change with every other link of its machine.
    let is_same_link = |found: &Object| found.as_link().is_some() && found.key() == expected.key();
    (found != Some(expected) && !found.is_some_and(is_same_link)).then(|| {
        let key = expected.key();
        refusal(if found.is_some() {
            format!("`{key}` differs from what the write expects")
        } else {
            format!("the write expects `{key}`, and MAAS does not have it")
        })
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
