//! The load of idle nodes on a server.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tower_api_key::{Authenticator, PostgresStore};

use super::processor;
use crate::clients::{now, pass};
use crate::database::Database;
use crate::is_long;
use crate::markdown;
use support::probe::Probe;

/// Prints the statements and the processor time of idle nodes with all defaults.
pub(super) async fn print() {
    let length = Duration::from_secs(if is_long() { 60 } else { 10 });
    let database = Database::create().await;
    let pool = database.pool().await;
    let mut nodes = Vec::new();
    let mut lines = Vec::new();
    for count in [0, 1, 10, 100] {
        while nodes.len() < count {
            nodes.push(node(&database).await);
        }
        // Waits until all listen.
        pass(Duration::from_secs(2)).await;
        let (before, began) = (ServerUsage::read(&pool).await, now());
        pass(length).await;
        let (after, seconds) = (ServerUsage::read(&pool).await, began.elapsed().as_secs_f64());
        let statements = (after.statements - before.statements) as f64 / seconds;
        let processor = after.processor.zip(before.processor).map(|(after, before)| after - before);
        lines.push([
            count.to_string(),
            format!("{statements:.1}"),
            format!("{:.2}", statements / (count as f64).max(1.0)),
            processor.map_or_else(
                || "unknown".into(),
                |time| format!("{:.1} %", time.as_secs_f64() / seconds * 100.0),
            ),
        ]);
    }
    println!("Idle nodes, for {length:?}, with all defaults (polls each second).\n");
    markdown::print(["nodes", "statements a second", "per node", "processor of the server"], &lines);
}

async fn node(database: &Database) -> Authenticator {
    let pool = PgPoolOptions::new().max_connections(1).connect(&database.url()).await.unwrap();
    let store = PostgresStore::with_pool(pool.clone()).await.unwrap();
    let authenticator = Authenticator::builder(Probe::over(store).deaf()).build().unwrap();
    authenticator.start().await.unwrap();
    // Closes the connection for lookups; an idle node makes none.
    pool.acquire().await.unwrap().close().await.unwrap();
    authenticator
}

/// The work of a server since its start.
struct ServerUsage {
    /// In this database; each statement of the store is a transaction.
    statements: i64,
    processor: Option<Duration>,
}

impl ServerUsage {
    async fn read(pool: &PgPool) -> Self {
        // Sessions report their counts within a second, or after ten idle seconds.
        let count = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        let statements = sqlx::query_scalar(count).fetch_one(pool).await.unwrap();
        let own: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(pool).await.unwrap();
        let server = processor::parent_of(own.unsigned_abs());
        Self { statements, processor: server.and_then(processor::time_of) }
    }
}
