//! The rights in the guide suffice, and withhold management from a role that only authenticates.

use http::{HeaderMap, HeaderValue};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use tower_api_key::backend::{
    AuditLog, AuditQuery, Backend, BackendErrorKind, Grace, KeyChange, KeyFilter, KeyStore, OwnerChange,
    OwnerStore, Propagation, WriteBack,
};
use tower_api_key::digest::{Digest, Digester};
use tower_api_key::limit_requests::{Count, Counters, PostgresCounters};
use tower_api_key::manage::KeyManager;
use tower_api_key::owner::Organization;
use tower_api_key::usage::Usage;
use tower_api_key::{Authenticator, KeyFormat, PostgresStore, Timestamp};

use super::{Database, is_absent};
use crate::store::samples;
use support::captured::Log;

const END_OF_TIME: Timestamp = Timestamp::from_unix_millis(i64::MAX);

const GRANTS: &str = include_str!("../../../../src/_guide/roles.sql");

/// The statements of [`GRANTS`] that are comments: rights for a while.
fn grants_for_a_while() -> String {
    GRANTS
        .lines()
        .filter_map(|line| line.strip_prefix("-- GRANT"))
        .map(|grant| format!("GRANT{grant}\n"))
        .collect()
}

/// A database with the tables, and the two roles, which belong to the server.
struct World {
    database: Database,
    owner: PgPool,
    node: String,
    manager: String,
}

impl World {
    async fn new() -> Self {
        let database = Database::create().await;
        let owner = database.pool().await;
        PostgresStore::with_pool(owner.clone()).await.unwrap();
        let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&owner).await.unwrap();
        let world =
            Self { database, owner, node: format!("{name}_node"), manager: format!("{name}_manager") };
        for role in [&world.node, &world.manager] {
            world.run(&format!("CREATE ROLE {role}")).await;
        }
        world.grant(GRANTS).await;
        world
    }

    async fn grant(&self, grants: &str) {
        let grants = grants.replace("keys_node", &self.node).replace("keys_manager", &self.manager);
        self.run(&grants.replace("SCHEMA keys ", "SCHEMA public ")).await;
    }

    async fn run(&self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&self.owner).await.unwrap();
    }

    /// A store with the rights of a role.
    async fn store(&self, role: &str) -> PostgresStore {
        let options: PgConnectOptions = self.database.url().parse().unwrap();
        let pool = PgPoolOptions::new().connect_with(options.options([("role", role)])).await.unwrap();
        PostgresStore::with_pool(pool).await.unwrap()
    }

    /// Drops the roles, which the server keeps beyond the database.
    async fn end(self) {
        for role in [&self.node, &self.manager] {
            self.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
        }
    }
}

#[tokio::test]
async fn the_role_that_authenticates_can_do_so_and_change_no_key() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    let store = world.store(&world.node).await;
    let usage = Usage::builder(store.clone()).build().unwrap();
    let node = Authenticator::builder(store.clone()).usage(usage.clone()).build().unwrap();
    node.start().await.unwrap();

    let keys = PostgresStore::with_pool(world.owner.clone()).await.unwrap();
    keys.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", HeaderValue::try_from(samples::text("key")).unwrap());
    node.authenticate(&headers).await.unwrap();
    usage.flush().await.unwrap();
    // Before the counters, which delete it as soon as they run, and then once an hour.
    world.run("INSERT INTO tower_api_key_quota VALUES (sha256('former'), 0, 1, 5, 5)").await;
    let quotas = PostgresCounters::new(&store).lease(std::time::Duration::from_millis(20)).unwrap();
    let count = Count::new(&samples::plain("key"), "a=10/month".parse().unwrap());
    assert!(quotas.take(&[count], 1).await.unwrap().used_up().is_none());
    while world.database.count("SELECT count(*) FROM tower_api_key_quota").await > 1 {}
    quotas.give_back().await.unwrap();
    assert!(keys.get(&samples::id("key")).await.unwrap().unwrap().last_used_at.is_some());

    let id = samples::id("key");
    for rejected in [
        store.change(KeyChange::insert(samples::plain("other"))).await.map(drop),
        store.change(KeyChange::revoke(&id, samples::revocation(1, "lost"))).await.map(drop),
        store.change(KeyChange::rotate(&id, samples::rotation("new", 1, Grace::None))).await.map(drop),
        store
            .change(KeyChange::revoke_all(&KeyFilter::all(), samples::revocation(1, "lost")))
            .await
            .map(drop),
        store.audit_log(&AuditQuery::all().oldest_first().limit(1)).await.map(drop),
    ] {
        let error = rejected.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Unavailable);
        assert!(error.to_string().contains("permission denied"), "{error}");
    }
    node.authenticate(&headers).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn the_role_that_manages_keys_can_do_so() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    let store = world.store(&world.manager).await;
    let node = Authenticator::builder(world.store(&world.node).await).build().unwrap();
    node.start().await.unwrap();

    store.change(KeyChange::insert(samples::plain("old"))).await.unwrap();
    let grace = Grace::FromFirstUse(std::time::Duration::from_secs(1));
    store.change(samples::rotate("old", "new", 1, grace)).await.unwrap();
    store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    let reached = manager.revoke_everywhere(&samples::id("new"), "lost").await.unwrap();
    assert_eq!(reached, Propagation::EveryNode);
    let digester = Digester::hmac_sha256(&[7; 32]).unwrap();
    let (id, digest, at) = (samples::id("old"), digester.digest(b"old"), Timestamp::from_unix_millis(1));
    store.write_back(WriteBack::Digest { id, digest, digester: digester.fingerprint(), at }).await.unwrap();
    assert_eq!(store.change(KeyChange::retire_digests(digester.fingerprint(), at)).await.unwrap().keys, 1);
    assert_eq!(store.keys_without(&digester.fingerprint(), at).await.unwrap(), 0);
    assert_eq!(store.change(KeyChange::purge_ended(END_OF_TIME)).await.unwrap().keys, 1);
    assert!(store.audit_log(&AuditQuery::all().oldest_first().limit(10)).await.unwrap().len() > 3);
    assert!(store.purge_before(END_OF_TIME).await.unwrap() > 3);
    // Several changes, so that an old one is trimmed.
    world.run("UPDATE tower_api_key_change SET at = 0").await;
    store.change(KeyChange::insert(samples::plain("newer"))).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn the_role_that_authenticates_adds_digests_only_with_the_rights_for_a_while() {
    if is_absent() {
        return;
    }
    let world = World::new().await;
    let keys = PostgresStore::with_pool(world.owner.clone()).await.unwrap();
    for name in ["one", "two", "three"] {
        let insert = KeyChange::insert(samples::plain(name));
        keys.change(insert.made_with([Digester::sha256().fingerprint()])).await.unwrap();
    }
    let pepper = Digester::hmac_sha256(&[7; 32]).unwrap();
    let node = Authenticator::builder(world.store(&world.node).await)
        .digester(pepper.clone())
        .former_digester(Digester::sha256())
        .build()
        .unwrap();
    node.start().await.unwrap();
    let present = async |name: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::try_from(samples::text(name)).unwrap());
        node.authenticate(&headers).await.unwrap();
    };
    let digest = |name: &str| -> Digest { pepper.digest(samples::text(name).as_bytes()) };

    let (log, _logging) = Log::begin();
    let mut lines = Vec::new();
    present("one").await;
    while lines.is_empty() {
        tokio::task::yield_now().await;
        lines.extend(log.take("WARN"));
    }
    assert!(lines[0].contains("cannot add a digest") && lines[0].contains("permission denied"), "{lines:?}");
    present("one").await;
    present("two").await;

    world.grant(&grants_for_a_while()).await;
    present("three").await;
    while keys.find(&digest("three")).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    present("three").await;
    assert_eq!(keys.find(&digest("one")).await.unwrap(), None);
    present("one").await;
    let more: Vec<_> = log.take("WARN").into_iter().filter(|line| line.contains("digest")).collect();
    assert_eq!(more, [""; 0], "it is logged once");
    drop(node);
    world.end().await;
}
