//! What is particular to PostgreSQL.

use sqlx::error::DatabaseError;

use crate::backend::sql::Migration;

pub(super) type Database = sqlx::Postgres;
pub(super) type Pool = sqlx::PgPool;
pub(super) type Row = sqlx::postgres::PgRow;
pub(super) type DatabaseConnection = sqlx::PgConnection;
pub(super) type DatabaseTransaction<'t> = sqlx::Transaction<'t, Database>;

pub(super) const BEGIN: &str = "BEGIN";

/// Keeps a row that was read as it is, until the transaction ends.
pub(super) const LOCK_ROW: &str = " FOR UPDATE";

/// Statements that come before the steps of the schema. Of several processes that start at once, one goes through them at a
/// time; the number only has to be one that nobody else locks.
pub(super) const PREPARE: &[&str] = &[
    "SELECT pg_advisory_xact_lock(8390047731244621932)",
    "CREATE TABLE IF NOT EXISTS tower_api_key_migration (
        version    BIGINT PRIMARY KEY,
        name       TEXT NOT NULL,
        checksum   BYTEA NOT NULL,
        applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
    )",
];

pub(super) const SCHEMA: &[Migration] = &[
    Migration { version: 1, name: "keys", sql: include_str!("../sql/migrations/postgres/0001_keys.sql") },
    Migration { version: 4, name: "audit", sql: include_str!("../sql/migrations/postgres/0004_audit.sql") },
    Migration { version: 5, name: "lists", sql: include_str!("../sql/migrations/postgres/0005_lists.sql") },
];

/// Tells whether the database cannot keep a value, whatever the time: a text with a zero byte (SQLSTATE 22021).
pub(super) fn is_unfit(error: &dyn DatabaseError) -> bool {
    error.code().as_deref() == Some("22021")
}
