//! The list of nodes, which lets a revocation return before the lease has passed.

use std::time::{Duration, Instant};

use http::Request;
use sqlx::{AssertSqlSafe, PgPool};
use tower::ServiceExt;
use tower_api_key::backend::{Backend, BoxedChangeFeed, KeyChange, KeyStore, Propagation};
use tower_api_key::manage::{KeyManager, ManageSettings, NewKey, Wait, routes};
use tower_api_key::{AuthenticateLayer, Authenticator, KeyFormat, Owner, PostgresStore, Requirement, Scopes};

use super::{Database, is_absent};
use crate::store::samples;

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

    /// Registers a node that has stopped after its last poll.
    async fn add_silent_node(&self) {
        self.run(
            "INSERT INTO tower_api_key_node (node, expires_at, applied, lease) VALUES
            ('silent', (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + 60000, pg_current_snapshot(), 2000)",
        )
        .await;
    }

    /// The feed of a node called "reader 7", which has polled once.
    async fn reader(&self) -> BoxedChangeFeed {
        let store = PostgresStore::open(&self.database.url()).await.unwrap();
        let mut feed = store.node_name("reader 7").feed().unwrap();
        feed.set_lease(Duration::from_secs(3_600), Duration::ZERO);
        feed.poll().await.unwrap();
        feed
    }

    async fn run(&self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&self.pool).await.unwrap();
    }

    /// Revokes a key everywhere, and returns the propagation and its duration.
    #[allow(clippy::disallowed_methods, reason = "how long another process really takes")]
    async fn revoke(&self, name: &str) -> (Propagation, Duration) {
        self.store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
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
        assert_eq!(reached, Propagation::EveryNode);
        assert!(took < LEASE, "{took:?}");
    }
    drop(nodes);
}

#[tokio::test]
async fn without_nodes_a_revocation_returns_at_once() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    assert_eq!(world.revoke("key").await.0, Propagation::EveryNode);
}

#[tokio::test]
async fn a_node_that_does_not_acknowledge_is_waited_for_until_the_lease_ends() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    let node = world.node().await;
    world.add_silent_node().await;
    let (reached, took) = world.revoke("key").await;
    assert_eq!(reached, Propagation::LeaseEnd { missing: vec!["silent".into()] });
    assert!(took >= LEASE, "{took:?}");

    // It may not have trusted anything for longer than it was registered.
    world.run("UPDATE tower_api_key_node SET expires_at = 0 WHERE node = 'silent'").await;
    assert_eq!(world.revoke("other").await.0, Propagation::EveryNode);
    drop(node);
}

#[tokio::test]
async fn a_node_that_may_have_missed_trimmed_changes_is_waited_for() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    world.add_silent_node().await;
    world.store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    world.store.change(samples::revoke("key", 1, "lost")).await.unwrap();
    world.run("UPDATE tower_api_key_change_trim SET tx = (SELECT tx FROM tower_api_key_change ORDER BY seq DESC LIMIT 1)").await;
    world.run("DELETE FROM tower_api_key_change").await;
    // It was revoked before, so no new change is to be acknowledged.
    let reached = world.manager.revoke_everywhere(&samples::id("key"), "lost").await.unwrap();
    assert_eq!(reached, Propagation::LeaseEnd { missing: vec!["silent".into()] });
}

#[tokio::test]
async fn a_node_that_is_taken_off_the_list_puts_itself_on_it_before_it_trusts_anything() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    let mut feed = world.store.feed().unwrap();
    feed.set_lease(LEASE, Duration::ZERO);
    let listed = "SELECT count(*) FROM tower_api_key_node
        WHERE expires_at >= (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + 2000";
    for take_off in
        ["SELECT", "DELETE FROM tower_api_key_node", "UPDATE tower_api_key_node SET expires_at = 7"]
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
async fn long_expired_nodes_are_deleted() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    world.run("INSERT INTO tower_api_key_node (node, expires_at, applied, lease) VALUES ('gone', 7, pg_current_snapshot(), 2000)").await;
    let _node = world.node().await;
    let gone: i64 = sqlx::query_scalar("SELECT count(*) FROM tower_api_key_node WHERE node = 'gone'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(gone, 0);
}

#[tokio::test]
async fn a_caller_that_does_not_wait_for_the_lease_gets_the_nodes_that_are_behind() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    let mut feed = world.reader().await;
    world.store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let wait = Wait::new().at_most(Duration::from_millis(50));
    let reached = world.manager.revoke_and_wait(&samples::id("key"), "lost", wait).await.unwrap();
    assert_eq!(reached, Propagation::ThisProcess { missing: vec!["reader 7".into()] });
    feed.poll().await.unwrap();
    feed.ack().await.unwrap();
    let reached = world.manager.revoke_and_wait(&samples::id("key"), "lost", Wait::new()).await.unwrap();
    assert_eq!(reached, Propagation::EveryNode);
}

#[tokio::test]
async fn all_that_wait_for_a_silent_node_share_their_statements() {
    if is_absent() {
        return;
    }
    const WAITING: usize = 200;
    let world = World::new().await;
    world.add_silent_node().await;
    world.store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    const RUN: &str = "SELECT sum(xact_commit + xact_rollback)::BIGINT FROM pg_stat_database
        WHERE datname = current_database()";
    let transactions = async || {
        sqlx::query("SELECT pg_stat_clear_snapshot()").execute(&world.pool).await.unwrap();
        sqlx::query_scalar::<_, i64>(RUN).fetch_one(&world.pool).await.unwrap()
    };
    let before = transactions().await;
    let waiting: Vec<_> = (0..WAITING)
        .map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move { store.wait_applied(LEASE, Duration::MAX).await })
        })
        .collect();
    for wait in waiting {
        let reached = wait.await.unwrap();
        assert_eq!(reached, Propagation::LeaseEnd { missing: vec!["silent".into()] });
    }
    let made = transactions().await - before;
    assert!(made < WAITING as i64, "{made} transactions");
}

#[tokio::test]
async fn the_routes_name_the_nodes_that_are_behind_where_the_service_shows_them() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    let _feed = world.reader().await;
    let needed = || Requirement::all_of(["keys"]).unwrap();
    let new = || NewKey::new(Owner::organization("acme")).scopes(Scopes::parse("keys").unwrap());
    let admin = world.manager.create(new()).await.unwrap().into_parts().0;
    for (shows, named) in [(true, Some("reader 7")), (false, None)] {
        let (_, record) = world.manager.create(new()).await.unwrap().into_parts();
        let settings = ManageSettings::new(needed(), needed());
        let settings = if shows { settings.show_nodes() } else { settings };
        let authenticator = Authenticator::builder(world.store.clone()).build().unwrap();
        let app = routes(world.manager.clone(), settings).layer(AuthenticateLayer::new(authenticator));
        let request = Request::delete(format!("/keys/{}?wait_seconds=1", record.id));
        let request = request.header("x-api-key", admin.as_str()).body(axum::body::Body::empty()).unwrap();
        let answer = app.oneshot(request).await.unwrap();
        assert_eq!(answer.headers()["revocation-reached"], "this-process");
        let found = answer.headers().get("revocation-missing").map(|name| name.to_str().unwrap());
        assert_eq!(found, named);
    }
}
