//! Looking keys up.

use sqlx::error::UnexpectedNullError;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, FromRow, Row, Sqlite, SqlitePool, Type};

use super::super::BackendError;
use super::super::row::KeyRow;
use crate::digest::Digest;
use crate::key::KeyId;
use crate::record::Record;

pub(super) async fn by_digest(pool: &SqlitePool, digest: &Digest) -> Result<Option<Record>, BackendError> {
    const FIND: &str = "SELECT * FROM tower_api_key WHERE digest = ?";
    decode(sqlx::query_as(FIND).bind(&digest.as_bytes()[..]).fetch_optional(pool).await)
}

pub(super) async fn by_id(pool: &SqlitePool, id: &KeyId) -> Result<Option<Record>, BackendError> {
    const GET: &str = "SELECT * FROM tower_api_key WHERE id = ?";
    decode(sqlx::query_as(GET).bind(id.as_str()).fetch_optional(pool).await)
}

/// Takes the bytes of a column as a digest, if they are one.
pub(super) fn decode_digest(bytes: &[u8]) -> Option<Digest> {
    bytes.try_into().ok().map(Digest::from_bytes)
}

fn decode(row: Result<Option<KeyRow>, sqlx::Error>) -> Result<Option<Record>, BackendError> {
    match row {
        Ok(row) => row.map(KeyRow::decode).transpose(),
        Err(error @ (sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_))) => {
            Err(BackendError::corrupt(error))
        }
        Err(error) => Err(BackendError::unavailable(error)),
    }
}

impl FromRow<'_, SqliteRow> for KeyRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: required(row, "id")?,
            digest: required(row, "digest")?,
            hint: required(row, "hint")?,
            name: required(row, "name")?,
            owner_kind: required(row, "owner_kind")?,
            owner_organization: row.try_get("owner_organization")?,
            owner_email: row.try_get("owner_email")?,
            owner_project: row.try_get("owner_project")?,
            environment: required(row, "environment")?,
            scopes: required(row, "scopes")?,
            sources: required(row, "sources")?,
            created_at: row.try_get("created_at")?,
            created_by: row.try_get("created_by")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
            revoked_reason: row.try_get("revoked_reason")?,
            rotated_from: row.try_get("rotated_from")?,
            rotated_to: row.try_get("rotated_to")?,
            last_used_at: row.try_get("last_used_at")?,
            metadata: required(row, "metadata")?,
        })
    }
}

/// Reads a column that is never empty. By itself, sqlx takes an SQL `NULL` for a text without characters.
fn required<'r, T>(row: &'r SqliteRow, column: &str) -> Result<T, sqlx::Error>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get::<Option<T>, _>(column)?.ok_or_else(|| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: UnexpectedNullError.into(),
    })
}
