//! The [dialect](Dialect) and the driver of SQLite: the parts of statements in which it differs. A transaction that writes excludes
//! all others that write, so no rows, keys or owners are locked.

// Layer 3 of 10: storage.

use std::time::Duration;

use crate::backend::sql::dialect::{Dialect, Migration};
use crate::backend::sql::lookups::lookups;
use crate::backend::sql::session::driver;

/// A transaction that starts as a reader can fail to become a writer. One that starts as a writer waits.
const BEGIN: &str = "BEGIN IMMEDIATE";

// Implements `Driver` and `Session` for the types of sqlx: other files reach this dialect by `Driver::DIALECT` and `Session::dialect`.
driver!(sqlx::Sqlite, sqlx::SqliteConnection, sqlx::sqlite::SqliteRow, &SQLITE);

static SQLITE: Dialect = Dialect {
    begin_migration: BEGIN,
    begin_change: BEGIN,
    begin_mass_change: BEGIN,
    begin_read: "BEGIN",
    now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    lock_rows_suffix: "",
    lock_usage_suffix: "",
    skip_locked_suffix: "",
    key_locks: None,
    lock_owners_shared: None,
    lock_owners_exclusive: None,
    after_changes: &["DELETE FROM tower_api_key_change
    WHERE seq < (SELECT min(seq) FROM tower_api_key_change) + 1000
    AND at < CAST(unixepoch('subsec') * 1000 AS INTEGER) - 3600000"],
    // A file has no standby.
    lookups: lookups!(
        "json_group_array(json_array(m.organization, o.disabled, o.requires_sso, m.role, m.scopes))",
        ""
    ),
    // The last one changes nothing, and fails if the file cannot be written: SQLite then opens it for reading, and reports an
    // error at the first write.
    before_migrations: &[
        "CREATE TABLE IF NOT EXISTS tower_api_key_migration (
        version    INTEGER PRIMARY KEY,
        name       TEXT NOT NULL,
        checksum   BLOB NOT NULL,
        applied_at INTEGER NOT NULL DEFAULT (unixepoch() * 1000)
    ) STRICT",
        "DELETE FROM tower_api_key_migration WHERE FALSE",
    ],
    migrations: &[Migration { version: 1, name: "initial", sql: include_str!("../schema/sqlite.sql") }],
    lock_conflicts: &[],
    // SQLite holds any value.
    unrepresentable: &[],
    // The driver prepares such a statement again by itself.
    stale_plans: &[],
    lookup_connections: 4,
    // A file has connections for all, and that for polls watches its write-ahead log.
    polls_fall_back: false,
    // It finishes its statement first.
    close_timeout: Duration::from_secs(60),
};
