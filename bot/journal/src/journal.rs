//! The open store as a value: what every part of this crate reads and writes through.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::{AnyConnection, AnyPool};

use crate::address::StoreAddress;
use crate::dialect::{Dialect, OpenStore};
use crate::error::{JournalError, OpenError};
use crate::lease_clock::LeaseClock;
use crate::{Lease, backend, migration};

/// A test's hook that cuts the power: asked twice for each write, before its transaction begins and after it is durable.
/// `true` cuts it. In production it always answers `false`.
pub type CrashPoint = Arc<dyn Fn() -> bool + Send + Sync>;

/// An open store. Clones share its connections.
#[derive(Clone)]
pub struct Journal {
    pub(crate) dialect: Dialect,
    pool: AnyPool,
    pub(crate) lease_clock: LeaseClock,
    /// The lease that every write of this journal requires, if any.
    pub(crate) fence: Option<Arc<Lease>>,
    _anchor: Option<Arc<Mutex<AnyConnection>>>,
    crash_point: CrashPoint,
    crashed: Arc<AtomicBool>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Journal")
    }
}

impl Journal {
    /// Opens and migrates the store at `url`: `sqlite://FILE` (created when missing), `sqlite::memory:`, or
    /// `postgres://USER@HOST/DATABASE`.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_at(&StoreAddress::parse(url)?).await
    }

    /// Opens and migrates the store at a parsed address.
    pub async fn open_at(address: &StoreAddress) -> Result<Self, OpenError> {
        let OpenStore {
            dialect,
            pool,
            anchor,
        } = backend::open(address).await?;
        let journal = Self {
            dialect,
            pool,
            lease_clock: LeaseClock::of(dialect),
            fence: None,
            _anchor: anchor,
            crash_point: Arc::new(|| false),
            crashed: Arc::new(AtomicBool::new(false)),
        };
        // A store that needed no migration was only read so far.
        match journal.try_write().await {
            Err(JournalError::Store(source)) => Err(migration::unreachable(address, source)),
            Ok(()) | Err(_) => Ok(journal),
        }
    }

    /// The same journal with a crash point. After the power cut, this journal and its clones neither read nor write; the
    /// journal that it was made from, or the store opened again, shows the state after the cut.
    #[must_use]
    pub fn with_crash_point(mut self, crash_point: CrashPoint) -> Self {
        self.crash_point = crash_point;
        self.crashed = Arc::new(AtomicBool::new(false));
        self
    }

    /// The connections to read with.
    pub(crate) fn pool(&self) -> Result<&AnyPool, JournalError> {
        if self.crashed.load(Ordering::SeqCst) {
            return Err(JournalError::PowerCut);
        }
        Ok(&self.pool)
    }

    /// Asks the crash point: before each write, and after it is durable.
    pub(crate) fn reach_crash_point(&self) -> Result<(), JournalError> {
        if (self.crash_point)() {
            self.crashed.store(true, Ordering::SeqCst);
            return Err(JournalError::PowerCut);
        }
        Ok(())
    }
}
