//! Keys in an SQLite file: the pool that is measured, and the query by itself.

use std::path::Path;

use http::{Request, Response};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow};
use sqlx::{Row, SqlitePool};
use tower::service_fn;

use super::{Body, Stack, bearer, digest};

/// Opens a file with as many connections as `SqliteStore::open` does.
pub async fn pool(file: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    SqlitePoolOptions::new().max_connections(4).connect_with(options).await.unwrap()
}

/// A service that fetches the row of a key, takes every column out of it, and does nothing with them.
pub fn query(pool: SqlitePool) -> impl Stack<Body> {
    service_fn(move |request: Request<Body>| {
        let pool = pool.clone();
        async move {
            const FIND: &str = "SELECT id, digest, hint, name, owner_kind, owner_organization, owner_email, owner_project,
                environment, scopes, sources, created_at, created_by, expires_at, revoked_at, revoked_reason, rotated_from,
                rotated_to, last_used_at, first_use_grace, metadata, revoked_by, readable FROM tower_api_key WHERE digest = $1";
            let digest = digest(bearer, request.headers()).unwrap();
            let row = sqlx::query(FIND).bind(&digest[..]).fetch_optional(&pool).await.unwrap().unwrap();
            std::hint::black_box(columns(&row));
            Ok(Response::new(Body::default()))
        }
    })
}

/// The columns as the store reads them, before it makes a record of them.
fn columns(row: &SqliteRow) -> (Vec<u8>, Vec<Option<String>>, Vec<Option<i64>>) {
    let texts = [
        "id",
        "hint",
        "name",
        "owner_kind",
        "owner_organization",
        "owner_email",
        "owner_project",
        "environment",
        "scopes",
        "sources",
        "created_by",
        "revoked_reason",
        "rotated_from",
        "rotated_to",
        "metadata",
        "revoked_by",
        "readable",
    ];
    let times = ["created_at", "expires_at", "revoked_at", "last_used_at", "first_use_grace"];
    (
        row.get("digest"),
        texts.iter().map(|&column| row.get(column)).collect(),
        times.iter().map(|&column| row.get(column)).collect(),
    )
}
