//! A PostgreSQL database with direct connections, and with a proxy that can hold messages back.

use std::fmt::Write;
use std::str::FromStr;
use std::sync::Arc;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, PgPool};
use tower_api_key::PostgresStore;

use crate::interleavings::cast::Cast;
use crate::interleavings::changes::{Node, TABLES};
use crate::interleavings::proxy::{Address, Proxy};
use support::START;
use support::postgres::Database;

/// The application name of direct connections.
const DIRECT: &str = "direct";

/// The application name of an application's connections.
const APPLICATION: &str = "application";

impl Node for PostgresStore {}

pub(crate) struct Scene {
    pub(crate) database: Database,
    pub(crate) cast: Arc<Cast>,
    pub(crate) direct: PostgresStore,
    pub(crate) held: Held,
    watcher: PgPool,
}

/// A store behind a proxy.
pub(crate) struct Held {
    pub(crate) store: PostgresStore,
    pub(crate) proxy: Proxy,
    name: &'static str,
}

impl Scene {
    pub(crate) async fn open() -> Self {
        Self::open_in(Database::create().await).await
    }

    /// Opens one whose server detects deadlocks soon, where that can be set.
    pub(crate) async fn open_hurried() -> Self {
        const MAY: &str = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
        let database = Database::create().await;
        let asking = pool(options(&database, "asking")).await;
        if sqlx::query_scalar(MAY).fetch_one(&asking).await.unwrap() {
            database.command("ALTER DATABASE", "SET deadlock_timeout = '100ms'").await;
        }
        Self::open_in(database).await
    }

    async fn open_in(database: Database) -> Self {
        let direct = pool(options(&database, DIRECT)).await;
        let direct = PostgresStore::with_pool(direct).await.unwrap();
        let held = Held::open(&database, "held").await;
        let cast = Arc::new(Cast::admitted().await);
        let watcher = pool(options(&database, "watcher")).await;
        let scene = Self { database, cast, direct, held, watcher };
        scene.cast.enter(&scene.direct).await;
        scene.keep_start().await;
        scene
    }

    /// Resets the database to the initial cast.
    pub(crate) async fn enter_anew(&self) {
        self.cast.clock.set_wall(START);
        let mut again = String::from("BEGIN;");
        for table in TABLES.into_iter().rev() {
            write!(again, "DELETE FROM {table};").unwrap();
        }
        for table in TABLES {
            write!(again, "INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM start.{table};")
                .unwrap();
        }
        self.run(again + "COMMIT").await;
    }

    /// Keeps the contents of the database as the start.
    async fn keep_start(&self) {
        let keep = TABLES.map(|table| format!("CREATE TABLE start.{table} AS TABLE {table};"));
        // Generated columns, the last ones, are not written.
        let written = "ALTER TABLE start.tower_api_key DROP COLUMN search_name, DROP COLUMN search_hint";
        self.run(format!("CREATE SCHEMA start; {} {written}", keep.concat())).await;
    }

    pub(crate) async fn run(&self, statements: String) {
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&self.watcher).await.unwrap();
    }

    /// Returns all rows that are committed.
    pub(crate) async fn rows(&self) -> Vec<String> {
        let all = TABLES.map(|table| format!("SELECT '{table} ' || t::TEXT FROM {table} t"));
        let all = format!("{} ORDER BY 1", all.join(" UNION ALL "));
        sqlx::query_scalar(AssertSqlSafe(all)).fetch_all(&self.watcher).await.unwrap()
    }

    /// Returns the number of audit entries of an actor.
    pub(crate) async fn entries_by(&self, actor: &str) -> i64 {
        const COUNT: &str = "SELECT count(*) FROM tower_api_key_audit WHERE made_by = $1";
        sqlx::query_scalar(COUNT).bind(actor).fetch_one(&self.watcher).await.unwrap()
    }

    /// Returns whether the direct store waits for the store whose message is held.
    pub(crate) async fn is_direct_waiting(&self) -> bool {
        self.waits(DIRECT, self.held.name, 0).await
    }

    /// Waits until one store has waited for another one for this long.
    pub(crate) async fn until_waiting(&self, store: &Held, other: &Held, millis: i32) {
        while !self.waits(store.name, other.name, millis).await {
            tokio::task::yield_now().await;
        }
    }

    async fn waits(&self, name: &str, other: &str, millis: i32) -> bool {
        const WAITING: &str = "SELECT count(*) FROM pg_stat_activity a JOIN pg_stat_activity b
            ON a.wait_event_type = 'Lock' AND b.pid = ANY (pg_blocking_pids(a.pid))
            WHERE a.datname = current_database() AND a.application_name = $1
            AND b.datname = current_database() AND b.application_name = $2
            AND clock_timestamp() - a.query_start >= $3 * INTERVAL '1 millisecond'";
        let waiting = sqlx::query_scalar(WAITING).bind(name).bind(other).bind(millis);
        waiting.fetch_one(&self.watcher).await.map(|number: i64| number > 0).unwrap()
    }

    /// Opens connections of an application that works on the tables by itself.
    pub(crate) async fn application(&self) -> PgPool {
        pool(options(&self.database, APPLICATION)).await
    }

    /// Waits until a store waits for the application, and returns the start of its transaction.
    pub(crate) async fn until_waits_for_application(&self, store: &Held) -> String {
        const BEGUN: &str = "SELECT a.xact_start::TEXT FROM pg_stat_activity a JOIN pg_stat_activity b
            ON a.wait_event_type = 'Lock' AND b.pid = ANY (pg_blocking_pids(a.pid))
            WHERE a.datname = current_database() AND a.application_name = $1
            AND b.datname = current_database() AND b.application_name = $2";
        loop {
            let waiting = sqlx::query_scalar(BEGUN).bind(store.name).bind(APPLICATION);
            if let Some(begun) = waiting.fetch_optional(&self.watcher).await.unwrap() {
                return begun;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Opens one more store behind a proxy of its own.
    pub(crate) async fn one_held(&self) -> Held {
        Held::open(&self.database, "one").await
    }

    pub(crate) async fn another_held(&self) -> Held {
        Held::open(&self.database, "another").await
    }
}

impl Held {
    async fn open(database: &Database, name: &'static str) -> Self {
        let options = options(database, name);
        let (port, user) = (options.get_port(), options.get_username());
        let (server, by_port) = match options.get_socket() {
            Some(folder) => (
                Address::Socket(folder.join(format!(".s.PGSQL.{port}"))),
                PgConnectOptions::new_without_pgpass()
                    .username(user)
                    .database(options.get_database().unwrap())
                    .application_name(name),
            ),
            None => (Address::Port(options.get_host().to_owned(), port), options),
        };
        let proxy = Proxy::to(server).await;
        let by_port = by_port.host("127.0.0.1").port(proxy.port).ssl_mode(PgSslMode::Disable);
        let store = PostgresStore::with_pool(pool(by_port).await).await.unwrap();
        Self { store, proxy, name }
    }
}

fn options(database: &Database, name: &str) -> PgConnectOptions {
    PgConnectOptions::from_str(&database.url()).unwrap().application_name(name)
}

async fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
}
