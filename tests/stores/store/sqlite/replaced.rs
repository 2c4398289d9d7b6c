//! Files that are replaced or deleted while they are open.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use tempfile::TempDir;
use tokio::runtime::Builder;
use tower_api_key::backend::BackendErrorKind::Unavailable;
use tower_api_key::backend::{
    AuditLog, AuditQuery, Backend, KeyChange, KeyStore, UsageBatch, UsageQuery, UsageStore,
};
use tower_api_key::clock::Day;
use tower_api_key::reject::Reason;
use tower_api_key::{Authenticator, SqliteStore};

use super::{application, run, says, url};
use crate::store::samples;

/// A node that has admitted a key, and the folder of its file.
struct World {
    folder: TempDir,
    store: SqliteStore,
    node: Authenticator,
}

impl World {
    async fn new(name: &str) -> Self {
        let folder = TempDir::new().unwrap();
        symlink("keys.db", folder.path().join("link.db")).unwrap();
        drop(SqliteStore::open(&url(&folder.path().join("keys.db"))).await.unwrap());
        let store = SqliteStore::open(&url(&folder.path().join(name))).await.unwrap();
        store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
        let node = Authenticator::builder(store.clone())
            .poll_interval(Duration::from_millis(5))
            .lease(Duration::from_millis(500))
            .deadline(Duration::from_millis(400))
            .build()
            .unwrap();
        node.start().await.unwrap();
        let world = Self { folder, store, node };
        assert_eq!(world.present().await, None);
        world
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn present(&self) -> Option<Reason> {
        let value = HeaderValue::try_from(samples::text("key")).unwrap();
        let headers = HeaderMap::from_iter([("x-api-key".parse().unwrap(), value)]);
        self.node.authenticate(&headers).await.err().map(|rejection| rejection.reason().clone())
    }

    /// Copies the database, and revokes the key in the copy.
    async fn revoked_copy(&self) -> PathBuf {
        let copy = self.file("copy.db");
        let into = format!("VACUUM INTO '{}'", copy.display());
        let pool = application(&self.file("keys.db")).await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(into)).execute(&pool).await.unwrap();
        pool.close().await;
        let pool = application(&copy).await;
        run(&pool, "UPDATE tower_api_key SET revoked_at = 1, revoked_reason = 'elsewhere'").await;
        pool.close().await;
        copy
    }

    /// Checks that no key is admitted any more, nothing is changed, and the errors name the cause.
    async fn is_given_up(&self, cause: &str) {
        let given_up = async {
            while self.node.health().is_ready() || self.present().await != Some(Reason::Unavailable) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), given_up).await.expect("the lease ends");
        assert_eq!(self.present().await, Some(Reason::Unavailable));
        let error = self.store.change(samples::revoke("key", 1, "lost")).await.unwrap_err();
        assert_eq!(error.kind(), Unavailable);
        assert_eq!(self.store.find(&samples::digest("key")).await.unwrap_err().kind(), Unavailable);
        assert_eq!(self.store.get(&samples::id("key")).await.unwrap_err().kind(), Unavailable);
        assert_eq!(
            self.store.audit_log(&AuditQuery::all().oldest_first().limit(1)).await.unwrap_err().kind(),
            Unavailable
        );
        let day = Day::from_unix_days(0);
        assert_eq!(self.store.usage(&UsageQuery::new(day, day)).await.unwrap_err().kind(), Unavailable);
        let batch = UsageBatch::new("writer", 1, []);
        assert_eq!(self.store.add_usage(&batch).await.unwrap_err().kind(), Unavailable);
        let told = self.node.health().feed.unwrap().last_error.unwrap();
        for text in [error.to_string(), told.into()] {
            assert!(text.contains(cause) && text.contains(self.folder.path().to_str().unwrap()), "{text}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_replaced_is_given_up() {
    for name in ["keys.db", "link.db"] {
        let world = World::new(name).await;
        let copy = world.revoked_copy().await;
        fs::rename(copy, world.file("keys.db")).unwrap();
        world.is_given_up("another file has taken its place").await;
    }
}

#[tokio::test]
async fn a_link_that_leads_to_another_file_is_given_up() {
    let world = World::new("link.db").await;
    let copy = world.revoked_copy().await;
    symlink(copy, world.file("new-link")).unwrap();
    fs::rename(world.file("new-link"), world.file("link.db")).unwrap();
    world.is_given_up("another file has taken its place").await;
}

#[tokio::test]
async fn a_file_that_is_deleted_is_given_up() {
    let world = World::new("keys.db").await;
    fs::remove_file(world.file("keys.db")).unwrap();
    world.is_given_up("deleted or moved").await;
}

#[tokio::test]
async fn a_database_whose_write_ahead_log_is_deleted_is_given_up() {
    let world = World::new("link.db").await;
    fs::remove_file(world.file("keys.db-wal")).unwrap();
    world.is_given_up("its write-ahead log was deleted").await;
}

/// As if another process opened the file before the next poll.
#[tokio::test]
async fn a_database_whose_write_ahead_log_is_deleted_and_made_anew_is_given_up() {
    let world = World::new("link.db").await;
    replace_log(&world.file("keys.db-wal"));
    world.is_given_up("its write-ahead log was deleted").await;
}

#[tokio::test]
async fn a_feed_that_begins_after_the_write_ahead_log_was_deleted_gives_the_database_up() {
    let (store, folder) = super::open().await;
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    store.feed().unwrap().poll().await.unwrap();
    replace_log(&folder.path().join("keys.db-wal"));
    let error = store.feed().unwrap().poll().await.unwrap_err();
    says(&error, Unavailable, "its write-ahead log was deleted");
    assert_eq!(store.find(&samples::digest("key")).await.unwrap_err().kind(), Unavailable);
}

#[tokio::test]
async fn a_deleted_write_ahead_log_is_noticed_where_the_pool_of_the_application_closes_its_connections() {
    let soon = Duration::from_nanos(1);
    let pools = [SqlitePoolOptions::new().max_lifetime(soon), SqlitePoolOptions::new().idle_timeout(soon)];
    for pool in pools {
        let folder = TempDir::new().unwrap();
        let options =
            SqliteConnectOptions::new().filename(folder.path().join("keys.db")).create_if_missing(true);
        let pool = pool.connect_with(options.journal_mode(SqliteJournalMode::Wal)).await.unwrap();
        let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
        // The log stays if the store closes its connections.
        let mut held = pool.acquire().await.unwrap();
        sqlx::raw_sql("SELECT count(*) FROM tower_api_key").execute(&mut *held).await.unwrap();
        let mut feed = store.feed().unwrap();
        feed.poll().await.unwrap();
        replace_log(&folder.path().join("keys.db-wal"));
        says(&feed.poll().await.unwrap_err(), Unavailable, "its write-ahead log was deleted");
    }
}

fn replace_log(log: &Path) {
    fs::remove_file(log).unwrap();
    fs::write(log, "").unwrap();
}

#[tokio::test]
async fn a_write_ahead_log_that_is_emptied_or_opened_by_another_process_is_not_taken_for_a_deleted_one() {
    let (store, folder) = super::open().await;
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let mut feed = store.feed().unwrap();
    feed.poll().await.unwrap();
    let file = folder.path().join("keys.db");
    let pool = application(&file).await;
    for sql in ["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(RESTART)"] {
        run(&pool, sql).await;
        feed.poll().await.unwrap();
    }
    pool.close().await;
    for _ in 0..300 {
        let pool = application(&file).await;
        run(&pool, "UPDATE tower_api_key SET hint = hint").await;
        pool.close().await;
        feed.poll().await.unwrap();
    }
}

#[tokio::test]
async fn an_application_may_change_the_journal_mode_where_no_log_is_open() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    let pool = application(&file).await;
    let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    for mode in ["PRAGMA journal_mode = TRUNCATE", "PRAGMA journal_mode = WAL"] {
        for _ in 0..3 {
            let mut feed = store.feed().unwrap();
            feed.poll().await.unwrap();
            feed.poll().await.unwrap();
            // Without a poll that has the log open, SQLite deletes the log with its last connection.
            run(&pool, mode).await;
            run(&pool, "PRAGMA journal_mode = DELETE").await;
        }
        run(&pool, mode).await;
        let mut feed = store.feed().unwrap();
        feed.poll().await.unwrap();
        feed.poll().await.unwrap();
    }
}

#[tokio::test]
async fn a_lookup_uses_the_last_check_of_the_file() {
    let (store, folder) = super::open().await;
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let mut feed = store.feed().unwrap();
    feed.poll().await.unwrap();
    assert!(store.find(&samples::digest("key")).await.unwrap().is_some());
    fs::rename(folder.path().join("keys.db"), folder.path().join("moved.db")).unwrap();
    assert!(store.find(&samples::digest("key")).await.unwrap().is_some());
    says(&feed.poll().await.unwrap_err(), Unavailable, "deleted or moved");
    assert_eq!(store.find(&samples::digest("key")).await.unwrap_err().kind(), Unavailable);
    assert_eq!(store.find_user("ada@example.com").await.unwrap_err().kind(), Unavailable);

    fs::rename(folder.path().join("moved.db"), folder.path().join("keys.db")).unwrap();
    feed.poll().await.unwrap();
    assert!(store.find(&samples::digest("key")).await.unwrap().is_some());
}

/// As on a network file system that hangs. The one thread that may wait for it is busy here.
#[test]
fn a_file_system_that_hangs_blocks_polls_and_management_but_no_lookup() {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (store, _folder) = super::open().await;
        store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
        let (end, hanging) = std::sync::mpsc::channel::<()>();
        let hanging = tokio::task::spawn_blocking(move || hanging.recv());

        let (mut feed, reader, writer) = (store.feed().unwrap(), store.clone(), store.clone());
        let poll = tokio::spawn(async move { feed.poll().await.map(drop) });
        let get = tokio::spawn(async move { reader.get(&samples::id("key")).await.map(drop) });
        let insert =
            tokio::spawn(async move { writer.change(KeyChange::insert(samples::plain("other"))).await });
        for _ in 0..100 {
            assert!(store.find(&samples::digest("key")).await.unwrap().is_some());
        }
        assert!(store.find(&samples::digest("other")).await.unwrap().is_none());
        assert!(!poll.is_finished() && !get.is_finished() && !insert.is_finished());

        end.send(()).unwrap();
        hanging.await.unwrap().unwrap();
        poll.await.unwrap().unwrap();
        get.await.unwrap().unwrap();
        insert.await.unwrap().unwrap();
    });
}

#[tokio::test]
async fn a_write_ahead_log_that_goes_with_the_last_connection_is_not_missed() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal);
    // Each connection is closed after its use.
    let pool =
        SqlitePoolOptions::new().max_connections(1).after_release(|_, _| Box::pin(async { Ok(false) }));
    let store = SqliteStore::with_pool(pool.connect_with(options).await.unwrap()).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let mut feed = store.feed().unwrap();
    for round in 0..5 {
        feed.poll().await.unwrap();
        gone(&folder.path().join("keys.db-wal")).await;
        // So that the next log does not get the inode of this one.
        fs::write(folder.path().join(format!("other-{round}")), "").unwrap();
    }
    assert!(store.find(&samples::digest("key")).await.unwrap().is_some());
}

async fn gone(file: &Path) {
    let gone = async {
        while file.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
}
