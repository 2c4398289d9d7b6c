//! What is particular to PostgreSQL.

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

/// Each statement sees what was committed before it, whatever the connections of an application default to: one that follows a
/// lock must see what was done under it. A process that stands still meanwhile, or is cut off, keeps its locks for a second: for no longer
/// than that it keeps its actor from being revoked.
pub(super) const BEGIN: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = '1s'";

/// The same for changes, with a limit for each statement: one that no client waits for any more must not go on.
pub(super) const BEGIN_CHANGE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SET LOCAL idle_in_transaction_session_timeout = '1s'; SET LOCAL statement_timeout = '10s'";
pub(super) const BEGIN_MASS_CHANGE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SET LOCAL idle_in_transaction_session_timeout = '1s'; SET LOCAL statement_timeout = '600s'";

/// Begins to read, with the same limit.
pub(super) async fn begin_read<'c>(
    connection: &'c mut DatabaseConnection,
    namespace: &Namespace,
) -> Result<DatabaseTransaction<'c>, BackendError> {
    const BEGIN_READ: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = '10s'";
    connection.begin_with(namespace.begin(BEGIN_READ)).await.map_err(BackendError::unavailable)
}

/// Nothing: the limit is gone with the transaction.
pub(super) async fn end_read(_: &mut DatabaseConnection) -> Result<(), BackendError> {
    Ok(())
}

/// Connections for lookups: an answer takes less than a millisecond.
pub(super) const LOOKUP_CONNECTIONS: u32 = 5;

/// A server may give the connection for polls to another process.
pub(super) const POLLS_FALL_BACK: bool = true;

/// How long a connection may take to be closed. A server that is gone without a word must not cost the next lookups their turn.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The time, in milliseconds.
pub(super) const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::BIGINT";

/// Keeps a row that was read as it is, until the transaction ends.
pub(super) const LOCK_ROW: &str = " FOR UPDATE OF tower_api_key";

/// Locks a key by its number, alone or with others, until the transaction ends. Who waits comes before who asks later, whichever they ask
/// for.
pub(super) const KEY_LOCKS: Option<(&str, &str)> =
    Some(("pg_advisory_xact_lock", "pg_advisory_xact_lock_shared"));

/// Whoever adds a key holds off changes of owners, and whoever changes an owner holds off new keys: a key that is added unseen
/// would be cached with its owner as it was. Changes of many keys hold off those that take the rows of two, in another order. The
/// number only has to be one that nobody else locks.
pub(super) const LOCK_OWNERS_SHARED: &[&str] = &["SELECT pg_advisory_xact_lock_shared(8390047731244621933)"];
pub(super) const LOCK_OWNERS_EXCLUSIVE: &[&str] = &["SELECT pg_advisory_xact_lock(8390047731244621933)"];

/// What goes with the changes of a transaction: word to all who listen, with its commit, and changes that are an hour old leave
/// the feed, of the oldest no more than a thousand at a time. What was not visible to everyone yet stays, however old: whoever
/// polls must not find a gap because some transaction goes on for ever. While someone else is at it, nobody waits: the next change will do.
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

/// The memberships of a person as a JSON list, for a statement that names the column of the e-mail.
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

/// Passes over the rows of a query that someone else is changing, and keeps the others as they are.
pub(super) const SKIP_LOCKED: &str = " FOR NO KEY UPDATE SKIP LOCKED";

/// Statements that come before the steps of the schema.
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

/// Returns whether a transaction failed because of others at the same time: they waited for each other (SQLSTATE 40P01), or a lock was
/// not to be had in the time that is set for it (55P03). The next attempt finds them gone.
pub(super) fn is_lock_conflict(error: &dyn DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("40P01" | "55P03"))
}

/// Returns whether the database cannot hold a value, whatever the time: a text with a zero byte (SQLSTATE 22021), or with a character
/// that the encoding of the database lacks (22P05).
pub(super) fn is_unrepresentable(error: &dyn DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("22021" | "22P05"))
}

/// Returns whether a prepared statement has failed because its columns have other types by now (SQLSTATE 0A000).
pub(super) fn is_stale_plan(error: &dyn DatabaseError) -> bool {
    error.code().as_deref() == Some("0A000")
}

/// A condition that is always met, and an error on a standby, which may be behind: what is unlogged cannot be read there.
macro_rules! primary_only {
    () => {
        " AND (SELECT count(*) FROM tower_api_key_epoch) >= 0"
    };
}
pub(super) use primary_only;
