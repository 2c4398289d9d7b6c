//! Requests that are rejected without a lookup.

use std::time::Duration;

use http::StatusCode;
use tower::Layer;
use tower_api_key::MemoryStore;

use super::{ANSWER, BARE, BY_HAND, CRATE, Fixture, Group};
use crate::drive::waiting;
use crate::keys;
use crate::order::Order;
use crate::requests::Requests;
use crate::stacks::by_hand::{self, OverFuture};
use crate::stacks::{Body, Stack, bearer, inner, layer, rejection};

/// Requests without a key.
pub const MISSING: &str = "rejection: no credential";
/// Unknown keys that were looked up a short while ago.
pub const UNKNOWN: &str = "rejection: a key that is remembered to be unknown";
/// Mistyped keys.
pub const CHECKSUM: &str = "rejection: a bad checksum";

pub(super) fn all() -> Vec<Group> {
    vec![
        group(MISSING, |_| Requests::anonymous()),
        group(CHECKSUM, |fixture| {
            let spoilt: Vec<_> = fixture.texts().iter().cloned().map(keys::spoilt).collect();
            Requests::bearer(&spoilt, Order::InTurn)
        }),
        group(UNKNOWN, |fixture| Requests::bearer(fixture.texts(), Order::InTurn)),
    ]
}

const REJECTED: StatusCode = StatusCode::UNAUTHORIZED;

fn group(name: &'static str, requests: fn(&Fixture) -> Requests) -> Group {
    // A negative entry lives for a minute at most, so a long measurement may look it up again.
    Group::new(name, 1_000)
        .subject(BARE, move |fixture| waiting(async { inner() }, requests(fixture), StatusCode::OK))
        .subject(CRATE, move |fixture| waiting(async { layered() }, requests(fixture), REJECTED))
        .subject(ANSWER, move |fixture| {
            let request = requests(fixture).make();
            waiting(rejection::alone(layered(), request), requests(fixture), REJECTED)
        })
        .subject(BY_HAND, move |fixture| {
            let keys = OverFuture::new(MemoryStore::new(), fixture.room());
            waiting(async { by_hand::service(keys, bearer) }, requests(fixture), REJECTED)
        })
}

/// Creates a layer over an empty store, with the longest negative time to live.
fn layered() -> impl Stack<Body> {
    let builder = layer::builder(MemoryStore::new()).negative_ttl(Duration::from_secs(60));
    layer::of(builder).layer(inner())
}
