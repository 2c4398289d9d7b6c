//! The store in a PostgreSQL database.
//!
//! `TEST_POSTGRES_URL` names a server in which databases may be created. Where there is none, these tests say that they are
//! skipped; `.ci/run` starts one, and does not let them skip.

mod fleet;
mod metering;
mod opening;
mod taken_in;

use std::env;

use sqlx::{Connection, PgConnection, PgPool};
use tower_api_key::{KeyId, PostgresStore, Timestamp};

keeps_the_contract!(crate::postgres::open, unless crate::postgres::is_absent);
keeps_an_audit_log!(crate::postgres::open, unless crate::postgres::is_absent);

/// A database of its own for each test.
pub(crate) struct Database {
    server: String,
    name: String,
}

/// Tells whether there is no server, and says so by the name of the test.
pub(crate) fn is_absent() -> bool {
    let absent = env::var_os("TEST_POSTGRES_URL").is_none();
    let name = std::thread::current().name().unwrap_or("a test of PostgreSQL").to_owned();
    assert!(!absent || env::var_os("CI").is_none(), "{name}: TEST_POSTGRES_URL is not set");
    if absent {
        #[allow(clippy::print_stderr, reason = "whoever runs the tests should know")]
        {
            eprintln!("skipped: {name} (TEST_POSTGRES_URL is not set)");
        }
    }
    absent
}

impl Database {
    pub(crate) async fn create() -> Self {
        let server = env::var("TEST_POSTGRES_URL").unwrap();
        let id = KeyId::generate(Timestamp::from_unix_millis(0)).unwrap();
        let name = format!("tower_api_{id}");
        let database = Self { server, name };
        database.command("CREATE DATABASE").await;
        database
    }

    /// Runs a command about the database, outside of it.
    async fn command(&self, command: &str) {
        let mut connection = PgConnection::connect(&self.server).await.unwrap();
        let command = format!("{command} {}", self.name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(command)).execute(&mut connection).await.unwrap();
    }

    pub(crate) fn url(&self) -> String {
        let (address, settings) = self.server.split_once('?').unwrap_or((&self.server, ""));
        // Behind the user and the host, the first path segment is the database.
        let host = address.find("//").map_or(0, |slashes| slashes + 2);
        let end = address[host..].find('/').map_or(address.len(), |slash| host + slash);
        format!("{}/{}?{settings}", &address[..end], self.name)
    }

    /// Connections of an application.
    pub(crate) async fn pool(&self) -> PgPool {
        PgPool::connect(&self.url()).await.unwrap()
    }
}

pub(crate) async fn open() -> (PostgresStore, Database) {
    let database = Database::create().await;
    let store = PostgresStore::open(&database.url()).await.unwrap();
    (store, database)
}
