//! Databases in the PostgreSQL server that `TEST_POSTGRES_URL` names.

mod server;

use std::env;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor as _, PgConnection, PgPool};
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
        sqlx::raw_sql(AssertSqlSafe(command)).execute(&mut connection).await.unwrap();
    }

    /// Opens connections of an application.
    pub async fn pool(&self) -> PgPool {
        PgPool::connect(&self.url()).await.unwrap()
    }

    /// Connections that are used once each, so that each is made after the preceding statements.
    pub async fn single_use(&self) -> PgPool {
        let options = PgPoolOptions::new().after_release(|_, _| Box::pin(async { Ok(false) }));
        options.acquire_timeout(Duration::from_secs(5)).connect(&self.url()).await.unwrap()
    }

    /// Connections with a search path.
    pub async fn with_path(&self, path: &str) -> PgPool {
        let options = self.url().parse::<PgConnectOptions>().unwrap().options([("search_path", path)]);
        PgPool::connect_with(options).await.unwrap()
    }

    /// Runs a query for one number.
    pub async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.pool().await).await.unwrap()
    }

    /// Runs statements in the database.
    pub async fn run_all(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool().await).await.unwrap();
    }

    /// Connections whose sessions begin with a statement.
    pub async fn pool_with(&self, first: &'static str) -> PgPool {
        let options = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(5));
        let options = options.after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(first).await.map(drop) })
        });
        options.connect(&self.url()).await.unwrap()
    }

    pub fn url(&self) -> String {
        let (address, settings) = self.server.split_once('?').unwrap_or((&self.server, ""));
        // The first path segment after the host is the database.
        let host = address.find("//").map_or(0, |slashes| slashes + 2);
        let end = address[host..].find('/').map_or(address.len(), |slash| host + slash);
        format!("{}/{}?{settings}", &address[..end], self.name)
    }
}
