//! Changing keys. Each change is one transaction, which also writes the rows of the change feed.

use std::time::Duration;

use sqlx::{Connection, QueryBuilder};

use super::borrowed::{Borrowed, LONG_PATIENCE, PATIENCE, ask, in_time};
use super::dialect::{
    AFTER_CHANGES, BEGIN, Database, DatabaseConnection, DatabaseTransaction, KEEP_OWNERS, LOCK_OWNERS,
    LOCK_ROW, Pool, is_unfit,
};
use super::filter::{restrict, restrict_to};
use super::read::by_id_to_change;
use super::{audit, owners};
use crate::backend::edit::{Consequence, Edit, change_of};
use crate::backend::sql::{KeyRow, columns, decode_digest, encode_change};
use crate::backend::{Announcement, BackendError, Change, KeyFilter, OwnerChange};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::key::KeyId;
use crate::record::{Record, Revocation};

const INSERT: &str = concat!(
    "INSERT INTO tower_api_key (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
     $22, $23)"
);
const CHANGE: &str = "UPDATE tower_api_key SET name = $2, scopes = $3, expires_at = $4, revoked_at = $5,
    revoked_reason = $6, rotated_to = $7, first_use_grace = $8, metadata = $9, revoked_by = $10 WHERE id = $1";
const END: &str = "UPDATE tower_api_key SET expires_at = $2
    WHERE id = $1 AND (expires_at IS NULL OR expires_at > $2) RETURNING digest";
const REVOKE: &str = "UPDATE tower_api_key SET revoked_at = $2, revoked_reason = $3, revoked_by = $4
    WHERE id = $1 AND revoked_at IS NULL RETURNING digest";
const DIGEST_OF: &str = "SELECT digest FROM tower_api_key WHERE id = $1";

/// So many rows are written with one statement that none has too many parameters.
pub(super) const ROWS: usize = 500;

/// A change, to be made in one transaction.
pub(super) enum Write {
    Insert(Box<KeyRow>, Digest),
    Edit(KeyId, Edit),
    Revoke(KeyId, Revocation),
    RevokeAll(KeyFilter, Revocation),
    DeleteEnded(Timestamp),
    Owner(OwnerChange),
}

impl Write {
    /// Statements that come before all others, so that whoever adds a key and whoever changes its owner do not miss each other,
    /// and whoever changes one or two keys and whoever changes many do not wait for each other.
    fn locks(&self) -> &'static [&'static str] {
        match self {
            Self::Insert(..) | Self::Edit(..) => KEEP_OWNERS,
            Self::Owner(_) | Self::RevokeAll(..) | Self::DeleteEnded(_) => LOCK_OWNERS,
            // One row, and nothing that depends on others: a revocation waits for as little as it can.
            Self::Revoke(..) => &[],
        }
    }

    fn patience(&self) -> Duration {
        match self {
            Self::Insert(..) | Self::Edit(..) | Self::Revoke(..) => PATIENCE,
            Self::Owner(_) | Self::RevokeAll(..) | Self::DeleteEnded(_) => LONG_PATIENCE,
        }
    }
}

/// What was changed.
#[derive(Default)]
pub(super) struct Written {
    /// The record that the change was about, where it was about one.
    pub(super) record: Option<Record>,
    /// What others have to be told.
    pub(super) changes: Vec<Change>,
    /// How many of the changes are new. Others were made before.
    new: usize,
}

impl Written {
    fn one(change: Change) -> Self {
        Self::several(vec![change])
    }

    pub(super) fn several(changes: Vec<Change>) -> Self {
        Self { record: None, new: changes.len(), changes }
    }
}

/// Makes a change, and announces it.
pub(super) async fn write(
    pool: Pool,
    write: Write,
    mut announcement: Announcement,
) -> Result<Written, BackendError> {
    let patience = write.patience();
    let announcement = &mut announcement;
    in_time(patience, ask!(&pool, |connection| write_on(connection, write, announcement))).await
}

async fn write_on(
    connection: &mut DatabaseConnection,
    write: Write,
    announcement: &mut Announcement,
) -> Result<Written, BackendError> {
    let mut transaction = connection.begin_with(BEGIN).await.map_err(BackendError::unavailable)?;
    for statement in write.locks() {
        sqlx::query(*statement).execute(&mut *transaction).await.map_err(BackendError::unavailable)?;
    }
    let written = match write {
        Write::Insert(row, digest) => insert(&mut transaction, *row, digest).await.map(Written::one)?,
        Write::Edit(id, edit) => edit_one(&mut transaction, &id, edit).await?,
        Write::Revoke(id, revocation) => revoke(&mut transaction, &id, &revocation).await?,
        Write::RevokeAll(filter, revocation) => revoke_all(&mut transaction, &filter, &revocation).await?,
        Write::DeleteEnded(before) => delete_ended(&mut transaction, before).await?,
        Write::Owner(change) => owners::change(&mut transaction, change).await?,
    };
    log(&mut transaction, &written.changes[..written.new]).await?;
    // From here on the commit may succeed without our hearing of it.
    announcement.arm_all(written.changes.iter().map(|change| without_finality(*change)));
    transaction.commit().await.map_err(BackendError::unavailable)?;
    announcement.arm_all(written.changes.iter().copied());
    Ok(written)
}

/// What can be said of a change that may not have come about: a key that is not revoked must not be taken for dead.
fn without_finality(change: Change) -> Change {
    match change {
        Change::Revoked(digest) => Change::Changed(digest),
        other => other,
    }
}

async fn insert(
    transaction: &mut DatabaseTransaction<'_>,
    row: KeyRow,
    digest: Digest,
) -> Result<Change, BackendError> {
    audit::note(transaction, "created", &row.id, None, row.created_by.as_deref()).await?;
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
        .bind(row.readable)
        .execute(&mut **transaction)
        .await
        .map_err(refused)?;
    Ok(Change::Changed(digest))
}

async fn edit_one(
    transaction: &mut DatabaseTransaction<'_>,
    id: &KeyId,
    edit: Edit,
) -> Result<Written, BackendError> {
    let before = by_id_to_change(transaction, id).await?.ok_or_else(BackendError::not_found)?;
    let mut record = before.clone();
    let by = edit.by().map(str::to_owned);
    let Consequence { successor, ends } = edit.apply(&mut record)?;
    let mut changes = Vec::new();
    if record != before {
        changes.push(change(transaction, &record).await?);
        let (action, to) = successor.as_ref().map_or(("updated", None), |new| ("rotated", Some(&new.id)));
        audit::note(transaction, action, id.as_str(), to, by.as_deref()).await?;
    }
    if let Some(successor) = &successor {
        changes.push(insert(transaction, row_of(successor)?, successor.digest).await?);
    }
    if let Some((id, end)) = ends {
        let digest = sqlx::query_scalar(END)
            .bind(id.as_str())
            .bind(end.unix_millis())
            .fetch_optional(&mut **transaction)
            .await;
        if let Some(digest) = understand(digest)? {
            audit::note(transaction, "updated", id.as_str(), None, None).await?;
            changes.push(Change::Changed(digest));
        }
    }
    Ok(Written { record: Some(successor.unwrap_or(record)), ..Written::several(changes) })
}

async fn change(transaction: &mut DatabaseTransaction<'_>, record: &Record) -> Result<Change, BackendError> {
    let row = row_of(record)?;
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
        .execute(&mut **transaction)
        .await
        .map_err(refused)?;
    Ok(change_of(record))
}

/// Writes a record that was read as a row. What is known of its owner stands elsewhere.
fn row_of(record: &Record) -> Result<KeyRow, BackendError> {
    KeyRow::encode(&Record { owner: record.owner.identity(), ..record.clone() })
}

/// Revokes a key, whatever else its row says: a row that cannot be read must not keep a key alive.
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
    if let Some(digest) = understand(newly)? {
        audit::note(transaction, "revoked", id.as_str(), None, revocation.by.as_deref()).await?;
        return Ok(Written::one(Change::Revoked(digest)));
    }
    let known = sqlx::query_scalar(DIGEST_OF).bind(id.as_str()).fetch_optional(&mut **transaction).await;
    let digest = understand(known)?.ok_or_else(BackendError::not_found)?;
    Ok(Written { new: 0, ..Written::one(Change::Revoked(digest)) })
}

pub(super) async fn revoke_all(
    transaction: &mut DatabaseTransaction<'_>,
    filter: &KeyFilter,
    revocation: &Revocation,
) -> Result<Written, BackendError> {
    let mut query = QueryBuilder::new("UPDATE tower_api_key SET revoked_at = ");
    query.push_bind(revocation.at.unix_millis());
    query.push(", revoked_reason = ").push_bind(revocation.reason.to_string());
    query.push(", revoked_by = ").push_bind(revocation.by.as_deref().map(str::to_owned));
    query.push(" WHERE revoked_at IS NULL");
    restrict(&mut query, filter);
    query.push(" RETURNING digest");
    let digests = query.build_query_scalar().fetch_all(&mut **transaction).await;
    let revoked = all_of(digests, Change::Revoked)?;
    audit::note_revoked(transaction, &revoked, revocation.by.as_deref()).await?;
    Ok(Written::several(revoked))
}

async fn delete_ended(
    transaction: &mut DatabaseTransaction<'_>,
    before: Timestamp,
) -> Result<Written, BackendError> {
    let mut query = QueryBuilder::new("SELECT digest FROM tower_api_key WHERE revoked_at < ");
    query.push_bind(before.unix_millis()).push(" OR expires_at < ").push_bind(before.unix_millis());
    query.push(LOCK_ROW);
    let digests = query.build_query_scalar().fetch_all(&mut **transaction).await;
    let deleted = all_of(digests, Change::Changed)?;
    audit::note_deleted(transaction, &deleted).await?;
    delete(transaction, &deleted).await?;
    Ok(Written::several(deleted))
}

async fn delete(transaction: &mut DatabaseTransaction<'_>, changes: &[Change]) -> Result<(), BackendError> {
    for changes in changes.chunks(ROWS) {
        let mut query = QueryBuilder::<Database>::new("DELETE FROM tower_api_key WHERE ");
        restrict_to(&mut query, changes);
        query.build().execute(&mut **transaction).await.map_err(refused)?;
    }
    Ok(())
}

/// Writes the rows of the change feed.
async fn log(transaction: &mut DatabaseTransaction<'_>, changes: &[Change]) -> Result<(), BackendError> {
    for changes in changes.chunks(ROWS) {
        let mut query = QueryBuilder::<Database>::new("INSERT INTO tower_api_key_change (digest, kind) ");
        query.push_values(changes, |mut row, change| {
            let (digest, kind) = encode_change(change);
            row.push_bind(digest).push_bind(kind);
        });
        query.build().execute(&mut **transaction).await.map_err(BackendError::unavailable)?;
    }
    if !changes.is_empty() {
        for statement in AFTER_CHANGES {
            sqlx::query(*statement).execute(&mut **transaction).await.map_err(BackendError::unavailable)?;
        }
    }
    Ok(())
}

/// Says why a row was not written.
pub(super) fn refused(error: sqlx::Error) -> BackendError {
    match error {
        sqlx::Error::Database(error) if error.is_unique_violation() => BackendError::conflict(),
        sqlx::Error::Database(error) if is_unfit(&*error) => BackendError::invalid(error),
        error => BackendError::unavailable(error),
    }
}

fn understand(found: Result<Option<Vec<u8>>, sqlx::Error>) -> Result<Option<Digest>, BackendError> {
    found.map_err(refused)?.map(|bytes| decode_digest(&bytes)).transpose()
}

pub(super) fn all_of(
    digests: Result<Vec<Vec<u8>>, sqlx::Error>,
    change: impl Fn(Digest) -> Change,
) -> Result<Vec<Change>, BackendError> {
    let digests = digests.map_err(refused)?;
    digests.iter().map(|digest| decode_digest(digest).map(&change)).collect()
}
