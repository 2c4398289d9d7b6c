//! The change feed: what it returns, and when it invalidates everything.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::timeout;
use tower_api_key::PostgresStore;
use tower_api_key::backend::{Backend, BoxedChangeFeed, Invalidation, KeyChange, KeyStore};

use super::{Database, is_absent};
use crate::store::samples;

/// A store, a feed that has polled once, and connections to act as other processes.
struct World {
    store: PostgresStore,
    feed: BoxedChangeFeed,
    pool: PgPool,
    _database: Database,
}

impl World {
    async fn polled() -> Self {
        let database = Database::create().await;
        let pool = database.pool().await;
        let store = PostgresStore::with_pool(pool.clone()).await.unwrap();
        let mut feed = store.feed().unwrap();
        feed.set_lease(Duration::from_secs(5), Duration::ZERO);
        feed.poll().await.unwrap();
        Self { store, feed, pool, _database: database }
    }

    async fn run(&self, statement: &str) -> u64 {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&self.pool).await.unwrap().rows_affected()
    }

    async fn insert(&self, name: &str) {
        self.store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
    }

    /// Makes all changes older by this many milliseconds.
    async fn age(&self, millis: i64) {
        self.run(&format!("UPDATE tower_api_key_change SET at = at - {millis}")).await;
    }

    /// Waits until all changes are visible: other tests have transactions on this server as well.
    async fn settle(&self) {
        const SETTLED: &str = "SELECT coalesce(bool_and(tx < pg_snapshot_xmin(pg_current_snapshot())), TRUE)
            FROM tower_api_key_change";
        while !sqlx::query_scalar::<_, bool>(SETTLED).fetch_one(&self.pool).await.unwrap() {
            tokio::task::yield_now().await;
        }
    }

    async fn changes(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM tower_api_key_change").fetch_one(&self.pool).await.unwrap()
    }
}

fn changed(name: &str) -> Invalidation {
    Invalidation::Changed(samples::digest(name))
}

#[tokio::test]
async fn each_change_is_polled_once_during_an_old_transaction() {
    if is_absent() {
        return;
    }
    let mut world = World::polled().await;
    let mut old = world.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *old).await.unwrap();
    for name in ["one", "two"] {
        world.insert(name).await;
        assert_eq!(world.feed.poll().await.unwrap(), [changed(name)]);
        assert_eq!(world.feed.poll().await.unwrap(), []);
    }
    old.commit().await.unwrap();
    assert_eq!(world.feed.poll().await.unwrap(), []);
}

#[tokio::test]
async fn changes_that_are_an_hour_old_leave_the_feed_with_the_next_change() {
    if is_absent() {
        return;
    }
    let mut world = World::polled().await;
    for name in ["one", "two"] {
        world.insert(name).await;
    }
    world.settle().await;
    world.feed.poll().await.unwrap();
    world.age(3_590_000).await;
    world.insert("three").await;
    assert_eq!(world.changes().await, 3, "they are not an hour old yet");
    world.age(20_000).await;
    world.insert("four").await;
    assert_eq!(world.changes().await, 2, "three and four");
    // A poller that has read them before misses nothing.
    assert_eq!(world.feed.poll().await.unwrap(), [changed("three"), changed("four")]);
}

#[tokio::test]
async fn a_poller_that_missed_trimmed_changes_invalidates_everything() {
    if is_absent() {
        return;
    }
    let mut world = World::polled().await;
    world.insert("one").await;
    world.settle().await;
    world.age(3_700_000).await;
    world.insert("two").await;
    assert_eq!(world.changes().await, 1);
    assert_eq!(world.feed.poll().await.unwrap(), [Invalidation::Everything]);
    assert_eq!(world.feed.poll().await.unwrap(), [], "and continues from there");
    world.insert("three").await;
    assert_eq!(world.feed.poll().await.unwrap(), [changed("three")]);
}

#[tokio::test]
async fn changes_that_are_not_visible_to_all_transactions_are_not_trimmed() {
    if is_absent() {
        return;
    }
    let mut world = World::polled().await;
    let mut old = world.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *old).await.unwrap();
    world.insert("one").await;
    world.age(3_700_000).await;
    world.insert("two").await;
    assert_eq!(world.changes().await, 2);
    assert_eq!(world.feed.poll().await.unwrap(), [changed("one"), changed("two")]);
    old.commit().await.unwrap();
}

#[tokio::test]
async fn concurrent_writers_trim_the_feed_without_waiting_for_each_other() {
    if is_absent() {
        return;
    }
    let world = World::polled().await;
    for number in 0..20 {
        world.insert(&format!("old-{number}")).await;
    }
    world.settle().await;
    world.age(3_700_000).await;
    let writing = (0..20).map(|number| {
        let store = world.store.clone();
        tokio::spawn(async move {
            store.change(KeyChange::insert(samples::plain(&format!("new-{number}")))).await
        })
    });
    for writing in writing.collect::<Vec<_>>() {
        writing.await.unwrap().unwrap();
    }
    assert_eq!(world.changes().await, 20);
}

#[tokio::test]
async fn a_revocation_does_not_wait_for_a_process_that_is_suspended_while_it_trims_the_feed() {
    if is_absent() {
        return;
    }
    let world = World::polled().await;
    world.insert("old").await;
    world.settle().await;
    world.age(3_700_000).await;
    let mut still = world.pool.begin().await.unwrap();
    sqlx::raw_sql("UPDATE tower_api_key_change_trim SET tx = tx").execute(&mut *still).await.unwrap();
    let id = samples::id("old");
    let revoking = world.store.change(KeyChange::revoke(&id, samples::revocation(1, "lost")));
    timeout(Duration::from_secs(5), revoking).await.unwrap().unwrap();
    assert_eq!(world.changes().await, 2, "the next change trims the feed");

    still.rollback().await.unwrap();
    world.insert("new").await;
    assert_eq!(world.changes().await, 2);
}

#[tokio::test]
async fn a_process_that_is_suspended_while_it_changes_a_key_is_not_waited_for() {
    if is_absent() {
        return;
    }
    let world = World::polled().await;
    world.run("CREATE TABLE seen (patience TEXT)").await;
    world
        .run(
            "CREATE FUNCTION see() RETURNS TRIGGER AS $$ BEGIN
            INSERT INTO seen VALUES (current_setting('idle_in_transaction_session_timeout')); RETURN NULL;
            END $$ LANGUAGE plpgsql",
        )
        .await;
    world
        .run("CREATE TRIGGER see AFTER INSERT ON tower_api_key FOR EACH STATEMENT EXECUTE FUNCTION see()")
        .await;
    world.insert("key").await;
    let seen: String = sqlx::query_scalar("SELECT patience FROM seen").fetch_one(&world.pool).await.unwrap();
    assert_eq!(seen, "1s", "after which the server ends the transaction");
}

#[tokio::test]
async fn a_feed_with_more_trimmed_than_was_read_invalidates_everything() {
    if is_absent() {
        return;
    }
    let mut world = World::polled().await;
    world.run("UPDATE tower_api_key_change_trim SET tx = pg_current_xact_id()").await;
    assert_eq!(world.feed.poll().await.unwrap(), [Invalidation::Everything]);
}

#[tokio::test]
async fn a_server_that_has_crashed_invalidates_everything() {
    if is_absent() {
        return;
    }
    let mut world = World::polled().await;
    // The effect of a crash on an unlogged table.
    world.run("TRUNCATE tower_api_key_epoch").await;
    assert_eq!(world.feed.poll().await.unwrap(), [Invalidation::Everything]);
    assert_eq!(world.feed.poll().await.unwrap(), [], "and continues in another epoch");
}

#[tokio::test]
async fn a_notification_arrives_with_the_commit_and_not_before() {
    if is_absent() {
        return;
    }
    let mut world = World::polled().await;
    listening(&mut world.feed).await;
    let nothing = timeout(Duration::from_millis(200), world.feed.changed()).await;
    assert!(nothing.is_err(), "nothing was changed");
    world.insert("key").await;
    timeout(Duration::from_secs(10), world.feed.changed()).await.unwrap();
    assert_eq!(world.feed.poll().await.unwrap(), [changed("key")]);
}

#[tokio::test]
async fn a_listener_whose_connection_is_ended_brings_a_poll_and_comes_back() {
    if is_absent() {
        return;
    }
    const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()";
    let mut world = World::polled().await;
    for round in 0..3 {
        listening(&mut world.feed).await;
        assert_eq!(world.run(END).await, 1);
        // Changes without a listener are read when one is back.
        timeout(Duration::from_secs(10), world.feed.changed()).await.unwrap();
        world.insert(&format!("key-{round}")).await;
        listening(&mut world.feed).await;
        world.insert(&format!("later-{round}")).await;
        timeout(Duration::from_secs(10), world.feed.changed()).await.unwrap();
        assert!(!world.feed.poll().await.unwrap().is_empty());
    }
}

/// Waits until notifications can arrive, and consumes the one of the new connection.
async fn listening(feed: &mut BoxedChangeFeed) {
    let waiting = async {
        while feed.is_listening() != Some(true) {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), waiting).await.unwrap();
    while timeout(Duration::from_millis(50), feed.changed()).await.is_ok() {}
}
