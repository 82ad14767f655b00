//! The PostgreSQL dialect: how the database is opened, what makes a commit durable, and what its error codes mean.
//!
//! Its password is in the address and nowhere else: nothing here shows an address.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::MigrateError;
use sqlx::{AnyConnection, AnyPool, Connection as _};

use crate::address::Server;
use crate::dialect::{Dialect, Opened};
use crate::migration::{migrate, not_migrated, unreachable};
use crate::{Address, OpenError};

/// How a write begins, whatever the database's own defaults are. What is read before it is written is locked by the
/// statements that read it.
pub(crate) const WRITING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Five seconds: shorter than GitHub waits for a webhook's answer (10 s).
const WAIT: Duration = Duration::from_secs(5);

/// Connections of one replica: its loop, its webhooks and its probes. A server takes 100 of all its programs unless told.
const CONNECTIONS: u32 = 4;

/// Names the lock under which a database is migrated; drawn by lot.
const MIGRATING: &str = "SELECT 1 FROM pg_advisory_xact_lock(6021876543210)";

/// What each connection is set to. A worker that was paused in the middle of a write must not hold the others up: its
/// transaction is ended for it. A fact that was acknowledged survives a power cut, whatever the server's default.
const SETTINGS: &str = "
    SET lock_timeout = '5s';
    SET statement_timeout = '30s';
    SET idle_in_transaction_session_timeout = '10s';
    SET client_min_messages = 'warning';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Opens the database and brings it up to date.
pub(crate) async fn open(address: &Address, server: &Server) -> Result<Opened, OpenError> {
    let pool = connected(&server.whole())
        .await
        .map_err(|source| unreachable(address, source))?;
    suits(address, &pool).await?;
    migrated(&pool)
        .await
        .map_err(|source| not_migrated(address, source))?;
    Ok(Opened {
        dialect: Dialect::Postgres,
        pool,
        anchor: None,
    })
}

/// A connection that changes nothing, to a database that can hold what is written.
pub(crate) async fn look(address: &Address, server: &Server) -> Result<AnyConnection, OpenError> {
    let pool = connected(&server.whole())
        .await
        .map_err(|source| unreachable(address, source))?;
    suits(address, &pool).await?;
    let connection = pool.acquire().await;
    connection
        .map(sqlx::pool::PoolConnection::detach)
        .map_err(|source| unreachable(address, source))
}

/// Whether the database can hold what is written: seen before anything is.
async fn suits(address: &Address, pool: &AnyPool) -> Result<(), OpenError> {
    let (encoding, may_only_be_read): (String, String) = sqlx::query_as(
        "SELECT current_setting('server_encoding'), current_setting('transaction_read_only')",
    )
    .fetch_one(pool)
    .await
    .map_err(|source| unreachable(address, source))?;
    let remedy = if encoding != "UTF8" {
        "its encoding is not UTF8: make a database with `ENCODING 'UTF8'`"
    } else if may_only_be_read == "on" {
        "it may only be read: name the server that may be written to, and a user who may"
    } else {
        return Ok(());
    };
    Err(OpenError::Unsuitable {
        path: address.to_string(),
        remedy,
    })
}

/// What to try, said by SQLSTATE (<https://www.postgresql.org/docs/15/errcodes-appendix.html>).
pub(crate) fn remedy(code: Option<&str>) -> &'static str {
    match code {
        None | Some("57P01" | "57P02" | "57P03" | "57P05") => {
            "see that the database runs and can be reached, and try again"
        }
        Some("28P01" | "28000") => {
            "see that user and password are right (`store.url`, `store.password_file`)"
        }
        Some("3D000") => "make the database first, or name another",
        Some("42501") => {
            "give this user a database of its own (`CREATE DATABASE … OWNER …`), or the right to make tables, and make it the owner of the tables that are there"
        }
        Some("25006") => {
            "it may only be read: name the server that may be written to, and a user who may"
        }
        Some("53100") => "make room on the database's disk",
        Some("53200" | "53300" | "53400") => {
            "the server is full: let other programs end, or raise its limits"
        }
        Some("40001" | "40P01" | "55P03" | "57014" | "25P03") => {
            "another program holds it: end that one, or try again"
        }
        Some("XX001" | "XX002") => "it is damaged: restore a backup",
        Some(_) => "see the database's own log",
    }
}

/// What is wrong with the database, one line each. Its files are the server's own business
/// (`pg_amcheck`, checksums); a power cut must not take what was acknowledged.
pub(crate) async fn damage(pool: &AnyPool) -> Result<Vec<String>, sqlx::Error> {
    let mut found = Vec::new();
    let unsafe_settings: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name",
    )
    .fetch_all(pool)
    .await?;
    for (name,) in unsafe_settings {
        found.push(format!(
            "the server's `{name}` is off, so that a power cut may lose what was acknowledged"
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

async fn connected(url: &str) -> Result<AnyPool, sqlx::Error> {
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str(url)?;
    // Once by hand first: the pool would try again for as long as it waits, and then only say that it waited.
    let first = tokio::time::timeout(WAIT, async {
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
        .acquire_timeout(WAIT)
        .after_connect(|connection, _| Box::pin(set_up(connection)))
        .connect_lazy_with(options))
}

async fn set_up(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SETTINGS).execute(connection).await?;
    Ok(())
}

/// All of it in one transaction under one lock: of several replicas that open a database at once, one migrates it.
async fn migrated(pool: &AnyPool) -> Result<(), MigrateError> {
    let mut transaction = pool.begin_with(WRITING).await?;
    sqlx::query(MIGRATING).execute(&mut *transaction).await?;
    migrate(&mut transaction).await?;
    Ok(transaction.commit().await?)
}
