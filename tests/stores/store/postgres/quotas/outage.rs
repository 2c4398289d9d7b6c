//! While the database is away or slow: blocks are used on, and no request is rejected for its key.

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use http::Response;
use sqlx::PgConnection;
use sqlx::{Connection, Executor as _};
use support::{Body, Key, ok, store_with_key};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::clock::ManualClock;
use tower_api_key::limit_requests::{Count, Counters, CountersErrorKind, Outage, PostgresCounters};
use tower_api_key::{AuthenticateLayer, Authenticator, LimitLayer, MemoryStore, PostgresStore};

use super::{Database, counts, is_absent, node, taken, use_up};

type Service = BoxCloneSyncService<http::Request<Body>, Response<Body>, std::convert::Infallible>;

/// A service whose quotas are in a database.
struct World {
    service: Service,
    keys: MemoryStore,
    clock: Arc<ManualClock>,
    store: PostgresStore,
    database: Database,
}

impl World {
    async fn new(outage: Outage) -> Self {
        let database = Database::create().await;
        let store = PostgresStore::open(&database.url()).await.unwrap();
        let (keys, _) = store_with_key().await;
        let (authenticator, clock) = support::authenticator(keys.clone());
        let counters = PostgresCounters::new(&store).with_clock(Arc::clone(&clock));
        let counters = counters.timeout(Duration::from_millis(200)).unwrap();
        let service = within(authenticator, LimitLayer::new().counters(counters, outage));
        Self { service, keys, clock, store, database }
    }

    async fn key(&self, limits: &str) -> Key {
        let key = Key::mint().with(|record| record.limits = limits.parse().unwrap());
        self.keys.change(KeyChange::insert(key.record.clone())).await.unwrap();
        key
    }

    async fn send(&self, key: &Key) -> Response<Body> {
        self.service.clone().oneshot(key.bearer()).await.unwrap()
    }

    async fn status(&self, key: &Key) -> u16 {
        self.send(key).await.status().as_u16()
    }
}

fn within(authenticator: Authenticator, layer: LimitLayer) -> Service {
    let service =
        ServiceBuilder::new().layer(AuthenticateLayer::new(authenticator)).layer(layer).service_fn(ok);
    BoxCloneSyncService::new(service)
}

/// Lets statements for blocks hang, with no lock that they wait for, until it is closed.
async fn hang(database: &Database) -> PgConnection {
    database
        .run_all(
            "CREATE FUNCTION hang() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
                WHILE NOT pg_try_advisory_xact_lock_shared(1) LOOP PERFORM pg_sleep(0.005); END LOOP;
                RETURN NEW;
            END $$;
            CREATE TRIGGER hang BEFORE INSERT ON tower_api_key_quota FOR EACH ROW EXECUTE FUNCTION hang()",
        )
        .await;
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    connection.execute("SELECT pg_advisory_lock(1)").await.unwrap();
    connection
}

/// Holds a lock of the table until it is closed.
async fn lock(database: &Database) -> PgConnection {
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    connection.execute("BEGIN; LOCK TABLE tower_api_key_quota IN ACCESS EXCLUSIVE MODE").await.unwrap();
    connection
}

#[tokio::test]
async fn blocks_are_used_on_and_requests_beyond_them_are_refused_as_an_outage() {
    if is_absent() {
        return;
    }
    let world = World::new(Outage::Refuse).await;
    let (held, new) = (world.key("a=1000/month").await, world.key("a=1000/month").await);
    assert_eq!(world.status(&held).await, 200);
    world.store.close().await;
    for second in 0..3 {
        let refused = world.send(&new).await;
        assert_eq!(refused.status(), 503, "second {second}");
        assert_eq!(refused.headers()["retry-after"], "1");
        assert!(!refused.headers().contains_key("www-authenticate"));
        for _ in 0..33 {
            assert_eq!(world.status(&held).await, 200, "a block of 100");
            assert_eq!(world.status(&new).await, 503);
        }
        world.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(world.status(&held).await, 503);
}

#[tokio::test]
async fn a_local_share_decides_beyond_the_blocks() {
    if is_absent() {
        return;
    }
    let world = World::new(Outage::LocalShare(NonZeroU32::new(4).unwrap())).await;
    let key = world.key("a=20/month").await;
    for _ in 0..2 {
        assert_eq!(world.status(&key).await, 200);
    }
    world.store.close().await;
    for _ in 0..5 {
        assert_eq!(world.status(&key).await, 200);
    }
    assert_eq!(world.status(&key).await, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_does_not_answer_holds_up_one_request_a_second() {
    if is_absent() {
        return;
    }
    let world = World::new(Outage::Refuse).await;
    let (held, new) = (world.key("a=1000/month").await, world.key("a=1000/month").await);
    // Of five requests, a block is of one.
    let used_up = world.key("r=1/3600s a=5/month").await;
    assert_eq!((world.status(&held).await, world.status(&used_up).await), (200, 200));
    let locked = hang(&world.database).await;
    assert_eq!(world.status(&new).await, 503);
    assert_eq!(world.status(&used_up).await, 429, "no block is needed to refuse it");
    for _ in 0..50 {
        let mut request = pin!(world.send(&new));
        let polled = request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready(), "it is refused at once");
        assert_eq!(world.status(&held).await, 200);
    }
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.status(&used_up).await, 429);
    let mut alone = pin!(world.send(&new));
    let mut context = Context::from_waker(Waker::noop());
    assert!(alone.as_mut().poll(&mut context).is_pending(), "it asks the database");
    let mut request = pin!(world.send(&new));
    assert!(request.as_mut().poll(&mut context).is_ready(), "the refusal has not ended the outage");
    drop(locked);
    loop {
        world.clock.advance(Duration::from_secs(1));
        if world.status(&new).await == 200 {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_count_refuses_the_requests_of_its_customer_alone() {
    if is_absent() {
        return;
    }
    let world = World::new(Outage::Refuse).await;
    // Of ten requests, a block is of one.
    let (locked, other) = (world.key("a=10/month").await, world.key("a=10/month").await);
    assert_eq!(world.status(&locked).await, 200);
    let mut connection = PgConnection::connect(&world.database.url()).await.unwrap();
    connection.execute("BEGIN; SELECT taken FROM tower_api_key_quota FOR UPDATE").await.unwrap();
    for _ in 0..2 {
        let refused = world.send(&locked).await;
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "1");
        for _ in 0..5 {
            assert_eq!(world.status(&other).await, 200, "the database is asked for each");
        }
    }
    assert_eq!(world.status(&other).await, 429);
    let counters = PostgresCounters::new(&world.store).timeout(Duration::from_millis(50)).unwrap();
    let of_locked = [Count::new(&locked.record, "a=10/month".parse().unwrap())];
    assert_eq!(counters.take(&of_locked, 1).await.unwrap_err().kind(), CountersErrorKind::Busy);
    connection.close().await.unwrap();
    for _ in 0..9 {
        assert_eq!(world.status(&locked).await, 200, "nothing was taken meanwhile");
    }
    assert_eq!(world.status(&locked).await, 429);
    assert_eq!(taken(&world.database).await, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_wait_for_one_locked_count_in_turn_are_no_outage() {
    if is_absent() {
        return;
    }
    let (store, database) = crate::store::postgres::open().await;
    let counts = counts("a=1000/month");
    let node = || PostgresCounters::new(&store).timeout(Duration::from_millis(400)).unwrap();
    assert!(super::admits(&node(), &counts).await);
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    connection.execute("BEGIN; SELECT taken FROM tower_api_key_quota FOR UPDATE").await.unwrap();
    // Each waits first for the other's place in the queue, and then for the row.
    let asking = [node(), node()].map(|node| {
        let counts = counts.clone();
        tokio::spawn(async move {
            for _ in 0..8 {
                assert_eq!(node.take(&counts, 1).await.unwrap_err().kind(), CountersErrorKind::Busy);
            }
        })
    });
    for asking in asking {
        asking.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_table_is_an_outage() {
    if is_absent() {
        return;
    }
    let world = World::new(Outage::Refuse).await;
    let [first, second] = [world.key("a=10/month").await, world.key("a=10/month").await];
    assert_eq!(world.status(&first).await, 200);
    let locked = lock(&world.database).await;
    let counters = PostgresCounters::new(&world.store).timeout(Duration::from_millis(50)).unwrap();
    assert_eq!(
        counters.take(&counts("a=10/month"), 1).await.unwrap_err().kind(),
        CountersErrorKind::Unavailable
    );
    assert_eq!(world.status(&first).await, 503);
    let mut request = pin!(world.send(&second));
    assert!(
        request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready(),
        "it waits for nothing"
    );
    locked.close().await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    // Whether the table is back is found out with a count that is locked.
    let mut connection = PgConnection::connect(&world.database.url()).await.unwrap();
    connection.execute("BEGIN; SELECT taken FROM tower_api_key_quota FOR UPDATE").await.unwrap();
    assert_eq!(world.status(&first).await, 503);
    assert_eq!(world.status(&second).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_dropped_while_it_waits_takes_nothing() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let (node, clock) = node(&database).await;
    let node = node.timeout(Duration::from_secs(20)).unwrap();
    let counts = counts("a=500/month b=500/day");
    let locked = lock(&database).await;
    {
        let mut taking = node.take(&counts, 1);
        for _ in 0..10 {
            assert!(taking.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            tokio::task::yield_now().await;
        }
    }
    drop(locked);
    // The block of the dropped request is that of the next one.
    clock.advance(Duration::from_secs(1));
    assert_eq!(use_up(&node, &counts).await, 500);
    node.give_back().await.unwrap();
    assert_eq!(taken(&database).await, 1_000);
}

#[tokio::test]
async fn a_thousand_requests_wait_for_a_block_and_giving_back_waits_for_it() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let (node, _clock) = node(&database).await;
    let node = node.timeout(Duration::from_secs(20)).unwrap();
    let [full, other] = ["a=5000/month", "b=5000/month"].map(counts);
    let mut context = Context::from_waker(Waker::noop());
    // The database is asked once this test waits.
    let mut waiting: Vec<_> = (0..1_000).map(|_| node.take(&full, 1)).collect();
    assert!(waiting.iter_mut().all(|request| request.as_mut().poll(&mut context).is_pending()));
    assert_eq!(node.take(&full, 1).await.unwrap_err().kind(), CountersErrorKind::Busy);
    assert!(super::admits(&node, &other).await);
    for request in waiting {
        assert!(request.await.unwrap().used_up().is_none());
    }
    node.give_back().await.unwrap();
    assert_eq!(taken(&database).await, 1_001);
    let mut dropped = node.take(&full, 1);
    assert!(dropped.as_mut().poll(&mut context).is_pending());
    drop(dropped);
    let mut giving_back = pin!(node.give_back());
    assert!(giving_back.as_mut().poll(&mut context).is_pending());
    giving_back.await.unwrap();
    assert_eq!(taken(&database).await, 1_001);
}

#[tokio::test]
async fn what_may_have_been_given_back_is_not_given_back_again() {
    if is_absent() {
        return;
    }
    const REFUSE: &str =
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON tower_api_key_quota FOR EACH ROW EXECUTE FUNCTION refuse()";
    let database = Database::create().await;
    let (node, _clock) = node(&database).await;
    let counts = counts("a=1000/month");
    assert!(super::admits(&node, &counts).await);
    database.run_all(REFUSE).await;
    assert_eq!(node.give_back().await.unwrap_err().kind(), CountersErrorKind::Unavailable);
    database.run_all("DROP TRIGGER refuse ON tower_api_key_quota").await;
    node.give_back().await.unwrap();
    assert_eq!(taken(&database).await, 100);
    assert_eq!(use_up(&node, &counts).await, 900);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_count_keeps_no_other_block_from_being_given_back() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let lease = Duration::from_millis(20);
    let (node, clock) = node(&database).await;
    let node = node.lease(lease).unwrap();
    let all = ["a", "b", "c", "d", "e"].map(|name| counts(&format!("{name}=1000/month")));
    for counts in &all {
        assert!(super::admits(&node, counts).await);
    }
    let [locked, others @ ..] = &all;
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    let lock = "BEGIN; SELECT taken FROM tower_api_key_quota WHERE count_digest = sha256";
    let lock = format!("{lock}('{}') FOR UPDATE", locked[0].id());
    connection.execute(sqlx::AssertSqlSafe(lock)).await.unwrap();
    clock.advance(lease);
    while taken(&database).await != 100 + 4 {}
    let (other, _clock) = super::node(&database).await;
    for counts in others {
        assert!(super::admits(&other, counts).await, "no statement has locked it");
    }
    assert_eq!(node.give_back().await.unwrap_err().kind(), CountersErrorKind::Busy);
    connection.close().await.unwrap();
    // A block of the other node is a tenth of 999 requests.
    while taken(&database).await != 1 + 4 * (1 + 99) {}
}

#[tokio::test]
async fn blocks_are_used_on_past_their_leases_and_given_back_afterwards() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let (node, clock) = node(&database).await;
    let lease = Duration::from_millis(20);
    let node = node.lease(lease).unwrap();
    let counts = counts("a=1000/month");
    assert!(super::admits(&node, &counts).await);
    database.run_all("ALTER TABLE tower_api_key_quota RENAME TO away").await;
    clock.advance(lease);
    for _ in 0..49 {
        assert_eq!(node.give_back().await.unwrap_err().kind(), CountersErrorKind::Unavailable);
        assert!(super::admits(&node, &counts).await);
    }
    database.run_all("ALTER TABLE away RENAME TO tower_api_key_quota").await;
    node.give_back().await.unwrap();
    assert_eq!(taken(&database).await, 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_gets_no_connection_says_nothing_of_the_database() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let store = PostgresStore::open(&database.url()).await.unwrap();
    let patient = PostgresCounters::new(&store).timeout(Duration::from_secs(20)).unwrap();
    let hurried = PostgresCounters::new(&store).timeout(Duration::from_millis(50)).unwrap();
    let locked = lock(&database).await;
    let waiting = ["a=10/month", "b=10/month"].map(|limit| {
        let patient = patient.clone();
        tokio::spawn(async move { super::admits(&patient, &counts(limit)).await })
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while database.count(waits).await < 2 {}
    let counts = counts("c=1000/month");
    let error = hurried.take(&counts, 1).await.unwrap_err();
    assert_eq!(error.kind(), CountersErrorKind::Busy);
    drop(locked);
    for waiting in waiting {
        assert!(waiting.await.unwrap());
    }
    while !super::admits(&hurried, &counts).await {}
    assert_eq!(taken(&database).await, 1 + 1 + 100, "no answer was lost, so the block is a whole one");
}

#[tokio::test]
async fn what_a_lost_answer_may_have_granted_is_not_asked_for_again() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let (node, _clock) = node(&database).await;
    let node = node.timeout(Duration::from_millis(50)).unwrap();
    let counts = counts("a=1000/month");
    assert!(super::admits(&node, &counts).await);
    node.give_back().await.unwrap();
    let locked = hang(&database).await;
    let error = node.take(&counts, 1).await.unwrap_err();
    assert_eq!(error.kind(), CountersErrorKind::Unavailable);
    drop(locked);
    node.give_back().await.unwrap();
    let mut admitted = 1;
    while admitted == 1 {
        admitted += u64::from(node.take(&counts, 1).await.is_ok_and(|taken| taken.used_up().is_none()));
    }
    let largest_loss = 100;
    let all = taken(&database).await.unsigned_abs();
    assert!(all <= admitted + largest_loss, "the next block is of one request: {all}");
}
