//! The schema of the SQL stores, step by step.
//!
//! The steps that were applied stand in a ledger of our own, so that a store can share the database of an application
//! that keeps a ledger itself.

use sha2::{Digest, Sha256};
use sqlx::{Connection, Row, Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::BackendError;
use super::sqlite::{BEGIN, give_back};

/// One step of a schema. A step that was released never changes.
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

const SQLITE: &[Migration] =
    &[Migration { version: 1, name: "keys", sql: include_str!("migrations/sqlite/0001_keys.sql") }];

const SQLITE_LEDGER: &str = "CREATE TABLE IF NOT EXISTS tower_api_key_migration (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    checksum   BLOB NOT NULL,
    applied_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000)
) STRICT";

/// Brings an SQLite database up to date, in one transaction: a process that is killed half-way leaves nothing behind, and
/// of several that start at once one does the work.
///
/// # Errors
///
/// When the database cannot be written, or its schema is not one that this version of the crate left behind.
pub(super) async fn migrate_sqlite(pool: &SqlitePool) -> Result<(), BackendError> {
    let mut connection = pool.acquire().await.map_err(BackendError::unavailable)?;
    let outcome = migrate_on(&mut connection).await;
    give_back(connection, outcome)
}

async fn migrate_on(connection: &mut SqliteConnection) -> Result<(), BackendError> {
    let mut transaction = connection.begin_with(BEGIN).await.map_err(BackendError::unavailable)?;
    sqlx::query(SQLITE_LEDGER).execute(&mut *transaction).await.map_err(BackendError::unavailable)?;
    let applied = ledger(&mut transaction).await?;
    check(SQLITE, &applied)?;
    for migration in &SQLITE[applied.len()..] {
        apply(&mut transaction, migration).await?;
    }
    transaction.commit().await.map_err(BackendError::unavailable)
}

/// Reads what was applied. The write lock is held, so that an error here is about a table of another shape.
async fn ledger(transaction: &mut Transaction<'_, Sqlite>) -> Result<Vec<(i64, Vec<u8>)>, BackendError> {
    let rows = sqlx::query("SELECT version, checksum FROM tower_api_key_migration ORDER BY version")
        .fetch_all(&mut **transaction)
        .await
        .map_err(BackendError::corrupt)?;
    let read = |row: &sqlx::sqlite::SqliteRow| Ok((row.try_get("version")?, row.try_get("checksum")?));
    rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(BackendError::corrupt)
}

/// Checks that what was applied is how the known steps begin.
fn check(known: &[Migration], applied: &[(i64, Vec<u8>)]) -> Result<(), BackendError> {
    for (index, (version, checksum)) in applied.iter().enumerate() {
        let Some(migration) = known.get(index) else {
            let newest = known.len();
            return Err(BackendError::corrupt(format!(
                "the schema has version {version}, this version of the crate knows {newest}: update the crate"
            )));
        };
        if migration.version != *version || checksum_of(migration) != **checksum {
            let Migration { version, name, .. } = migration;
            return Err(BackendError::corrupt(format!(
                "version {version} ({name}) of the schema is not the one that this crate applies"
            )));
        }
    }
    Ok(())
}

async fn apply(transaction: &mut Transaction<'_, Sqlite>, migration: &Migration) -> Result<(), BackendError> {
    let Migration { version, name, sql } = migration;
    sqlx::raw_sql(*sql).execute(&mut **transaction).await.map_err(|error| {
        BackendError::corrupt(format!("version {version} ({name}) of the schema cannot be applied: {error}"))
    })?;
    sqlx::query("INSERT INTO tower_api_key_migration (version, name, checksum) VALUES (?, ?, ?)")
        .bind(version)
        .bind(name)
        .bind(&checksum_of(migration)[..])
        .execute(&mut **transaction)
        .await
        .map_err(BackendError::unavailable)?;
    Ok(())
}

fn checksum_of(migration: &Migration) -> [u8; 32] {
    Sha256::digest(migration.sql).into()
}
