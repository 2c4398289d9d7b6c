//! Changes of keys, as statements within the transaction of a change.

use sqlx::QueryBuilder;

use super::actor::authorize;
use super::dialect::{Database, DatabaseTransaction, LOCK_ROW, NOW};
use super::errors::write_error;
use super::filter::{restrict, restrict_to};
use super::locks::KeyLocks;
use super::owners::check_owner_not_deleted;
use super::read::{by_id, by_id_for_update};
use super::written::Written;
use super::{ROWS_PER_STATEMENT, audit};
use crate::backend::key_edit::{EditOutcome, KeyEdit, invalidation_of};
use crate::backend::sql::{KeyRow, MAX_LOGGED_CHANGES, columns, decode_digest};
use crate::backend::{AuthorizedActor, BackendError, Invalidation, KeyAction, KeyChange, KeyFilter};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::KeyId;
use crate::record::{Record, Revocation};

const INSERT: &str = concat!(
    "INSERT INTO tower_api_key (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
     $22, $23, $24)"
);
const CHANGE: &str = "UPDATE tower_api_key SET name = $2, scopes = $3, expires_at = $4, revoked_at = $5,
    revoked_reason = $6, rotated_to = $7, first_use_grace = $8, metadata = $9, revoked_by = $10, labels = $11 WHERE id = $1";
const END: &str = "UPDATE tower_api_key SET expires_at = $2
    WHERE id = $1 AND rotated_to = $3 AND (expires_at IS NULL OR expires_at > $2) RETURNING digest";
const REVOKE: &str = "UPDATE tower_api_key SET revoked_at = $2, revoked_reason = $3, revoked_by = $4
    WHERE id = $1 AND revoked_at IS NULL RETURNING digest";
/// The time after the end of a key in which its deletion is a change for the feed. In milliseconds, by the clock of the database.
/// After an hour no process considers the key to be in force, whatever its clock and its cache.
const NOTIFY_WINDOW: i64 = 60 * 60 * 1_000;

/// A row: the digest of a key, its id, and whether it ended recently.
type EndedRow = (Vec<u8>, String, bool);

/// Keys that one transaction of a purge deletes: other changes wait for it.
const PURGE_BATCH: usize = 500;
const DIGEST_OF: &str = "SELECT digest FROM tower_api_key WHERE id = $1";

/// Returns the locks of the keys that a change writes or depends on. Locks nothing for a key that the actor may not access.
pub(super) async fn key_locks(
    transaction: &mut DatabaseTransaction<'_>,
    change: &KeyChange,
) -> Result<KeyLocks, BackendError> {
    let locks = KeyLocks::of(&change.actor);
    let Some(id) = change.target() else { return Ok(locks) };
    let reads_relatives = match &change.action {
        KeyAction::Rotate(..) => true,
        KeyAction::Update(_, update) => update.expires_at.is_some(),
        _ => false,
    };
    if !reads_relatives && !change.has_bounds() {
        // An undecodable row must not keep a key alive, so only necessary rows are read.
        return Ok(locks.writing([id]));
    }
    let target = by_id(&mut **transaction, id).await?;
    let Some(target) = target.filter(|target| change.check_visible(target).is_ok()) else {
        // An actor that is not in force is refused first, whatever it asks for.
        authorize(transaction, &change.actor).await?;
        return Err(BackendError::not_found());
    };
    let relatives = [&target.rotated_from, &target.rotated_to].into_iter().flatten();
    Ok(locks.writing(relatives.filter(|_| reads_relatives).chain([id])))
}

/// Makes a change of keys, if its actor may make it. For a purge: the batch of keys `after` an id.
pub(super) async fn apply(
    transaction: &mut DatabaseTransaction<'_>,
    change: &KeyChange,
    authorized: Option<&AuthorizedActor>,
    after: &str,
) -> Result<Written, BackendError> {
    let by = Some((change, authorized));
    match change.action.clone() {
        KeyAction::Insert(record) => {
            change.check(authorized, None)?;
            insert(transaction, &record).await
        }
        KeyAction::Update(id, update) => edit(transaction, &id, KeyEdit::Update(update), by).await,
        KeyAction::Rotate(id, rotation) => edit(transaction, &id, KeyEdit::Rotate(rotation), by).await,
        KeyAction::InsertExclusive(record, filter, revocation) => {
            let revoked = revoke_all(transaction, &filter, &revocation).await?;
            let inserted = insert(transaction, &record).await?;
            let changes = [revoked.changes, inserted.changes].concat();
            Ok(Written { record: inserted.record, keys: revoked.keys, ..Written::several(changes) })
        }
        KeyAction::Revoke(id, revocation) => {
            if change.has_bounds() {
                let target = by_id_for_update(transaction, &id).await?.ok_or_else(BackendError::not_found)?;
                change.check(authorized, Some(&target))?;
            }
            revoke(transaction, &id, &revocation).await
        }
        KeyAction::RevokeAll(filter, revocation) => revoke_all(transaction, &filter, &revocation).await,
        KeyAction::PurgeEnded(before) => purge_ended(transaction, before, after).await,
    }
}

/// Records the first use of a key, which may end its predecessor.
pub(super) async fn record_first_use(
    transaction: &mut DatabaseTransaction<'_>,
    id: &KeyId,
    at: Timestamp,
) -> Result<Written, BackendError> {
    let used = by_id(&mut **transaction, id).await?.ok_or_else(BackendError::not_found)?;
    let keys = used.rotated_from.iter().chain([id]);
    KeyLocks::default().writing(keys).acquire(transaction).await?;
    edit(transaction, id, KeyEdit::FirstUse(at), None).await
}

async fn insert(transaction: &mut DatabaseTransaction<'_>, record: &Record) -> Result<Written, BackendError> {
    check_owner_not_deleted(transaction, &record.owner).await?;
    let row = encode_row(record)?;
    audit::record(transaction, "created", &row.id, None, row.created_by.as_deref()).await?;
    sqlx::query(INSERT)
        .bind(row.id)
        .bind(row.digest)
        .bind(row.hint)
        .bind(row.name)
        .bind(row.owner_kind)
        .bind(row.owner_organization)
        .bind(row.owner_email)
        .bind(row.owner_project)
        .bind(row.environment)
        .bind(row.scopes)
        .bind(row.sources)
        .bind(row.created_at)
        .bind(row.created_by)
        .bind(row.expires_at)
        .bind(row.revoked_at)
        .bind(row.revoked_reason)
        .bind(row.rotated_from)
        .bind(row.rotated_to)
        .bind(row.last_used_at)
        .bind(row.first_use_grace)
        .bind(row.metadata)
        .bind(row.revoked_by)
        .bind(row.retrievable)
        .bind(row.labels)
        .execute(&mut **transaction)
        .await
        .map_err(write_error)?;
    Ok(Written { record: Some(record.clone()), ..Written::one(Invalidation::Changed(record.digest)) })
}

/// Edits a key, if the actor may edit it as it was before.
async fn edit(
    transaction: &mut DatabaseTransaction<'_>,
    id: &KeyId,
    edit: KeyEdit,
    by: Option<(&KeyChange, Option<&AuthorizedActor>)>,
) -> Result<Written, BackendError> {
    let before = by_id_for_update(transaction, id).await?.ok_or_else(BackendError::not_found)?;
    by.map_or(Ok(()), |(change, authorized)| change.check(authorized, Some(&before)))?;
    let relative = match edit.depends_on(&before) {
        // Its key lock is held, or a rotation that came first created it. Its row is not locked: two rows are locked in no order.
        Some(id) => by_id(&mut **transaction, &id).await?,
        None => None,
    };
    let mut record = before.clone();
    let by_name = edit.by().map(str::to_owned);
    let EditOutcome { successor, ended_predecessor } = edit.apply(&mut record, relative.as_ref())?;
    let mut changes = Vec::new();
    if record != before {
        changes.push(change(transaction, &record).await?);
        let (action, to) = successor.as_ref().map_or(("updated", None), |new| ("rotated", Some(&new.id)));
        audit::record(transaction, action, id.as_str(), to, by_name.as_deref()).await?;
    }
    if let Some(successor) = &successor {
        changes.extend(insert(transaction, successor).await?.changes);
    }
    if let Some((old, end)) = ended_predecessor {
        if let Some((change, authorized)) = by.filter(|(change, _)| change.has_bounds())
            && let Some(old) = by_id_for_update(transaction, &old).await?
        {
            change.check_end(authorized, &old)?;
        }
        let digest = sqlx::query_scalar(END)
            .bind(old.as_str())
            .bind(end.unix_millis())
            .bind(id.as_str())
            .fetch_optional(&mut **transaction)
            .await;
        if let Some(digest) = decode_optional(digest)? {
            audit::record(transaction, "updated", old.as_str(), None, by_name.as_deref()).await?;
            changes.push(Invalidation::Changed(digest));
        }
    }
    Ok(Written { record: Some(successor.unwrap_or(record)), ..Written::several(changes) })
}

async fn change(
    transaction: &mut DatabaseTransaction<'_>,
    record: &Record,
) -> Result<Invalidation, BackendError> {
    let row = encode_row(record)?;
    sqlx::query(CHANGE)
        .bind(row.id)
        .bind(row.name)
        .bind(row.scopes)
        .bind(row.expires_at)
        .bind(row.revoked_at)
        .bind(row.revoked_reason)
        .bind(row.rotated_to)
        .bind(row.first_use_grace)
        .bind(row.metadata)
        .bind(row.revoked_by)
        .bind(row.labels)
        .execute(&mut **transaction)
        .await
        .map_err(write_error)?;
    Ok(invalidation_of(record))
}

/// Encodes a record, without the state of its owner, which is stored elsewhere.
fn encode_row(record: &Record) -> Result<KeyRow, BackendError> {
    KeyRow::encode(&Record { owner: record.owner.identity(), ..record.clone() })
}

/// Revokes a key without decoding its row: an undecodable one must not keep a key alive.
async fn revoke(
    transaction: &mut DatabaseTransaction<'_>,
    id: &KeyId,
    revocation: &Revocation,
) -> Result<Written, BackendError> {
    let newly = sqlx::query_scalar(REVOKE)
        .bind(id.as_str())
        .bind(revocation.at.unix_millis())
        .bind(&*revocation.reason)
        .bind(revocation.by.as_deref())
        .fetch_optional(&mut **transaction)
        .await;
    if let Some(digest) = decode_optional(newly)? {
        audit::record(transaction, "revoked", id.as_str(), None, revocation.by.as_deref()).await?;
        return Ok(Written::one(Invalidation::Revoked(digest)));
    }
    let known = sqlx::query_scalar(DIGEST_OF).bind(id.as_str()).fetch_optional(&mut **transaction).await;
    let digest = decode_optional(known)?.ok_or_else(BackendError::not_found)?;
    Ok(Written::unchanged(Invalidation::Revoked(digest)))
}

pub(super) async fn revoke_all(
    transaction: &mut DatabaseTransaction<'_>,
    filter: &KeyFilter,
    revocation: &Revocation,
) -> Result<Written, BackendError> {
    let keys = audit::record_revoked(transaction, filter, revocation.by.as_deref()).await?;
    let mut query = QueryBuilder::new("UPDATE tower_api_key SET revoked_at = ");
    query.push_bind(revocation.at.unix_millis());
    query.push(", revoked_reason = ").push_bind(revocation.reason.to_string());
    query.push(", revoked_by = ").push_bind(revocation.by.as_deref().map(str::to_owned));
    query.push(" WHERE revoked_at IS NULL");
    restrict(&mut query, filter);
    if keys > MAX_LOGGED_CHANGES as u64 {
        query.build().execute(&mut **transaction).await.map_err(write_error)?;
        return Ok(Written { keys, ..Written::one(Invalidation::Everything) });
    }
    query.push(" RETURNING digest");
    let digests = query.build_query_scalar().fetch_all(&mut **transaction).await;
    Ok(Written::counted(changes_from(digests, Invalidation::Revoked)?))
}

/// Deletes a batch of keys that ended before a time. Their ids are only compared, so they need not be valid.
async fn purge_ended(
    transaction: &mut DatabaseTransaction<'_>,
    before: Timestamp,
    after: &str,
) -> Result<Written, BackendError> {
    let before = before.unix_millis();
    let mut query = QueryBuilder::<Database>::new("SELECT digest, id, coalesce(revoked_at, expires_at) >= ");
    query
        .push(NOW)
        .push(" - ")
        .push_bind(NOTIFY_WINDOW)
        .push(" FROM tower_api_key WHERE id > ")
        .push_bind(after.to_owned());
    query.push(" AND (revoked_at < ").push_bind(before).push(" OR expires_at < ").push_bind(before);
    query.push(") ORDER BY id LIMIT ").push_bind(PURGE_BATCH as i64).push(LOCK_ROW);
    let found: Result<Vec<EndedRow>, _> = query.build_query_as().fetch_all(&mut **transaction).await;
    let found = found.map_err(write_error)?;
    let last = found.last().filter(|_| found.len() == PURGE_BATCH).map(|(_, id, _)| id.clone());
    let (recent, settled): (Vec<_>, Vec<_>) = found.into_iter().partition(|(.., is_recent)| *is_recent);
    let digests = |rows: Vec<EndedRow>| Ok(rows.into_iter().map(|(digest, ..)| digest).collect());
    let settled = delete_all(transaction, digests(settled)).await?.keys;
    let recent = delete_all(transaction, digests(recent)).await?;
    Ok(Written { keys: settled + recent.keys, last, ..recent })
}

/// Deletes the keys of a deleted owner, which were revoked with it.
pub(super) async fn delete_owned(
    transaction: &mut DatabaseTransaction<'_>,
    filter: &KeyFilter,
) -> Result<Written, BackendError> {
    let mut query = QueryBuilder::new("SELECT digest FROM tower_api_key WHERE revoked_at IS NOT NULL");
    restrict(&mut query, filter);
    query.push(LOCK_ROW);
    let digests = query.build_query_scalar().fetch_all(&mut **transaction).await;
    delete_all(transaction, digests).await
}

async fn delete_all(
    transaction: &mut DatabaseTransaction<'_>,
    digests: Result<Vec<Vec<u8>>, sqlx::Error>,
) -> Result<Written, BackendError> {
    let deleted = changes_from(digests, Invalidation::Changed)?;
    audit::record_deleted(transaction, &deleted).await?;
    delete(transaction, &deleted).await?;
    Ok(Written::counted(deleted))
}

async fn delete(
    transaction: &mut DatabaseTransaction<'_>,
    changes: &[Invalidation],
) -> Result<(), BackendError> {
    for changes in changes.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Database>::new("DELETE FROM tower_api_key WHERE ");
        restrict_to(&mut query, changes);
        query.build().execute(&mut **transaction).await.map_err(write_error)?;
    }
    Ok(())
}

fn decode_optional(found: Result<Option<Vec<u8>>, sqlx::Error>) -> Result<Option<Digest>, BackendError> {
    found.map_err(write_error)?.map(|bytes| decode_digest(&bytes)).transpose()
}

pub(super) fn changes_from(
    digests: Result<Vec<Vec<u8>>, sqlx::Error>,
    change: impl Fn(Digest) -> Invalidation,
) -> Result<Vec<Invalidation>, BackendError> {
    let digests = digests.map_err(write_error)?;
    digests.iter().map(|digest| decode_digest(digest).map(&change)).collect()
}
