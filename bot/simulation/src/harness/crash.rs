//! The fuse: hears of everything that leaves the process, and may let it go wrong or the power go with it. It must not
//! know what anything is for.

use std::pin::Pin;
use std::sync::Arc;

use lab::maas::HttpFault;
use lab::wire::LabRequest;
use tokio::sync::watch;

/// One operation that leaves the process.
#[derive(Clone, Copy, Debug)]
pub enum Operation<'a> {
    /// A request to MAAS.
    Maas(&'a LabRequest),
    /// A request to GitHub.
    GitHub(&'a LabRequest),
    /// A write of the journal, before it is durable or after.
    Journal,
}

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    /// It goes as it should, or wrong in that way. The journal knows none.
    Fault(HttpFault),
    /// The power goes before it arrives.
    DarkBefore,
    /// The power goes once it is done, and nobody hears the answer.
    DarkAfter,
}

/// Decides what becomes of each operation, asked once for each and in order.
pub trait FaultPolicy: Send + Sync {
    /// What becomes of this one.
    fn of(&self, operation: Operation<'_>) -> InjectedFault;
}

/// Hears of the operations, asks the fate of each, and goes dark with one of them.
pub struct CrashPoint {
    fate: Arc<dyn FaultPolicy>,
    dark: watch::Sender<bool>,
}

impl CrashPoint {
    /// A fuse that this fate burns.
    pub fn new(fate: Arc<dyn FaultPolicy>) -> Self {
        Self {
            fate,
            dark: watch::Sender::new(false),
        }
    }

    /// Puts the power on again.
    pub fn light(&self) {
        self.dark.send_replace(false);
    }

    /// Whether the power is gone.
    pub fn is_dark(&self) -> bool {
        *self.dark.borrow()
    }

    /// A write of the journal; true when the power goes with it.
    pub(super) fn burn(&self) -> bool {
        match self.fate.of(Operation::Journal) {
            InjectedFault::Fault(_) => false,
            InjectedFault::DarkBefore | InjectedFault::DarkAfter => {
                self.dark.send_replace(true);
                true
            }
        }
    }

    /// A request that arrived: in the dark it does not, and the one that the power goes with is not answered.
    pub(super) fn hears(&self, operation: Operation<'_>) -> HttpFault {
        if self.is_dark() {
            return HttpFault::CutBefore;
        }
        let (fault, goes) = match self.fate.of(operation) {
            InjectedFault::Fault(fault) => (fault, false),
            InjectedFault::DarkBefore => (HttpFault::CutBefore, true),
            InjectedFault::DarkAfter => (HttpFault::LoseAnswer, true),
        };
        if goes {
            self.dark.send_replace(true);
        }
        fault
    }

    /// Lets it go on until it ends or the power goes; `None` then.
    pub fn until_dark<'a, T: 'a>(
        &'a self,
        work: impl Future<Output = T> + 'a,
    ) -> Pin<Box<dyn Future<Output = Option<T>> + 'a>> {
        let mut dark = self.dark.subscribe();
        Box::pin(async move {
            let ended = tokio::select! {
                biased;
                _ = dark.wait_for(|dark| *dark) => None,
                ended = work => Some(ended),
            };
            ended.filter(|_| !self.is_dark())
        })
    }
}
