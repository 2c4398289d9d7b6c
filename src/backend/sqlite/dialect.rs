//! What is particular to SQLite.

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

/// A transaction that only turns into a writer half-way can fail where one that starts as a writer waits.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

pub(super) const BEGIN_CHANGE: &str = BEGIN;
pub(super) const BEGIN_MASS_CHANGE: &str = BEGIN;

/// How long a statement for management may run.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Begins to read, with a limit: the thread of a connection would go on with a statement that no client waits for any more.
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

/// Takes the limit off the connection, which changes are made with as well.
pub(super) async fn end_read(connection: &mut DatabaseConnection) -> Result<(), BackendError> {
    connection.lock_handle().await.map_err(BackendError::unavailable)?.remove_progress_handler();
    Ok(())
}

/// Connections for lookups.
pub(super) const LOOKUP_CONNECTIONS: u32 = 4;

/// A file has connections for all, and the one for polls watches over the write-ahead log that it has open.
pub(super) const POLLS_FALL_BACK: bool = false;

/// How long a connection may take to be closed: it finishes its statement first.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

/// The time, in milliseconds.
pub(super) const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// Nothing: whoever writes is alone, so that a row that was read stays as it is.
pub(super) const LOCK_ROW: &str = "";

/// Nothing: a file has one table of a name.
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

/// What goes with the changes of a transaction: those that are an hour old leave the feed. Whoever has not read them by then
/// finds a gap. Of the oldest, no more than a thousand at a time.
pub(super) const AFTER_CHANGES: &[&str] = &["DELETE FROM tower_api_key_change
    WHERE seq < (SELECT min(seq) FROM tower_api_key_change) + 1000
    AND at < CAST(unixepoch('subsec') * 1000 AS INTEGER) - 3600000"];

/// The memberships of a person as a JSON list, for a statement that names the column of the e-mail.
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

/// Statements that come before the steps of the schema. The last one changes nothing, and fails where nothing can be changed: SQLite opens
/// a file for reading that it cannot open for writing, and says so when it is to write.
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

/// Returns whether a transaction failed because of others at the same time. Here it waits for them.
pub(super) fn is_lock_conflict(_: &dyn DatabaseError) -> bool {
    false
}

/// Tells whether the database cannot keep a value, whatever the time. This one keeps all that it is given.
pub(super) fn is_unrepresentable(_: &dyn DatabaseError) -> bool {
    false
}

/// Returns whether a prepared statement does not fit the tables any more. The driver prepares it anew by itself.
pub(super) fn is_stale_plan(_: &dyn DatabaseError) -> bool {
    false
}

/// Nothing: there is one file.
macro_rules! primary_only {
    () => {
        ""
    };
}
pub(super) use primary_only;
