//! Isolation of each kind of work from the connections of another.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;
use tower_api_key::PostgresStore;
use tower_api_key::backend::{Backend, KeyStore, Propagation, UsageQuery, UsageStore};
use tower_api_key::clock::Day;

use super::limited::Limited;
use super::{is_absent, open};
use crate::store::samples;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn polls_whose_connection_was_taken_go_by_one_of_lookups() {
    if is_absent() {
        return;
    }
    let limited = Limited::to(3).await;
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(limited.options());
    let store = PostgresStore::with_pool(pool).await.unwrap().polling_only();
    let mut feed = store.feed().unwrap();
    feed.set_lease(HOUR, Duration::ZERO);
    feed.poll().await.unwrap();
    store.find(&samples::digest("unknown")).await.unwrap();
    // The server ends the connection of polls, and gives it to another process.
    limited
        .run(format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE usename = '{}' AND query LIKE '%pg_current_snapshot%'",
            limited.role
        ))
        .await;
    let other = loop {
        if let Ok(other) = PgConnection::connect_with(&limited.options()).await {
            break other;
        }
    };
    for _ in 0..2 {
        timeout(Duration::from_secs(5), feed.poll()).await.expect("a poll in time").unwrap();
    }
    other.close().await.unwrap();
    drop(feed);
    store.close().await;
    limited.end().await;
}

#[tokio::test]
async fn clients_that_hang_up_leave_no_more_statements_than_those_that_stay() {
    if is_absent() {
        return;
    }
    let (store, database) = open().await;
    let pool = database.pool().await;
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE tower_api_key_usage_total IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let day = Day::from_unix_days(20_000);
    for _ in 0..20 {
        let query = UsageQuery::new(day, day);
        timeout(Duration::from_millis(20), store.usage(&query)).await.unwrap_err();
    }
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%tower_api_key_usage%'";
    let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&pool).await.unwrap();
    assert!((1..=2).contains(&waiting), "{waiting}");
    lock.rollback().await.unwrap();
    store.usage(&UsageQuery::new(day, day)).await.unwrap();
}

#[tokio::test]
async fn lookups_that_are_given_up_while_a_table_is_locked_leave_a_bounded_number_of_connections() {
    if is_absent() {
        return;
    }
    let (store, database) = open().await;
    let pool = database.pool().await;
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE tower_api_key IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    let digest = samples::digest("unknown");
    for _ in 0..30 {
        let lookup = || timeout(Duration::from_millis(200), store.find(&digest));
        let (first, ..) = tokio::join!(lookup(), lookup(), lookup(), lookup(), lookup());
        first.unwrap_err();
    }
    let left = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&pool).await.unwrap();
    // The five of a round, and those of little more than the last second. All would be 150.
    assert!((1..=60).contains(&left), "{left}");
    lock.rollback().await.unwrap();
    store.find(&digest).await.unwrap();
}

#[tokio::test]
async fn without_a_list_of_nodes_nothing_is_said_of_other_processes() {
    if is_absent() {
        return;
    }
    let (store, database) = open().await;
    let pool = database.pool().await;
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE tower_api_key_node IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    let propagation = store.wait_applied(Duration::from_millis(100), Duration::MAX).await;
    assert_eq!(propagation, Propagation::ThisProcess { missing: Vec::new() });
}
