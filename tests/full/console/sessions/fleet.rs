//! Two nodes on one SQLite file.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use tower_api_key::backend::{UsageBatch, UsageCount, UsageStore};
use tower_api_key::clock::ManualClock;
use tower_api_key::console::Sessions;
use tower_api_key::{Authenticator, Environment, SqliteStore};

use crate::console::sessions::visitor::Visitor;
use crate::console::sessions::world::{World, ann, handover};
use crate::console::world::START;

const LEASE: Duration = Duration::from_secs(5);

/// A node whose poller polls when the test says so: at its start, and when it has no lease.
async fn node(url: &str) -> World<SqliteStore> {
    let store = SqliteStore::open(url).await.unwrap();
    let clock = Arc::new(ManualClock::new(START));
    let authenticator = Authenticator::builder(store.clone())
        .with_clock(Arc::clone(&clock))
        .lease(LEASE)
        .poll_interval(LEASE - Duration::from_millis(10))
        .build()
        .unwrap();
    authenticator.start().await.unwrap();
    World::by(store, clock, authenticator, Sessions::pasted_keys).await
}

async fn fleet() -> (tempfile::TempDir, World<SqliteStore>, World<SqliteStore>) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("keys.db").display());
    (folder, node(&url).await, node(&url).await)
}

#[tokio::test]
async fn a_session_works_on_each_node_and_ends_on_each_within_the_lease() {
    let (_folder, one, other) = fleet().await;
    let mut here = one.signed_in(handover(ann())).await;
    let mut there = Visitor::new(other.base());
    there.jar.clone_from(&here.jar);
    assert!(here.is_in().await && there.is_in().await);
    assert_eq!(one.console.end_sessions(&ann()).await.unwrap(), 1);
    assert!(!here.is_in().await, "at once on the node that ended it");
    other.clock.advance(LEASE);
    assert!(!there.is_in().await);
}

#[tokio::test]
async fn a_sign_out_holds_on_each_node_within_the_lease() {
    let (_folder, one, other) = fleet().await;
    let mut here = one.signed_in(handover(ann())).await;
    let mut thief = Visitor::new(other.base());
    thief.jar.clone_from(&here.jar);
    assert!(thief.is_in().await);
    assert_eq!(here.post("/sign-out", &[]).await.status, StatusCode::OK);
    other.clock.advance(LEASE);
    assert!(!thief.is_in().await);
}

#[tokio::test]
async fn a_change_is_authorized_in_the_store_whatever_the_cache_of_a_node_holds() {
    let (_folder, one, other) = fleet().await;
    let (_, key) = one.key("notes.read").await;
    let here = one.signed_in(handover(ann())).await;
    let mut there = Visitor::new(other.base());
    there.jar.clone_from(&here.jar);
    assert!(there.is_in().await, "the node has cached the session");
    one.console.end_sessions(&ann()).await.unwrap();
    let before = one.keys().await;
    // Within the lease, the node may show pages; nothing is changed.
    let page = there.post(&format!("/keys/{}/name", key.id), &[("name", "mine")]).await;
    assert!(page.status == StatusCode::FORBIDDEN || page.location().contains("sign-in"), "{page:?}");
    assert_eq!(one.keys().await, before);
}

#[tokio::test]
async fn a_code_is_redeemed_once_over_the_fleet() {
    let (_folder, one, other) = fleet().await;
    for _ in 0..10 {
        let (visitor, code) = one.sent(handover(ann())).await;
        let attempts = [one.base(), other.base(), one.base(), other.base()].map(|base| {
            let (mut visitor, code) = (Visitor { base, ..visitor.clone() }, code.clone());
            tokio::spawn(async move { visitor.redeem(&code).await.status })
        });
        let mut entered = 0;
        for attempt in attempts {
            entered += usize::from(attempt.await.unwrap() == StatusCode::SEE_OTHER);
        }
        assert_eq!(entered, 1);
    }
}

#[tokio::test]
async fn usage_is_shown_without_routes_while_they_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("keys.db")).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let world = World::with(SqliteStore::with_pool(pool.clone()).await.unwrap(), Sessions::pasted_keys).await;
    let (_, record) = world.key("notes.read").await;
    let count =
        UsageCount::new(record.id, Environment::Live, record.owner, 70, START).routes([("/notes", 60)]);
    world.store.add_usage(&UsageBatch::new("meter", 1, [count])).await.unwrap();
    let mut ann = world.signed_in(handover(ann())).await;
    let whole = ann.get("/usage").await;
    assert!(whole.has("70 live") && whole.has("<code>/notes</code>"), "{}", whole.html);
    let rename = "ALTER TABLE tower_api_key_usage_route RENAME TO away";
    sqlx::raw_sql(rename).execute(&pool).await.unwrap();
    let page = ann.get("/usage").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.has("70 live") && page.has("The requests by route cannot be read now."), "{}", page.html);
}
