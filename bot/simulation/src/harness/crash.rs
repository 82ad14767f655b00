//! The crash switch: sees every operation that leaves the process and can inject a fault or crash the process there.
//! It must not know what an operation is for.

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
    /// A write to the journal. Each write is reported twice: before and after it is durable.
    Journal,
}

/// What happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    /// The process goes on; `HttpFault::None` injects nothing. Ignored for journal writes.
    Fault(HttpFault),
    /// The process crashes before the operation is executed.
    CrashBefore,
    /// The operation is executed, and the process crashes before it reads the response.
    CrashAfter,
}

/// Decides what happens to each operation.
pub trait FaultPolicy: Send + Sync {
    /// Called once per operation, in order.
    fn decide(&self, operation: Operation<'_>) -> InjectedFault;
}

/// Asks the policy about each operation and remembers a crash until it is reset.
pub struct CrashSwitch {
    policy: Arc<dyn FaultPolicy>,
    crashed: watch::Sender<bool>,
}

impl CrashSwitch {
    pub fn new(policy: Arc<dyn FaultPolicy>) -> Self {
        Self {
            policy,
            crashed: watch::Sender::new(false),
        }
    }

    /// Clears the crash, so that a new process can start.
    pub fn reset(&self) {
        self.crashed.send_replace(false);
    }

    /// Whether the process crashed since the last reset.
    pub fn is_crashed(&self) -> bool {
        *self.crashed.borrow()
    }

    /// Reports a write to the journal; true when the process crashes there.
    pub(super) fn on_journal_write(&self) -> bool {
        match self.policy.decide(Operation::Journal) {
            InjectedFault::Fault(_) => false,
            InjectedFault::CrashBefore | InjectedFault::CrashAfter => {
                self.crashed.send_replace(true);
                true
            }
        }
    }

    /// Reports a request. Requests after a crash are not executed.
    pub(super) fn on_request(&self, operation: Operation<'_>) -> HttpFault {
        if self.is_crashed() {
            return HttpFault::CutBefore;
        }
        let (fault, crashes) = match self.policy.decide(operation) {
            InjectedFault::Fault(fault) => (fault, false),
            InjectedFault::CrashBefore => (HttpFault::CutBefore, true),
            InjectedFault::CrashAfter => (HttpFault::LoseAnswer, true),
        };
        if crashes {
            self.crashed.send_replace(true);
        }
        fault
    }

    /// Polls `work` until it completes or the process crashes; `None` after a crash.
    pub fn run_until_crash<'a, T: 'a>(
        &'a self,
        work: impl Future<Output = T> + 'a,
    ) -> Pin<Box<dyn Future<Output = Option<T>> + 'a>> {
        let mut crashed = self.crashed.subscribe();
        Box::pin(async move {
            let completed = tokio::select! {
                biased;
                _ = crashed.wait_for(|crashed| *crashed) => None,
                completed = work => Some(completed),
            };
            completed.filter(|_| !self.is_crashed())
        })
    }
}
