//! Every migration that was ever shipped, for every database.
//!
//! One that was shipped is never edited: its checksum is in the stores. All are of the kind that a program of the version
//! before goes on working with (what is added has a default, what is read is not taken away).

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Any, Transaction};

use crate::{Address, OpenError, remedy};

const MIGRATIONS: [(i64, &str, &str); 3] = [
    (1, "first", include_str!("../migrations/0001_first.sql")),
    (
        2,
        "claims and indexes",
        include_str!("../migrations/0002_claims_and_indexes.sql"),
    ),
    (
        3,
        "lanes and retries",
        include_str!("../migrations/0003_lanes_and_retries.sql"),
    ),
];

/// How many this program knows.
pub(crate) const KNOWN: usize = MIGRATIONS.len();

fn all() -> [Migration; KNOWN] {
    MIGRATIONS.map(|(version, name, sql)| {
        Migration::new(
            version,
            Cow::Borrowed(name),
            MigrationType::Simple,
            sqlx::SqlStr::from_static(sql),
            false,
        )
    })
}

/// Whether these migrations, by version and checksum, are this program's own, as far as they go.
pub(crate) fn fits(address: &Address, applied: &[(i64, Vec<u8>)]) -> Result<(), OpenError> {
    let all = all();
    for (version, checksum) in applied {
        let Some(own) = all.iter().find(|own| own.version == *version) else {
            return Err(not_migrated(
                address,
                MigrateError::VersionMissing(*version),
            ));
        };
        if *own.checksum != **checksum {
            let mismatch = MigrateError::VersionMismatch(*version);
            return Err(not_migrated(address, mismatch));
        }
    }
    Ok(())
}

/// Brings the store up to date, inside a transaction that no other program's migrating overlaps.
pub(crate) async fn migrate(transaction: &mut Transaction<'_, Any>) -> Result<(), MigrateError> {
    let migrator = Migrator {
        migrations: Cow::Owned(all().to_vec()),
        // Nobody else migrates while the caller's transaction is open; the migrator's own lock would end before it does.
        locking: false,
        ..Migrator::DEFAULT
    };
    migrator.run(&mut **transaction).await
}

pub(crate) fn unreachable(address: &Address, source: sqlx::Error) -> OpenError {
    OpenError::Unreachable {
        path: address.to_string(),
        remedy: remedy(&source),
        source,
    }
}

pub(crate) fn not_migrated(address: &Address, source: MigrateError) -> OpenError {
    if let MigrateError::VersionMissing(version) = source {
        return OpenError::TooNew {
            path: address.to_string(),
            version,
            known: KNOWN,
        };
    }
    if let MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) = source {
        return unreachable(address, source);
    }
    OpenError::DoesNotFit {
        path: address.to_string(),
        source,
    }
}
