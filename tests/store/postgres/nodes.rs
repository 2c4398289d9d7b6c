//! The list of nodes, by which a revocation that waits for all of them returns before the lease has passed.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgPool};
use tower_api_key::backend::{Backend, KeyStore};
use tower_api_key::manage::{KeyManager, Reached};
use tower_api_key::{Authenticator, KeyFormat, PostgresStore};

use super::{Database, is_absent};
use crate::samples;

const LEASE: Duration = Duration::from_secs(2);

struct World {
    store: PostgresStore,
    manager: KeyManager<PostgresStore>,
    pool: PgPool,
    database: Database,
}

impl World {
    async fn new() -> Self {
        let database = Database::create().await;
        let pool = database.pool().await;
        let store = PostgresStore::with_pool(pool.clone()).await.unwrap();
        let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap()).lease(LEASE);
        Self { store, manager, pool, database }
    }

    /// A node with connections of its own.
    async fn node(&self) -> Authenticator {
        let store = PostgresStore::open(&self.database.url()).await.unwrap();
        let node = Authenticator::builder(store).lease(LEASE).build().unwrap();
        node.start().await.unwrap();
        node
    }

    async fn run(&self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&self.pool).await.unwrap();
    }

    /// Revokes a key everywhere, and returns how it was known to be done and how long that took.
    #[allow(clippy::disallowed_methods, reason = "how long another process really takes")]
    async fn revoke(&self, name: &str) -> (Reached, Duration) {
        self.store.insert(samples::plain(name)).await.unwrap();
        let began = Instant::now();
        (self.manager.revoke_everywhere(&samples::id(name), "lost").await.unwrap(), began.elapsed())
    }
}

#[tokio::test]
async fn a_revocation_returns_when_all_nodes_have_acknowledged_it() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    let nodes = [world.node().await, world.node().await, world.node().await];
    for name in ["one", "two", "three"] {
        let (reached, took) = world.revoke(name).await;
        assert_eq!(reached, Reached::EveryNode);
        assert!(took < LEASE, "{took:?}");
    }
    drop(nodes);
}

#[tokio::test]
async fn where_nobody_follows_nobody_is_waited_for() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    assert_eq!(world.revoke("key").await.0, Reached::EveryNode);
}

#[tokio::test]
async fn a_node_that_does_not_acknowledge_is_waited_for_until_the_lease_ends() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    let node = world.node().await;
    // A node that has stopped after its last poll.
    world
        .run(
            "INSERT INTO tower_api_key_node (node, listed_to, seen, lease) VALUES
            ('silent', (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + 60000, pg_current_snapshot(), 2000)",
        )
        .await;
    let (reached, took) = world.revoke("key").await;
    assert_eq!(reached, Reached::LeaseEnd);
    assert!(took >= LEASE, "{took:?}");

    // It may not have trusted anything for longer than it was listed.
    world.run("UPDATE tower_api_key_node SET listed_to = 0 WHERE node = 'silent'").await;
    assert_eq!(world.revoke("other").await.0, Reached::EveryNode);
    drop(node);
}

#[tokio::test]
async fn a_node_that_may_have_missed_what_left_the_feed_is_waited_for() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    world
        .run(
            "INSERT INTO tower_api_key_node (node, listed_to, seen, lease) VALUES
            ('silent', (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + 60000, pg_current_snapshot(), 2000)",
        )
        .await;
    world.store.insert(samples::plain("key")).await.unwrap();
    world.store.revoke(&samples::id("key"), samples::revocation(1, "lost")).await.unwrap();
    world.run("UPDATE tower_api_key_change_cut SET tx = (SELECT tx FROM tower_api_key_change ORDER BY seq DESC LIMIT 1)").await;
    world.run("DELETE FROM tower_api_key_change").await;
    // It was revoked before, so that there is no new change to acknowledge.
    let reached = world.manager.revoke_everywhere(&samples::id("key"), "lost").await.unwrap();
    assert_eq!(reached, Reached::LeaseEnd);
}

#[tokio::test]
async fn a_node_that_is_taken_off_the_list_puts_itself_on_it_before_it_trusts_anything() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    let mut feed = world.store.feed().unwrap();
    feed.lease(LEASE, Duration::ZERO);
    let listed = "SELECT count(*) FROM tower_api_key_node
        WHERE listed_to >= (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + 2000";
    for take_off in
        ["SELECT", "DELETE FROM tower_api_key_node", "UPDATE tower_api_key_node SET listed_to = 7"]
    {
        world.run(take_off).await;
        feed.poll().await.unwrap();
        let listed: i64 = sqlx::query_scalar(listed).fetch_one(&world.pool).await.unwrap();
        assert_eq!(listed, 1, "after {take_off:?}");
    }
}

#[tokio::test]
async fn a_node_that_cannot_be_listed_trusts_nothing() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    world.run("ALTER TABLE tower_api_key_node RENAME TO elsewhere").await;
    let store = PostgresStore::with_pool(world.pool.clone()).await.unwrap();
    let node = Authenticator::builder(store).lease(LEASE).build().unwrap();
    let error = node.start().await.unwrap_err();
    assert!(error.to_string().contains("tower_api_key_node"), "{error}");
    assert_eq!(node.health().feed.unwrap().lease_remaining, Duration::ZERO);
}

#[tokio::test]
async fn nodes_that_are_long_gone_are_forgotten() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    world.run("INSERT INTO tower_api_key_node (node, listed_to, seen, lease) VALUES ('gone', 7, pg_current_snapshot(), 2000)").await;
    let _node = world.node().await;
    let gone: i64 = sqlx::query_scalar("SELECT count(*) FROM tower_api_key_node WHERE node = 'gone'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(gone, 0);
}
