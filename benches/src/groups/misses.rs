//! Requests that need a lookup.
//!
//! The caches hold a twentieth of the keys. As these come in turn, nearly each of them has been evicted when it comes again, and
//! evicts another entry.

use http::StatusCode;
use sqlx::SqlitePool;
use tower::Layer;
use tower_api_key::backend::Backend;
use tower_api_key::{MemoryStore, SqliteStore};

use super::{BARE, BY_HAND, CRATE, Fixture, Group, QUERY};
use crate::drive::{Run, waiting};
use crate::keys::fill;
use crate::order::Order;
use crate::requests::Requests;
use crate::stacks::by_hand::{self, OverFuture};
use crate::stacks::{Body, Stack, bearer, inner, layer, sqlite};

/// Misses in memory.
pub const MISS: &str = "miss, store in memory";
/// Keys that no store has.
pub const UNKNOWN: &str = "rejection: an unknown key, store in memory";
/// Misses in an SQLite file.
pub const SQLITE: &str = "miss, store in SQLite";

pub(super) fn all() -> Vec<Group> {
    vec![in_memory(), unknown(), in_sqlite()]
}

const REJECTED: StatusCode = StatusCode::UNAUTHORIZED;

fn in_memory() -> Group {
    fn run(fixture: &Fixture, stack: impl Stack<Body>) -> Run {
        waiting(async { stack }, requests(fixture), StatusCode::OK)
    }
    Group::new(MISS, 2_000)
        .subject(BARE, |fixture| run(fixture, inner()))
        .subject(CRATE, |fixture| run(fixture, layered(fixture, fixture.store())))
        .subject(BY_HAND, |fixture| run(fixture, by_hand(fixture, fixture.store())))
}

fn unknown() -> Group {
    fn run(fixture: &Fixture, stack: impl Stack<Body>, status: StatusCode) -> Run {
        waiting(async { stack }, requests(fixture), status)
    }
    Group::new(UNKNOWN, 2_000)
        .subject(BARE, |fixture| run(fixture, inner(), StatusCode::OK))
        .subject(CRATE, |fixture| run(fixture, layered(fixture, MemoryStore::new()), REJECTED))
        .subject(BY_HAND, |fixture| run(fixture, by_hand(fixture, MemoryStore::new()), REJECTED))
}

/// The connections run in threads of their own, so only time can be measured.
fn in_sqlite() -> Group {
    Group::new(SQLITE, 2_000)
        .in_several_threads()
        .subject(QUERY, |fixture| on_file(fixture, async |pool, _| sqlite::query(pool)))
        .subject(CRATE, |fixture| on_file(fixture, async |_, store| layered(fixture, store)))
}

/// Runs the stack that `make` builds from a file with the keys: from its connections, or from a store over them.
fn on_file<S: Stack<Body>>(fixture: &Fixture, make: impl AsyncFnOnce(SqlitePool, SqliteStore) -> S) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let stack = async {
        let pool = sqlite::pool(&folder.path().join("keys.db")).await;
        let store = SqliteStore::with_pool(pool.clone()).await.unwrap();
        fill(&store, fixture.texts()).await;
        make(pool, store).await
    };
    let mut run = waiting(stack, requests(fixture), StatusCode::OK);
    Box::new(move |times| {
        let _kept = &folder;
        run(times);
    })
}

fn requests(fixture: &Fixture) -> Requests {
    Requests::bearer(fixture.texts(), Order::InTurn)
}

fn room(fixture: &Fixture) -> u64 {
    fixture.texts().len() as u64 / 20
}

fn layered<B: Backend>(fixture: &Fixture, backend: B) -> impl Stack<Body> + use<B> {
    let room = room(fixture);
    let builder = layer::builder(backend).positive_capacity(room).negative_capacity(room);
    layer::of(builder).layer(inner())
}

fn by_hand(fixture: &Fixture, store: MemoryStore) -> impl Stack<Body> + use<> {
    by_hand::service(OverFuture::new(store, room(fixture)), bearer)
}
