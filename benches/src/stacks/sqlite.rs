//! Keys in an SQLite file: the pool that is measured, and the query by itself.

use std::path::Path;

use http::{Request, Response};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow};
use sqlx::{Row, SqlitePool};
use tower::service_fn;

use super::{Body, Stack, bearer, digest};
use crate::columns::{FIND, TEXTS, TIMES};

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
            let digest = digest(bearer, request.headers()).unwrap();
            let row = sqlx::query(FIND).bind(&digest[..]).fetch_optional(&pool).await.unwrap().unwrap();
            std::hint::black_box(columns(&row));
            Ok(Response::new(Body::default()))
        }
    })
}

/// The columns as the store reads them, before it makes a record of them.
fn columns(row: &SqliteRow) -> (Vec<u8>, Vec<Option<String>>, Vec<Option<i64>>) {
    (
        row.get("digest"),
        TEXTS.iter().map(|&column| row.get(column)).collect(),
        TIMES.iter().map(|&column| row.get(column)).collect(),
    )
}
