//! Databases in the PostgreSQL server that `TEST_POSTGRES_URL` names.

mod server;

use std::env;

use sqlx::{Connection, PgConnection, PgPool};
use tower_api_key::{KeyId, Timestamp};

pub use server::{Server, owner};

/// A database of its own for each test.
pub struct Database {
    server: String,
    name: String,
}

/// Returns whether no server is configured, and prints the skipped test's name.
pub fn is_absent() -> bool {
    let absent = env::var_os("TEST_POSTGRES_URL").is_none();
    let name = std::thread::current().name().unwrap_or("a test of PostgreSQL").to_owned();
    assert!(!absent || env::var_os("CI").is_none(), "{name}: TEST_POSTGRES_URL is not set");
    if absent {
        #[allow(clippy::print_stderr, reason = "shown to the person who runs the tests")]
        {
            eprintln!("skipped: {name} (TEST_POSTGRES_URL is not set)");
        }
    }
    absent
}

impl Database {
    pub async fn create() -> Self {
        Self::create_as("").await
    }

    /// Creates a database with settings, which follow its name in `CREATE DATABASE`.
    pub async fn create_as(settings: &str) -> Self {
        let server = env::var("TEST_POSTGRES_URL").unwrap();
        let id = KeyId::generate(Timestamp::from_unix_millis(0)).unwrap();
        let name = format!("tower_api_{id}");
        let database = Self { server, name };
        database.command("CREATE DATABASE", settings).await;
        database
    }

    /// Runs a command about the database from another one: `before`, its name, `behind`.
    pub async fn command(&self, before: &str, behind: &str) {
        let mut connection = PgConnection::connect(&self.server).await.unwrap();
        let command = format!("{before} {} {behind}", self.name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(command)).execute(&mut connection).await.unwrap();
    }

    /// Opens connections of an application.
    pub async fn pool(&self) -> PgPool {
        PgPool::connect(&self.url()).await.unwrap()
    }

    pub fn url(&self) -> String {
        let (address, settings) = self.server.split_once('?').unwrap_or((&self.server, ""));
        // The first path segment after the host is the database.
        let host = address.find("//").map_or(0, |slashes| slashes + 2);
        let end = address[host..].find('/').map_or(address.len(), |slash| host + slash);
        format!("{}/{}?{settings}", &address[..end], self.name)
    }
}
