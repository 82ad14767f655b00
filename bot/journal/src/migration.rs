//! Every migration that was ever released, for both databases.
//!
//! A released migration is never edited: stores hold its checksum. Each one lets a program of the version before go on
//! working: an added column has a default, and nothing that is read is dropped.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Any, Transaction};

use crate::address::StoreAddress;
use crate::error::OpenError;
use crate::remedy::remedy;

const MIGRATIONS: [(i64, &str, &str); 4] = [
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
    (
        4,
        "maas of a run",
        include_str!("../migrations/0004_maas_of_a_run.sql"),
    ),
];

/// How many migrations this program has.
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

/// Fails unless these migrations, by version and checksum, are the first of this program's own.
pub(crate) fn check_applied(
    address: &StoreAddress,
    applied: &[(i64, Vec<u8>)],
) -> Result<(), OpenError> {
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

/// Migrates the store inside the caller's transaction, which must keep other programs from migrating.
pub(crate) async fn migrate(transaction: &mut Transaction<'_, Any>) -> Result<(), MigrateError> {
    let migrator = Migrator {
        migrations: Cow::Owned(all().to_vec()),
        // The migrator's own lock would be released before the caller's transaction ends.
        locking: false,
        ..Migrator::DEFAULT
    };
    migrator.run(&mut **transaction).await
}

pub(crate) fn unreachable(address: &StoreAddress, source: sqlx::Error) -> OpenError {
    OpenError::Unreachable {
        path: address.to_string(),
        remedy: remedy(&source),
        source,
    }
}

pub(crate) fn not_migrated(address: &StoreAddress, source: MigrateError) -> OpenError {
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
