//! How SQLite runs a statement, for tests of the indexes that it uses.

// Layer 3 of 10: storage.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Row as _};

use crate::backend::sql::statement::Statement;

/// Returns the steps by which SQLite runs a statement on an empty database.
pub(super) async fn sqlite_plan(statement: &Statement) -> Vec<String> {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("a database in memory");
    sqlx::raw_sql(include_str!("../schema/sqlite.sql")).execute(&mut connection).await.expect("a schema");
    let explain = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let rows = sqlx::query(AssertSqlSafe(explain)).fetch_all(&mut connection).await.expect("a plan");
    rows.iter().map(|row| row.get("detail")).collect()
}
