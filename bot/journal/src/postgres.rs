//! PostgreSQL: how the database is opened, what makes a commit durable, and how damage shows.
//!
//! The password is in the address and nowhere else: nothing here prints an address.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::MigrateError;
use sqlx::{AnyConnection, AnyPool, Connection as _};

use crate::address::{PostgresAddress, StoreAddress};
use crate::dialect::{Dialect, OpenStore};
use crate::error::OpenError;
use crate::migration::{migrate, not_migrated, unreachable};

/// Five seconds: shorter than GitHub waits for a webhook's answer (10 s).
const TIMEOUT: Duration = Duration::from_secs(5);

/// Connections of one replica: its worker, its webhooks and its probes. A server accepts 100 in all by default.
const CONNECTIONS: u32 = 4;

/// Takes the lock under which a database is migrated. The number is random.
const LOCK_MIGRATION: &str = "SELECT 1 FROM pg_advisory_xact_lock(6021876543210)";

/// Settings of each connection. A worker that was paused in the middle of a write must not block the others: the server
/// ends its transaction. An acknowledged fact survives a power cut, whatever the server's default.
const SETTINGS: &str = "
    SET lock_timeout = '5s';
    SET statement_timeout = '30s';
    SET idle_in_transaction_session_timeout = '10s';
    SET client_min_messages = 'warning';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Opens and migrates the database.
pub(crate) async fn open(
    address: &StoreAddress,
    server: &PostgresAddress,
) -> Result<OpenStore, OpenError> {
    let pool = open_pool(&server.to_url())
        .await
        .map_err(|source| unreachable(address, source))?;
    check_suitable(address, &pool).await?;
    migrate_pool(&pool)
        .await
        .map_err(|source| not_migrated(address, source))?;
    Ok(OpenStore {
        dialect: Dialect::Postgres,
        pool,
        anchor: None,
    })
}

/// A connection that creates and migrates nothing.
pub(crate) async fn connect_only(
    address: &StoreAddress,
    server: &PostgresAddress,
) -> Result<AnyConnection, OpenError> {
    let pool = open_pool(&server.to_url())
        .await
        .map_err(|source| unreachable(address, source))?;
    check_suitable(address, &pool).await?;
    let connection = pool.acquire().await;
    connection
        .map(sqlx::pool::PoolConnection::detach)
        .map_err(|source| unreachable(address, source))
}

/// Fails where the database cannot hold what the journal writes. Called before the first write.
async fn check_suitable(address: &StoreAddress, pool: &AnyPool) -> Result<(), OpenError> {
    let (encoding, read_only): (String, String) = sqlx::query_as(
        "SELECT current_setting('server_encoding'), current_setting('transaction_read_only')",
    )
    .fetch_one(pool)
    .await
    .map_err(|source| unreachable(address, source))?;
    let remedy = if encoding != "UTF8" {
        "its encoding is not UTF8: create a database with `ENCODING 'UTF8'`"
    } else if read_only == "on" {
        "it may only be read: name the server that may be written to, and a user who may"
    } else {
        return Ok(());
    };
    Err(OpenError::Unsuitable {
        path: address.to_string(),
        remedy,
    })
}

/// Problems of the database, one line each: settings under which a power cut loses acknowledged writes, and facts without
/// a run. The server checks its own files (`pg_amcheck`, checksums).
pub(crate) async fn damage(pool: &AnyPool) -> Result<Vec<String>, sqlx::Error> {
    let mut found = Vec::new();
    let unsafe_settings: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name",
    )
    .fetch_all(pool)
    .await?;
    for (name,) in unsafe_settings {
        found.push(format!(
            "the server's `{name}` is off, so a power cut may lose acknowledged writes"
        ));
    }
    let (orphans,): (i64,) = sqlx::query_as(
        "SELECT COUNT(*) FROM fact WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.id = fact.run)",
    )
    .fetch_one(pool)
    .await?;
    if orphans > 0 {
        found.push(format!("{orphans} facts belong to no run"));
    }
    Ok(found)
}

async fn open_pool(url: &str) -> Result<AnyPool, sqlx::Error> {
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str(url)?;
    // Outside the pool first: the pool would retry until its timeout, and then report only that it timed out.
    let first = tokio::time::timeout(TIMEOUT, async {
        let mut connection = AnyConnection::connect_with(&options).await?;
        set_up(&mut connection).await?;
        connection.close().await
    });
    first.await.unwrap_or_else(|_| {
        let silent = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in 5 s");
        Err(sqlx::Error::Io(silent))
    })?;
    Ok(AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(TIMEOUT)
        .after_connect(|connection, _| Box::pin(set_up(connection)))
        .connect_lazy_with(options))
}

async fn set_up(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SETTINGS).execute(connection).await?;
    Ok(())
}

/// In one transaction under one lock: of several replicas that open a database at once, one migrates it.
async fn migrate_pool(pool: &AnyPool) -> Result<(), MigrateError> {
    let mut transaction = Dialect::Postgres.begin(pool).await?;
    sqlx::query(LOCK_MIGRATION)
        .execute(&mut *transaction)
        .await?;
    migrate(&mut transaction).await?;
    Ok(transaction.commit().await?)
}
