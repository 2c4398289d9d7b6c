//! Several nodes on one database.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use support::probe::Probe;
use tower_api_key::backend::{Backend, Grace, Invalidation, KeyChange, KeyStore};
use tower_api_key::reject::Reason;
use tower_api_key::{Authenticator, PostgresStore};

use super::{Database, is_absent};
use crate::store::{races, samples};

pub(super) struct Node {
    pub(super) store: PostgresStore,
    authenticator: Authenticator,
}

impl Node {
    /// A node with its own connections, authenticator and feed. Its cache entries do not expire by themselves.
    pub(super) async fn start(database: &Database) -> Self {
        let store = PostgresStore::with_pool(database.pool().await).await.unwrap();
        let authenticator = Authenticator::builder(Probe::over(store.clone()).deaf())
            .positive_ttl(Duration::from_secs(3_600))
            .poll_interval(Duration::from_millis(5))
            .lease(Duration::from_secs(3_600))
            .deadline(Duration::from_secs(30))
            .build()
            .unwrap();
        Self { store, authenticator }
    }

    pub(super) async fn present(&self, name: &str) -> Option<Reason> {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::try_from(samples::text(name)).unwrap());
        self.authenticator.authenticate(&headers).await.err().map(|rejection| rejection.reason().clone())
    }

    /// Presents a key until the answer is this one, which only a poll can cause.
    pub(super) async fn answers(&self, name: &str, expected: Option<Reason>) {
        let answered = async {
            while self.present(name).await != expected {
                tokio::task::yield_now().await;
            }
        };
        let answered = tokio::time::timeout(Duration::from_secs(30), answered).await;
        answered.unwrap_or_else(|_| panic!("{name} is answered with {expected:?}"));
    }
}

#[tokio::test]
async fn nodes_learn_changes_of_each_other_by_polling() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let (one, other) = (Node::start(&database).await, Node::start(&database).await);
    for name in ["old", "key"] {
        one.store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
        other.answers(name, None).await;
    }
    one.store.change(samples::revoke("key", 1, "lost")).await.unwrap();
    other.answers("key", Some(Reason::Revoked)).await;
    other.answers("new", Some(Reason::Unknown)).await;
    one.store.change(samples::rotate("old", "new", 1, Grace::None)).await.unwrap();
    other.answers("old", Some(Reason::Revoked)).await;
    other.answers("new", None).await;
}

#[tokio::test]
async fn a_transaction_that_commits_after_a_later_one_is_not_overlooked() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let node = Node::start(&database).await;
    for name in ["early", "late"] {
        node.store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
        node.answers(name, None).await;
    }
    let pool = database.pool().await;
    let mut early = pool.begin().await.unwrap();
    for statement in [
        "UPDATE tower_api_key SET revoked_at = 1, revoked_reason = 'elsewhere' WHERE id = 'early'",
        "INSERT INTO tower_api_key_change (digest, kind) SELECT digest, 'revoked' FROM tower_api_key WHERE id = 'early'",
    ] {
        sqlx::query(statement).execute(&mut *early).await.unwrap();
    }
    // A later transaction, with a higher number in the log, is committed and read while the first one is in progress.
    node.store.change(samples::revoke("late", 1, "lost")).await.unwrap();
    node.answers("late", Some(Reason::Revoked)).await;
    assert_eq!(node.present("early").await, None);
    early.commit().await.unwrap();
    node.answers("early", Some(Reason::Revoked)).await;
}

#[tokio::test]
async fn while_a_transaction_stays_open_each_change_is_polled_once() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let pool = database.pool().await;
    let store = PostgresStore::with_pool(pool.clone()).await.unwrap();
    let mut feed = store.feed().unwrap();
    assert_eq!(feed.poll().await.unwrap(), []);
    let mut open = pool.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *open).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    assert_eq!(feed.poll().await.unwrap(), [Invalidation::Changed(samples::digest("key"))]);
    assert_eq!(feed.poll().await.unwrap(), []);
    // More than are logged one by one.
    let many = "INSERT INTO tower_api_key_change (digest, kind)
        SELECT decode(repeat('00', 32), 'hex'), 'changed' FROM generate_series(1, 15000)";
    sqlx::raw_sql(many).execute(&pool).await.unwrap();
    assert_eq!(feed.poll().await.unwrap(), [Invalidation::Everything]);
    assert_eq!(feed.poll().await.unwrap(), []);
    open.commit().await.unwrap();
    assert_eq!(feed.poll().await.unwrap(), []);
}

#[tokio::test]
async fn a_poll_with_too_many_changes_invalidates_everything() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let node = Node::start(&database).await;
    node.store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    node.answers("key", None).await;
    // The row of the key itself is behind more rows than are applied one by one.
    let revoke = "UPDATE tower_api_key SET revoked_at = 1, revoked_reason = 'elsewhere';
        INSERT INTO tower_api_key_change (digest, kind)
            SELECT decode(repeat('00', 32), 'hex'), 'changed' FROM generate_series(1, 15000);
        INSERT INTO tower_api_key_change (digest, kind) SELECT digest, 'revoked' FROM tower_api_key";
    sqlx::raw_sql(revoke).execute(&database.pool().await).await.unwrap();
    node.answers("key", Some(Reason::Revoked)).await;
}

#[tokio::test]
async fn polls_do_not_wait_for_lookups() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let node = Node::start(&database).await;
    node.store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    node.answers("key", None).await;
    let pool = database.pool().await;
    let busy = PostgresStore::with_pool(pool.clone()).await.unwrap();
    let mut feed = busy.feed().unwrap();
    let mut taken = Vec::new();
    while taken.len() < pool.options().get_max_connections() as usize {
        taken.push(pool.acquire().await.unwrap());
    }
    feed.poll().await.unwrap();
    node.store.change(samples::revoke("key", 1, "lost")).await.unwrap();
    assert_eq!(feed.poll().await.unwrap(), [Invalidation::Revoked(samples::digest("key"))]);
    drop(taken);
    busy.close().await;
    feed.poll().await.unwrap_err();
}

#[tokio::test]
async fn of_two_nodes_that_rotate_and_revoke_one_key_at_once_one_wins() {
    if is_absent() {
        return;
    }
    let (one, other) = two_stores(&Database::create().await).await;
    races::have_one_winner(one, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_of_which_one_rotates_and_one_revokes_a_key_at_once_none_lets_it_in() {
    if is_absent() {
        return;
    }
    let (one, other) = two_stores(&Database::create().await).await;
    races::end_with_a_revoked_key(one, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn first_uses_on_one_node_and_changes_of_all_keys_on_another_do_not_stop_each_other() {
    if is_absent() {
        return;
    }
    let (one, other) = two_stores(&Database::create().await).await;
    races::let_first_uses_and_changes_of_all_keys_through(one, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_one_node_adds_is_revoked_with_the_key_by_another() {
    if is_absent() {
        return;
    }
    let (one, other) = two_stores(&Database::create().await).await;
    races::announce_the_digests_of_a_revoked_key(one, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_one_node_adds_while_another_retires_digests_admits_no_key_after_it_was_dropped() {
    if is_absent() {
        return;
    }
    let (one, other) = two_stores(&Database::create().await).await;
    races::announce_retired_digests(one, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_that_give_one_digest_to_two_keys_one_wins() {
    if is_absent() {
        return;
    }
    let (one, other) = two_stores(&Database::create().await).await;
    races::give_a_digest_to_one_key(one, other).await;
}

/// Two stores on one database, with connections of their own.
async fn two_stores(database: &Database) -> (PostgresStore, PostgresStore) {
    let one = PostgresStore::with_pool(database.pool().await).await.unwrap();
    (one, PostgresStore::with_pool(database.pool().await).await.unwrap())
}
