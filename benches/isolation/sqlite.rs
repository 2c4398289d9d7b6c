//! SQLite files.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, SqlitePool};
use tempfile::TempDir;
use tokio::time::sleep;
use tower_api_key::SqliteStore;

use crate::loads::Database;
use crate::service::{Service, TENANT};

pub(crate) struct File {
    pool: SqlitePool,
    url: String,
    _folder: TempDir,
}

/// Opens a service over a file of its own.
pub(crate) async fn open() -> (Service<SqliteStore>, File) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys.db");
    let url = format!("sqlite:{}", path.display());
    let service = Service::over(SqliteStore::open(&url).await.unwrap()).await;
    let options = SqliteConnectOptions::new().filename(path).journal_mode(SqliteJournalMode::Wal);
    let options = options.busy_timeout(Duration::from_secs(60));
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    (service, File { pool, url, _folder: folder })
}

impl Database for File {
    type Store = SqliteStore;

    const IS_FILE: bool = true;

    async fn add_keys(&self, owner: &str, number: usize, end: Option<i64>) {
        let end = end.map_or_else(|| "NULL".to_owned(), |end| end.to_string());
        self.run(format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})
            INSERT INTO tower_api_key (id, digest, hint, name, owner_kind, owner_organization, environment, scopes, sources,
                created_at, expires_at, metadata)
            SELECT 'key_' || hex(randomblob(16)), randomblob(32), 'example_live_a1b2c3...', '', 'organization', '{owner}',
                'live', '', '', 1, {end}, '{{}}' FROM n"
        ))
        .await;
    }

    async fn add_usage(&self, rows: usize) {
        self.run(format!(
            "DELETE FROM tower_api_key_usage;
            DELETE FROM tower_api_key_usage_total;
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {rows})
            INSERT INTO tower_api_key_usage (key_id, day, environment, owner_organization, requests)
            SELECT 'key_' || (i / 360), CAST(unixepoch() / 86400 AS INTEGER) - i % 360, 'live', '{TENANT}', 1 FROM n;
            INSERT INTO tower_api_key_usage_total (kind, organization, name, day, environment, requests)
            SELECT 'organization', owner_organization, '', day, environment, sum(requests) FROM tower_api_key_usage
            GROUP BY owner_organization, day, environment;
            INSERT INTO tower_api_key_usage_total (kind, organization, name, day, environment, requests)
            SELECT 'whole', '', '', day, environment, sum(requests) FROM tower_api_key_usage GROUP BY day, environment"
        ))
        .await;
    }

    fn lock(&self, length: Duration) -> impl Future<Output = ()> + Send + 'static {
        let pool = self.pool.clone();
        async move {
            let lock = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
            sleep(length).await;
            lock.rollback().await.unwrap();
        }
    }

    async fn add_silent_node(&self) {}

    async fn another_store(&self) -> SqliteStore {
        SqliteStore::open(&self.url).await.unwrap()
    }
}

impl File {
    async fn run(&self, statements: String) {
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&self.pool).await.unwrap();
    }
}
