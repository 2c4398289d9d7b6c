//! The [dialect](Dialect) and the driver of PostgreSQL: the parts of statements in which it differs.

// Layer 3 of 10: storage.

use std::time::Duration;

use crate::backend::sql::dialect::{Dialect, Migration};
use crate::backend::sql::lookups::lookups;
use crate::backend::sql::session::driver;

// Implements `Driver` and `Session` for the types of sqlx: other files reach this dialect by `Driver::DIALECT` and `Session::dialect`.
driver!(sqlx::Postgres, sqlx::PgConnection, sqlx::postgres::PgRow, &POSTGRES);

static POSTGRES: Dialect = Dialect {
    // Each statement sees what was committed before it, whatever the default of an application's connections: a statement after
    // a lock must see the changes made under it. The server ends the transaction of a suspended or disconnected process after a
    // second, so its locks keep an actor from being revoked no longer than that.
    begin_migration: "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = '1s'",
    // The same with a statement timeout: a statement must not continue without a client.
    begin_change: "BEGIN ISOLATION LEVEL READ COMMITTED; \
        SET LOCAL idle_in_transaction_session_timeout = '1s'; SET LOCAL statement_timeout = '10s'",
    begin_mass_change: "BEGIN ISOLATION LEVEL READ COMMITTED; \
        SET LOCAL idle_in_transaction_session_timeout = '1s'; SET LOCAL statement_timeout = '600s'",
    begin_read: "BEGIN READ ONLY; SET LOCAL statement_timeout = '10s'",
    now: "(extract(epoch FROM clock_timestamp()) * 1000)::BIGINT",
    lock_rows_suffix: " FOR UPDATE OF tower_api_key",
    lock_usage_suffix: " FOR UPDATE",
    skip_locked_suffix: " FOR NO KEY UPDATE SKIP LOCKED",
    key_locks: Some(("pg_advisory_xact_lock", "pg_advisory_xact_lock_shared")),
    // The number is arbitrary.
    lock_owners_shared: Some("SELECT pg_advisory_xact_lock_shared(8390047731244621933)"),
    lock_owners_exclusive: Some("SELECT pg_advisory_xact_lock(8390047731244621933)"),
    // Notifies the listeners at the commit. Changes that are not visible to all transactions stay, however old: a poller must
    // not miss one because of a long transaction. If another transaction is trimming, this one skips it.
    after_changes: &[
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
    ],
    // The condition is true on the primary, and an error on a standby, which may be behind and cannot read unlogged tables.
    lookups: lookups!(
        "json_agg(json_build_array(m.organization, o.disabled::INT, o.requires_sso::INT, m.role, m.scopes))::TEXT",
        " AND (SELECT count(*) FROM tower_api_key_epoch) >= 0"
    ),
    before_migrations: &["CREATE TABLE IF NOT EXISTS tower_api_key_migration (
        version    BIGINT PRIMARY KEY,
        name       TEXT NOT NULL,
        checksum   BYTEA NOT NULL,
        applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
    )"],
    migrations: &[Migration { version: 1, name: "initial", sql: include_str!("../schema/postgres.sql") }],
    // A deadlock, or a lock that was not available in time.
    lock_conflicts: &["40P01", "55P03"],
    // A text with a zero byte, or with a character that the encoding of the database lacks.
    unrepresentable: &["22021", "22P05"],
    // The types of its columns have changed.
    stale_plans: &["0A000"],
    // They take less than a millisecond each.
    lookup_connections: 5,
    // The server may have given the connection for polls to another process.
    polls_fall_back: true,
    // An unreachable server must not delay the next lookups.
    close_timeout: Duration::from_secs(1),
};
