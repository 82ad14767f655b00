//! Chooses the database by the store's address. It must not know any table.

use sqlx::{AnyConnection, AnyPool};

use crate::address::{StoreAddress, StoreKind};
use crate::dialect::{Dialect, OpenStore};
use crate::error::OpenError;
use crate::{postgres, sqlite};

/// Opens and migrates the store. On an error nothing stays open.
pub(crate) async fn open(address: &StoreAddress) -> Result<OpenStore, OpenError> {
    match &address.0 {
        StoreKind::Memory => sqlite::open_memory(address).await,
        StoreKind::File(path) => sqlite::open_file(address, path).await,
        StoreKind::Postgres(server) => postgres::open(address, server).await,
    }
}

/// A connection to the store as it is: nothing is created or migrated. `None` where there is no file yet.
pub(crate) async fn connect_only(
    address: &StoreAddress,
) -> Result<Option<AnyConnection>, OpenError> {
    match &address.0 {
        StoreKind::Memory => Ok(None),
        StoreKind::File(path) => sqlite::connect_only(address, path).await,
        StoreKind::Postgres(server) => postgres::connect_only(address, server).await.map(Some),
    }
}

/// Problems of the database itself, one line each.
pub(crate) async fn damage(dialect: Dialect, pool: &AnyPool) -> Result<Vec<String>, sqlx::Error> {
    match dialect {
        Dialect::Sqlite => sqlite::damage(pool).await,
        Dialect::Postgres => postgres::damage(pool).await,
    }
}
