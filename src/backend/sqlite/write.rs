//! Changing keys. Each change is one transaction, which also writes the row of the change feed.

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::super::row::KeyRow;
use super::super::{Announcement, BackendError, BackendErrorKind, Change};
use super::read::decode_digest;
use crate::digest::Digest;
use crate::key::KeyId;
use crate::record::Revocation;

const INSERT: &str = "INSERT INTO tower_api_key (
    id, digest, hint, name, owner_kind, owner_organization, owner_email, owner_project, environment, scopes, sources,
    created_at, created_by, expires_at, revoked_at, revoked_reason, rotated_from, rotated_to, last_used_at, metadata
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const REVOKE: &str = "UPDATE tower_api_key SET revoked_at = ?, revoked_reason = ? WHERE id = ? AND revoked_at IS NULL RETURNING digest";
const DIGEST_OF: &str = "SELECT digest FROM tower_api_key WHERE id = ?";
const LOG: &str = "INSERT INTO tower_api_key_change (digest, kind, at) VALUES (?, ?, CAST(unixepoch('subsec') * 1000 AS INTEGER))";

/// A transaction that only turns into a writer half-way can fail where one that starts as a writer waits.
pub(in crate::backend) const BEGIN: &str = "BEGIN IMMEDIATE";

pub(super) async fn insert(
    pool: SqlitePool,
    row: KeyRow,
    digest: Digest,
    mut announcement: Announcement,
) -> Result<(), BackendError> {
    let mut connection = pool.acquire().await.map_err(BackendError::unavailable)?;
    let outcome = insert_on(&mut connection, row, digest, &mut announcement).await;
    give_back(connection, outcome)
}

async fn insert_on(
    connection: &mut SqliteConnection,
    row: KeyRow,
    digest: Digest,
    announcement: &mut Announcement,
) -> Result<(), BackendError> {
    let mut transaction = connection.begin_with(BEGIN).await.map_err(BackendError::unavailable)?;
    write(&mut transaction, row).await?;
    log(&mut transaction, &digest, "changed").await?;
    announcement.arm(Change::Changed(digest));
    transaction.commit().await.map_err(BackendError::unavailable)
}

pub(super) async fn revoke(
    pool: SqlitePool,
    id: KeyId,
    revocation: Revocation,
    mut announcement: Announcement,
) -> Result<(), BackendError> {
    let mut connection = pool.acquire().await.map_err(BackendError::unavailable)?;
    let outcome = revoke_on(&mut connection, &id, &revocation, &mut announcement).await;
    give_back(connection, outcome)
}

async fn revoke_on(
    connection: &mut SqliteConnection,
    id: &KeyId,
    revocation: &Revocation,
    announcement: &mut Announcement,
) -> Result<(), BackendError> {
    let mut transaction = connection.begin_with(BEGIN).await.map_err(BackendError::unavailable)?;
    let digest = match mark_revoked(&mut transaction, id, revocation).await? {
        Some(digest) => {
            log(&mut transaction, &digest, "revoked").await?;
            digest
        }
        None => digest_of(&mut transaction, id).await?.ok_or_else(BackendError::not_found)?,
    };
    // From here on the commit may succeed without our hearing of it.
    announcement.arm(Change::Changed(digest));
    transaction.commit().await.map_err(BackendError::unavailable)?;
    announcement.arm(Change::Revoked(digest));
    Ok(())
}

/// Ends a connection on which something went wrong. SQLite may have rolled back by itself, as on a full disk, and the
/// driver would then take the connection to be within a transaction for ever.
pub(in crate::backend) fn give_back<T>(
    mut connection: PoolConnection<Sqlite>,
    outcome: Result<T, BackendError>,
) -> Result<T, BackendError> {
    if outcome.as_ref().is_err_and(|error| error.kind() == BackendErrorKind::Unavailable) {
        connection.close_on_drop();
    }
    outcome
}

async fn write(transaction: &mut Transaction<'_, Sqlite>, row: KeyRow) -> Result<(), BackendError> {
    let written = sqlx::query(INSERT)
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
        .bind(row.metadata)
        .execute(&mut **transaction)
        .await;
    match written {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(BackendError::conflict()),
        Err(error) => Err(BackendError::unavailable(error)),
    }
}

/// Revokes a key that is not revoked yet, and returns its digest.
async fn mark_revoked(
    transaction: &mut Transaction<'_, Sqlite>,
    id: &KeyId,
    revocation: &Revocation,
) -> Result<Option<Digest>, BackendError> {
    let digest = sqlx::query_scalar(REVOKE)
        .bind(revocation.at.unix_millis())
        .bind(&*revocation.reason)
        .bind(id.as_str())
        .fetch_optional(&mut **transaction)
        .await;
    understand(digest)
}

async fn digest_of(
    transaction: &mut Transaction<'_, Sqlite>,
    id: &KeyId,
) -> Result<Option<Digest>, BackendError> {
    understand(sqlx::query_scalar(DIGEST_OF).bind(id.as_str()).fetch_optional(&mut **transaction).await)
}

fn understand(found: Result<Option<Vec<u8>>, sqlx::Error>) -> Result<Option<Digest>, BackendError> {
    let Some(bytes) = found.map_err(BackendError::unavailable)? else { return Ok(None) };
    let unexpected = || BackendError::corrupt("the digest does not have 32 bytes");
    decode_digest(&bytes).map(Some).ok_or_else(unexpected)
}

async fn log(
    transaction: &mut Transaction<'_, Sqlite>,
    digest: &Digest,
    kind: &str,
) -> Result<(), BackendError> {
    sqlx::query(LOG)
        .bind(&digest.as_bytes()[..])
        .bind(kind)
        .execute(&mut **transaction)
        .await
        .map(drop)
        .map_err(BackendError::unavailable)
}
