//! Lookups on a standby, which is used only if it is up to date with the last poll.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};
use tower_api_key::backend::{Backend, BackendErrorKind, KeyChange, KeyStore, WriteBack};
use tower_api_key::digest::Digester;
use tower_api_key::reject::Reason;
use tower_api_key::{Authenticator, PostgresStore, Timestamp};

use super::is_absent;
use crate::store::samples;
use support::postgres::Server;

const LEASE: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// A primary and its standby, and a store over both.
struct World {
    primary: Server,
    standby: Server,
    pool: PgPool,
    store: PostgresStore,
}

impl World {
    async fn with_delay(delay: Duration) -> Option<Self> {
        let primary = Server::start().await?;
        let pool = PgPool::connect(primary.url()).await.unwrap();
        let store = PostgresStore::with_pool(pool.clone()).await.unwrap();
        let standby = primary.standby(delay).await;
        let store = store.with_replica(PgPool::connect(standby.url()).await.unwrap());
        Some(Self { primary, standby, pool, store })
    }

    async fn catch_up(&self) {
        self.standby.catch_up_with(&self.primary).await;
    }

    /// A change by another process, which shares only the database.
    async fn revoke_elsewhere(&self, name: &str) {
        const REVOKE: [&str; 3] = [
            "UPDATE tower_api_key SET revoked_at = 1, revoked_reason = 'elsewhere' WHERE id = $1",
            "INSERT INTO tower_api_key_change (digest, kind) SELECT digest, 'revoked' FROM tower_api_key WHERE id = $1",
            "SELECT pg_notify('tower_api_key', '') WHERE $1 <> ''",
        ];
        let mut transaction = self.pool.begin().await.unwrap();
        for statement in REVOKE {
            sqlx::query(statement).bind(name).execute(&mut *transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
}

async fn present(authenticator: &Authenticator, name: &str) -> Option<Reason> {
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", HeaderValue::try_from(samples::text(name)).unwrap());
    authenticator.authenticate(&headers).await.err().map(|rejection| rejection.reason().clone())
}

#[tokio::test]
async fn a_standby_that_has_replayed_the_last_poll_answers_lookups() {
    if is_absent() {
        return;
    }
    let Some(world) = World::with_delay(Duration::ZERO).await else { return };
    let (digest, store) = (samples::digest("key"), &world.store);
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    assert!(store.find(&digest).await.unwrap().is_some(), "the primary has the new key");

    let mut feed = store.feed().unwrap();
    feed.set_lease(HOUR, Duration::ZERO);
    // Registering the node is a change of the database as well.
    feed.poll().await.unwrap();
    feed.poll().await.unwrap();
    world.catch_up().await;
    assert_eq!(store.find(&samples::digest("unknown")).await.unwrap(), None);
    world.store.close().await;
    assert!(store.find(&digest).await.unwrap().is_some(), "from the standby alone");
    store.find(&samples::digest("unknown")).await.unwrap_err();
}

#[tokio::test]
async fn a_standby_answers_lookups_by_any_digest_of_a_key() {
    if is_absent() {
        return;
    }
    let Some(world) = World::with_delay(Duration::ZERO).await else { return };
    let (store, digester) = (&world.store, Digester::hmac_sha256(&[7; 32]).unwrap());
    let [further, unknown] = ["key", "unknown"].map(|name| digester.digest(samples::text(name).as_bytes()));
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let (id, at) = (samples::id("key"), Timestamp::from_unix_millis(1));
    let write = WriteBack::Digest { id, digest: further, digester: digester.fingerprint(), at };
    store.write_back(write).await.unwrap();
    let mut feed = store.feed().unwrap();
    feed.set_lease(HOUR, Duration::ZERO);
    feed.poll().await.unwrap();
    feed.poll().await.unwrap();
    world.catch_up().await;
    assert_eq!(store.find_any(&[unknown, samples::digest("unknown")]).await.unwrap(), None);
    world.store.close().await;
    let first = samples::digest("key");
    for (digests, expected) in
        [(&[further][..], further), (&[further, first], further), (&[unknown, first], first)]
    {
        let found = store.find_any(digests).await.unwrap().expect("from the standby alone");
        assert_eq!((found.id.as_str(), found.digest), ("key", expected));
    }
    store.find_any(&[unknown, samples::digest("unknown")]).await.unwrap_err();
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "a lease takes the time that it takes")]
async fn a_standby_is_asked_no_longer_than_for_a_lease_after_the_last_poll() {
    if is_absent() {
        return;
    }
    let Some(world) = World::with_delay(Duration::ZERO).await else { return };
    world.store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let mut feed = world.store.feed().unwrap();
    feed.set_lease(LEASE, HOUR);
    feed.poll().await.unwrap();
    feed.poll().await.unwrap();
    world.catch_up().await;
    world.store.close().await;
    sleep(LEASE).await;
    // A revocation would now need the primary, which is unreachable.
    world.store.find(&samples::digest("key")).await.unwrap_err();
}

#[tokio::test]
async fn a_standby_is_not_taken_for_the_primary() {
    if is_absent() {
        return;
    }
    const END_OTHERS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let Some(world) = World::with_delay(Duration::ZERO).await else { return };
    let pool = PgPool::connect(world.primary.url()).await.unwrap();
    let store = PostgresStore::with_pool(pool.clone()).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    world.catch_up().await;
    // A host name that leads to another server from now on.
    pool.set_connect_options(world.standby.url().parse().unwrap());
    sqlx::raw_sql(END_OTHERS)
        .execute(&mut PgConnection::connect(world.primary.url()).await.unwrap())
        .await
        .unwrap();
    for name in ["key", "unknown"] {
        let error = store.find(&samples::digest(name)).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Unavailable, "{error}");
    }
    assert!(store.get(&samples::id("key")).await.unwrap().is_some(), "it is another server that is asked");
    store.find_user("ann@example.com").await.unwrap_err();
}

#[tokio::test]
async fn a_standby_that_is_gone_is_passed_over() {
    if is_absent() {
        return;
    }
    let Some(world) = World::with_delay(Duration::ZERO).await else { return };
    world.store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let mut feed = world.store.feed().unwrap();
    feed.set_lease(HOUR, Duration::ZERO);
    feed.poll().await.unwrap();
    world.catch_up().await;
    world.standby.stop().await;
    assert!(world.store.find(&samples::digest("key")).await.unwrap().is_some());
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "a pause takes the time that it takes")]
async fn a_standby_that_says_nothing_is_tried_once_a_second() {
    if is_absent() {
        return;
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://test@{}/postgres", silent.local_addr().unwrap());
    let (store, _database) = super::open().await;
    let store = store.with_replica(PgPool::connect_lazy(&url).unwrap());
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let mut feed = store.feed().unwrap();
    feed.set_lease(HOUR, Duration::ZERO);
    feed.poll().await.unwrap();
    let tried = async || timeout(Duration::ZERO, silent.accept()).await.is_ok();
    for _ in 0..2 {
        for look_up in 0..10 {
            assert!(store.find(&samples::digest("key")).await.unwrap().is_some());
            assert_eq!(tried().await, look_up == 0);
        }
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "a standby takes the time that it takes")]
async fn a_standby_that_is_seconds_behind_lets_no_revoked_key_in_and_calls_no_good_key_bad() {
    if is_absent() {
        return;
    }
    let Some(world) = World::with_delay(Duration::from_secs(3)).await else { return };
    // Each request is a lookup, so that each one shows which server answered it.
    let node = Authenticator::builder(world.store.clone())
        .positive_ttl(Duration::ZERO)
        .negative_ttl(Duration::ZERO)
        .poll_interval(LEASE / 5)
        .lease(LEASE)
        .deadline(Duration::from_secs(10))
        .build()
        .unwrap();
    node.start().await.unwrap();
    for name in ["good", "bad"] {
        world.store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
        assert_eq!(present(&node, name).await, None, "a key that the standby does not have yet");
    }
    world.catch_up().await;

    world.revoke_elsewhere("bad").await;
    let revoked = Instant::now();
    let mut answers = 0;
    while revoked.elapsed() < Duration::from_secs(4) {
        let asked = revoked.elapsed();
        assert_eq!(present(&node, "good").await, None);
        if present(&node, "bad").await.is_none() {
            assert!(asked < LEASE, "admitted {asked:?} after the revocation");
        }
        answers += 1;
        sleep(Duration::from_millis(5)).await;
    }
    assert!(answers > 50, "{answers}");
    assert_eq!(present(&node, "bad").await, Some(Reason::Revoked));
    drop(world.primary);
}
