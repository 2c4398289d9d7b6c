//! A plan that one node changes is in force on the others. Its deletion writes no key.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use sqlx::{Connection, Executor as _, PgConnection};
use tower_api_key::backend::{KeyChange, KeyStore, OwnerChange, OwnerStore, PlanStore, Propagation};
use tower_api_key::limit::Plan;
use tower_api_key::manage::{KeyManager, Wait};
use tower_api_key::owner::Organization;
use tower_api_key::{Authenticator, KeyFormat, PostgresStore};

use super::{Database, is_absent};
use crate::store::samples;

const LEASE: Duration = Duration::from_secs(2);

async fn in_force(node: &Authenticator) -> String {
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", HeaderValue::try_from(samples::text("key")).unwrap());
    let principal = node.authenticate(&headers).await.unwrap();
    principal.limits().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_plan_that_one_node_changes_is_in_force_on_the_others_once_they_have_applied_it() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let open = async || PostgresStore::open(&database.url()).await.unwrap();
    let store = open().await;
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap()).lease(LEASE);
    let free = |limits: &str| Plan::new("free", limits.parse().unwrap()).unwrap();
    store.put_plan(&free("burst=10/60s")).await.unwrap();
    let acme = Organization::new("acme").plan(Plan::named("free").unwrap());
    store.change_owner(OwnerChange::put_organization(acme)).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();

    let mut nodes = Vec::new();
    for _ in 0..2 {
        let node = Authenticator::builder(open().await).lease(LEASE).build().unwrap();
        node.start().await.unwrap();
        assert_eq!(in_force(&node).await, "burst=10/60s");
        nodes.push(node);
    }
    for limits in ["burst=20/60s", "burst=20/60s daily=9/day/owner", ""] {
        store.put_plan(&free(limits)).await.unwrap();
        assert_eq!(manager.wait_applied(Wait::new()).await, Propagation::EveryNode);
        for node in &nodes {
            assert_eq!(in_force(node).await, limits);
        }
    }
}

#[tokio::test]
async fn the_deletion_of_a_plan_waits_for_no_change_of_a_revoked_key() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let store = PostgresStore::open(&database.url()).await.unwrap();
    let free = Plan::named("free").unwrap();
    store.put_plan(&free.clone().with_limits("burst=10/60s".parse().unwrap())).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key").plan(free))).await.unwrap();
    store.change(samples::revoke("key", 1, "lost")).await.unwrap();
    let mut purge = PgConnection::connect(&database.url()).await.unwrap();
    purge.execute("BEGIN; SELECT id FROM tower_api_key FOR UPDATE").await.unwrap();
    store.delete_plan("free").await.unwrap();
    purge.execute("ROLLBACK").await.unwrap();
    assert_eq!(store.get(&samples::id("key")).await.unwrap().unwrap().plan, None);
}
