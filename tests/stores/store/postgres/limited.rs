//! A role with few connections.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tower_api_key::{KeyId, PostgresStore, Timestamp};

use super::Database;

/// A database with the tables, and a role that may use them, which belongs to the server.
pub(super) struct Limited {
    pub(super) owner: PgPool,
    pub(super) role: String,
    _database: Database,
}

impl Limited {
    pub(super) async fn to(connections: usize) -> Self {
        let database = Database::create().await;
        let owner = database.pool().await;
        PostgresStore::with_pool(owner.clone()).await.unwrap();
        let role = format!("limited_{}", KeyId::generate(Timestamp::from_unix_millis(0)).unwrap());
        let limited = Self { owner, role, _database: database };
        let role = &limited.role;
        limited
            .run(format!(
                "CREATE ROLE {role} LOGIN PASSWORD 'limited' CONNECTION LIMIT {connections};
                GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; GRANT ALL ON SCHEMA public TO {role};
                GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}"
            ))
            .await;
        limited
    }

    pub(super) async fn run(&self, statements: String) {
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&self.owner).await.unwrap();
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::clone(&self.owner.connect_options()).username(&self.role).password("limited")
    }

    /// Drops the role, which the server keeps beyond the database.
    pub(super) async fn end(self) {
        self.run(format!("DROP OWNED BY {role}; DROP ROLE {role}", role = self.role)).await;
    }
}
