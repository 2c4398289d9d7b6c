//! Databases of the PostgreSQL server that `TEST_POSTGRES_URL` names.

use std::env;
use std::future::ready;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool};
use tower_api_key::PostgresStore;

use crate::loads;
use crate::service::{Service, TENANT};

pub(crate) struct Database {
    pool: PgPool,
    options: PgConnectOptions,
}

/// Opens two services over databases of their own, or returns `None` without a server.
pub(crate) async fn open() -> Option<[(Service<PostgresStore>, Database); 2]> {
    let url = env::var("TEST_POSTGRES_URL").ok()?;
    let options = PgConnectOptions::from_str(&url).unwrap();
    Some([
        open_one(&options, "tower_api_key_here").await,
        open_one(&options, "tower_api_key_elsewhere").await,
    ])
}

async fn open_one(server: &PgConnectOptions, name: &str) -> (Service<PostgresStore>, Database) {
    let mut connection = PgConnection::connect_with(server).await.unwrap();
    for statement in ["DROP DATABASE IF EXISTS", "CREATE DATABASE"] {
        let statement = format!("{statement} {name}");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    let database = Database {
        options: server.clone().database(name),
        pool: PgPoolOptions::new().max_connections(2).connect_lazy_with(server.clone().database(name)),
    };
    (Service::over(database.store().await).await, database)
}

impl loads::Database for Database {
    type Store = PostgresStore;

    const IS_FILE: bool = false;

    async fn add_keys(&self, owner: &str, number: usize, end: Option<i64>) {
        let end = end.map_or_else(|| "NULL::BIGINT".to_owned(), |end| end.to_string());
        self.run(format!(
            "INSERT INTO tower_api_key (id, digest, hint, name, owner_kind, owner_organization, environment, scopes, sources,
                created_at, expires_at, metadata)
            SELECT 'key_' || gen_random_uuid(), sha256(convert_to(gen_random_uuid()::TEXT, 'UTF8')), 'example_live_a1b2c3...', '',
                'organization', '{owner}', 'live', '', '', 1, {end}, '{{}}' FROM generate_series(1, {number});
            ANALYZE tower_api_key"
        ))
        .await;
    }

    async fn add_usage(&self, rows: usize) {
        self.run(format!(
            "TRUNCATE tower_api_key_usage, tower_api_key_usage_route;
            TRUNCATE tower_api_key_usage_total;
            INSERT INTO tower_api_key_usage (key_id, day, environment, owner_organization, requests)
            SELECT 'key_' || (i / 360), extract(epoch FROM now())::BIGINT / 86400 - i % 360, 'live', '{TENANT}', 1
            FROM generate_series(0, {rows} - 1) AS i;
            INSERT INTO tower_api_key_usage_total (kind, organization, name, day, environment, requests)
            SELECT 'organization', owner_organization, '', day, environment, sum(requests) FROM tower_api_key_usage
            GROUP BY owner_organization, day, environment;
            INSERT INTO tower_api_key_usage_total (kind, organization, name, day, environment, requests)
            SELECT 'whole', '', '', day, environment, sum(requests) FROM tower_api_key_usage GROUP BY day, environment;
            ANALYZE tower_api_key_usage"
        ))
        .await;
    }

    fn lock(&self, _: Duration) -> impl Future<Output = ()> + Send + 'static {
        ready(())
    }

    async fn add_silent_node(&self) {
        self.run(
            "INSERT INTO tower_api_key_node (node, expires_at, applied, lease)
            VALUES ('silent', (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + 3600000, pg_current_snapshot(), 5000)
            ON CONFLICT (node) DO UPDATE SET expires_at = excluded.expires_at"
                .to_owned(),
        )
        .await;
    }

    async fn another_store(&self) -> PostgresStore {
        self.store().await
    }
}

impl Database {
    async fn store(&self) -> PostgresStore {
        PostgresStore::open(&self.options.to_url_lossy().to_string()).await.unwrap()
    }

    async fn run(&self, statements: String) {
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&self.pool).await.unwrap();
    }
}
