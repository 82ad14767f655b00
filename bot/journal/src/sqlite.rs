//! The SQLite dialect: how the file is opened and what makes a commit durable.

use std::str::FromStr as _;
use std::sync::Arc;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::{Journal, OpenError};

const FIRST: &str = include_str!("../migrations/0001_first.sql");

impl Journal {
    /// Opens the journal at `url` (`sqlite://FILE`, made when missing), and brings it up to date.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let path = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"))
            .ok_or_else(|| OpenError::NotAStore(url.to_owned()))?
            .to_owned();
        sqlx::any::install_default_drivers();
        let unreachable = |source| OpenError::Unreachable {
            path: path.clone(),
            source,
        };
        let address = if path == ":memory:" {
            "sqlite::memory:".to_owned()
        } else {
            format!("sqlite://{path}?mode=rwc")
        };
        let options = AnyConnectOptions::from_str(&address).map_err(unreachable)?;
        // One connection: SQLite has one writer, and a second one only waits for it.
        let pool = AnyPoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(std::time::Duration::from_secs(5))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    for pragma in [
                        "PRAGMA journal_mode = WAL",
                        // A fact that was acknowledged survives a power cut.
                        "PRAGMA synchronous = FULL",
                        "PRAGMA busy_timeout = 5000",
                        "PRAGMA foreign_keys = ON",
                    ] {
                        sqlx::query(pragma).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await
            .map_err(unreachable)?;
        migrations()
            .run(&pool)
            .await
            .map_err(|source| OpenError::DoesNotFit {
                path: path.clone(),
                source,
            })?;
        Ok(Self {
            pool,
            fuse: Arc::new(|| false),
        })
    }
}

fn migrations() -> Migrator {
    let first = Migration::new(
        1,
        "first".into(),
        MigrationType::Simple,
        sqlx::SqlStr::from_static(FIRST),
        false,
    );
    Migrator {
        migrations: std::borrow::Cow::Owned(vec![first]),
        ..Migrator::DEFAULT
    }
}
