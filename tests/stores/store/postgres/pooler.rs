//! PgBouncer between a store and its server.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tower_api_key::backend::{Backend, BackendErrorKind, KeyChange, KeyFilter, KeyStore};
use tower_api_key::{Authenticator, PostgresStore};

use super::{Database, is_absent};
use crate::store::samples;
use support::outside;
use support::postgres::owner;

/// The first version of PgBouncer that keeps prepared statements for its clients.
const KEEPS_STATEMENTS: (u32, u32) = (1, 21);

/// PgBouncer in front of a database, on a socket in a folder of its own.
struct PgBouncer {
    database: Database,
    folder: TempDir,
    process: Child,
}

impl PgBouncer {
    /// Starts it with its default settings, except for these.
    async fn start(settings: &str) -> Self {
        let database = Database::create().await;
        let server: PgConnectOptions = database.url().parse().unwrap();
        let host = server.get_socket().map_or(server.get_host(), |socket| socket.to_str().unwrap());
        let (port, user) = (server.get_port(), server.get_username());
        let folder = TempDir::new().unwrap();
        let path = folder.path().display();
        fs::write(folder.path().join("users"), format!("\"{user}\" \"\"\n")).unwrap();
        let configuration = format!(
            "[databases]\n* = host={host} port={port}\n[pgbouncer]\nunix_socket_dir = {path}\nlisten_port = 5432\n\
             auth_type = trust\nauth_file = {path}/users\nlogfile = {path}/log\n{settings}\n"
        );
        fs::write(folder.path().join("settings"), configuration).unwrap();
        let mut command = Command::new(program().unwrap());
        command.arg("--quiet").arg(folder.path().join("settings"));
        if folder.path().metadata().unwrap().uid() == 0 {
            // It refuses to run as root.
            let (user, group) = owner();
            chown(folder.path(), Some(user), Some(group)).unwrap();
            command.uid(user).gid(group);
        }
        let process =
            command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let pooler = Self { database, folder, process };
        let options = pooler.url().parse::<PgConnectOptions>().unwrap().extra_float_digits(None);
        let is_up = async {
            while PgConnection::connect_with(&options).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), is_up).await;
        let log = || fs::read_to_string(pooler.folder.path().join("log")).unwrap_or_default();
        assert!(waited.is_ok(), "{}", log());
        pooler
    }

    fn url(&self) -> String {
        let server: PgConnectOptions = self.database.url().parse().unwrap();
        let (database, user) = (server.get_database().unwrap(), server.get_username());
        format!("postgres:///{database}?host={}&user={user}", self.folder.path().display())
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<&'static str> {
    // Its folder is not in the path of every user.
    ["pgbouncer", "/usr/sbin/pgbouncer"]
        .into_iter()
        .find(|name| outside::is_program(name) || Path::new(name).is_file())
}

fn version() -> (u32, u32) {
    let output = Command::new(program().unwrap()).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers =
        text.split_once(' ').unwrap().1.split(['.', '\n']).map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn is_anything_absent() -> bool {
    is_absent() || outside::is_absent("PgBouncer", program().is_some())
}

/// Uses a store as a busy node does.
async fn is_of_use(store: PostgresStore) {
    for number in 0..10 {
        store.change(KeyChange::insert(samples::plain(&format!("key_{number}")))).await.unwrap();
    }
    let node = Authenticator::builder(store.clone()).build().unwrap();
    node.start().await.unwrap();
    let lookups = (0..40).map(|_| {
        let store = store.clone();
        async move {
            for number in 0..10 {
                assert!(store.find(&samples::digest(&format!("key_{number}"))).await.unwrap().is_some());
            }
            assert_eq!(store.list(&KeyFilter::all(), None, 100).await.unwrap().len(), 10);
        }
    });
    lookups.collect::<JoinSet<_>>().join_all().await;
    let mut feed = store.feed().unwrap();
    feed.poll().await.unwrap();
    store.change(samples::revoke("key_0", 1, "lost")).await.unwrap();
    assert_eq!(feed.poll().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_pooler_of_sessions_is_of_use_with_its_default_settings() {
    if is_anything_absent() {
        return;
    }
    let pooler = PgBouncer::start("").await;
    is_of_use(PostgresStore::open(&pooler.url()).await.unwrap()).await;
}

#[tokio::test]
async fn a_store_continues_when_the_options_of_its_pool_lead_to_a_pooler() {
    if is_anything_absent() {
        return;
    }
    let pooler = PgBouncer::start("").await;
    let direct: PgConnectOptions = pooler.database.url().parse().unwrap();
    let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(direct.clone());
    let store = PostgresStore::with_pool(pool.clone()).await.unwrap().polling_only();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let mut feed = store.feed().unwrap();
    feed.poll().await.unwrap();

    let moved = pooler.url().parse::<PgConnectOptions>().unwrap().extra_float_digits(None);
    pool.set_connect_options(moved.clone());
    let mut administrator = PgConnection::connect_with(&direct).await.unwrap();
    let end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query(end_all).execute(&mut administrator).await.unwrap();
    // PgBouncer rejects a client to which it gives an ended connection of its own, until it has noticed the end.
    let through_pooler = async || PgConnection::connect_with(&moved).await?.execute("SELECT 1").await;
    while through_pooler().await.is_err() {}
    assert!(store.find(&samples::digest("key")).await.unwrap().is_some());
    feed.poll().await.unwrap();
}

#[tokio::test]
async fn a_pooler_of_transactions_that_loses_prepared_statements_is_rejected() {
    if is_anything_absent() {
        return;
    }
    let loses = if version() < KEEPS_STATEMENTS { "" } else { "\nmax_prepared_statements = 0" };
    for size in [1, 2, 20] {
        let pooler =
            PgBouncer::start(&format!("pool_mode = transaction\ndefault_pool_size = {size}{loses}")).await;
        let error = PostgresStore::open(&pooler.url()).await.unwrap_err();
        let options = pooler.url().parse::<PgConnectOptions>().unwrap().extra_float_digits(None);
        let pool = PgPoolOptions::new().connect_lazy_with(options.statement_cache_capacity(0));
        let other = PostgresStore::with_pool(pool).await.unwrap_err();
        for error in [error, other] {
            assert_eq!(error.kind(), BackendErrorKind::Invalid, "{error}");
            let message = error.to_string();
            assert!(message.contains("PgBouncer 1.21"), "{message}");
            assert!(message.contains("max_prepared_statements"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_pooler_of_transactions_that_keeps_prepared_statements_is_of_use() {
    if is_anything_absent() {
        return;
    }
    if version() < KEEPS_STATEMENTS {
        outside::skip("PgBouncer 1.21 or later");
        return;
    }
    let pooler = PgBouncer::start("pool_mode = transaction\nmax_prepared_statements = 100").await;
    is_of_use(PostgresStore::open(&pooler.url()).await.unwrap().polling_only()).await;
}
