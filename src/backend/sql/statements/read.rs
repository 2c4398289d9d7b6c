//! Looking keys up.

// Layer 3 of 10: storage.

use super::filter::restrict;
use crate::backend::sql::dialect::Dialect;
use crate::backend::sql::key_row::{KeyRow, decode_digest};
use crate::backend::sql::namespace::Namespace;
use crate::backend::sql::owner_state::OwnerState;
use crate::backend::sql::session::{Row, Session};
use crate::backend::sql::statement::Statement;
use crate::backend::{BackendError, KeyFilter};
use crate::digest::{Digest, MAX_FORMER};
use crate::key::KeyId;
use crate::record::Record;

pub(crate) fn by_id(dialect: &Dialect, id: &KeyId) -> Statement {
    Statement::new(dialect.lookups.keys).push(" WHERE id = ").push_bind(id)
}

/// Returns the first `limit` keys that match a filter after `after`.
pub(crate) fn page(dialect: &Dialect, filter: &KeyFilter, after: Option<&KeyId>, limit: usize) -> Statement {
    let mut page = restrict(Statement::new(dialect.lookups.keys).push(" WHERE TRUE"), filter);
    if let Some(after) = after {
        page = page.push(" AND id > ").push_bind(after);
    }
    page.push(" ORDER BY id LIMIT ").push_bind(limit)
}

/// Looks up the key with the first of these digests that has one, by the statements for one and for four digests.
pub(crate) async fn find(
    session: &mut dyn Session,
    digests: &[Digest],
    [one, several]: [&'static str; 2],
    namespace: &Namespace,
) -> Result<Option<Record>, BackendError> {
    if let [digest] = digests {
        let find = Statement::new(namespace.qualify(one).0).bind(digest);
        return session.fetch_optional(&find).await?.as_ref().map(decode_found).transpose();
    }
    for digests in digests.chunks(1 + MAX_FORMER) {
        let find = Statement::new(namespace.qualify(several).0);
        // Repeated, so that all numbers of digests share one prepared statement.
        let find = digests.iter().cycle().take(1 + MAX_FORMER).fold(find, Statement::bind);
        let mut found = session.fetch(&find, decode_found).await?;
        let first =
            digests.iter().find_map(|digest| found.iter().position(|record| record.digest == *digest));
        if let Some(first) = first {
            return Ok(Some(found.swap_remove(first)));
        }
    }
    Ok(None)
}

/// Decodes a key that was looked up by digests. Its digest is the one under which it was found.
fn decode_found(row: &Row) -> Result<Record, BackendError> {
    let digest = decode_digest(&row.get::<Vec<u8>>("found_under")?)?;
    Ok(Record { digest, ..decode(row)? })
}

/// Returns a key, within a transaction.
pub(super) async fn fetch(session: &mut dyn Session, id: &KeyId) -> Result<Option<Record>, BackendError> {
    let get = by_id(session.dialect(), id);
    session.fetch_optional(&get).await?.as_ref().map(decode).transpose()
}

/// Returns a key, and locks its row until the transaction ends.
pub(super) async fn fetch_for_update(
    session: &mut dyn Session,
    id: &KeyId,
) -> Result<Option<Record>, BackendError> {
    let get = by_id(session.dialect(), id).push(session.dialect().lock_rows_suffix);
    session.fetch_optional(&get).await?.as_ref().map(decode).transpose()
}

/// Decodes a key, and the state of its owner.
pub(crate) fn decode(row: &Row) -> Result<Record, BackendError> {
    let owner = OwnerState {
        disabled: row.get("disabled")?,
        requires_sso: row.get("requires_sso")?,
        memberships: row.get("memberships")?,
    };
    let mut record = KeyRow::from_row(row)?.decode()?;
    owner.complete(&mut record.owner)?;
    Ok(record)
}
