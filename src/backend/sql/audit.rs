//! Decodes the rows of the audit log.

use crate::audit::{Action, AuditEvent};
use crate::backend::{AuditEntry, BackendError};
use crate::clock::Timestamp;
use crate::key::KeyId;

/// A row: its number, its time, the action, the key, the successor of a rotation, and the actor.
pub(in crate::backend) type AuditRow = (i64, i64, String, String, Option<String>, Option<String>);

/// Decodes a row.
///
/// # Errors
///
/// If a column has an unexpected value.
pub(in crate::backend) fn decode_audit(row: AuditRow) -> Result<AuditEntry, BackendError> {
    let (seq, at, action, key, related, by) = row;
    let id = |text: &str| KeyId::new(text).map_err(BackendError::corrupt);
    let action = match (action.as_str(), related.as_deref()) {
        ("created", None) => Action::Created,
        ("updated", None) => Action::Updated,
        ("rotated", Some(to)) => Action::Rotated { to: id(to)? },
        ("revoked", None) => Action::Revoked,
        ("expired", None) => Action::Expired,
        ("deleted", None) => Action::Deleted,
        _ => return Err(BackendError::corrupt("unknown action in the audit log")),
    };
    let event = AuditEvent::new(Timestamp::from_unix_millis(at), action).key(id(&key)?);
    let seq = u64::try_from(seq).map_err(BackendError::corrupt)?;
    Ok(AuditEntry::new(seq, event.by(by.map(Into::into))))
}
