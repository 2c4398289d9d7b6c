//! The keys in a database of the PostgreSQL server that `TEST_POSTGRES_URL` names.

#[path = "each.rs"]
#[allow(clippy::duplicate_mod, reason = "compiled once for each database")]
mod each;

use std::env;

use sqlx::postgres::PgPoolOptions;
use tower_api_key::PostgresStore;

use crate::{console, lookups, pages};

type Database = sqlx::Postgres;
type Pool = sqlx::PgPool;
type Row = sqlx::postgres::PgRow;

/// The statements that create and drop a schema for the keys.
const SCHEMA: [&str; 2] =
    ["CREATE SCHEMA tower_api_key_bench", "DROP SCHEMA IF EXISTS tower_api_key_bench CASCADE"];

/// Fills the database, prints the times of its pages, and returns the line of its lookups; `None` without a server.
pub(crate) async fn measure() -> Option<[String; 4]> {
    let Ok(url) = env::var("TEST_POSTGRES_URL") else {
        println!("PostgreSQL is skipped: TEST_POSTGRES_URL is not set.\n");
        return None;
    };
    let options = PgPoolOptions::new().max_connections(8).after_connect(|connection, _| {
        Box::pin(async move {
            sqlx::query("SET search_path TO tower_api_key_bench").execute(connection).await.map(drop)
        })
    });
    let pool = options.connect(&url).await.unwrap();
    let [create, drop] = SCHEMA;
    for statement in [drop, create] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let store = PostgresStore::with_pool(pool.clone()).await.unwrap();
    each::fill(&pool).await;
    // As autovacuum does after a while.
    sqlx::query("VACUUM ANALYZE tower_api_key").execute(&pool).await.unwrap();
    pages::measure("PostgreSQL", &store).await;
    each::fill_usage(&pool).await;
    sqlx::query("VACUUM ANALYZE").execute(&pool).await.unwrap();
    console::measure("PostgreSQL", &store).await;
    let line = lookups::measure("PostgreSQL", &store, async |digest| each::bare(&pool, digest).await).await;
    sqlx::query(drop).execute(&pool).await.unwrap();
    Some(line)
}
