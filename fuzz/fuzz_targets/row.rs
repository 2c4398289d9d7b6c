//! Arbitrary rows: each is read as its key or as an error, and is never reported absent.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::runtime::{Builder, Runtime};
use tower_api_key::backend::{Backend, BackendError, BackendErrorKind, KeyStore, PlanStore};
use tower_api_key::digest::Digest;
use tower_api_key::limit::Plan;
use tower_api_key::{Record, SqliteStore};
use tower_api_key_fuzz::row::{COLUMNS, PLAN, PLAN_LIMITS, Row, Value};

/// A store over a table without types.
struct Database {
    runtime: Runtime,
    pool: SqlitePool,
    store: SqliteStore,
    replace: String,
}

thread_local! {
    static DATABASE: Database = Database::open();
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let row = Row::parse(data);
    DATABASE.with(|database| database.runtime.block_on(database.check(&row)));
    Corpus::Keep
});

impl Database {
    fn open() -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (pool, store) = runtime.block_on(async {
            // A database in memory lasts as long as its connection.
            let lasting = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
            let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(false);
            let pool = lasting.connect_with(options).await.expect("a database in memory");
            let store = SqliteStore::with_pool(pool.clone()).await.expect("a store");
            // The fingerprint of the digester is no part of a record.
            let columns: Vec<String> = sqlx::query_scalar(
                "SELECT name FROM pragma_table_info('tower_api_key') WHERE name <> 'digester'",
            )
            .fetch_all(&pool)
            .await
            .expect("the columns of the table");
            assert_eq!(
                columns, COLUMNS,
                "the columns of the table of keys are others than those of its rows here"
            );
            let table =
                format!("DROP TABLE tower_api_key; CREATE TABLE tower_api_key ({})", COLUMNS.join(", "));
            sqlx::raw_sql(sqlx::AssertSqlSafe(table)).execute(&pool).await.expect("a table without types");
            let plan = Plan::new(PLAN, PLAN_LIMITS.parse().expect("limits")).expect("a plan");
            store.put_plan(&plan).await.expect("a new plan");
            (pool, store)
        });
        let columns = COLUMNS.join(", ");
        let values = COLUMNS.map(|_| "iif(?, CAST(? AS TEXT), ?)").join(", ");
        let replace = format!("REPLACE INTO tower_api_key (rowid, {columns}) VALUES (1, {values})");
        Self { runtime, pool, store, replace }
    }

    async fn check(&self, row: &Row) {
        self.replace(row).await;
        let expected = row.record();
        let (digest, id) = (row.digest(), row.id());
        let asked = digest.unwrap_or([0; 32]);
        let found = self.store.find(&Digest::from_bytes(asked)).await;
        compare(found, digest.is_some(), expected.as_ref());
        if let Some(id) = id {
            compare(self.store.get(&id).await, true, expected.as_ref());
        }
    }

    async fn replace(&self, row: &Row) {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(self.replace.as_str()));
        for value in row.values() {
            // Text is bound as bytes, so that it may be invalid UTF-8.
            let text = match value {
                Value::Text(bytes) => Some(bytes.as_slice()),
                _ => None,
            };
            query = query.bind(text.is_some()).bind(text);
            query = match value {
                Value::Null | Value::Text(_) => query.bind(None::<i64>),
                Value::Integer(number) => query.bind(*number),
                Value::Real(number) => query.bind(*number),
                Value::Blob(bytes) => query.bind(bytes.as_slice()),
            };
        }
        query.execute(&self.pool).await.expect("a row");
    }
}

/// Checks the result of a lookup of a row that exists or not, with the record that it holds if it is valid.
fn compare(found: Result<Option<Record>, BackendError>, is_there: bool, expected: Option<&Record>) {
    match (found, expected) {
        (Ok(None), _) => assert!(!is_there, "the row was overlooked"),
        (Ok(Some(found)), Some(expected)) if is_there => assert_eq!(&found, expected),
        (Err(error), None) if is_there => assert_eq!(error.kind(), BackendErrorKind::Corrupt, "{error}"),
        (found, expected) => panic!("expected {expected:?}, found {found:?}"),
    }
}
