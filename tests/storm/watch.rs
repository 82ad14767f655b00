//! What MAAS receives, from whom, and the traps that are set there: each replica has an API key of its own, so that the lab
//! knows who asks. It must not know what a plan is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lab::maas::HttpFault;
use lab::wire::LabRequest;

use super::replicas::{NAMES, Replicas};

/// How long a write takes: so long that a run sees many mishaps.
const WRITE_MS: u64 = 500;

/// What happens to who asks, once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trap {
    /// It is paused at a look, as soon as so many writes were received: the write comes when it wakes.
    PauseAtALook { after: usize },
    /// It is killed at that write, which MAAS still does: nobody receives the answer.
    KillAtAWrite { number: usize },
}

#[derive(Default)]
struct ReceivedRequests {
    /// Who sent each write, in order.
    writes: Vec<usize>,
    /// Who asked last.
    last: Option<usize>,
    trap: Option<Trap>,
    /// Whom the last trap caught.
    caught: Option<usize>,
}

pub(super) struct Watch {
    replicas: Arc<Replicas>,
    /// The token of each replica's key.
    tokens: Vec<String>,
    received: Mutex<ReceivedRequests>,
}

impl Watch {
    /// `keys` are the replicas' API keys, `consumer:token:secret`.
    pub(super) fn new(replicas: Arc<Replicas>, keys: &[String]) -> Self {
        let token = |key: &String| key.split(':').nth(1).unwrap().to_owned();
        Self {
            replicas,
            tokens: keys.iter().map(token).collect(),
            received: Mutex::default(),
        }
    }

    fn received(&self) -> MutexGuard<'_, ReceivedRequests> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called by MAAS for each request before it answers.
    pub(super) fn receives(&self, request: &LabRequest) -> HttpFault {
        let header = request.header("authorization").unwrap_or_default();
        let asker = (0..NAMES.len()).find(|which| header.contains(&self.tokens[*which]));
        let Some(which) = asker else {
            return HttpFault::None;
        };
        let mut received = self.received();
        received.last = Some(which);
        let is_write = request.method != "GET";
        if is_write {
            received.writes.push(which);
        }
        match received.trap {
            Some(Trap::PauseAtALook { after }) if !is_write && received.writes.len() >= after => {
                self.replicas.signal(which, "STOP");
                (received.trap, received.caught) = (None, Some(which));
                HttpFault::None
            }
            Some(Trap::KillAtAWrite { number }) if is_write && received.writes.len() >= number => {
                self.replicas.kill(which);
                (received.trap, received.caught) = (None, Some(which));
                HttpFault::LoseAnswer
            }
            Some(Trap::PauseAtALook { .. } | Trap::KillAtAWrite { .. }) | None if is_write => {
                HttpFault::Slow(WRITE_MS)
            }
            Some(Trap::PauseAtALook { .. } | Trap::KillAtAWrite { .. }) | None => HttpFault::None,
        }
    }

    pub(super) fn set(&self, trap: Trap) {
        let mut received = self.received();
        (received.trap, received.caught) = (Some(trap), None);
    }

    /// Whom the trap caught.
    pub(super) fn caught(&self) -> Option<usize> {
        self.received().caught
    }

    /// How many writes were received.
    pub(super) fn writes(&self) -> usize {
        self.received().writes.len()
    }

    /// How many of them that replica sent.
    pub(super) fn writes_of(&self, which: usize) -> usize {
        let received = self.received();
        received.writes.iter().filter(|by| **by == which).count()
    }

    /// Who asked MAAS last.
    pub(super) fn last(&self) -> Option<usize> {
        self.received().last
    }
}
