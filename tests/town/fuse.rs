//! The fuse: counts what leaves the process, and the power goes with one of it. It must not know what anything is for.

use std::sync::atomic::{AtomicUsize, Ordering};

use lab::maas::Fault;
use tokio::sync::watch;

/// What leaves the process, one kind each.
#[derive(Clone, Copy, Debug)]
pub(in crate::town) enum Kind {
    Maas,
    GitHub,
    Journal,
}

/// Counts the operations and goes dark with one of them.
pub(crate) struct Fuse {
    counts: [AtomicUsize; 3],
    at: AtomicUsize,
    dark: watch::Sender<bool>,
}

impl Fuse {
    pub(super) fn new() -> Self {
        Self {
            counts: Default::default(),
            at: AtomicUsize::new(0),
            dark: watch::Sender::new(false),
        }
    }

    /// Begins to count; the power goes with operation `at`, counted from 1, or never.
    pub(crate) fn arm(&self, at: Option<usize>) {
        for count in &self.counts {
            count.store(0, Ordering::SeqCst);
        }
        self.at.store(at.unwrap_or(0), Ordering::SeqCst);
        self.dark.send_replace(false);
    }

    /// Operations since it was armed: MAAS, GitHub, journal.
    pub(crate) fn counted(&self) -> [usize; 3] {
        [0, 1, 2].map(|kind| self.counts[kind].load(Ordering::SeqCst))
    }

    pub(crate) fn is_dark(&self) -> bool {
        *self.dark.borrow()
    }

    /// One operation; true when the power goes with it. In the dark nothing counts.
    pub(super) fn burn(&self, kind: Kind) -> bool {
        self.counts[kind as usize].fetch_add(1, Ordering::SeqCst);
        let goes = self.counted().iter().sum::<usize>() == self.at.load(Ordering::SeqCst);
        if goes {
            self.dark.send_replace(true);
        }
        goes
    }

    /// A request that arrived: in the dark it does not, and the one that the power goes with is not answered.
    pub(super) fn hears(&self, kind: Kind) -> Fault {
        if self.is_dark() {
            Fault::CutBefore
        } else if self.burn(kind) {
            Fault::LoseAnswer
        } else {
            Fault::None
        }
    }

    /// Lets it go on until it ends or the power goes; `None` then.
    pub(super) async fn until_dark<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut dark = self.dark.subscribe();
        let ended = tokio::select! {
            biased;
            _ = dark.wait_for(|dark| *dark) => None,
            ended = work => Some(ended),
        };
        ended.filter(|_| !self.is_dark())
    }
}
