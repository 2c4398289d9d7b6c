//! Looking keys up.

use sqlx::error::UnexpectedNullError;
use sqlx::{Decode, Executor, FromRow, QueryBuilder, Row as _, Type};

use super::dialect::{Database, DatabaseTransaction, LOCK_ROW, Namespace, Row, memberships, primary_only};
use super::errors::read_error;
use super::filter::restrict;
use crate::backend::sql::{KeyRow, OwnerState, columns};
use crate::backend::{BackendError, KeyFilter};
use crate::digest::Digest;
use crate::key::KeyId;
use crate::record::Record;

/// Selects keys with the state of their owners: in one statement, so that both are of one snapshot.
macro_rules! select_keys {
    () => {
        concat!(
            "SELECT ",
            columns!(),
            ", disabled, requires_sso, CASE WHEN owner_email IS NOT NULL THEN ",
            memberships!("owner_email"),
            " END AS memberships FROM tower_api_key LEFT JOIN tower_api_key_organization ON organization = owner_organization"
        )
    };
}

/// A key, and the state of its owner.
struct FoundKey {
    key: KeyRow,
    owner: OwnerState,
}

pub(super) async fn by_digest<'c>(
    database: impl Executor<'c, Database = Database>,
    namespace: &Namespace,
    digest: &Digest,
) -> Result<Option<Record>, BackendError> {
    const FIND: &str = concat!(select_keys!(), " WHERE digest = $1", primary_only!());
    decode(
        sqlx::query_as(namespace.qualify(FIND)).bind(&digest.as_bytes()[..]).fetch_optional(database).await,
    )
}

/// Like [`by_digest`], on a replica.
#[allow(dead_code, reason = "not every database has such servers")]
pub(in super::super) async fn by_digest_on_replica<'c>(
    database: impl Executor<'c, Database = Database>,
    namespace: &Namespace,
    digest: &Digest,
) -> Result<Option<Record>, BackendError> {
    const FIND: &str = concat!(select_keys!(), " WHERE digest = $1");
    decode(
        sqlx::query_as(namespace.qualify(FIND)).bind(&digest.as_bytes()[..]).fetch_optional(database).await,
    )
}

pub(super) async fn by_id<'c>(
    database: impl Executor<'c, Database = Database>,
    id: &KeyId,
) -> Result<Option<Record>, BackendError> {
    const GET: &str = concat!(select_keys!(), " WHERE id = $1");
    decode(sqlx::query_as(GET).bind(id.as_str()).fetch_optional(database).await)
}

/// Returns a key, and locks its row until the transaction ends.
pub(super) async fn by_id_for_update(
    transaction: &mut DatabaseTransaction<'_>,
    id: &KeyId,
) -> Result<Option<Record>, BackendError> {
    let mut query = QueryBuilder::new(concat!(select_keys!(), " WHERE id = "));
    query.push_bind(id.as_str()).push(LOCK_ROW);
    decode(query.build_query_as().fetch_optional(&mut **transaction).await)
}

/// Returns the first `limit` keys that match a filter after `after`.
pub(super) async fn page<'c>(
    database: impl Executor<'c, Database = Database>,
    filter: &KeyFilter,
    after: Option<&KeyId>,
    limit: usize,
) -> Result<Vec<Record>, BackendError> {
    let mut query = QueryBuilder::new(concat!(select_keys!(), " WHERE TRUE"));
    restrict(&mut query, filter);
    if let Some(after) = after {
        query.push(" AND id > ").push_bind(after.as_str());
    }
    query.push(" ORDER BY id LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let rows: Vec<FoundKey> = query.build_query_as().fetch_all(database).await.map_err(read_error)?;
    rows.into_iter().map(FoundKey::decode).collect()
}

fn decode(row: Result<Option<FoundKey>, sqlx::Error>) -> Result<Option<Record>, BackendError> {
    row.map_err(read_error)?.map(FoundKey::decode).transpose()
}

impl FoundKey {
    fn decode(self) -> Result<Record, BackendError> {
        let mut record = self.key.decode()?;
        self.owner.complete(&mut record.owner)?;
        Ok(record)
    }
}

impl FromRow<'_, Row> for FoundKey {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let owner = OwnerState {
            disabled: row.try_get("disabled")?,
            requires_sso: row.try_get("requires_sso")?,
            memberships: row.try_get("memberships")?,
        };
        Ok(Self { key: KeyRow::from_row(row)?, owner })
    }
}

impl FromRow<'_, Row> for KeyRow {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
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
            first_use_grace: row.try_get("first_use_grace")?,
            metadata: required(row, "metadata")?,
            revoked_by: row.try_get("revoked_by")?,
            retrievable: row.try_get("retrievable")?,
            labels: required(row, "labels")?,
        })
    }
}

/// Reads a column that is never `NULL`. By itself, sqlx decodes an SQL `NULL` as an empty text.
fn required<'r, T>(row: &'r Row, column: &str) -> Result<T, sqlx::Error>
where
    T: Decode<'r, Database> + Type<Database>,
{
    row.try_get::<Option<T>, _>(column)?.ok_or_else(|| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: UnexpectedNullError.into(),
    })
}
