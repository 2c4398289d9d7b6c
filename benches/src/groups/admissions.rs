//! Requests with cached, valid keys.

use std::iter;
use std::num::NonZero;
use std::thread::available_parallelism;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use tower::Layer;
use tower_api_key::backend::{Backend, BackendError};
use tower_api_key::digest::Digest;
use tower_api_key::{MemoryStore, Record};

use super::{BARE, BY_HAND, BY_HAND_SYNC, CRATE, FLOOR, Fixture, Group, HEADERS, METERED, NAMED};
use crate::drive::{self, Run, at_once};
use crate::keys::{EMAIL, record};
use crate::order::Order;
use crate::requests::Requests;
use crate::stacks::by_hand::{self, OverFuture, OverSync};
use crate::stacks::floor::Floor;
use crate::stacks::{Body, Stack, bearer, in_axum, inner, layer, x_api_key};

/// The group of most targets.
pub const THOUSAND: &str = "Bearer, 1,000 keys in turn";
/// The same with an extension in each request.
pub const USED: &str = "the same, extensions in use";
/// Keys that have a digest of a former digester only.
pub const FORMER: &str = "Bearer, 1,000 keys under a former digester";
/// Keys as `Basic`.
pub const BASIC: &str = "Basic, 1,000 keys in turn";
/// Keys with frequencies by Zipf's law.
pub const ZIPF: &str = "Bearer, 10,000 keys by Zipf";
/// More keys than the first caches of a processor hold.
pub const UNIFORM: &str = "Bearer, 10,000 keys uniformly";
/// Ten times as many.
pub const HUNDRED_THOUSAND: &str = "Bearer, 100,000 keys uniformly";
/// Ten times as many again.
pub const MILLION: &str = "Bearer, 1,000,000 keys uniformly";
/// Threads with different keys.
pub const THREADS: &str = "1,000 keys in turn, by threads";
/// Threads with the same key.
pub const THREADS_ONE_KEY: &str = "one key, by threads";
/// Threads with more keys than the first caches of a processor hold.
pub const THREADS_MANY_KEYS: &str = "100,000 keys uniformly, by threads";
/// Keys in the header of most APIs.
pub const X_API_KEY: &str = "X-API-Key, 1,000 keys in turn";
/// The layer inside axum.
pub const AXUM: &str = "axum, Bearer, 1,000 keys in turn";

pub(super) fn all() -> Vec<Group> {
    let plain = Presented { order: Order::InTurn, into_used: false };
    let uniform = Presented { order: Order::Uniform, ..plain };
    let zipf = Presented { order: Order::Zipf, ..plain };
    let used = Presented { into_used: true, ..plain };
    let threads = thread_counts();
    vec![
        named(metered(with_cache_headers(by_bearer(THOUSAND, 1_000, plain, &[1]), plain), plain, 1), plain),
        by_bearer(USED, 1_000, used, &[1]),
        under_former(plain),
        by_header(),
        by_basic(),
        in_axum(),
        by_bearer(ZIPF, 10_000, zipf, &[1]),
        by_bearer(UNIFORM, 10_000, uniform, &[1]),
        by_bearer(HUNDRED_THOUSAND, 100_000, uniform, &[1]),
        by_bearer(MILLION, 1_000_000, uniform, &[1]),
        by_bearer(THREADS_ONE_KEY, 1, plain, &threads).in_several_threads(),
        by_bearer(THREADS, 1_000, plain, &threads).in_several_threads(),
        by_bearer(THREADS_MANY_KEYS, 100_000, uniform, &threads).in_several_threads(),
    ]
}

/// Returns the powers of two up to the number of processors, and that number.
pub fn thread_counts() -> Vec<usize> {
    let processors = available_parallelism().map_or(1, NonZero::get);
    let powers = iter::successors(Some(1), |threads| Some(2 * threads));
    powers.take_while(|threads| *threads < processors).chain([processors]).collect()
}

/// A node that adds no digests, so each request hashes its key twice.
fn under_former(presented: Presented) -> Group {
    Group::new(FORMER, 1_000).subject(BARE, move |fixture| presented.run(fixture, &inner(), 1)).subject(
        CRATE,
        move |fixture| {
            let layer = layer::under_former(ReadOnly(fixture.store()), fixture.room());
            presented.run(fixture, &layer.layer(inner()), 1)
        },
    )
}

/// A store that keeps its digests as they are.
struct ReadOnly(MemoryStore);

impl Backend for ReadOnly {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.0.find(digest).await
    }
}

/// The presentation of Bearer keys.
#[derive(Clone, Copy)]
struct Presented {
    order: Order,
    /// Whether each request has an extension already, as in axum.
    into_used: bool,
}

fn by_bearer(name: &'static str, keys: usize, presented: Presented, threads: &[usize]) -> Group {
    threads.iter().fold(Group::new(name, keys), |group, &threads| {
        group
            .threaded(BARE, threads, move |fixture| presented.run(fixture, &inner(), threads))
            .threaded(CRATE, threads, move |fixture| presented.run(fixture, &layered(fixture), threads))
            .threaded(BY_HAND, threads, move |fixture| {
                let keys = OverFuture::new(fixture.store(), fixture.room());
                presented.run(fixture, &by_hand::service(keys, bearer), threads)
            })
            .threaded(BY_HAND_SYNC, threads, move |fixture| {
                let keys = OverSync::new(fixture.store(), fixture.room());
                presented.run(fixture, &by_hand::service(keys, bearer), threads)
            })
            .threaded(FLOOR, threads, move |fixture| {
                let records = fixture.texts().iter().enumerate().map(|(number, text)| record(number, text));
                presented.run(fixture, &Floor::new(inner(), records, bearer), threads)
            })
    })
}

/// Adds the layer that counts usage.
fn metered(group: Group, presented: Presented, threads: usize) -> Group {
    group.threaded(METERED, threads, move |fixture| {
        let stack = layer::metered(fixture.store(), fixture.room()).layer(inner());
        drive::within_a_runtime(presented.run(fixture, &stack, threads))
    })
}

/// Adds the layer that adds `Cache-Control` and `Vary`.
fn with_cache_headers(group: Group, presented: Presented) -> Group {
    group.subject(HEADERS, move |fixture| {
        let layer = layer::with_cache_headers(fixture.store(), fixture.room());
        presented.run(fixture, &layer.layer(inner()), 1)
    })
}

/// Adds the layer that puts the principal into responses.
fn named(group: Group, presented: Presented) -> Group {
    group.subject(NAMED, move |fixture| {
        let layer = layer::new(fixture.store(), fixture.room()).principal_in_response();
        presented.run(fixture, &layer.layer(inner()), 1)
    })
}

impl Presented {
    fn run(self, fixture: &Fixture, stack: &impl Stack<Body>, threads: usize) -> Run {
        let part = fixture.texts().len() / threads;
        let run = |thread: usize| {
            let requests = Requests::bearer(fixture.texts(), self.order).skip(thread * part);
            let requests = if self.into_used { requests.with_used_extensions() } else { requests };
            at_once(stack.clone(), requests, StatusCode::OK)
        };
        match threads {
            1 => run(0),
            several => drive::threads((0..several).map(run).collect()),
        }
    }
}

fn layered(fixture: &Fixture) -> impl Stack<Body> + use<> {
    layer::new(fixture.store(), fixture.room()).layer(inner())
}

fn by_header() -> Group {
    fn run(fixture: &Fixture, stack: impl Stack<Body>) -> Run {
        let requests = Requests::new("x-api-key", fixture.texts().iter().cloned(), Order::InTurn);
        at_once(stack, requests, StatusCode::OK)
    }
    Group::new(X_API_KEY, 1_000)
        .subject(BARE, |fixture| run(fixture, inner()))
        .subject(CRATE, |fixture| run(fixture, layered(fixture)))
        .subject(BY_HAND, |fixture| {
            let keys = OverFuture::new(fixture.store(), fixture.room());
            run(fixture, by_hand::service(keys, x_api_key))
        })
}

fn by_basic() -> Group {
    fn run(fixture: &Fixture, stack: impl Stack<Body>) -> Run {
        let value = |text: &String| format!("Basic {}", BASE64_STANDARD.encode(format!("{EMAIL}:{text}")));
        let requests = Requests::new("authorization", fixture.texts().iter().map(value), Order::InTurn);
        at_once(stack, requests, StatusCode::OK)
    }
    Group::new(BASIC, 1_000)
        .subject(BARE, |fixture| run(fixture, inner()))
        .subject(CRATE, |fixture| run(fixture, layered(fixture)))
}

fn in_axum() -> Group {
    fn run(fixture: &Fixture, stack: axum::Router) -> Run {
        at_once::<_, axum::body::Body, _>(
            stack,
            Requests::bearer(fixture.texts(), Order::InTurn),
            StatusCode::OK,
        )
    }
    Group::new(AXUM, 1_000)
        .subject(BARE, |fixture| run(fixture, in_axum::router()))
        .subject(CRATE, |fixture| {
            run(fixture, in_axum::router().layer(layer::new(fixture.store(), fixture.room())))
        })
        .subject(BY_HAND, |fixture| {
            run(fixture, in_axum::by_hand(OverFuture::new(fixture.store(), fixture.room())))
        })
}
