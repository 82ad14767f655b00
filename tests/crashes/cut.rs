//! The fate of the crash law: counts what leaves the process, and the power goes with one of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use lab::maas::HttpFault;
use simulation::harness::{FaultPolicy, InjectedFault, Operation};

/// Counts the operations: MAAS, GitHub, journal.
#[derive(Default)]
pub(crate) struct Cut {
    counts: [AtomicUsize; 3],
    at: AtomicUsize,
}

impl Cut {
    /// Begins to count; the power goes with operation `at`, counted from 1, or never.
    pub(crate) fn arm(&self, at: Option<usize>) {
        for count in &self.counts {
            count.store(0, Ordering::SeqCst);
        }
        self.at.store(at.unwrap_or(0), Ordering::SeqCst);
    }

    /// Operations since it was armed.
    pub(crate) fn counted(&self) -> [usize; 3] {
        [0, 1, 2].map(|kind| self.counts[kind].load(Ordering::SeqCst))
    }
}

impl FaultPolicy for Cut {
    fn of(&self, operation: Operation<'_>) -> InjectedFault {
        let kind = match operation {
            Operation::Maas(_) => 0,
            Operation::GitHub(_) => 1,
            Operation::Journal => 2,
        };
        self.counts[kind].fetch_add(1, Ordering::SeqCst);
        if self.counted().iter().sum::<usize>() == self.at.load(Ordering::SeqCst) {
            return InjectedFault::DarkAfter;
        }
        InjectedFault::Fault(HttpFault::None)
    }
}
