//! The audit log: rows that are written with each change, read by page, and purged when they are old.

use sqlx::QueryBuilder;

use super::ROWS_PER_STATEMENT;
use super::dialect::{Database, DatabaseConnection, DatabaseTransaction, LOCK_ROW, Namespace};
use super::errors::write_error;
use super::filter::{restrict, restrict_to};
use crate::backend::sql::{AuditRow, decode_audit};
use crate::backend::{AuditEntry, BackendError, Invalidation, KeyFilter};
use crate::clock::Timestamp;
use crate::key::KeyId;

/// Rows that one statement deletes.
const PURGE_BATCH: i64 = 1_000;

/// Writes the entry of an action on a key. `key` is the id as stored.
pub(super) async fn record(
    transaction: &mut DatabaseTransaction<'_>,
    action: &'static str,
    key: &str,
    successor: Option<&KeyId>,
    by: Option<&str>,
) -> Result<(), BackendError> {
    const INSERT: &str = "INSERT INTO tower_api_key_audit (action, key_id, related_key_id, made_by)
        VALUES ($1, $2, $3, $4)";
    let insert = sqlx::query(INSERT).bind(action).bind(key).bind(successor.map(KeyId::as_str)).bind(by);
    insert.execute(&mut **transaction).await.map(drop).map_err(write_error)
}

/// Writes entries for the keys of a filter before their revocation, locks them, and returns their number. Ids are not decoded:
/// an undecodable one must not keep the other keys alive.
pub(super) async fn record_revoked(
    transaction: &mut DatabaseTransaction<'_>,
    filter: &KeyFilter,
    by: Option<&str>,
) -> Result<u64, BackendError> {
    let mut query = QueryBuilder::<Database>::new(
        "INSERT INTO tower_api_key_audit (action, key_id, made_by) SELECT 'revoked', id, ",
    );
    query.push_bind(by.map(str::to_owned)).push(" FROM tower_api_key WHERE revoked_at IS NULL");
    restrict(&mut query, filter);
    query.push(" ORDER BY id").push(LOCK_ROW);
    Ok(query.build().execute(&mut **transaction).await.map_err(write_error)?.rows_affected())
}

/// Writes entries for keys that are about to be deleted.
pub(super) async fn record_deleted(
    transaction: &mut DatabaseTransaction<'_>,
    deleted: &[Invalidation],
) -> Result<(), BackendError> {
    for deleted in deleted.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Database>::new(
            "INSERT INTO tower_api_key_audit (action, key_id)
             SELECT CASE WHEN revoked_at IS NULL THEN 'expired' ELSE 'deleted' END, id FROM tower_api_key WHERE ",
        );
        restrict_to(&mut query, deleted);
        query.push(" ORDER BY id");
        query.build().execute(&mut **transaction).await.map_err(write_error)?;
    }
    Ok(())
}

pub(super) async fn page(
    connection: &mut DatabaseConnection,
    key: Option<&KeyId>,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<AuditEntry>, BackendError> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut query = QueryBuilder::<Database>::new(
        "SELECT seq, at, action, key_id, related_key_id, made_by FROM tower_api_key_audit WHERE seq > ",
    );
    query.push_bind(after.map_or(-1, number));
    if let Some(key) = key {
        query.push(" AND key_id = ").push_bind(key.as_str().to_owned());
    }
    query.push(" ORDER BY seq LIMIT ").push_bind(number(limit as u64));
    let rows = query.build_query_as::<AuditRow>().fetch_all(connection).await;
    rows.map_err(BackendError::unavailable)?.into_iter().map(decode_audit).collect()
}

/// Deletes a batch of entries that are older than `end`, and returns their number.
pub(super) async fn purge_batch_before(
    connection: &mut DatabaseConnection,
    namespace: &Namespace,
    end: Timestamp,
) -> Result<u64, BackendError> {
    const PURGE: &str = "DELETE FROM tower_api_key_audit
        WHERE seq IN (SELECT seq FROM tower_api_key_audit WHERE at < $1 ORDER BY at LIMIT $2)";
    let done = sqlx::query(namespace.qualify(PURGE))
        .bind(end.unix_millis())
        .bind(PURGE_BATCH)
        .execute(connection)
        .await;
    Ok(done.map_err(BackendError::unavailable)?.rows_affected())
}
