//! Histories of operating system threads: no change is made that began after the loss of its actor's authority was acknowledged,
//! and rejected changes leave no trace.
//!
//! `AUTHORITY_SECONDS` sets how long each store is tried.

use std::env;
use std::future::Future;
use std::io::{self, Write};
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Builder;
use tower_api_key::backend::{
    AuditLog, AuditQuery, Backend, BackendError, BoxedChangeFeed, ChangeOutcome, KeyChange, KeyFilter,
    KeyStore, Subscriber,
};
use tower_api_key::digest::Digest;
use tower_api_key::{KeyId, MemoryStore, PostgresStore, Record, SqliteStore};

use crate::interleavings::book::Tally;
use crate::interleavings::crowd::Crowd;
use support::postgres::{Database, is_absent};

/// More than the processors, so that a thread stops anywhere while other threads continue.
const THREADS: usize = 4;

fn seconds() -> u64 {
    env::var("AUTHORITY_SECONDS").ok().and_then(|number| number.parse().ok()).unwrap_or(3)
}

fn on_threads<T>(work: impl Future<Output = T>) -> T {
    Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().unwrap().block_on(work)
}

fn check(name: &str, tally: &Tally) {
    writeln!(io::stdout(), "{name}: {tally}").expect("a place to print to");
    assert!(tally.lives > 10 && tally.made > 0 && tally.rejected > 0, "{tally}");
    assert_eq!((tally.late, tally.astray, tally.posthumous), (0, 0, 0), "{tally}");
}

async fn try_file<S: KeyStore + Clone>(seconds: u64, take: impl Fn(SqliteStore) -> S) -> Tally {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite:{}", folder.path().join("keys.db").display());
    let (one, other) = (SqliteStore::open(&url).await.unwrap(), SqliteStore::open(&url).await.unwrap());
    let stores = vec![take(one.clone()), take(other)];
    let mut tally = Crowd::new(stores).run(Duration::from_secs(seconds)).await;
    let log = one.audit_log(&AuditQuery::all().oldest_first()).await.unwrap();
    tally.look_for_traces(&log);
    // On SQLite, entries have their numbers in the order of the commits.
    tally.look_for_the_dead(&log);
    tally
}

#[test]
fn in_memory_no_change_is_made_after_the_acknowledgement_that_its_actor_may_not() {
    let tally = on_threads(Crowd::new(vec![MemoryStore::new()]).run(Duration::from_secs(seconds())));
    check("threads, memory", &tally);
}

#[test]
fn on_sqlite_no_change_is_made_after_the_acknowledgement_that_its_actor_may_not() {
    check("threads, sqlite", &on_threads(try_file(seconds(), |store| store)));
}

#[test]
fn on_postgres_no_change_is_made_after_the_acknowledgement_that_its_actor_may_not() {
    if is_absent() {
        return;
    }
    let tally = on_threads(async {
        let url = Database::create().await.url();
        let stores = vec![PostgresStore::open(&url).await.unwrap(), PostgresStore::open(&url).await.unwrap()];
        let one = stores[0].clone();
        let mut tally = Crowd::new(stores).run(Duration::from_secs(seconds())).await;
        tally.look_for_traces(&one.audit_log(&AuditQuery::all().oldest_first()).await.unwrap());
        tally
    });
    check("threads, postgres", &tally);
}

/// A store that treats every change as one by the application itself.
#[derive(Clone)]
struct Credulous<S>(S);

impl<S: KeyStore> Backend for Credulous<S> {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.0.find(digest).await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.0.subscribe(subscriber);
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        self.0.feed()
    }
}

impl<S: KeyStore> KeyStore for Credulous<S> {
    async fn change(&self, change: KeyChange) -> Result<ChangeOutcome, BackendError> {
        self.0.change(KeyChange::from(change.action)).await
    }

    async fn get(&self, id: &KeyId) -> Result<Option<Record>, BackendError> {
        self.0.get(id).await
    }

    async fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, BackendError> {
        self.0.list(filter, after, limit).await
    }
}

#[test]
fn the_histories_show_changes_that_are_not_authorized() {
    let tally = on_threads(try_file(1, Credulous));
    assert!(tally.late > 0 && tally.posthumous > 0, "{tally}");
}
