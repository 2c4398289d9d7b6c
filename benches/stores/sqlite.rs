//! The keys in an SQLite file.

#[path = "each.rs"]
#[allow(clippy::duplicate_mod, reason = "compiled once for each database")]
mod each;

use std::path::Path;

use tower_api_key::SqliteStore;
use tower_api_key_benches::stacks::sqlite;

use crate::{console, lookups, pages};

type Database = sqlx::Sqlite;
type Pool = sqlx::SqlitePool;
type Row = sqlx::sqlite::SqliteRow;

/// Fills the file, prints the times of its pages, and returns the line of its lookups.
pub(crate) async fn measure(file: &Path) -> [String; 4] {
    let pool = sqlite::pool(file).await;
    let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
    each::fill(&pool).await;
    pages::measure("SQLite", &store).await;
    each::fill_usage(&pool).await;
    console::measure("SQLite", &store).await;
    lookups::measure("SQLite", &store, async |digest| each::bare(&pool, digest).await).await
}
