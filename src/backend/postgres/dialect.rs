//! The parts of the store that are specific to PostgreSQL.

use std::time::Duration;

use sqlx::Connection;
use sqlx::error::DatabaseError;

use crate::backend::BackendError;
use crate::backend::sql::Migration;

pub(super) use super::namespace::Namespace;

pub(super) type Database = sqlx::Postgres;
pub(super) type Pool = sqlx::PgPool;
pub(super) type ConnectOptions = sqlx::postgres::PgConnectOptions;
pub(super) type Row = sqlx::postgres::PgRow;
pub(super) type DatabaseConnection = sqlx::PgConnection;
pub(super) type DatabaseTransaction<'t> = sqlx::Transaction<'t, Database>;

/// Each statement sees what was committed before it, whatever the default of an application's connections: a statement after a
/// lock must see the changes made under it. The server ends the transaction of a suspended or disconnected process after a
/// second, so its locks keep an actor from being revoked no longer than that.
pub(super) const BEGIN: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = '1s'";

/// The same with a statement timeout: a statement must not continue without a client.
pub(super) const BEGIN_CHANGE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SET LOCAL idle_in_transaction_session_timeout = '1s'; SET LOCAL statement_timeout = '10s'";
pub(super) const BEGIN_MASS_CHANGE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SET LOCAL idle_in_transaction_session_timeout = '1s'; SET LOCAL statement_timeout = '600s'";

/// Begins a read-only transaction with the same statement timeout.
pub(super) async fn begin_read<'c>(
    connection: &'c mut DatabaseConnection,
    namespace: &Namespace,
) -> Result<DatabaseTransaction<'c>, BackendError> {
    const BEGIN_READ: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = '10s'";
    connection.begin_with(namespace.begin(BEGIN_READ)).await.map_err(BackendError::unavailable)
}

/// Does nothing: the timeout ends with the transaction.
pub(super) async fn end_read(_: &mut DatabaseConnection) -> Result<(), BackendError> {
    Ok(())
}

/// Connections for lookups, which take less than a millisecond each.
pub(super) const LOOKUP_CONNECTIONS: u32 = 5;

/// The server may have given the connection for polls to another process.
pub(super) const POLLS_FALL_BACK: bool = true;

/// How long closing a connection may take. An unreachable server must not delay the next lookups.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The time, in milliseconds.
pub(super) const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::BIGINT";

/// Locks the rows that are read until the transaction ends.
pub(super) const LOCK_ROW: &str = " FOR UPDATE OF tower_api_key";

/// Lock a key by its number, exclusively or shared, until the transaction ends. Waiters are served in the order of their
/// requests, in either mode.
pub(super) const KEY_LOCKS: Option<(&str, &str)> =
    Some(("pg_advisory_xact_lock", "pg_advisory_xact_lock_shared"));

/// A transaction that adds a key blocks changes of owners, and one that changes an owner blocks new keys: otherwise a key that is
/// added concurrently would be cached with its former owner. Changes of many keys block those that lock the rows of two in
/// another order. The number is arbitrary.
pub(super) const LOCK_OWNERS_SHARED: &[&str] = &["SELECT pg_advisory_xact_lock_shared(8390047731244621933)"];
pub(super) const LOCK_OWNERS_EXCLUSIVE: &[&str] = &["SELECT pg_advisory_xact_lock(8390047731244621933)"];

/// Run after the changes of a transaction were logged. Notifies the listeners at the commit, and trims changes that are an hour
/// old from the log, up to a thousand of the oldest. Changes that are not visible to all transactions stay, however old: a poller
/// must not miss one because of a long transaction. If another transaction is trimming, this one skips it.
pub(super) const AFTER_CHANGES: &[&str] = &[
    "SELECT pg_notify('tower_api_key', '')",
    "WITH old AS (
        SELECT seq FROM tower_api_key_change
        WHERE seq < (SELECT min(seq) FROM tower_api_key_change) + 1000
        AND at < (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT - 3600000
        AND tx < pg_snapshot_xmin(pg_current_snapshot())
    ), cut AS (
        SELECT FROM tower_api_key_change_trim WHERE EXISTS (SELECT FROM old) FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM tower_api_key_change
        WHERE seq IN (SELECT seq FROM old) AND EXISTS (SELECT FROM cut) RETURNING tx
    )
    UPDATE tower_api_key_change_trim SET tx = greatest(tx, (SELECT tx FROM gone ORDER BY tx DESC LIMIT 1))
    WHERE EXISTS (SELECT FROM gone)",
];

/// The memberships of a person as a JSON list. The argument is the column of the e-mail.
macro_rules! memberships {
    ($email:literal) => {
        concat!(
            "(SELECT json_agg(json_build_array(m.organization, o.disabled::INT, o.requires_sso::INT, m.role, m.scopes))::TEXT
                FROM tower_api_key_membership m JOIN tower_api_key_organization o ON o.organization = m.organization
                WHERE m.email = ",
            $email,
            ")"
        )
    };
}
pub(super) use memberships;

/// Skips rows that another transaction is changing, and locks the remaining ones.
pub(super) const SKIP_LOCKED: &str = " FOR NO KEY UPDATE SKIP LOCKED";

/// Statements that run before the migrations.
pub(super) const PREPARE: &[&str] = &["CREATE TABLE IF NOT EXISTS tower_api_key_migration (
        version    BIGINT PRIMARY KEY,
        name       TEXT NOT NULL,
        checksum   BYTEA NOT NULL,
        applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
    )"];

pub(super) const SCHEMA: &[Migration] = &[
    Migration { version: 1, name: "keys", sql: include_str!("../sql/migrations/postgres/0001_keys.sql") },
    Migration { version: 2, name: "owners", sql: include_str!("../sql/migrations/postgres/0002_owners.sql") },
    Migration { version: 3, name: "audit", sql: include_str!("../sql/migrations/postgres/0003_audit.sql") },
    Migration { version: 4, name: "usage", sql: include_str!("../sql/migrations/postgres/0004_usage.sql") },
    Migration {
        version: 5,
        name: "retrievable",
        sql: include_str!("../sql/migrations/postgres/0005_retrievable.sql"),
    },
    Migration { version: 6, name: "lists", sql: include_str!("../sql/migrations/postgres/0006_lists.sql") },
    Migration { version: 7, name: "fleet", sql: include_str!("../sql/migrations/postgres/0007_fleet.sql") },
    Migration { version: 8, name: "actors", sql: include_str!("../sql/migrations/postgres/0008_actors.sql") },
    Migration { version: 9, name: "names", sql: include_str!("../sql/migrations/postgres/0009_names.sql") },
];

/// Returns whether a transaction failed because of concurrent ones: a deadlock (SQLSTATE 40P01), or a lock that was not available
/// in time (55P03). A retry finds them gone.
pub(super) fn is_lock_conflict(error: &dyn DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("40P01" | "55P03"))
}

/// Returns whether the database can never hold a value: a text with a zero byte (SQLSTATE 22021), or with a character that the
/// encoding of the database lacks (22P05).
pub(super) fn is_unrepresentable(error: &dyn DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("22021" | "22P05"))
}

/// Returns whether a prepared statement failed because the types of its columns have changed (SQLSTATE 0A000).
pub(super) fn is_stale_plan(error: &dyn DatabaseError) -> bool {
    error.code().as_deref() == Some("0A000")
}

/// True on the primary; an error on a standby, which may be behind and cannot read unlogged tables.
macro_rules! primary_only {
    () => {
        " AND (SELECT count(*) FROM tower_api_key_epoch) >= 0"
    };
}
pub(super) use primary_only;
