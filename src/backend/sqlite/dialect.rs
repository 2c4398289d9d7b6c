//! The parts of the store that are specific to SQLite.

use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::error::DatabaseError;

use crate::backend::BackendError;
use crate::backend::sql::Migration;

pub(super) type Database = sqlx::Sqlite;
pub(super) type Pool = sqlx::SqlitePool;
pub(super) type ConnectOptions = sqlx::sqlite::SqliteConnectOptions;
pub(super) type Row = sqlx::sqlite::SqliteRow;
pub(super) type DatabaseConnection = sqlx::SqliteConnection;
pub(super) type DatabaseTransaction<'t> = sqlx::Transaction<'t, Database>;

/// A transaction that starts as a reader can fail to become a writer. One that starts as a writer waits.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

pub(super) const BEGIN_CHANGE: &str = BEGIN;
pub(super) const BEGIN_MASS_CHANGE: &str = BEGIN;

/// How long a management query may run.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Begins a read-only transaction with a timeout: the thread of a connection would otherwise continue a query without a client.
#[allow(clippy::disallowed_methods, reason = "a store has no clock, and lets nothing in by this")]
pub(super) async fn begin_read<'c>(
    connection: &'c mut DatabaseConnection,
    _: &Namespace,
) -> Result<DatabaseTransaction<'c>, BackendError> {
    const STEPS: i32 = 10_000;
    let end = Instant::now() + READ_TIMEOUT;
    let mut handle = connection.lock_handle().await.map_err(BackendError::unavailable)?;
    handle.set_progress_handler(STEPS, move || Instant::now() < end);
    drop(handle);
    connection.begin_with("BEGIN").await.map_err(BackendError::unavailable)
}

/// Removes the timeout from the connection, which also makes changes.
pub(super) async fn end_read(connection: &mut DatabaseConnection) -> Result<(), BackendError> {
    connection.lock_handle().await.map_err(BackendError::unavailable)?.remove_progress_handler();
    Ok(())
}

/// Connections for lookups.
pub(super) const LOOKUP_CONNECTIONS: u32 = 4;

/// A file has connections for all, and that for polls watches its write-ahead log.
pub(super) const POLLS_FALL_BACK: bool = false;

/// How long closing a connection may take: it finishes its statement first.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

/// The time, in milliseconds.
pub(super) const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// Nothing: a transaction that writes excludes all others.
pub(super) const LOCK_ROW: &str = "";

/// Nothing: table names are unique in a file.
#[derive(Debug, Clone)]
pub(super) struct Namespace;

#[allow(clippy::unused_self, reason = "other databases have several")]
impl Namespace {
    pub(super) async fn find(_: &mut DatabaseTransaction<'_>) -> Result<Self, BackendError> {
        Ok(Self)
    }

    pub(super) fn begin(&self, begin: &'static str) -> &'static str {
        begin
    }

    pub(super) fn qualify(&self, statement: &'static str) -> &'static str {
        statement
    }
}

/// Nothing, for the same reason.
pub(super) const KEY_LOCKS: Option<(&str, &str)> = None;
pub(super) const SKIP_LOCKED: &str = "";
pub(super) const LOCK_OWNERS_SHARED: &[&str] = &[];
pub(super) const LOCK_OWNERS_EXCLUSIVE: &[&str] = &[];

/// Run after the changes of a transaction were logged: trims changes that are an hour old from the log, up to a thousand of the
/// oldest. A poller that has not read them finds a gap.
pub(super) const AFTER_CHANGES: &[&str] = &["DELETE FROM tower_api_key_change
    WHERE seq < (SELECT min(seq) FROM tower_api_key_change) + 1000
    AND at < CAST(unixepoch('subsec') * 1000 AS INTEGER) - 3600000"];

/// The memberships of a person as a JSON list. The argument is the column of the e-mail.
macro_rules! memberships {
    ($email:literal) => {
        concat!(
            "(SELECT json_group_array(json_array(m.organization, o.disabled, o.requires_sso, m.role, m.scopes))
                FROM tower_api_key_membership m JOIN tower_api_key_organization o ON o.organization = m.organization
                WHERE m.email = ",
            $email,
            ")"
        )
    };
}
pub(super) use memberships;

/// Statements that run before the migrations. The last one changes nothing, and fails if the file cannot be written: SQLite then
/// opens it for reading, and reports an error at the first write.
pub(super) const PREPARE: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS tower_api_key_migration (
        version    INTEGER PRIMARY KEY,
        name       TEXT NOT NULL,
        checksum   BLOB NOT NULL,
        applied_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000)
    ) STRICT",
    "DELETE FROM tower_api_key_migration WHERE FALSE",
];

pub(super) const SCHEMA: &[Migration] = &[
    Migration { version: 1, name: "keys", sql: include_str!("../sql/migrations/sqlite/0001_keys.sql") },
    Migration { version: 2, name: "life", sql: include_str!("../sql/migrations/sqlite/0002_life.sql") },
    Migration { version: 3, name: "owners", sql: include_str!("../sql/migrations/sqlite/0003_owners.sql") },
    Migration { version: 4, name: "audit", sql: include_str!("../sql/migrations/sqlite/0004_audit.sql") },
    Migration { version: 5, name: "usage", sql: include_str!("../sql/migrations/sqlite/0005_usage.sql") },
    Migration {
        version: 6,
        name: "retrievable",
        sql: include_str!("../sql/migrations/sqlite/0006_retrievable.sql"),
    },
    Migration { version: 7, name: "lists", sql: include_str!("../sql/migrations/sqlite/0007_lists.sql") },
    Migration { version: 8, name: "actors", sql: include_str!("../sql/migrations/sqlite/0008_actors.sql") },
];

/// Returns whether a transaction failed because of concurrent ones. In SQLite it waits for them.
pub(super) fn is_lock_conflict(_: &dyn DatabaseError) -> bool {
    false
}

/// Returns whether the database can never hold a value. SQLite holds any.
pub(super) fn is_unrepresentable(_: &dyn DatabaseError) -> bool {
    false
}

/// Returns whether a prepared statement no longer fits the tables. The driver prepares it again by itself.
pub(super) fn is_stale_plan(_: &dyn DatabaseError) -> bool {
    false
}

/// Nothing: a file has no replicas.
macro_rules! primary_only {
    () => {
        ""
    };
}
pub(super) use primary_only;
