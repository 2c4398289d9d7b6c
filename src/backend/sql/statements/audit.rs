//! The audit log: rows that are written with each change, read by page, and purged when they are old.

use super::ROWS_PER_STATEMENT;
use super::filter::{restrict, restrict_to};
use crate::audit::{Action, AuditEvent};
use crate::backend::sql::session::{Row, Session};
use crate::backend::sql::statement::Statement;
use crate::backend::{AuditEntry, BackendError, Invalidation, KeyFilter};
use crate::clock::Timestamp;
use crate::key::KeyId;

/// Deletes a batch of old entries.
pub(crate) const PURGE: &str = "DELETE FROM tower_api_key_audit
        WHERE seq IN (SELECT seq FROM tower_api_key_audit WHERE at < $1 ORDER BY at LIMIT $2)";

/// Rows that one statement deletes.
pub(crate) const PURGE_BATCH: i64 = 1_000;

/// Writes the entry of an action on a key. `key` is the id as stored.
pub(super) async fn record(
    session: &mut dyn Session,
    action: &'static str,
    key: &str,
    successor: Option<&KeyId>,
    by: Option<&str>,
) -> Result<(), BackendError> {
    const INSERT: &str = "INSERT INTO tower_api_key_audit (action, key_id, related_key_id, made_by)
        VALUES ($1, $2, $3, $4)";
    let insert = Statement::new(INSERT).bind(action).bind(key).bind(successor.map(KeyId::as_str)).bind(by);
    session.execute(&insert).await.map(drop)
}

/// Writes entries for the keys of a filter before their revocation, locks them, and returns their number. Ids are not decoded:
/// an undecodable one must not keep the other keys alive.
pub(super) async fn record_revoked(
    session: &mut dyn Session,
    filter: &KeyFilter,
    by: Option<&str>,
) -> Result<u64, BackendError> {
    let insert =
        Statement::new("INSERT INTO tower_api_key_audit (action, key_id, made_by) SELECT 'revoked', id, ");
    let insert = insert.push_bind(by).push(" FROM tower_api_key WHERE revoked_at IS NULL");
    let insert = restrict(insert, filter).push(" ORDER BY id").push(session.dialect().lock_row);
    session.execute(&insert).await
}

/// Writes entries for keys that are about to be deleted.
pub(super) async fn record_deleted(
    session: &mut dyn Session,
    deleted: &[Invalidation],
) -> Result<(), BackendError> {
    for deleted in deleted.chunks(ROWS_PER_STATEMENT) {
        let insert = Statement::new(
            "INSERT INTO tower_api_key_audit (action, key_id)
             SELECT CASE WHEN revoked_at IS NULL THEN 'expired' ELSE 'deleted' END, id FROM tower_api_key WHERE ",
        );
        session.execute(&restrict_to(insert, deleted).push(" ORDER BY id")).await?;
    }
    Ok(())
}

pub(crate) fn page(key: Option<&KeyId>, after: Option<u64>, limit: usize) -> Statement {
    let mut page = Statement::new(
        "SELECT seq, at, action, key_id, related_key_id, made_by FROM tower_api_key_audit WHERE seq > ",
    );
    page = page.push_bind(after.map_or(-1, |after| i64::try_from(after).unwrap_or(i64::MAX)));
    if let Some(key) = key {
        page = page.push(" AND key_id = ").push_bind(key);
    }
    page.push(" ORDER BY seq LIMIT ").push_bind(limit)
}

/// Decodes an entry.
///
/// # Errors
///
/// If a column has an unexpected value.
pub(crate) fn decode(row: &Row) -> Result<AuditEntry, BackendError> {
    let id = |text: String| KeyId::new(&text).map_err(BackendError::corrupt);
    let action: String = row.get("action")?;
    let action = match (action.as_str(), row.get("related_key_id")?) {
        ("created", None) => Action::Created,
        ("updated", None) => Action::Updated,
        ("rotated", Some(to)) => Action::Rotated { to: id(to)? },
        ("disabled", None) => Action::Disabled,
        ("enabled", None) => Action::Enabled,
        ("revoked", None) => Action::Revoked,
        ("expired", None) => Action::Expired,
        ("deleted", None) => Action::Deleted,
        _ => return Err(BackendError::corrupt("unknown action in the audit log")),
    };
    let at = Timestamp::from_unix_millis(row.get("at")?);
    let event = AuditEvent::new(at, action).key(id(row.get("key_id")?)?);
    let seq = u64::try_from(row.get::<i64>("seq")?).map_err(BackendError::corrupt)?;
    Ok(AuditEntry::new(seq, event.by(row.get::<Option<String>>("made_by")?.map(Into::into))))
}
